"""The scenarios in `scenarios/*.yaml`: named calls, as a telecom engineer would tell and judge them.

Each is folded in the order told, then shuffled, duplicated and in batches.
"""

from __future__ import annotations

import datetime as dt
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.calls.fold import fold
from pipeline.calls.grouping import group
from schemas.call import document
from tests.calls.scenario_events import events_of, in_any_order

MOMENTS = {"started": "started_at", "progress": "progress_at", "rang": "rang_at", "answered": "answered_at",
           "talk": "talk_started_at", "ended": "ended_at", "at": "at"}  # fmt: skip


def scenarios() -> list[Any]:
    found = []
    for file in sorted((Path(__file__).parent / "scenarios").glob("*.yaml")):
        for scenario in yaml.load(file.read_text(), yaml.BaseLoader):  # every value as it is written
            found.append(pytest.param(scenario, id=f"{file.stem}: {scenario['title']}"))
    return found


def shown(value: Any, field: str, origin: int) -> Any:
    """A value of the document as a scenario writes it."""
    if value is None:
        return "null"
    if field in MOMENTS and "T" in str(value):
        ms = dt.datetime.fromisoformat(value).timestamp() * 1000 - origin
        return seconds(ms)
    return seconds(value) if field.endswith("_s") else str(value)


def seconds(ms: float) -> str:
    return f"{ms / 1000:.3f}".rstrip("0").rstrip(".")


def differences(told: Any, made: Any, origin: int, path: str = "") -> list[str]:
    """Where the document differs from what the scenario says; what it does not mention is not compared."""
    if isinstance(told, dict):
        found = []
        for field, wanted in told.items():
            source = (
                field
                if field in made
                else MOMENTS.get(field, field.removesuffix("_s") + "_ms" if field.endswith("_s") else field)
            )
            value = made[source]
            if field == "caller":
                value = value["number"]
            if isinstance(wanted, list | dict):
                found += differences(wanted, value, origin, f"{path}/{field}")
            elif shown(value, field, origin) != wanted:
                found.append(f"{path}/{field}: {shown(value, field, origin)}, must be {wanted}")
        return found
    if isinstance(told, list):
        if len(told) != len(made):
            return [f"{path}: {made}, must be {told}"]
        pairs = enumerate(zip(told, made, strict=True))
        return [line for place, (a, b) in pairs for line in differences(a, b, origin, f"{path}/{place}")]
    return [] if str(made) == told else [f"{path}: {made}, must be {told}"]


@pytest.mark.parametrize("scenario", scenarios())
def test_scenario(scenario: dict[str, Any]) -> None:
    expected = scenario["calls"] if "calls" in scenario else [scenario["call"]]
    expired = scenario.get("expired") == "true"
    chance = random.Random(scenario["title"])
    told = events_of(scenario["events"])
    calls = group(told)
    assert len(calls) == len(expected)
    for events, wanted in zip(calls, expected, strict=True):
        call = fold(events, expired=expired)
        starts = [event.at for event in events if event.type == "started" and event.leg_id in ("a", "")]
        origin: Any = min(starts) if starts else call.started_at
        assert not differences(wanted, document(call), origin)
        in_any_order(events, call, expired, chance)


def test_scenarios_have_titles_of_their_own() -> None:
    titles = [parameter.id for parameter in scenarios()]
    assert len(titles) == len(set(titles)) >= 50
