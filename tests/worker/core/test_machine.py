"""The worker's core as a state machine: events delivered, repeated, lost in crashes, written in vain; clocks that
jump; partitions that go and come back. In the end the tables are the fold of all events. No servers."""

from __future__ import annotations

import asyncio
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pipeline.calls import fold as rules
from pipeline.calls.fold import GENERATION
from pipeline.calls.grouping import group
from pipeline.calls.id_reuse import NEAR_MS
from pipeline.settings import Settings
from pipeline.sources import canonical
from pipeline.warehouse.storage import archive, orphans, rows
from pipeline.worker.core import batch_loop as core
from pipeline.worker.core.batch_loop import Worker
from pipeline.worker.core.chunk import Chunk, Start
from pipeline.worker.core.durable_store import Fenced
from pipeline.worker.core.folding import call_of
from pipeline.worker.core.links import is_link, is_row_note
from schemas.call import Call, document
from schemas.version import Version
from tests.worker.memory import Crash, Memory, MemoryStore
from tests.worker.phone_calls import event, phone_call
from tests.worker.records import Record
from tests.worker.tariffs import no_tariffs

START = 1_750_000_000_000
OPEN_LIMIT_S = 3600


def universe() -> list[bytes]:
    """Events of a few calls, two of them one call, one without an end, and what is no event."""
    chance = random.Random(3)
    calls = [phone_call(f"c{number}", START + number * 700, chance) for number in range(4)]
    calls.append(
        [event("never", "started", START + 50, 0, leg_id="a"), event("never", "rang", START + 90, 1, leg_id="a")]
    )
    calls.append([event("one", "started", START, 0, leg_id="a"), event("one", "ended", START + 9000, 1, leg_id="a")])
    # The id "one" was in use the day before, and "again" is used by the day; its first use has no end.
    before, days = START - 86_400_000, 86_400_000
    calls.append([event("one", "started", before, 8, leg_id="o"), event("one", "ended", before + 9000, 9, leg_id="o")])
    for day, number in ((-3, 0), (-2, 2), (-1, 4)):
        again = [event("again", "started", START + day * days, number, leg_id="a", caller="1", callee="2")]
        again.append(event("again", "ended", START + day * days + 4000, number + 1, leg_id="a"))
        calls.append([*again[: 1 if day == -3 else 2], event("again", "rang", START + day * days - 10, 9 + number)])
    calls.append(
        [
            event("two", "started", START + 5000, 0, leg_id="b"),
            event("two", "ended", START + 8000, 1, leg_id="b", linked_ids=["one"]),
        ]
    )
    return [orjson.dumps(each) for call in calls for each in call] + [b"no event"]


UNIVERSE = universe()
REUSED = ("one", "again")
SETTINGS = Settings(
    batch_events=20, batch_wait_s=0, grace_s=0, open_limit_s=OPEN_LIMIT_S, partitions=2, kafka="none", clickhouse="none"
)


