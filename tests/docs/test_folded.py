"""Events that a page shows with what comes of them (`<!-- fold: {…} -->`) give that call, in any order."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from tests.pbx.folded import documents

_PAGES = sorted((Path(__file__).parents[2] / "docs").rglob("*.md"))
_SHOWN = re.compile(r"^<!-- fold: ([^\n]+) -->\n```json\n(.*?)^```", re.M | re.S)
EXAMPLES = [
    (json.loads(told), lines.splitlines()) for page in _PAGES for told, lines in _SHOWN.findall(page.read_text())
]


@pytest.mark.parametrize(("expect", "lines"), EXAMPLES, ids=[lines[0][-40:] for _, lines in EXAMPLES])
def test_an_example_gives_its_call(expect: dict[str, Any], lines: list[str]) -> None:
    values = [line.encode() for line in lines]
    found = documents("canonical", values)
    assert len(found) == expect.pop("calls")
    call = found[0] | {"caller": found[0]["caller"]["number"]}
    for field, value in expect.items():
        if field == "logs":
            assert len(call["logs"]) == value
        elif field == "reroutes":
            assert [
                {key: move[key] for key in want} for move, want in zip(call["reroutes"], value, strict=True)
            ] == value
        else:
            assert call[field] == value, field
    random.Random(lines[0]).shuffle(values)
    assert documents("canonical", values) == found


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5
