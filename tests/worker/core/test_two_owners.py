"""Calls that turn out to be one, on two partitions, while their owners are held and killed at any step and followed
by others: in the end one call, whoever wrote last."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from pipeline.calls.grouping import group
from pipeline.settings import Settings
from pipeline.sources import canonical
from pipeline.warehouse.storage import archive, orphans, rows
from pipeline.worker.core import batch_loop
from pipeline.worker.core.folding import call_of
from pipeline.worker.core.links import is_link, is_row_note
from schemas.call import Call, document
from tests.worker.memory import Memory
from tests.worker.owners import Partition, rest
from tests.worker.phone_calls import event

START = 1_750_000_000_000
SETTINGS = Settings(batch_events=6, batch_wait_s=0, partitions=2, kafka="none", clickhouse="none")


def transfer(number: int) -> list[bytes]:
    """An attended transfer: "one…" talks, "dab…" is the consultation; their ids lie on two partitions."""
    one, two = f"one{number * 2}", f"dab{number * 2}"
    at = START + number * 20_000
    events = [
        event(one, "started", at, 0, leg_id="a", caller="200", callee="300"),
        event(one, "rang", at + 500, 1, leg_id="a"),
        event(one, "answered", at + 1000, 2, leg_id="a"),
        event(two, "started", at + 5000, 0, leg_id="b", caller="300", callee="301"),
        event(two, "answered", at + 6000, 1, leg_id="b", linked_ids=[one]),
        event(two, "ended", at + 9000, 2, leg_id="b"),
        event(one, "ended", at + 9500, 3, leg_id="a", hung_up_by="party"),
    ]
    return [orjson.dumps(each) for each in events]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[Memory]:
    memory = Memory(2)
    monkeypatch.setattr(batch_loop, "wall_ms", lambda: START + 60_000)
    for name in ("load", "load_open", "newest", "ids_since"):
        monkeypatch.setattr(archive, name, getattr(memory, name))
    monkeypatch.setattr(orphans, "_read", memory.all_versions)
    yield memory


def key_of(value: bytes) -> bytes:
    call_id: str = orjson.loads(value)["call_id"]
    return call_id.encode()


async def interleave(memory: Memory, chance: random.Random) -> None:
    """Everything that may happen, in an order that chance decides; then everything comes to rest."""
    values = [value for number in range(2) for value in transfer(number)]
    chance.shuffle(values)
    values += chance.sample(values, 3)
    both = [Partition(number, memory, SETTINGS) for number in (0, 1)]
    while values or chance.random() < 0.8:
        partition = chance.choice(both)
        match chance.choice(("produce", "produce", "feed", "feed", "run", "run", "hold", "over", "kill", "wake")):
            case "produce" if values:
                value = values.pop()
                memory.produce(key_of(value), value)
            case "feed":
                partition.owner.feed(chance.randrange(1, 5))
            case "run":
                await rest(chance.randrange(1, 30))
            case "hold":
                partition.owner.store.door.steps_to_freeze = chance.randrange(8)
                partition.owner.feed(4)
                await rest()
                partition.take_over(kill=False)
            case "over":
                partition.take_over(kill=False)
            case "kill":
                partition.take_over(kill=True)
            case "wake":
                await partition.wake()
    for partition in both:
        while partition.held and chance.random() < 0.5:
            await partition.wake()
    for _ in range(20):
        for partition in both:
            partition.owner.worker._refreshed_at = partition.owner.worker._swept_at = 0.0
            partition.owner.worker._intake.wake()
            partition.owner.feed(1000)
            await rest()
            await partition.wake()
    assert [partition.committed for partition in both] == [len(log) for log in memory.logs.values()]
    for partition in both:
        partition.end()
    await rest(5)


def compare(memory: Memory) -> None:
    """The tables are the fold of all events, and so is the feed's last word on each id."""
    values = [value for log in memory.logs.values() for _, value in log]
    events = [each for each in canonical.decode(values).events if not (is_link(each) or is_row_note(each))]
    wanted = [call_of(some) for some in group(events)]
    want = sorted((orjson.loads(rows.encode([rows.call_row(call)])) for call in wanted), key=repr)
    assert sorted((row for row in memory.tables["call_rows"].values() if not row[-1]), key=repr) == want
    logs = sorted((row for row in memory.tables["call_log_rows"].values() if not row[-1]), key=repr)
    assert logs == sorted((orjson.loads(orjson.dumps(row)) for call in wanted for row in rows.log_rows(call)), key=repr)
    _compare_feed(memory, wanted)


def _compare_feed(memory: Memory, wanted: list[Call]) -> None:
    newest: dict[str, dict[str, Any]] = {}
    for shown in memory.feed_records:
        if shown["version"] >= newest.get(shown["call_id"], shown)["version"]:
            newest[shown["call_id"]] = shown
    for call in wanted:
        assert newest.pop(call.call_id) == orjson.loads(orjson.dumps(document(call))), call.call_id
    for shown in newest.values():
        assert shown.get("retired"), shown["call_id"]


@pytest.mark.parametrize("seed", range(120))
def test_one_call_whoever_is_held_or_killed(memory: Memory, seed: int) -> None:
    asyncio.run(interleave(memory, random.Random(seed)))
    compare(memory)