class Machine(RuleBasedStateMachine):
    """One worker at a time over two partitions, and everything that may happen to it."""

    @initialize()
    def begin(self) -> None:
        self.patch = pytest.MonkeyPatch()
        self.upgraded = False
        self.loop = asyncio.new_event_loop()
        self.memory = Memory(2)
        self.now = START + 20_000
        self.patch.setattr(core, "wall_ms", lambda: self.now)
        for name in ("load", "load_open", "newest", "ids_since", "on_several_partitions"):
            self.patch.setattr(archive, name, getattr(self.memory, name))
        self.patch.setattr(orphans, "_read", self.memory.all_versions)
        self.committed = [0, 0]
        self.claims: list[list[int]] = [[], []]  # of each partition, beyond what is committed
        self.generation = 0  # of the group
        self.epoch = 0  # grows with each assignment
        self.frozen: list[tuple[MemoryStore, asyncio.Task[None], Worker]] = []
        self.start()

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            try:
                self.finish()
            finally:
                try:
                    self.end()
                finally:
                    self.patch.undo()
                    self.loop.close()

    # -- the process -----------------------------------------------------------------------------

    def start(self) -> None:
        self.generation += 1

        def acknowledge(chunk: Chunk) -> None:
            if store is self.store:  # the broker refuses the commits of others
                end = chunk.records[-1].offset + 1
                self.committed[chunk.partition] = max(self.committed[chunk.partition], end)

        self.store = store = MemoryStore(SETTINGS, self.memory)

        async def claim(of: int, ends: Mapping[int, int], _grown: object) -> bool:
            await store.door.step()
            if of == self.generation:
                for number, end in ends.items():
                    self.claims[number] = [*self.claims_on(number), end]
            return of == self.generation

        self.worker = Worker(SETTINGS, store, acknowledge, claim)
        self.worker._pricing.tariffs = no_tariffs  # type: ignore[assignment,method-assign]
        self.task = self.loop.create_task(self.worker.run())
        self.assign()

    def claims_on(self, partition: int) -> list[int]:
        return [claim for claim in self.claims[partition] if claim > self.committed[partition]]

    def assign(self) -> None:
        """The partitions are the worker's, from what is committed on."""
        self.read = list(self.committed)
        self.epoch += 1
        self.starts = {
            number: Start(self.committed[number], tuple(sorted(self.claims_on(number))), grown=len(self.committed) > 2)
            for number in range(len(self.committed))
        }
        self.worker.assigned(self.starts, epoch=self.epoch, generation=self.generation)

    def end(self) -> None:
        for store, task, worker in [*self.frozen, (self.store, self.task, self.worker)]:
            task.cancel()
            if worker._writing is not None:
                worker._writing.cancel()
            store.door.thaw()
        left = [task for task in asyncio.all_tasks(self.loop) if not task.done()]
        for task in left:
            task.cancel()
        if left:
            self.loop.run_until_complete(asyncio.wait(left))
        self.frozen = []

    def settle(self) -> None:
        """Let the worker do all it can; when it dies, start another."""

        async def quiet() -> None:
            still = 0
            while still < 4:
                await asyncio.sleep(0)
                worker = self.worker
                busy = (
                    worker._intake or worker._preparing or (worker._writing is not None and not worker._writing.done())
                )
                still = 0 if busy else still + 1
                if self.task.done() or self.store.door.frozen:
                    return

        for _ in range(50):
            try:
                self.loop.run_until_complete(quiet())
                if not self.task.done() and not self._write_died():
                    return
            except Crash:
                pass
            self.again()
            self.feed_worker(100)
        raise AssertionError("the worker comes to no rest")

    def _write_died(self) -> bool:
        writing = self.worker._writing
        if writing is None or not writing.done() or writing.cancelled():
            return False
        return not isinstance(writing.exception(), Fenced | None)

    def again(self) -> None:
        self.end()
        self.memory.steps_left = None
        self.start()

    def feed_worker(self, most: int) -> None:
        for partition, log in self.memory.logs.items():
            if partition >= len(self.read):  # the group does not know of it yet
                continue
            first = self.read[partition]
            some = log[first : first + most]
            cuts = [claim for claim in self.starts[partition].claims if first < claim < first + len(some)]
            for begin, end in pairwise([first, *cuts, first + len(some)]):
                if begin == end:
                    continue
                records = [Record(n, *log[n]) for n in range(begin, end)]
                chunk = Chunk("call-events", partition, records, None, self.epoch, begin)
                self.loop.create_task(self.worker.add(chunk))
            self.read[partition] = first + len(some)

    # -- what may happen -------------------------------------------------------------------------

    @rule(picks=st.lists(st.integers(0, len(UNIVERSE) - 1), min_size=1, max_size=12))
    def deliver(self, picks: list[int]) -> None:
        """Events arrive, in any order, some of them not for the first time."""
        self.produce(picks)

    @rule(picks=st.lists(st.integers(0, len(UNIVERSE) - 1), min_size=1, max_size=12))
    def deliver_elsewhere(self, picks: list[int]) -> None:
        """By a producer that does not know yet that partitions were added."""
        self.produce(picks, 2)

    def produce(self, picks: list[int], count: int | None = None) -> None:
        for pick in picks:
            value = UNIVERSE[pick]
            key = orjson.loads(value)["call_id"].encode() if value.startswith(b"{") else b"k"
            self.memory.produce(key, value, count)

    @rule()
    def add_partition(self) -> None:
        """Nobody has noticed it yet."""
        if self.memory.partitions < 4:
            self.memory.add_partition()

    @rule()
    def notice(self) -> None:
        """The worker looks at Kafka, and the group at its topics: partitions that were added are shared out."""
        if len(self.committed) < self.memory.partitions:
            self.worker.partitions_added()
            self.settle()
            self.committed += [0] * (self.memory.partitions - len(self.committed))
            self.claims += [[] for _ in range(self.memory.partitions - len(self.claims))]
            self.revoke(given_up=False)

    @rule(most=st.integers(1, 6))
    def work(self, most: int) -> None:
        self.feed_worker(most)
        self.settle()

    @rule(steps=st.integers(0, 7), most=st.integers(1, 12))
    def crash(self, steps: int, most: int) -> None:
        """kill -9 after so many writes from now."""
        self.memory.steps_left = steps
        self.feed_worker(most)
        self.settle()
        if self.memory.steps_left is not None:
            self.again()

    @rule(failures=st.integers(1, 5))
    def flush_fails(self, failures: int) -> None:
        self.memory.failures = failures

    @rule(seconds=st.sampled_from((1, 600, OPEN_LIMIT_S * 2)))
    def clock(self, seconds: int) -> None:
        """Time passes: open calls are shown, silent ones are closed, old ones forgotten."""
        self.now += seconds * 1000
        self.worker._swept_at = self.worker._silenced_at = self.worker._refreshed_at = -math.inf
        self.worker._intake.wake()
        self.settle()

    @rule(newer=st.booleans())
    def upgrade(self, newer: bool) -> None:
        """The worker is killed; the next one folds by newer rules, or by older ones again, while an upgrade goes on."""
        self.end()
        self.patch.setattr(rules, "GENERATION", GENERATION + newer)
        self.upgraded = True
        self.start()

    @rule(given_up=st.booleans(), refused=st.booleans())
    def revoke(self, given_up: bool, refused: bool = False) -> None:
        """A rebalance: the partitions go and come back; what was begun is settled or given up, or the group refuses
        it."""
        self.feed_worker(4)
        self.loop.run_until_complete(asyncio.sleep(0))
        self.generation += refused
        self.worker.revoked()
        if given_up:
            self.worker.give_up_in_flight()
        self.settle()
        self.generation += not refused
        self.assign()

    @rule(steps=st.integers(0, 12), most=st.integers(1, 12))
    def freeze(self, steps: int, most: int) -> None:
        """The worker is held in the middle of its work, and its partitions go to another."""
        if len(self.frozen) > 2:
            return
        self.store.door.steps_to_freeze = steps
        self.feed_worker(most)
        self.settle()
        if self.store.door.frozen:
            self.frozen.append((self.store, self.task, self.worker))
            self.start()
        else:
            self.store.door.thaw()

    @rule()
    def thaw(self) -> None:
        """The one held longest goes on: what it was about to write is written late."""
        if self.frozen:
            store, task, worker = self.frozen.pop(0)
            store.door.thaw()
            self.loop.run_until_complete(pause())
            task.cancel()
            if worker._writing is not None:
                worker._writing.cancel()
            self.settle()

    # -- what must hold --------------------------------------------------------------------------

    @invariant()
    def committed_is_stored(self) -> None:
        """Nothing is committed that is not in the archive or a dead letter."""
        if not hasattr(self, "memory"):
            return
        archived = {key[:3] for key in self.memory.events}
        for partition, committed in enumerate(self.committed):
            for offset, (_, value) in enumerate(self.memory.logs[partition][:committed]):
                events = canonical.decode([value]).events
                if any(map(is_row_note, events)):
                    continue
                stored = all((e.tenant, e.call_id, e.event_id) in archived for e in events)
                assert stored if events else (partition, offset) in self.memory.dead

    @invariant()
    def one_row_a_call(self) -> None:
        if hasattr(self, "memory") and self.memory.partitions == 2:  # else two until it is noticed, and folded anew
            begun: dict[tuple[str, str], list[float]] = defaultdict(list)
            for row in self.memory.live("call_rows"):
                begun[row["tenant"], row["call_id"]].append(row["started_at"] * 1000)
            for starts in begun.values():
                starts.sort()
                assert all(later - earlier > NEAR_MS for earlier, later in pairwise(starts))

    def finish(self) -> None:
        """Everything is read and shown, silent calls are closed: each call is the fold of all its events."""
        while self.frozen:
            self.thaw()
        self.memory.failures = 0
        self.notice()
        for _ in range(3):
            self.memory.failures = 0
            self.feed_worker(1000)
            self.settle()
            self.clock(2)
        for _ in range(3):  # what is written is noted in the log, too; a partition may have events of days ago only
            self.clock(5 * 86_400)
            self.clock(2)
            self.feed_worker(1000)
            self.settle()
        assert self.committed == [len(log) for log in self.memory.logs.values()]
        values = [value for log in self.memory.logs.values() for _, value in log]
        events = [each for each in canonical.decode(values).events if not (is_link(each) or is_row_note(each))]
        wanted = {(call.tenant, call.id): call for call in (call_of(some, expired=True) for some in group(events))}
        found = {(row["tenant"], row["id"]): row for row in self.memory.live("call_rows")}
        assert found.keys() == wanted.keys()
        for key, call in wanted.items():
            if self.upgraded:  # the row says by which rules; of what, it says as ever
                of, told = Version.of(call.version), Version.of(found[key]["version"])
                assert (told.events, told.expired) >= (of.events, of.expired)
                assert told.generation in (GENERATION, GENERATION + 1)
            if call.call_id in REUSED or self.upgraded:  # once thought to be one call, it may have the version of that
                assert self.upgraded or found[key]["version"] >= call.version
                call.version = found[key]["version"]
                for log in call.logs:
                    log.version = call.version
            want = orjson.loads(rows.encode([rows.call_row(call)]))
            assert [found[key][name] for name in rows.CALL_COLUMNS] == want, key

        logs = sorted((tuple(row) for row in self.memory.tables["call_log_rows"].values() if not row[-1]), key=repr)
        want_logs = [rows.log_rows(call) for call in wanted.values()]
        assert sorted((tuple(orjson.loads(orjson.dumps(row))) for some in want_logs for row in some), key=repr) == logs
        self.feed_tells(wanted.values())

    def feed_tells(self, wanted: Iterable[Call]) -> None:
        """The change feed's last word on each call: as it is; on each other id: that another call has it now."""
        newest: dict[str, dict[str, Any]] = {}
        for shown in self.memory.feed_records:
            key = shown["id"] if shown["call_id"] in REUSED and "id" in shown else shown["call_id"]
            if key not in newest or shown["version"] >= newest[key]["version"]:
                newest[key] = shown
        for call in wanted:
            told = newest.pop(str(call.id) if call.call_id in REUSED else call.call_id)
            assert told == orjson.loads(orjson.dumps(document(call))), call.call_id
        ids = {call.call_id for call in wanted}
        for key, shown in newest.items():
            if shown["call_id"] not in REUSED:
                assert shown.get("retired"), key
                assert shown["merged_into"]["call_id"] in ids


