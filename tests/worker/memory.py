"""ClickHouse and Kafka in memory, as far as the worker's core uses them: for tests without servers."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterator, Sequence
from typing import Any
from zlib import crc32

import orjson
from clickhouse_connect.driver.exceptions import OperationalError

from pipeline.settings import Settings
from pipeline.warehouse.storage import archive, rows
from pipeline.warehouse.storage.archive import CallKey, Stored
from pipeline.worker.core.batch import DeadLetter
from pipeline.worker.core.durable_store import Store

Row = list[Any]


class Crash(BaseException):
    """The process is gone."""


class Memory:
    """Tables that keep of each key the row of the highest version, of equals the last; and Kafka's logs.

    `steps_left` writes succeed, then the process dies: `Crash`. `failures` writes fail before that.
    """

    def __init__(self, partitions: int) -> None:
        self.partitions = partitions
        self.events: dict[tuple[str, ...], tuple[bytes, int, int]] = {}
        self.tables: dict[str, dict[tuple[Any, ...], Row]] = {"call_rows": {}, "call_log_rows": {}}
        self.logs: dict[int, list[tuple[bytes, bytes]]] = {number: [] for number in range(partitions)}
        self.feed_records: list[dict[str, Any]] = []
        self.dead: set[tuple[int, int]] = set()
        self.steps_left: int | None = None
        self.failures = 0

    def step(self) -> None:
        """One write is about to be done."""
        if self.failures:
            self.failures -= 1
            raise OperationalError("Code: 252. DB::Exception: Too many parts")
        if self.steps_left is not None:
            self.steps_left -= 1
            if self.steps_left < 0:
                raise Crash

    # -- as a clickhouse-connect client ---------------------------------------------------------

    def raw_insert(self, table: str, columns: Sequence[str], body: bytes, **_: Any) -> None:
        self.step()
        if table == "event_rows":
            for line in body.removesuffix(b"\n").split(b"\n"):
                tenant, call_id, event_id, at, _type, _node, _topic, partition, offset, raw = line.split(b"\t")
                key = (tenant.decode(), call_id.decode(), event_id.decode(), at.decode())
                self.events[key] = (raw, int(partition), int(offset))
            return
        names = ("tenant", "started_at", "id", "call_id")
        places = [columns.index(name) for name in names]
        version = columns.index("version")
        stored = self.tables[table]
        for row in orjson.loads(b"[" + body + b"]"):
            key = tuple(row[place] for place in places)
            old = stored.get(key)
            if old is None or row[version] >= old[version]:
                stored[key] = row

    def live(self, table: str) -> list[dict[str, Any]]:
        columns = rows.CALL_COLUMNS if table == "call_rows" else rows.LOG_COLUMNS
        return [dict(zip(columns, row, strict=True)) for row in self.tables[table].values() if not row[-1]]

    # -- as pipeline.warehouse.storage.archive ----------------------------------------------------------

    def load(self, _client: object, calls: Collection[CallKey]) -> dict[CallKey, Stored]:
        found: dict[CallKey, Stored] = defaultdict(Stored)
        for (tenant, call_id, _, _), (raw, partition, offset) in self.events.items():
            if (tenant, call_id) in calls:
                found[tenant, call_id].raw.append(raw)
                found[tenant, call_id].partition = partition
                found[tenant, call_id].places.append((partition, offset))
        self._keys(found)
        return dict(found)

    def _keys(self, found: dict[CallKey, Stored]) -> None:
        for tenant, started_at, id_, call_id in (key for key, row in self.tables["call_rows"].items() if row[-1]):
            if (tenant, call_id) in found:
                found[tenant, call_id].gone.append((round(started_at * 1000), id_))
        by_id: dict[tuple[str, str, int], archive.Row] = {}
        for row in self.live("call_rows"):
            if (stored := found.get((row["tenant"], row["call_id"]))) is not None:
                key = (round(row["started_at"] * 1000), row["id"])
                own = by_id[row["tenant"], row["call_id"], row["id"]] = archive.Row(
                    key, row["call_id"], [], row["version"]
                )
                own.events, own.last_at = row["events"], round(row["last_event_at"] * 1000)
                stored.rows.append(own)
        for row in self.live("call_log_rows"):
            if (stored := found.get((row["tenant"], row["call_id"]))) is not None:
                call = by_id.get((row["tenant"], row["call_id"], row["session_id"]))
                logs = stored.orphan_logs if call is None else call.logs
                logs.append((round(row["started_at"] * 1000), row["id"]))
                if call is None:
                    stored.orphan_version = max(stored.orphan_version, row["version"])
                else:
                    call.logs_version = max(call.logs_version, row["version"])

    def ids_since(self, _client: object, since_ms: int) -> list[int]:
        live = self.live("call_rows")
        return [crc32(row["call_id"].encode()) for row in live if row["last_event_at"] * 1000 >= since_ms]

    def load_open(self, client: object, _topic: str, partitions: Sequence[int]) -> Iterator[tuple[CallKey, Stored]]:
        is_open = {(row["tenant"], row["call_id"]) for row in self.live("call_rows") if row["state"] == "open"}
        for key, stored in self.load(client, is_open).items():
            if stored.partition in partitions:
                yield key, stored

    def on_several_partitions(
        self, _client: object, _topic: str, partitions: Sequence[int]
    ) -> list[tuple[int, CallKey]]:
        found: dict[CallKey, set[int]] = defaultdict(set)
        for (tenant, call_id, _, _), (_, partition, _) in self.events.items():
            found[tenant, call_id].add(partition)
        versions: dict[CallKey, set[int]] = defaultdict(set)
        for row in self.live("call_rows") + self.live("call_log_rows"):
            versions[row["tenant"], row["call_id"]].add(row["version"])
        several = {key for key in found if len(found[key]) > 1 or len(versions[key]) > 1}
        return [(each, key) for key in several for each in found[key] & set(partitions)]

    def newest(self, _client: object, now_ms: int) -> int:
        return max((int(at) for _, _, _, at in self.events if int(at) <= now_ms), default=0)

    # -- as pipeline.warehouse.storage.orphans --------------------------------------------------

    def all_versions(self, _client: object, table: str, column: str, parameters: dict[str, Any]) -> list[Any]:
        columns = rows.CALL_COLUMNS if table == "call_rows" else rows.LOG_COLUMNS
        found = []
        for values in self.tables[table].values():
            row = dict(zip(columns, values, strict=True))
            if (row["tenant"], row["call_id"]) not in parameters["ids"]:
                continue
            started_at = round(row["started_at"] * 1000)
            if table == "call_rows":
                more = (row["merged_call_ids"], round((row["last_event_at"] or 0) * 1000))
            else:
                more = (row["session_id"], started_at)
            found.append((row["tenant"], row["call_id"], started_at, row["id"], *more, row["version"], row["retired"]))
        return found

    # -- as a publisher -------------------------------------------------------------------------

    async def forward(self, events: Sequence[tuple[bytes, bytes]]) -> list[int]:
        self.step()
        for key, value in events:
            self.produce(key, value)
        return []

    async def note(self, notes: Sequence[tuple[int, bytes, bytes]]) -> None:
        self.step()
        for partition, key, value in notes:
            self.logs[partition].append((key, value))

    async def feed(self, documents: Sequence[tuple[int, bytes, bytes]]) -> None:
        self.step()
        self.feed_records += [orjson.loads(document) for _, _, document in documents]

    async def dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        self.step()
        self.dead |= {(letter.partition, letter.offset) for letter in letters}

    def add_partition(self) -> None:
        self.logs[self.partitions] = []
        self.partitions += 1

    def produce(self, key: bytes, value: bytes, count: int | None = None) -> None:
        """By the number of partitions that there is, or that the producer knows."""
        self.logs[sum(key) % (count or self.partitions)].append((key, value))


class Door:
    """The way of one process to the servers. It may be held there as by SIGSTOP: after so many steps nothing more gets
    through, until it is let go on."""

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self.steps_to_freeze: int | None = None
        self._open = asyncio.Event()
        self._open.set()

    @property
    def frozen(self) -> bool:
        return not self._open.is_set()

    def hold(self) -> None:
        self._open.clear()

    def thaw(self) -> None:
        self.steps_to_freeze = None
        self._open.set()

    async def step(self) -> None:
        if self.steps_to_freeze is not None:
            if self.steps_to_freeze == 0:
                self._open.clear()
            else:
                self.steps_to_freeze -= 1
        await self._open.wait()

    # -- as a publisher -------------------------------------------------------------------------

    async def forward(self, events: Sequence[tuple[bytes, bytes]]) -> list[int]:
        await self.step()
        return await self.memory.forward(events)

    async def note(self, notes: Sequence[tuple[int, bytes, bytes]]) -> None:
        await self.step()
        await self.memory.note(notes)

    async def feed(self, documents: Sequence[tuple[int, bytes, bytes]]) -> None:
        await self.step()
        await self.memory.feed(documents)

    async def dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        await self.step()
        await self.memory.dead_letters(letters)


class MemoryStore(Store):
    """The worker's own store over it."""

    def __init__(self, settings: Settings, memory: Memory) -> None:
        self.door = Door(memory)
        super().__init__(settings, self.door)  # type: ignore[arg-type]

    async def query(self, work: Callable[[Any], Any]) -> Any:
        await self.door.step()
        return work(self.door.memory)

    async def step(self, name: str, work: Callable[[], Awaitable[Any]]) -> Any:
        while True:
            try:
                return await work()
            except OperationalError:
                continue
