"""Every story gives its call at other people's Asterisk, too: other drivers, trunks and contexts, fewer rows."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.pbx.asterisk.looks import LOOKS, seen
from tests.pbx.compare import differences
from tests.pbx.folded import T0_MS, documents
from tests.pbx.stories import ALL
from tests.pbx.tellers import MODES, can_tell, expected, tell

_TOLD = [(story, mode) for story in ALL for mode in MODES if mode.startswith("asterisk") and can_tell(story, mode)]
_EXCEPT = {
    # The end of a stay in a queue is told by APP_END alone: it ends when the next begins, 0.1 s later.
    ("no APP_END", "queue-then-queue"),
    # What was in which order within one second is not known.
    ("whole seconds", "forwarded-from-outside"),
    ("whole seconds", "forwarded-out-of-a-group"),
    ("whole seconds", "queue-abandoned-between-agents"),
    ("whole seconds", "screened-then-voicemail"),
}
_TOLERANCES_S = {"whole seconds": 2.1}


@pytest.mark.parametrize("name", LOOKS)
def test_stories_give_their_calls_whatever_the_pbx_looks_like(name: str) -> None:
    look, trunks = LOOKS[name]
    wrong: dict[tuple[str, str], Any] = {}
    for story, mode in _TOLD:
        if (name, story.name) in _EXCEPT or (name == "no APP_END" and mode == "asterisk manager"):
            continue
        dialect, values = tell(story, mode)
        found = documents(dialect, seen(values, look))
        expect = _renamed(expected(story, mode), trunks)
        if len(found) != expect.pop("calls", 1):
            wrong[story.name, mode] = found
        elif bad := differences(found[0], expect, T0_MS / 1000, _TOLERANCES_S.get(name, 0.06)):
            wrong[story.name, mode] = bad
    assert not wrong


def _renamed(expect: Any, trunks: dict[str, str]) -> Any:
    if isinstance(expect, str):
        return re.sub(r"carrier-\w", lambda found: trunks.get(found[0], found[0]), expect)
    if isinstance(expect, dict):
        return {key: _renamed(value, trunks) for key, value in expect.items()}
    return [_renamed(each, trunks) for each in expect] if isinstance(expect, (list, tuple)) else expect