async def pause() -> None:
    """Long enough for everything that can be done."""
    for _ in range(200):
        await asyncio.sleep(0)


Machine.TestCase.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestMachine: Any = Machine.TestCase


@pytest.mark.parametrize("steps", range(10))
def test_feed_tells_that_a_call_was_absorbed(steps: int) -> None:
    """Though the worker dies anywhere between retiring its row and saying so."""
    machine = Machine()
    machine.begin()
    joined = [place for place, value in enumerate(UNIVERSE) if b'"one"' in value or b'"two"' in value]
    machine.deliver(joined[:-1])
    machine.work(100)
    machine.deliver(joined[-1:])
    machine.crash(steps, 100)
    machine.teardown()


# A call whose start is told after what follows it: its row lies under another key from then on.
TURNED = [orjson.dumps(each) for each in reversed(phone_call("turned", START, random.Random(5)))]


@pytest.mark.parametrize("woken", ["assigned", "loaded", "written", "committed", "committed, and another owner"])
@pytest.mark.parametrize("steps", range(9))
@pytest.mark.parametrize("split", [2, len(TURNED) - 1])
def test_held_at_any_step_and_woken_at_any_step_of_the_new_owner(split: int, steps: int, woken: str) -> None:
    """SIGSTOP before each step of a batch, which ends in the middle of the call; the rest comes meanwhile."""
    machine = Machine()
    machine.begin()
    for value in TURNED[:split]:
        machine.memory.produce(b"turned", value)
    machine.freeze(steps, 100)
    held = len(machine.frozen)
    for value in TURNED[split:]:
        machine.memory.produce(b"turned", value)
    if woken == "loaded":
        machine.settle()
    elif woken == "written":
        machine.freeze(8, 100)
    elif woken != "assigned":
        machine.work(100)
    if "another" in woken:
        machine.again()
    for _ in range(held):
        machine.thaw()
    machine.teardown()
    rows_of = [row for row in machine.memory.live("call_rows") if row["call_id"] == "turned"]
    assert len(rows_of) == 1


