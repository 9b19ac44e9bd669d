"""Bad input costs only itself: a dead letter that says what to mend, or a defined result."""

from __future__ import annotations

import random

import orjson
import pytest

from pipeline.worker.core.batch import Batch, read
from pipeline.worker.core.chunk import Chunk
from pipeline.worker.core.open_calls import PartitionCalls
from tests.worker.conftest import Deploy
from tests.worker.phone_calls import encoded, event, in_time, now_ms, phone_calls
from tests.worker.records import Record

NOW = now_ms()
GOOD = event("good", "started", NOW - 1000, 0, leg_id="a")


def changed(**fields: object) -> bytes:
    return orjson.dumps(event("c", "started", NOW - 1000, 0, leg_id="a") | fields)


def without(field: str) -> bytes:
    return orjson.dumps({name: value for name, value in event("c", "started", NOW, 0).items() if name != field})


# value → words that its reason must have
BAD: list[tuple[bytes | None, tuple[str, ...]]] = [
    (None, ("empty",)),
    (b"", ("empty",)),
    (b"not json", ("JSON",)),
    (b"[]", ("object",)),
    (b'"text"', ("object",)),
    (b'{"type": "star', ("JSON",)),
    (b"\x00\x01\x02", ("JSON",)),
    (b"\xff\xfe", ("UTF-8",)),
    (changed(call_id="x")[:-1] + b',"node":"\xff"}', ("UTF-8",)),
    (without("type"), ("type",)),
    (without("call_id"), ("call_id",)),
    (without("at"), ("at",)),
    (changed(at="yesterday"), ("/at", "yesterday", "RFC 3339")),
    (changed(at=0), ("/at", "1970")),
    (changed(at=12.5), ("/at", "12.5")),
    (changed(at="1970-01-01T00:00:00Z"), ("/at", "1970")),
    (changed(at="2100-01-01T00:00:00Z"), ("/at", "future")),
    (changed(at=NOW + 3 * 86_400_000), ("/at", "future", "clock")),
    (changed(at=-7).replace(b"-7", b"1" + b"0" * 30), ("/at",)),
    (changed(at=NOW // 1000), ("/at", "milliseconds")),
    (changed(call_id=""), ("/call_id",)),
    (changed(call_id=7), ("/call_id", "7")),
    (changed(call_id="x" * 300), ("/call_id", "256")),
    (changed(call_id="a\0b"), ("/call_id", "control")),
    (changed(tenant="t\n"), ("/tenant", "control")),
    (changed(caller=["200"]), ("/caller",)),
    (changed(direction="sideways"), ("/direction", "sideways")),
    (changed(sip_status="486"), ("/sip_status", "486")),
    (changed(cause="x" * 5000), ("/cause", "1024")),
    (changed(data={"x": "y" * 1_100_000}), ("bytes", "1000000")),
    (b"[" * 100_000, ()),
    (b'{"a":' * 50_000, ()),
]


@pytest.mark.parametrize(("value", "words"), BAD, ids=range(len(BAD)))
def test_each_gets_a_dead_letter_with_a_reason(value: bytes | None, words: tuple[str, ...]) -> None:
    records = [
        Record(10, b"good", orjson.dumps(GOOD)),
        Record(11, b"c", value),
        Record(12, b"good", orjson.dumps(GOOD | {"event_id": "2"})),
    ]
    batch, state = Batch(), PartitionCalls(0)
    read(batch, Chunk("call-events", 3, records), state, now_ms=NOW, max_events=100)
    (dead,) = batch.dead
    assert (dead.topic, dead.partition, dead.offset, dead.key, dead.value) == (
        "call-events",
        3,
        11,
        b"c",
        value or b"",
    )
    assert all(word in dead.reason for word in words), dead.reason
    assert len(dead.reason) < 2000
    assert [call.count for call in state] == [2]
    assert len(batch.archive) == 2


def test_odd_but_defined() -> None:
    """Unknown types and fields are kept, long free text too; a wrong key is sent on."""
    values = [
        changed(type="sneezed", extra={"any": ["thing"]}),
        changed(event_id="2", user_data="x" * 900_000),
        changed(event_id="3", user_data="tab\there\nline\0nul \\ 'quote\" 😀"),
    ]
    records = [Record(n, b"c", value) for n, value in enumerate(values)]
    records.append(Record(3, b"wrong", changed(event_id="4")))
    batch, state = Batch(), PartitionCalls(0)
    read(batch, Chunk("call-events", 0, records), state, now_ms=NOW, max_events=100)
    assert batch.dead == [] and batch.unknown_types == 1
    assert [call.count for call in state] == [3]
    assert batch.forward == [(b"c", records[3].value)]


def test_more_events_than_a_call_may_have() -> None:
    batch, state = Batch(), PartitionCalls(0)
    values = [changed(event_id=str(number)) for number in range(250_000)]
    records = [Record(n, b"c", value) for n, value in enumerate(values)]
    read(batch, Chunk("call-events", 0, records), state, now_ms=NOW, max_events=20_000)
    assert [call.count for call in state] == [20_000]
    assert len(batch.dead) == 230_000
    assert "CDR_MAX_EVENTS_PER_CALL" in batch.dead[0].reason and "'c'" in batch.dead[0].reason
    again = Batch()
    read(again, Chunk("call-events", 0, records[:10]), state, now_ms=NOW, max_events=20_000)
    assert again.dead == [] and again.duplicates == 10


def test_all_of_it_through_a_worker(deploy: Deploy) -> None:
    """Bad values among good ones, a call of 10,000 events, one of 10,000 legs, one over the limit."""
    deployment = deploy(max_events_per_call=12_000)
    worker = deployment.worker()
    at = now_ms() - 3_600_000
    # Kafka itself refuses more than a megabyte.
    poison = [value for value, _ in BAD if value and len(value) < 1_000_000]
    messages = encoded(in_time(phone_calls(200)))
    for value in poison:
        messages.insert(random.Random(1).randrange(len(messages)), (b"k", value))
    chatty = [event("chatty", "started", at, 0, leg_id="a")]
    chatty += [event("chatty", "held" if n % 2 else "resumed", at + n, n, leg_id="a") for n in range(1, 10_000)]
    legs = [event("legs", "started", at + n, n, leg_id=f"leg{n}", callee=str(n)) for n in range(10_000)]
    deployment.send(messages + encoded(chatty) + encoded(legs))
    deployment.wait_done()
    assert worker.running and worker.ready
    deployment.verify([value for value in deployment.values if value not in poison], feed=False)
    assert sorted(record.value for record in deployment.dead_letters()) == sorted(poison)
    deployment.produce(in_time(phone_calls(50, 9)))
    deployment.wait_done()
