"""The worker's loop: chunks come in, batches are read, folded and made durable.

While one batch is being written, the next is read and folded; no further ahead, so memory is
bounded by two batches and the calls that are open.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from itertools import islice

import structlog

from pipeline.calls.fold import version_beside
from pipeline.calls.id_reuse import NEAR_MS
from pipeline.settings import Settings
from pipeline.warehouse.storage import archive
from pipeline.warehouse.storage.archive import CallKey, Stored
from pipeline.worker import failpoints, metrics
from pipeline.worker.core import batch as batches
from pipeline.worker.core import joining
from pipeline.worker.core.batch import Batch
from pipeline.worker.core.chunk import Chunk, Start
from pipeline.worker.core.durable_store import Fenced, Store
from pipeline.worker.core.evicted_ids import EvictedIds
from pipeline.worker.core.folding import fold_calls, postpone
from pipeline.worker.core.intake_buffer import IntakeBuffer
from pipeline.worker.core.open_calls import OpenCall, PartitionCalls
from pipeline.worker.core.pricing import Pricing
from pipeline.worker.core.reload import load_open, restore

log = structlog.get_logger()

SWEEP_EVERY_S = 2.0
# A member that the group has given up joins it again within its session and rebalance time-outs.
FENCED_S = 180.0
# How old the row of an open call may grow. What ends is written at once.
REFRESH_EVERY_S = 1.0
REFRESH_AT_ONCE = 2_000
# Batches of so many come from a backlog: calls that go on are put off until something of them ends.
BACKLOG_EVENTS = 10_000
SILENT_EVERY_S = 30.0
# Closed calls kept in memory at most, however short the time: what comes later is reloaded.
CLOSED_IN_MEMORY = 20_000
# How much later than everything that memory may have forgotten a call must start, so that nothing
# needs to be looked up for it: room for nodes whose clocks differ.
FRESH_MS = 5_000


def wall_ms() -> int:
    """Now, ms since the epoch."""
    return time.time_ns() // 1_000_000


# Notes with the group, as a member of a generation of it, as of which offset of each partition calls may be written
# from now on, and the partitions whose calls may lie on another one, too; False when the group has moved on.
Claim = Callable[[int, Mapping[int, int], Collection[int]], Awaitable[bool]]
# How long producers may go on sending by the number of partitions that a topic had before: they ask for it anew every
# five minutes (Java's metadata.max.age.ms, librdkafka's topic.metadata.refresh.interval.ms), by default.
GROWN_MS = 15 * 60_000


class Worker:
    """Reads chunks of the events topic and keeps the warehouse equal to the fold of all events.

    What memory has of a partition is a function of the partition's records before `PartitionCalls.next_offset`: every
    chunk begins there. A batch that writes calls claims the offset up to which it read; who takes the partition over
    folds all calls as of that offset, too, before it goes on. So a write of a former owner that arrives late writes
    what the new owner wrote, or less.

    Its life, all of it in one event loop; who calls what, what may wait, and what may raise:

    - `run`, once, by the service. Ends after `stop`. An exception is a defect; the service ends the process.
    - `assigned`, by the transport, when an epoch begins: after `revoked`, before any chunk of the epoch. Returns at
      once; `run` loads the calls.
    - `add`, by the transport, for each chunk. Waits while enough is waiting already; during a rebalance it returns
      without taking the chunk.
    - `revoked`, by the transport, when a rebalance begins. Returns at once. No chunk of the epoch is begun any more.
    - `drained`, after `revoked`: waits until what was begun is written and acknowledged, as long as it takes.
    - `give_up_in_flight`, when that took too long: what is not written by now is read again by who owns it next.
      Returns at once; a write that has left may still arrive.
    - `stop`, once, by the service. Returns at once; the batch at hand is still written.
    - `acknowledge` is called for each chunk of a batch once all of the batch is durable; `claim` before rows are
      written. `claim` may wait, and may raise KafkaError: it is repeated.
    """

    def __init__(
        self, settings: Settings, store: Store, acknowledge: Callable[[Chunk], None], claim: Claim | None = None
    ) -> None:
        self._settings = settings
        self._store = store
        self._pricing = Pricing(store, settings.country)
        self._acknowledge = acknowledge
        self._group_claim = claim
        self._states: dict[int, PartitionCalls] = {}
        self._starts: dict[int, Start] = {}  # the partitions that are ours, and where their epoch began
        self._epoch = self._generation = 0  # of the process, and of the group
        self._evicted = EvictedIds()
        self._evicted_since = 0  # ms; closed calls that were last heard of before then are in `_evicted`
        self._intake = IntakeBuffer(settings.batch_events, settings.batch_wait_s)
        self._writing: asyncio.Task[None] | None = None
        # Partitions of which calls may have been folded before it was known that some were added to the topic.
        self._grown_unnoticed: set[int] = set()
        self._writing_epoch = 0  # in which the batch that is being written was read
        self._fenced_at: float | None = None  # since when no partitions are ours, for want of a new epoch
        self._preparing = False
        self._gave_up = False
        self._stopping = False
        self._swept_at = self._silenced_at = self._refreshed_at = time.monotonic()
        self.batches = 0

    # -- called by the transport's side ---------------------------------------------------------

    async def add(self, chunk: Chunk) -> None:
        """Take a chunk; waits while enough is waiting already."""
        await self._intake.add(chunk)

    def assigned(self, starts: Mapping[int, Start], *, epoch: int = 0, generation: int = 0) -> None:
        """These partitions are ours from now on, and no others; `generation` is that of the group.

        What memory has of a partition stays where nobody can have written since: the group has committed exactly
        what was read. Unless a batch was refused: it may have shown calls of a partition without having read of it.
        """
        self._starts, self._epoch, self._generation = dict(starts), epoch, generation
        self._fenced_at = None
        if self._writing is not None and not (self._writing.done() and _succeeded(self._writing)):
            self._states.clear()
        for partition, state in list(self._states.items()):
            start = starts.get(partition)
            if start is None or start.claims or state.next_offset != start.offset:
                del self._states[partition]
            elif start.grown:
                self._grow(state)
        self._intake.wake()

    def partitions_added(self) -> None:
        """The topic has more partitions than before."""
        for state in self._states.values():
            self._grow(state)
        self._intake.wake()

    def _grow(self, state: PartitionCalls) -> None:
        state.grow(wall_ms() + GROWN_MS)
        self._grown_unnoticed.add(state.partition)

    def revoked(self) -> None:
        """A rebalance begins: what was not begun comes again, to whoever owns it then. Nothing is loaded meanwhile."""
        self._starts = {}
        self._intake.clear()

    async def drained(self) -> None:
        """Wait until everything that was begun is durable."""
        # Two things to wait for, in a rebalance only.
        while self._preparing or (self._writing is not None and not self._writing.done()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def give_up_in_flight(self) -> None:
        """Give up what is not durable by now: who owns the partitions next reads it again. Written
        after the next owner has looked, it could leave rows that nobody knows of."""
        self._gave_up = self._preparing
        if self._writing is not None and not self._writing.done():
            self._writing.cancel()
        self._states.clear()

    async def wait_for_write(self) -> None:
        """Wait until the batch in flight is durable."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    def stop(self) -> None:
        """End the loop after the batch at hand."""
        self._stopping = True
        self._intake.wake()

    @property
    def waiting_for(self) -> str:
        """What the worker waits for, empty when all is well."""
        return self._store.waiting_for

    @property
    def calls_in_memory(self) -> int:
        """Calls in memory, open and closed."""
        return sum(len(state) for state in self._states.values())

    # -- the loop --------------------------------------------------------------------------------

    async def run(self) -> None:
        """Until `stop`. An exception here is a defect: the caller ends the process."""
        while not self._stopping:
            chunks = await self._take()
            self._preparing = True
            batch = await self._prepare(chunks)
            if batch is not None:
                await self.wait_for_write()
                self._raise_from_writing()
            if self._gave_up or (batch is not None and batch.epoch != self._epoch):
                self._gave_up = False
                self._states.clear()  # memory is ahead of what will be written: it is read anew
                if batch is not None and batch.archived is not None:
                    batch.archived.cancel()
            elif batch is not None:
                self._writing, self._writing_epoch = asyncio.create_task(self._write(batch)), batch.epoch
            self._preparing = False
        await self.wait_for_write()
        self._raise_from_writing()

    def _raise_from_writing(self) -> None:
        if self._writing is None or not self._writing.done():
            return
        try:
            if not self._writing.cancelled():
                self._writing.result()
        except Fenced:
            log.info("the group has moved on: what was not written is read again by who owns it now")
            if self._writing_epoch == self._epoch:  # else partitions were given to us anew meanwhile
                self._starts, self._epoch = {}, -1
                self._states.clear()
                self._intake.clear()
                self._fenced_at = time.monotonic()
        finally:
            self._writing = None

    async def _take(self) -> list[Chunk]:
        """The chunks of the next batch; none when only the sweep is due."""
        if self._fenced_at is not None and time.monotonic() - self._fenced_at > FENCED_S:
            raise RuntimeError(
                "the group has refused a claim, and has given no partitions since; started again, it does"
            )
        due = self._swept_at + SWEEP_EVERY_S
        if any(state.postponed for state in self._states.values()):
            due = min(due, self._refreshed_at + REFRESH_EVERY_S)
        if not await self._intake.wait(max(0.0, due - time.monotonic())):
            return []
        claims = {number: start.claims for number, start in self._starts.items() if start.claims}
        return [chunk for chunk in self._intake.take(claims) if self._is_ours(chunk)]

    def _is_ours(self, chunk: Chunk) -> bool:
        if chunk.epoch == self._epoch and chunk.partition in self._starts:
            return True
        log.info("left out a chunk of before a rebalance", partition=chunk.partition, epoch=chunk.epoch)
        return False

    async def _prepare(self, chunks: list[Chunk]) -> Batch | None:
        """Read and fold the next batch, and begin to archive it; None when there is nothing to write."""
        batch = Batch(epoch=self._epoch, generation=self._generation)
        await self._own(batch)
        now = wall_ms()
        unknown = self._read(batch, chunks, now)
        unknown += await self._on_several_partitions(batch)
        if unknown:
            await self._reload(batch, unknown)
        late = [call for calls in batch.touched.values() for call in calls if call.closed or call.rating]
        batch.tariffs = await self._pricing.tariffs(late)
        if batch.archive:  # on its way while the calls are folded
            batch.archived = asyncio.create_task(self._store.archive(batch))
            await asyncio.sleep(0)  # lets it begin
        started = time.monotonic()
        self._fold(batch, now)
        metrics.CALLS_IN_MEMORY.set(self.calls_in_memory)
        metrics.STEP_SECONDS.labels("fold").observe(time.monotonic() - started)
        if not (batch.chunks or batch.calls or batch.joined):
            return None
        batch.ends = {
            partition: state.next_offset for partition, state in self._states.items() if state.next_offset is not None
        }
        return batch

    def _read(self, batch: Batch, chunks: list[Chunk], now: int) -> list[tuple[PartitionCalls, OpenCall]]:
        """Decode the chunks into the batch and the calls. Returns the calls of which the archive may have more than
        memory."""
        unknown: list[tuple[PartitionCalls, OpenCall]] = []
        for chunk in chunks:
            state = self._states.get(chunk.partition)
            if state is None or chunk.epoch != self._epoch:  # taken from us while another partition was loaded
                continue
            state.joins(chunk)
            fresh = batches.read(batch, chunk, state, now_ms=now, max_events=self._settings.max_events_per_call)
            for call in fresh:
                if call.reload_floor == 0 and self._certainly_new(call, state.evicted_up_to):
                    call.reload_floor = state.evicted_up_to
                else:
                    call.reload_floor = 0
                    unknown.append((state, call))
        return unknown

    def _fold(self, batch: Batch, now: int) -> None:
        """Fold the calls that have news and cannot wait, those whose rows grow old, and those that are silent. Calls
        that are one with others are folded when their news is archived."""
        backlog = batch.events >= min(self._settings.batch_events // 2, BACKLOG_EVENTS)
        closed = 0
        for partition, calls in batch.touched.items():
            state = self._states.get(partition)
            if state is None:
                continue
            distinct = {id(call): call for call in calls}
            together = list(distinct.values()) if state.grown else joining.linked(distinct.values())
            for call in together:
                batch.joined.append((state, call, None))
                del distinct[id(call)]
            alone = list(distinct.values())
            due = alone if state.replaying else postpone(batch, state, alone, backlog=backlog)
            closed += fold_calls(batch, state, due, now, expired=False)
        metrics.CALLS_CLOSED.labels("hangup").inc(closed)
        for state in self._states.values():
            state.end_replay()
            state.end_growth(now)
        if not backlog and (time.monotonic() - self._refreshed_at >= REFRESH_EVERY_S or self._stopping):
            self._refresh(batch, now)
        if time.monotonic() - self._swept_at >= SWEEP_EVERY_S:
            self._sweep(batch, now)

    def _refresh(self, batch: Batch, now: int) -> None:
        """Show the open calls that had news, as many as a batch may well hold."""
        self._refreshed_at = time.monotonic()
        room = min(self._settings.batch_events // 10, REFRESH_AT_ONCE)
        for state in self._states.values():
            keys = list(islice(state.postponed, room))
            room -= len(keys)
            calls = [state.postponed.pop(key) for key in keys]
            alive = [call for call in calls if state.get(call.tenant, call.call_id) is call and not call.links]
            if state.grown:
                batch.joined += [(state, call, None) for call in alive]
            else:
                fold_calls(batch, state, alive, now, expired=False)

    def _sweep(self, batch: Batch, now: int) -> None:
        """Close what has been silent for too long, forget what was closed long ago."""
        self._swept_at = time.monotonic()
        look_for_silent = self._swept_at - self._silenced_at >= min(SILENT_EVERY_S, self._settings.open_limit_s / 2)
        if look_for_silent:
            self._silenced_at = self._swept_at
        for state in self._states.values():
            if look_for_silent:
                limit_ms = int(self._settings.open_limit_s * 1000)
                silent = state.silent(now, limit_ms)
                joined = silent if state.grown else joining.linked(silent)
                batch.joined += [(state, call, state.event_time(now) - limit_ms) for call in joined]
                alone = [] if state.grown else [call for call in silent if not call.links]
                expired = fold_calls(batch, state, alone, now, expired=True)
                batch.silent |= bool(silent)
                metrics.CALLS_CLOSED.labels("silent").inc(expired)
            state.cool()
            state.evict(now, int(self._settings.grace_s * 1000), CLOSED_IN_MEMORY, self._evicted)

    # -- what is in the archive ------------------------------------------------------------------

    async def _own(self, batch: Batch) -> None:
        """Have the open calls of every partition that is ours in memory."""
        missing = sorted(self._starts.keys() - self._states.keys())
        if not missing:
            return
        starts = self._starts
        claims = {number: starts[number].claims for number in missing}
        await self.wait_for_write()
        topic = self._settings.events_topic
        now = wall_ms()
        loaded = await self._store.step(
            "reload", lambda: self._store.query(lambda client: load_open(client, topic, claims))
        )
        await self._complete(loaded)
        forgotten = await self._store.step(
            "reload", lambda: self._store.query(lambda client: archive.newest(client, now))
        )
        since = max(self._evicted_since, forgotten - NEAR_MS)
        self._evicted.add_hashes(
            await self._store.step("reload", lambda: self._store.query(lambda client: archive.ids_since(client, since)))
        )
        self._evicted_since = forgotten - NEAR_MS // 6  # what is being written by others is read at the next time
        if batch.epoch != self._epoch:  # a rebalance came in between
            return
        for partition in missing:
            self._states[partition] = PartitionCalls(partition, starts[partition])
            self._states[partition].evicted_up_to = forgotten
            if starts[partition].grown:
                self._grow(self._states[partition])
        for partition, call in loaded:
            state = self._states.get(partition)
            if state is not None:
                state.calls.setdefault(call.tenant, {})[call.call_id] = call
                state.advance(call.last_at, now)
                if version_beside(call.version, call.count, False) > call.version:
                    # Put off in a backlog, and the worker before is gone.
                    batch.touched.setdefault(partition, []).append(call)
        metrics.RELOADED.labels("assigned").inc(len(loaded))
        log.info("partitions loaded", partitions=missing, open_calls=len(loaded))

    async def _on_several_partitions(self, batch: Batch) -> list[tuple[PartitionCalls, OpenCall]]:
        """Have the calls folded anew that lie on several partitions and were folded from one alone, before it was known
        that partitions were added to the topic. Returns those that memory has not."""
        partitions = sorted(self._grown_unnoticed & self._states.keys())
        if not partitions:
            return []
        self._grown_unnoticed = set()
        await self.wait_for_write()
        topic = self._settings.events_topic
        found = await self._store.step(
            "reload",
            lambda: self._store.query(lambda client: archive.on_several_partitions(client, topic, partitions)),
        )
        unknown: list[tuple[PartitionCalls, OpenCall]] = []
        for partition, key in found:
            if (state := self._states.get(partition)) is None:  # taken from us meanwhile
                continue
            if (call := state.get(*key)) is None:
                call = state.open(*key)
                unknown.append((state, call))
            call.publish_again()
            batch.touched.setdefault(partition, []).append(call)
        log.info("calls on several partitions", partitions=partitions, calls=len(found))
        return unknown

    async def _complete(self, loaded: list[tuple[int, OpenCall]]) -> None:
        """Load the rest of calls whose rows were folded from more events than lie on their partition: others lie on
        those that the topic had before, or has since."""
        lacking = {
            (call.tenant, call.call_id): call
            for _, call in loaded
            if version_beside(call.version, call.count, True) < call.version
        }
        if not lacking:
            return
        keys = list(lacking)
        for key, found in (
            await self._store.step("reload", lambda: self._store.query(lambda client: archive.load(client, keys)))
        ).items():
            restore(lacking[key], found, {})
            lacking[key].pack()

    async def _reload(self, batch: Batch, unknown: list[tuple[PartitionCalls, OpenCall]]) -> None:
        """Complete calls that memory did not know with what the archive has of them."""
        wanted: dict[CallKey, tuple[PartitionCalls, OpenCall]] = {
            (call.tenant, call.call_id): (state, call) for state, call in unknown
        }
        now = wall_ms()
        await self.wait_for_write()
        keys = list(wanted)
        stored = await self._store.step("reload", lambda: self._store.query(lambda client: archive.load(client, keys)))
        for key, found in stored.items():
            state, call = wanted[key]
            restore(call, found, {state.partition: state.claims if state.replaying else ()})
            state.advance(call.last_at, now)  # nothing else may come on this partition, and it is silent some day
            # Not put off: where its row says closed, a worker that takes over would not look at it again.
            call.has_new_end = True
        metrics.LATE.inc(len(stored))
        metrics.RELOADED.labels("late").inc(len(stored))

    async def _join(self, batch: Batch) -> None:
        """Fold the calls that are one with others, now that their news is archived."""
        if not batch.joined:
            return
        known: dict[CallKey, Stored] = {}
        while keys := joining.missing(batch, known):
            found = await self._store.step("join", partial(self._store.query, partial(archive.load, calls=keys)))
            for key in keys:
                known[key] = found.get(key) or Stored()
                joining.read(known[key])
        joining.fold_joined(batch, known, wall_ms())

    def _certainly_new(self, call: OpenCall, forgotten: int) -> bool:
        """Whether nothing of a call that is not in memory can be in the archive: its start is here, later than all
        that memory may have forgotten, and no call was forgotten of late that it may be the continuation of.
        Everything else is looked up. An older use of its id is another call; it is looked up when it has news."""
        if call.first_at <= forgotten or call.call_id in self._evicted:
            return False
        return any(event.type == "started" and event.at > forgotten + FRESH_MS for event in call.events)

    # -- durable ---------------------------------------------------------------------------------

    async def _claim(self, batch: Batch) -> None:
        """Have it noted that calls may be written as of where this batch ends. Raises `Fenced` when the group has
        given the partitions to others: nothing is written then."""
        if self._group_claim is None:
            return
        grown = [number for number, state in self._states.items() if state.grown]
        if not await self._group_claim(batch.generation, batch.ends, grown):
            raise Fenced

    async def _write(self, batch: Batch) -> None:
        """The steps of a batch, in their order. Whoever is cut off between two of them does all of them again."""
        store = self._store
        if batch.archived is not None:
            await batch.archived
        if batch.calls or batch.joined:
            await store.step("claim", lambda: self._claim(batch))
            failpoints.after("claim")
        await store.announce(batch)
        await self._join(batch)
        await store.note(batch)
        await store.calls(batch)
        await store.look(batch)
        await store.forward(batch)
        await store.dead_letters(batch)
        failpoints.after("batch")
        for chunk in batch.chunks:
            self._acknowledge(chunk)
        self.batches += 1
        metrics.BATCHES.inc()
        metrics.BATCH_EVENTS.observe(batch.events)
        metrics.EVENTS.inc(batch.events)
        metrics.DUPLICATES.inc(batch.duplicates)
        metrics.UNKNOWN_TYPES.inc(batch.unknown_types)
        metrics.FORWARDED.inc(len(batch.forward))
        metrics.CALLS_WRITTEN.inc(len(batch.feed))
        if batch.dead:
            metrics.DEAD_LETTERS.labels(self._settings.events_topic).inc(len(batch.dead))
        if batch.newest_at:
            metrics.END_TO_END_SECONDS.observe(max(0, wall_ms() - batch.newest_at) / 1000)


def _succeeded(task: asyncio.Task[None]) -> bool:
    return not task.cancelled() and task.exception() is None