@pytest.mark.parametrize("order", range(6))
@pytest.mark.parametrize("died", [False, True])
def test_partitions_added_and_not_noticed_yet(order: int, died: bool) -> None:
    """Events of a call lie on two partitions, and are read as if they were all; nothing more comes of it after that
    was noticed, by this worker or by the one after it."""
    machine = Machine()
    machine.begin()
    values = [orjson.dumps(each) for each in phone_call("moved", START, random.Random(5))]
    random.Random(order).shuffle(values)
    for value in values[:3]:
        machine.memory.produce(b"moved", value)
    machine.work(100)
    machine.memory.add_partition()
    for value in values[3:]:
        machine.memory.logs[0 if order % 2 else 1].append((b"moved", value))
        if order > 3:
            machine.memory.produce(b"moved", value, 2)
    machine.work(100)
    if died:
        machine.committed.append(0)
        machine.claims.append([])
        machine.again()
    machine.teardown()


def test_a_refused_batch_had_news_of_a_partition_that_stays() -> None:
    """Its calls are not in the tables as memory has them, though all that was read of the partition is committed."""
    machine = Machine()
    machine.begin()
    first, *others = [orjson.dumps(each) for each in phone_call("news", START, random.Random(5))]
    for value in (first, *others[:3]):
        machine.memory.produce(b"news", value)
        machine.work(100)
    machine.generation += 1
    machine.clock(2)
    machine.worker.revoked()
    machine.assign()
    for value in others[3:]:
        machine.memory.produce(b"news", value)
    machine.teardown()


