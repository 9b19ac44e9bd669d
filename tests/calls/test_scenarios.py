"""The scenarios in `scenarios/*.yaml`: named calls, as a telecom engineer would tell and judge them.

Each is folded in the order told, then shuffled, duplicated and in batches.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.calls.fold import distinct, fold
from pipeline.calls.grouping import group
from pipeline.sources.canonical import decode
from schemas.call import Call, document
from schemas.event import Event

T0 = 1_773_144_000_000  # ms
MOMENTS = {"started": "started_at", "progress": "progress_at", "rang": "rang_at", "answered": "answered_at",
           "talk": "talk_started_at", "ended": "ended_at", "at": "at"}  # fmt: skip


def scenarios() -> list[Any]:
    found = []
    for file in sorted((Path(__file__).parent / "scenarios").glob("*.yaml")):
        for scenario in yaml.load(file.read_text(), yaml.BaseLoader):  # every value as it is written
            found.append(pytest.param(scenario, id=f"{file.stem}: {scenario['title']}"))
    return found


def events_of(text: str) -> list[Event]:
    """The events in the lines of a scenario: time, leg ("-" for none), type, fields."""
    values = []
    for number, line in enumerate(dict.fromkeys(text.strip().splitlines())):
        when, leg, type_, *fields = shlex.split(line)
        told: dict[str, Any] = dict(field.split("=", 1) for field in fields)
        for field in ("sip_status", "q850_cause", "seq"):
            if field in told:
                told[field] = int(told[field])
        if "linked_ids" in told:
            told["linked_ids"] = told["linked_ids"].split(",")
        at = when if "T" in when else T0 + round(float(when) * 1000)
        event = {"type": type_, "at": at, "call_id": "c-1", "event_id": f"e-{number}", "leg_id": leg.strip("-")} | told
        values.append(json.dumps(event).encode())
    decoded = decode(values)
    assert not decoded.rejected
    return decoded.events


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


def in_any_order(events: list[Event], call: Call, expired: bool, chance: random.Random) -> None:
    for _ in range(20):
        again = events + [event for event in events if chance.random() < 0.5]
        chance.shuffle(again)
        assert fold(again, expired=expired) == call
        batched: list[Event] = []
        while again:
            size = chance.randint(1, len(again))
            batched, again = distinct([*batched, *again[:size]]), again[size:]
        assert fold(batched, expired=expired) == call


def test_scenarios_have_titles_of_their_own() -> None:
    titles = [parameter.id for parameter in scenarios()]
    assert len(titles) == len(set(titles)) >= 50
