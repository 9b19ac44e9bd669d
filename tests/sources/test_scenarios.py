"""Every scenario file gives its calls: in order, in any order, and told more than once."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from pipeline.calls.fold import distinct, fold
from pipeline.calls.grouping import group
from pipeline.sources.contract import Decoded, Options
from pipeline.sources.registry import source
from schemas.call import Call
from schemas.event import Event
from tests.sources import scenario

ALL = [(dialect, name) for dialect in scenario.WRITERS for name in scenario.names(dialect)]
INSTANTS = {
    "started": "started_at",
    "progress": "progress_at",
    "rang": "rang_at",
    "answered": "answered_at",
    "talk": "talk_started_at",
    "ended": "ended_at",
}
ITEM_INSTANTS = {"at": "at", "joined": "joined_at", "left": "left_at"}


def decode(dialect: str, told: dict[str, Any], values: list[bytes]) -> Decoded:
    return source(dialect, Options(zone=told.get("zone", "UTC"), sip_ids=True))(values)


def calls(dialect: str, told: dict[str, Any], values: list[bytes]) -> list[Call]:
    decoded = decode(dialect, told, values)
    assert not decoded.rejected
    return fold_all(told, decoded.events)


def fold_all(told: dict[str, Any], events: list[Event]) -> list[Call]:
    found = [fold(call, expired=bool(told.get("expired"))) for call in group(events)]
    return sorted(found, key=lambda call: (call.started_at, call.caller_number, call.call_id))


@pytest.mark.parametrize(("dialect", "name"), ALL, ids=[f"{dialect}-{name}" for dialect, name in ALL])
def test_a_scenario_gives_its_calls(dialect: str, name: str) -> None:
    told = scenario.load(dialect, name)
    found = calls(dialect, told, told["values"])
    assert len(found) == len(told["expect"]), [(call.caller_number, call.requested, call.status) for call in found]
    for call, expected in zip(found, told["expect"], strict=True):
        assert shown(call, expected, told["t0_ms"]) == expected
    chance = random.Random(name)
    for _ in range(5):
        values = told["values"] + chance.choices(told["values"], k=len(told["values"]))
        chance.shuffle(values)
        assert calls(dialect, told, values) == found
    assert in_batches(dialect, told, values, chance) == found


def in_batches(dialect: str, told: dict[str, Any], values: list[bytes], chance: random.Random) -> list[Call]:
    """The calls as a worker comes to them: batch by batch, each id's distinct events kept."""
    kept: dict[str, list[Event]] = {}
    while values:
        size = chance.randint(1, len(values))
        for event in decode(dialect, told, values[:size]).events:
            kept[event.call_id] = distinct([*kept.get(event.call_id, []), event])
        values = values[size:]
    return fold_all(told, [event for events in kept.values() for event in events])


SAME = [name for name, times in Counter(name for _, name in ALL).items() if times > 1]


@pytest.mark.parametrize("name", SAME)
def test_the_same_story_gives_the_same_call_in_every_dialect(name: str) -> None:
    """What telecom people would call the same: who was reached, how it ended, who missed it."""
    found = {}
    for dialect, other in ALL:
        if other == name:
            told = scenario.load(dialect, name)
            found[dialect] = [essence(call) for call in calls(dialect, told, told["values"])]
    first = next(iter(found.values()))
    different = {dialect: each for dialect, each in found.items() if each != first}
    assert not different, first


def essence(call: Call) -> dict[str, Any]:
    """The call with letters for numbers: the stories differ in those."""
    letters: dict[str, str] = {}

    def letter(number: str | None) -> str:
        box, colon, told = (number or "").rpartition(":")
        return box + colon + letters.setdefault(told, chr(97 + len(letters))) if told else ""

    return {
        "status": call.status,
        "requested": letter(call.requested),
        "logs": sorted((log.kind, letter(log.number), log.outcome) for log in call.logs),
        "destination": letter(call.destination),
        "answered_by": letter(call.answered_by),
        "reroutes": [(item["kind"], letter(item["to"])) for item in call.reroutes],
        "missed_by": sorted(map(letter, call.missed_by)),
    }


def shown(call: Call, expected: dict[str, Any], t0: int) -> dict[str, Any]:
    """What the call says to each thing expected, in the same form."""
    result: dict[str, Any] = {}
    for key, value in expected.items():
        if key in INSTANTS:
            result[key] = _seconds(getattr(call, INSTANTS[key]), t0, value)
        elif key.endswith("_s"):
            result[key] = _seconds(getattr(call, key[:-2] + "_ms"), 0, value)
        elif key == "caller":
            result[key] = call.caller_number
        elif key in ("reroutes", "logs", "queue_visits"):
            items = [item if isinstance(item, dict) else _fields(item) for item in getattr(call, key)]
            result[key] = [
                _item(item, value[place] if place < len(value) else {"number": 0}, t0)
                for place, item in enumerate(items)
            ]
        else:
            told = getattr(call, key)
            result[key] = value if told == "" and value is None else told
    return result


def _fields(item: Any) -> dict[str, Any]:
    return {name: getattr(item, name) for name in item.__struct_fields__}


def _item(item: dict[str, Any], expected: dict[str, Any], t0: int) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in expected.items():
        if key in INSTANTS or key in ITEM_INSTANTS:
            result[key] = _seconds(item.get(INSTANTS.get(key) or ITEM_INSTANTS[key]), t0, value)
        elif key.endswith("_s"):
            result[key] = _seconds(item.get(key[:-2] + "_ms"), 0, value)
        else:
            told = item.get(key)
            result[key] = value if told in ("", None) and value is None else told
    return result


def _seconds(ms: int | None, t0: int, expected: Any) -> Any:
    if ms is None:
        return None
    seconds = (ms - t0) / 1000
    return expected if isinstance(expected, (int, float)) and round(expected * 1000) == ms - t0 else seconds