@pytest.mark.parametrize("steps", range(9))
@pytest.mark.parametrize("newer", [True, False])
def test_an_upgrade_in_the_middle_of_a_call(steps: int, newer: bool) -> None:
    """A worker of newer rules is killed in the middle of a batch, and one of older rules goes on; or the other way
    round. What comes later shows in the rows either way."""
    machine = Machine()
    machine.begin()
    machine.upgrade(newer=newer)
    first, *others = [orjson.dumps(each) for each in phone_call("upgraded", START, random.Random(5))]
    machine.memory.produce(b"upgraded", first)
    machine.freeze(steps, 100)
    machine.upgrade(newer=not newer)
    for value in others:
        machine.memory.produce(b"upgraded", value)
        machine.work(100)
    machine.teardown()


@pytest.mark.parametrize("first_steps", range(6))
@pytest.mark.parametrize("steps", range(6))
def test_killed_while_events_of_one_call_become_those_of_two(first_steps: int, steps: int) -> None:
    """The logs of the second are written under the version of all, its row is not."""
    machine = Machine()
    machine.begin()
    begun, ended = START - 86_400_000, START - 2 * 86_400_000 + 4000
    for kind, at, number in (("rang", begun - 10, 13), ("ended", ended, 3)):
        machine.memory.produce(b"again", orjson.dumps(event("again", kind, at, number)))
    machine.crash(first_steps, 100)
    machine.memory.produce(b"again", orjson.dumps(event("again", "started", begun, 4, leg_id="a")))
    machine.crash(steps, 100)
    machine.teardown()


def test_a_quiet_partition_learns_the_time_from_calls_that_come_back() -> None:
    """Calls of several partitions are folded anew once these are noticed; where nothing else comes, they end for want
    of a hang-up all the same."""
    machine = Machine()
    machine.begin()
    ended, started = event("one", "ended", START - 86_391_000, 9), event("one", "started", START, 0, leg_id="a")
    machine.memory.produce(b"one", orjson.dumps(ended))
    machine.memory.add_partition()
    machine.memory.produce(b"one", orjson.dumps(started))
    machine.work(100)
    machine.clock(OPEN_LIMIT_S * 2)
    machine.again()
    machine.teardown()
