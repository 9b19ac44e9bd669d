"""What holds of every call, whatever its events: the fold is a function of their set, and its result makes sense."""

from __future__ import annotations

import random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calls.fold import distinct, fold, version_of
from schemas.call import Call, CallLog, document
from schemas.call_model import CallDocument
from schemas.event import Event
from tests.calls.made_calls import calls
from tests.calls.random_events import soups


def shuffled(events: list[Event], chance: random.Random) -> list[Event]:
    """The same facts in another order, some of them several times."""
    again = events + [chance.choice(events) for _ in range(chance.randint(0, len(events)))]
    chance.shuffle(again)
    return again


def batched(events: list[Event], chance: random.Random) -> list[Event]:
    """The facts as several batches leave them: each made distinct with those before it."""
    known: list[Event] = []
    while events:
        size = chance.randint(1, len(events))
        known, events = distinct([*known, *events[:size]]), events[size:]
    return known


def same_whatever_the_order(events: list[Event], chance: random.Random, expired: bool) -> Call:
    before = msgspec.json.encode(events)
    call = fold(events, expired=expired)
    assert msgspec.json.encode(events) == before, "the fold changes no event"
    assert fold(shuffled(events, chance), expired=expired) == call
    assert fold(batched(shuffled(events, chance), chance), expired=expired) == call
    assert fold(iter(events), expired=expired) == call
    return call


def makes_sense(call: Call, expired: bool) -> None:
    shown: dict[str, Any] = document(call)
    CallDocument.model_validate(shown)
    assert call.logs
    assert len({log.id for log in call.logs}) == len(call.logs)
    assert [log.position for log in call.logs] == list(range(len(call.logs)))
    assert 0 <= call.id < 2**64 and all(0 <= log.id < 2**64 for log in call.logs)
    _durations(call)
    for log in call.logs:
        _durations(log)
    latest = call.last_event_at if call.ended_at is None else call.ended_at
    assert (call.state == "open") == (call.ended_at is None)
    assert not (expired and call.state == "open")
    moments = [call.started_at, call.answered_at, call.talk_started_at, call.ended_at]
    known = [at for at in moments if at is not None]
    assert known == sorted(known)
    if call.rang_at is not None:
        assert call.started_at <= call.rang_at <= max(latest, call.started_at)
    if call.answered_at is None:
        assert call.talk_ms == call.billable_ms == 0
        assert call.talk_started_at is None and call.setup_ms is None
    else:
        assert call.talk_ms <= max(0, latest - call.answered_at)
    assert (call.talk_started_at is not None) == (call.status == "answered" and call.answered_by != "") or (
        call.talk_started_at is None or any(not log.number for log in call.logs)
    )
    if call.state == "closed":
        assert call.status and all(log.outcome for log in call.logs)
    assert 0 <= call.sip_status < 700 and 0 <= call.q850_cause < 128


def _durations(item: Call | CallLog) -> None:
    for field in item.__struct_fields__:
        if field.endswith("_ms"):
            value = getattr(item, field)
            assert value is None or 0 <= value < 2**32, field


@settings(max_examples=400, deadline=None)
@given(soups, st.randoms(use_true_random=False), st.booleans())
def test_any_events_give_one_call_that_makes_sense(events: list[Event], chance: random.Random, expired: bool) -> None:
    makes_sense(same_whatever_the_order(events, chance, expired), expired)


@settings(max_examples=200, deadline=None)
@given(calls(), st.randoms(use_true_random=False), st.booleans())
def test_any_call_is_the_same_call_in_any_order(made: list[Event], chance: random.Random, expired: bool) -> None:
    call = same_whatever_the_order(made, chance, expired)
    makes_sense(call, expired)
    assert call.state == "closed" and "incomplete" not in call.flags


@settings(max_examples=200, deadline=None)
@given(calls(), st.data())
def test_every_beginning_of_a_call_makes_sense(made: list[Event], data: st.DataObject) -> None:
    some = data.draw(st.lists(st.sampled_from(made), min_size=1, unique_by=lambda event: event.event_id))
    makes_sense(fold(some), False)
    makes_sense(fold(some, expired=True), True)


@given(calls(), st.randoms(use_true_random=False))
def test_more_facts_give_a_higher_version(made: list[Event], chance: random.Random) -> None:
    chance.shuffle(made)
    versions = [
        fold(made[:count], expired=expired).version for count in range(1, len(made) + 1) for expired in (False, True)
    ]
    assert versions == sorted(versions)
    assert versions[-1] == version_of(len(made), False)
