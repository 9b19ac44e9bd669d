"""The calls a worker holds in memory: a cache of the archive, partition by partition."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec

from pipeline.calls.id_reuse import NEAR_MS
from pipeline.warehouse.storage.archive import Row
from pipeline.warehouse.storage.rows import Key
from pipeline.worker.core.chunk import Chunk, Start
from pipeline.worker.core.evicted_ids import EvictedIds
from schemas.event import Event

# Up to here a list is searched; beyond, a set pays.
_FEW = 24


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Event]).decode


class OpenCall(msgspec.Struct, gc=False):
    """One call in memory: its distinct events and what the warehouse has of it.

    A call that nobody speaks of for a while is packed: its events become bytes, a quarter of the
    size. Half a million open calls are held that way.
    """

    tenant: str
    call_id: str
    hot: list[Event] | None  # its events; None while packed
    packed: bytes = b""
    count: int = 0  # of its events
    first_at: int = 0  # ms; oldest event
    last_at: int = 0  # ms; newest event
    # ms; of what is not newer the archive may have events that memory has not; -1: they must be loaded
    reload_floor: int = 0
    version: int = 0  # of the last fold
    published_version: int = 0  # the version that this process published; 0 when it published none
    key: Key | None = None  # where its row lies
    stored_call_id: str = ""  # call_id that its rows bear when it is not its own
    logs: list[Key] | None = None  # where its log rows lie
    rating: str = ""  # how it was priced
    orphan_version: int = 0  # highest of log rows whose call has no row, or an older one
    rows: list[Row] | None = None  # where all its rows lie, when the id was used for several calls
    closed: bool = False
    has_new_end: bool = False  # an `ended` came since the last fold
    ids: dict[str, int] | None = None  # event id → at, once there are many
    links: set[str] | None = None  # other ids that turned out to be this call
    absorbed_told: bool = False  # whether the feed was told that another call has its id now
    # Rows that the partition's owner before may have on their way and that are not in the tables yet.
    possible: list[Row] | None = None

    @property
    def events(self) -> list[Event]:
        """Its distinct events, in the order in which they came. Not to be changed."""
        return _unpack(self.packed) if self.hot is None else self.hot

    @property
    def id_was_reused(self) -> bool:
        """Whether its events may be of several calls, on different days."""
        return self.rows is not None or self.last_at - self.first_at >= NEAR_MS

    def pack(self) -> None:
        """Turn the events into bytes."""
        if self.hot is not None:
            self.packed, self.hot, self.ids = _pack(self.hot), None, None

    def add(self, event: Event) -> bool:
        """Take an event; False when it is known already.

        Of two reports of one fact the earlier counts (two captures of one SIP message), as in the
        fold; the call is then told anew under the version it has.
        """
        hot = self.hot
        if hot is None:
            hot = self.hot = _unpack(self.packed)
            self.packed = b""
        event_id, at = event.event_id, event.at
        if self.ids is not None:
            known_at = self.ids.get(event_id)
            if known_at is not None and (known := self._same(hot, event)) is not None:
                return at < known.at and self._replace(hot, known, event)
            self.ids[event_id] = at
        else:
            for known in hot:
                if known.event_id == event_id and abs(known.at - at) < NEAR_MS:
                    return at < known.at and self._replace(hot, known, event)
            if len(hot) >= _FEW:
                self.ids = {known.event_id: known.at for known in hot}
                self.ids[event_id] = at
        event.call_id = self.call_id  # one string instead of one an event
        hot.append(event)
        self.count += 1
        if event.type == "ended":
            self.has_new_end = True
        if at > self.last_at:
            self.last_at = at
            if not self.first_at:
                self.first_at = at
        elif at < self.first_at:
            self.first_at = at
        return True

    @staticmethod
    def _same(hot: list[Event], event: Event) -> Event | None:
        """The report of the same fact. A node that numbers its events begins anew some day, as with its calls."""
        for known in hot:
            if known.event_id == event.event_id and abs(known.at - event.at) < NEAR_MS:
                return known
        return None

    def _replace(self, hot: list[Event], known: Event, event: Event) -> bool:
        hot[next(place for place, each in enumerate(hot) if each is known)] = event
        if self.ids is not None:
            self.ids[event.event_id] = event.at
        self.first_at = min(each.at for each in hot)
        self.last_at = max(each.at for each in hot)
        self.publish_again()
        return True

    def publish_again(self) -> None:
        """Have the version that is stored written and published once more."""
        self.published_version = 0
        for row in self.rows or ():
            row.published_version = 0

    def is_new(self, event: Event) -> bool:
        """Whether the event is not among those of the call."""
        if self.ids is not None and event.event_id not in self.ids:
            return True
        return self._same(self.events, event) is None

    def stored_rows(self) -> list[Row]:
        """Where its rows lie."""
        if self.rows is not None:
            return self.rows
        if self.key is None:
            return []
        under = self.stored_call_id or self.call_id
        return [Row(self.key, under, self.logs or [], self.version, self.rating, self.published_version)]

    def note_rating(self, key: Key, rating: str) -> None:
        """Note how the row under a key is priced."""
        for row in self.rows or ():
            if row.key == key:
                row.rating = rating
        if self.key == key:
            self.rating = rating

    def set_rows(self, rows: list[Row], *, reused: bool) -> None:
        """Note where its rows lie; what is said of the call is said of the newest."""
        self.rows = rows if reused else None
        if rows:
            newest = max(rows, key=lambda row: row.key)
            self.key, self.logs, self.version = newest.key, newest.logs, newest.version
            self.rating, self.published_version = newest.rating, newest.published_version
            self.stored_call_id = "" if newest.call_id == self.call_id else newest.call_id


class PartitionCalls:
    """The calls of one partition, its event-time clock and how far it was read."""

    def __init__(self, partition: int, start: Start | None = None) -> None:
        self.partition = partition
        self.calls: dict[str, dict[str, OpenCall]] = {}
        self.watermark = 0  # ms; newest event time seen, never ahead of the wall clock
        self.watermark_set_at = 0  # ms; wall clock when that was
        self.next_offset = None if start is None else start.offset  # all records before it are in, none after it
        # Owners before may have written calls as of these offsets. Until they were folded as of them here, too, none
        # is put off: a write of theirs that comes late then finds its rows known.
        self.claims = () if start is None else start.claims
        self.replaying = start is not None
        # Until then other events of its calls may lie on another partition, ms of the wall clock; 0: no longer. Its
        # calls are folded as joined ones are: from the archive, once what is new of them is archived.
        self._grown_until = 0
        self._produced_at = 0  # ms; when Kafka took the last record
        # ms; events up to here may have been archived and be in memory no more
        self.evicted_up_to = 0
        self._closed: deque[tuple[int, OpenCall]] = deque()
        self._warm: dict[int, OpenCall] = {}  # touched since the last sweep but one
        self._warmer: dict[int, OpenCall] = {}  # touched since the last sweep
        self.postponed: dict[int, OpenCall] = {}  # open calls with news that no row shows yet

    def joins(self, chunk: Chunk) -> None:
        """Make sure that a chunk follows what was read before it; anything else is a defect, and would be a loss."""
        if chunk.begins_at is not None and chunk.begins_at != self.next_offset:
            read = "not read yet" if self.next_offset is None else f"read up to offset {self.next_offset}"
            raise RuntimeError(
                f"partition {self.partition} was {read}, and its next chunk begins at {chunk.begins_at}: it is read"
                " again from what is committed when the worker is started again"
            )
        self._produced_at = chunk.records[-1].timestamp or 0

    @property
    def grown(self) -> bool:
        """Whether partitions were added to the topic lately."""
        return self._grown_until > 0

    def grow(self, until: int) -> None:
        """Partitions were added; producers may go on by their number of before until then, ms of the wall clock."""
        self._grown_until = max(self._grown_until, until)

    def end_growth(self, now: int) -> None:
        """The time is over when it is over for what is read, too: a backlog was produced before."""
        if self._grown_until and now > self._grown_until and self._produced_at > self._grown_until:
            self._grown_until = 0

    def end_replay(self) -> None:
        """Calls were folded as of the offset that was read up to."""
        if self.replaying and (self.next_offset or 0) >= max(self.claims, default=0):
            self.replaying = False

    def get(self, tenant: str, call_id: str) -> OpenCall | None:
        """The call, if it is in memory."""
        of_tenant = self.calls.get(tenant)
        return None if of_tenant is None else of_tenant.get(call_id)

    def open(self, tenant: str, call_id: str) -> OpenCall:
        """A new call in memory."""
        call = OpenCall(tenant, call_id, [])
        self.calls.setdefault(tenant, {})[call_id] = call
        return call

    def __len__(self) -> int:
        return sum(len(of_tenant) for of_tenant in self.calls.values())

    def __iter__(self) -> Iterator[OpenCall]:
        for of_tenant in self.calls.values():
            yield from of_tenant.values()

    def advance(self, at: int, now: int) -> None:
        """Move the event-time clock. A producer with a clock ahead cannot move it past `now` (ms)."""
        at = min(at, now)
        if at > self.watermark:
            self.watermark = at
            self.watermark_set_at = now

    def event_time(self, now: int) -> int:
        """Event time at wall time `now`, ms: it goes on while no event comes."""
        return self.watermark + max(0, now - self.watermark_set_at) if self.watermark else 0

    def touch(self, calls: dict[int, OpenCall]) -> None:
        """Note that these calls, by identity, had news."""
        self._warmer.update(calls)

    def cool(self) -> None:
        """Pack the calls that had no news for two sweeps."""
        warmer = self._warmer
        for key, call in self._warm.items():
            if key not in warmer and not call.closed:  # closed ones are forgotten soon
                call.pack()
        self._warm, self._warmer = warmer, {}

    def note_closed(self, call: OpenCall, now: int) -> None:
        """Remember that a call was closed; it stays in memory for a while, for what comes late."""
        self._closed.append((self.event_time(now), call))

    def evict(self, now: int, grace_ms: int, at_most: int, seen: EvictedIds) -> int:
        """Forget calls closed longer than the grace time ago, and the oldest beyond `at_most`; only their ids
        are `seen`."""
        until = self.event_time(now) - grace_ms
        forgotten = 0
        closed = self._closed
        while closed and (closed[0][0] <= until or len(closed) > at_most):
            _, call = closed.popleft()
            of_tenant = self.calls.get(call.tenant)
            if of_tenant is not None and call.closed and of_tenant.get(call.call_id) is call:
                del of_tenant[call.call_id]
                if not of_tenant:
                    del self.calls[call.tenant]
                self.evicted_up_to = max(self.evicted_up_to, min(call.last_at, now))
                seen.add(call.call_id)
                forgotten += 1
        return forgotten

    def silent(self, now: int, limit_ms: int) -> list[OpenCall]:
        """Open calls that have said nothing for longer than the limit, in event time."""
        before = self.event_time(now) - limit_ms
        return [call for call in self if not call.closed and call.last_at < before]
