"""What is written of calls that a batch touched."""

from __future__ import annotations

import orjson

from pipeline.calls.fold import fold, version_of
from pipeline.warehouse.storage import rows
from pipeline.worker.core.batch import Batch, read
from pipeline.worker.core.evicted_ids import EvictedIds
from pipeline.worker.core.folding import fold_calls, postpone, put
from pipeline.worker.core.open_calls import OpenCall, PartitionCalls
from tests.worker.phone_calls import JsonEvent, event, now_ms
from tests.worker.records import chunk

NOW = now_ms()


def answered_call(call_id: str = "c") -> list[JsonEvent]:
    at = NOW - 60_000
    return [
        event(call_id, "started", at, 0, leg_id="a", caller="200", callee="300"),
        event(call_id, "answered", at + 5000, 1, leg_id="a"),
        event(call_id, "ended", at + 9000, 2, leg_id="a", hung_up_by="caller"),
    ]


def folded(state: PartitionCalls, batch: Batch, *, expired: bool = False) -> Batch:
    calls = [call for touched in batch.touched.values() for call in touched] if not expired else list(state)
    fold_calls(batch, state, calls, NOW, expired=expired)
    return batch


def take(state: PartitionCalls, events: list[JsonEvent], first: int = 0) -> tuple[Batch, list[OpenCall]]:
    batch = Batch()
    return batch, read(batch, chunk(events, first), state, now_ms=NOW, max_events=100)


def stored_as(call: OpenCall, known: OpenCall) -> None:
    """Restore a call as the archive would, from what another worker had of it."""
    for each in known.events:
        call.add(each)
    call.key, call.logs, call.version = known.key, known.logs, known.version


def only(state: PartitionCalls) -> OpenCall:
    (call,) = state
    return call


def test_duplicate_of_a_call_that_had_left_memory_leaves_it_closed_and_forgettable() -> None:
    before = PartitionCalls(0)
    folded(before, take(before, answered_call())[0])
    state = PartitionCalls(0)
    batch, fresh = take(state, answered_call()[:1])
    stored_as(fresh[0], only(before))
    folded(state, batch)
    assert only(state).closed
    assert state.silent(NOW + 10**9, 1000) == []
    assert state.evict(NOW + 10**6, 1000, 100, EvictedIds()) == 1


def test_duplicate_of_a_call_closed_for_want_of_a_hang_up_does_not_open_it() -> None:
    before = PartitionCalls(0)
    folded(before, take(before, answered_call()[:2])[0])
    folded(before, Batch(), expired=True)
    state = PartitionCalls(0)
    batch, fresh = take(state, answered_call()[:1])
    stored_as(fresh[0], only(before))
    assert folded(state, batch).calls == []
    assert only(state).closed


def test_version_that_was_stored_but_perhaps_not_published_is_published() -> None:
    """The worker before died between the calls and the change feed; its events come again."""
    before = PartitionCalls(0)
    first = folded(before, take(before, answered_call())[0])
    state = PartitionCalls(0)
    batch, fresh = take(state, answered_call())
    stored_as(fresh[0], only(before))
    assert folded(state, batch).feed == first.feed
    again = folded(state, take(state, answered_call(), 3)[0])
    assert again.feed == [] and again.duplicates == 3


def test_evicted_calls_are_looked_up_when_they_come_again() -> None:
    state = PartitionCalls(0)
    folded(state, take(state, answered_call())[0])
    assert state.evict(NOW + 10**6, 0, 100, EvictedIds()) == 1
    assert state.evicted_up_to == NOW - 51_000


def test_call_too_large_for_a_message_is_published_without_its_lists() -> None:
    at = NOW - 60_000
    state = PartitionCalls(0)
    legs = [event("c", "started", at + n, n, leg_id=f"leg{n}", callee=str(n)) for n in range(9000)]
    batch = Batch()
    read(batch, chunk(legs), state, now_ms=NOW, max_events=10_000)
    ((_partition, _key, body),) = folded(state, batch).feed
    assert len(body) < 4 << 20
    shown = orjson.loads(body)
    assert shown["legs"] == shown["logs"] == []
    assert "lists_left_out" in shown["flags"]
    assert len(batch.logs) == 8999


def test_rows_of_an_absorbed_call_are_retired_under_the_call_id_they_bear() -> None:
    state = PartitionCalls(0)
    folded(state, take(state, answered_call("own"))[0])
    call = only(state)
    joined = fold([*call.events], expired=False)
    joined.call_id, joined.version = "other", version_of(50, False)
    for log in joined.logs:
        log.call_id = "other"
    first = Batch()
    assert put(first, state, call, joined, NOW)
    assert _retired(first) == [("own", joined.id)]
    moved = fold([*call.events], expired=False)
    moved.call_id, moved.version, moved.id = "other", version_of(51, False), joined.id + 1
    second = Batch()
    assert put(second, state, call, moved, NOW)
    assert _retired(second) == [("other", joined.id)]


def _retired(batch: Batch) -> list[tuple[str, int]]:
    """(call_id, id) of the call rows that the batch retires."""
    found = [dict(zip(rows.CALL_COLUMNS, row, strict=True)) for row in batch.calls]
    return [(row["call_id"], row["id"]) for row in found if row["retired"]]


def test_of_two_reports_of_one_fact_the_earlier_is_written() -> None:
    for size in (1, 40):  # few events, and so many that they are looked up
        state = PartitionCalls(0)
        events = answered_call()
        more = [event("c", "data", NOW - 50_000 + place, 10 + place, leg_id="a") for place in range(size)]
        batch, _ = take(state, [*more, *events])
        folded(state, batch)
        call = only(state)
        earlier = {**events[1], "at": events[1]["at"] - 7}
        again, _ = take(state, [earlier], 100)
        written = folded(state, again)
        assert len(written.calls) == 1
        answered_at = written.calls[0][rows.CALL_COLUMNS.index("answered_at")]
        assert answered_at == earlier["at"] / 1000
        assert call.version == fold([*call.events]).version
        later = {**events[1], "at": events[1]["at"] + 7}
        assert folded(state, take(state, [later], 101)[0]).calls == []


def test_two_tenants_join_the_same_ids_in_one_batch() -> None:
    batch = Batch()
    events = [
        event("owner", "transferred", NOW - 9000, 0, leg_id="a", tenant=tenant, linked_ids=["absorbed"])
        for tenant in ("acme", "globex")
    ]
    read(batch, chunk(events), PartitionCalls(0), now_ms=NOW, max_events=100)
    told = [orjson.loads(value) for value in batch.announce.values()]
    assert {(each["tenant"], each["call_id"], *each["linked_ids"]) for each in told} == {
        ("acme", "absorbed", "owner"),
        ("globex", "absorbed", "owner"),
    }


def test_an_open_call_that_perhaps_nobody_told_of_is_not_put_off() -> None:
    """Else a second worker may commit its events and die, and nothing tells the third that the feed lacks it."""
    before = PartitionCalls(0)
    folded(before, take(before, answered_call()[:2])[0])  # its row was written; then the worker died
    state = PartitionCalls(0)
    batch, fresh = take(state, answered_call()[:1])
    stored_as(fresh[0], only(before))
    assert postpone(batch, state, fresh, backlog=False) == fresh
    fold_calls(batch, state, fresh, NOW, expired=False)
    assert len(batch.feed) == 1
    batch, _ = take(state, answered_call()[:1], 5)
    assert postpone(batch, state, fresh, backlog=False) == []
