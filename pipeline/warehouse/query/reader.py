"""Reading from ClickHouse in a service, and storing the little that it keeps: bounded in threads, time,
rows and waiting queries.

One `Reader` a process. Queries run in threads over one connection pool, without a session, so
that they do not wait for each other. A `Reader` may be made while ClickHouse is away: it connects
with the first query, and again after an outage.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import clickhouse_connect
import orjson
import urllib3
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError, ProgrammingError

from pipeline.errors import CdrError
from pipeline.warehouse.storage.client import error_code, first_line, target, tls_of

Row = dict[str, Any]

# Rows are versions: FINAL shows the last. All versions of a row share a partition (its month).
_SETTINGS: Final[dict[str, Any]] = {
    "do_not_merge_across_partitions_select_final": 1,
    "date_time_output_format": "iso",
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_validate_utf8": 1,
    "readonly": 2,
}

# Bytes of a stream in one piece, and how long ClickHouse may take over all of it.
_PIECE: Final = 1 << 18
_STREAM_S: Final = 3600.0
_STREAM_WAIT_S: Final = 120.0

_INSERTING: Final = {"async_insert": 0, "date_time_input_format": "best_effort"}

# TOO_MANY_ROWS, TIMEOUT_EXCEEDED, TOO_SLOW, TOO_DEEP_AST, TOO_BIG_AST, MEMORY_LIMIT_EXCEEDED, TOO_DEEP_RECURSION,
# TOO_MANY_BYTES, TOO_MANY_ROWS_OR_BYTES
_COSTLY: Final = frozenset({158, 159, 160, 167, 168, 241, 306, 307, 396})
# Tables or database not there yet, read-only or starting, overloaded, refused, network.
_AWAY: Final = frozenset({60, 81, 164, 192, 193, 194, 202, 203, 209, 210, 242, 279, 394, 516, 735, 999})


class WarehouseError(CdrError):
    """ClickHouse did not answer a question."""


class Unavailable(WarehouseError):
    """ClickHouse is away, not set up, or has too much to do; worth asking again later."""


class TooCostly(WarehouseError):
    """The query needs more time, rows or memory than one query may have."""


class QueryFailed(WarehouseError):
    """ClickHouse refused a query that should have been right: a fault of the program."""


class Reader:
    """Rows of parametrised SELECTs. `url` is http(s)://user:password@host:port."""

    def __init__(
        self,
        url: str,
        database: str,
        *,
        threads: int = 16,
        waiting: int = 256,
        max_seconds: float = 10.0,
        max_rows: int = 100_000,
        observe: Callable[[str, float], None] | None = None,
    ) -> None:
        self._url, self._database = url, database
        self._settings = _SETTINGS | {"max_execution_time": max_seconds, "max_result_rows": max_rows}
        self._timeout = max_seconds + 2
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="clickhouse-read")
        self._pool = urllib3.PoolManager(num_pools=4, maxsize=threads, block=False, retries=False, **tls_of(url))
        self._room = waiting + threads
        self._under_way = 0
        self._connecting = threading.Lock()
        self._client: Any = None
        self._streaming: Any = None
        self._stream_threads = ThreadPoolExecutor(threads, thread_name_prefix="clickhouse-stream")
        self._observe = observe
        self.kept: dict[type[Any], Any] = {}  # what others remember of its answers, as long as it lives, by their class

    async def rows(self, name: str, sql: str, parameters: Mapping[str, Any], *, by_key: bool = False) -> list[Row]:
        """The rows of `sql` as dicts: times RFC 3339 texts, 64-bit numbers as numbers. `name` is for metrics;
        `by_key` says that few rows are read, for which more threads cost more than they give.

        Raises Unavailable, TooCostly or QueryFailed.
        """
        body = await self._run(name, self._fetch, sql, dict(parameters), by_key)
        return [orjson.loads(line) for line in body.split(b"\n") if line]

    async def body(
        self, name: str, sql: str, parameters: Mapping[str, Any], form: str, settings: Mapping[str, Any] | None = None
    ) -> bytes:
        """The answer of `sql` in ClickHouse's format `form`. For small answers; raises what `rows` raises."""
        return await self._run(name, self._fetch_as, sql, dict(parameters), form, dict(settings or {}))

    async def stream(
        self, name: str, sql: str, parameters: Mapping[str, Any], form: str, settings: Mapping[str, Any] | None = None
    ) -> AsyncIterator[bytes]:
        """The answer of `sql` in ClickHouse's format `form`, piece by piece as it comes, of any length: the next
        piece is read when the last one was taken. Raises what `rows` raises, also after some pieces."""
        loop, begun = asyncio.get_running_loop(), time.perf_counter()
        opened = await loop.run_in_executor(
            self._stream_threads, _worded, self._open, sql, dict(parameters), form, dict(settings or {})
        )
        try:
            while piece := await loop.run_in_executor(self._stream_threads, _worded, opened.read, _PIECE):
                yield piece
        finally:
            opened.close()
            if self._observe is not None:
                self._observe(name, time.perf_counter() - begun)

    async def insert(self, table: str, rows: Sequence[Mapping[str, Any]], *, once: str = "") -> None:
        """Store a few rows of what the service itself keeps; when this returns, they can be read. The same
        key again with a higher version takes its place. Times are RFC 3339 texts. `once`: of all inserts into the
        table that name the same, the first counts and the others store nothing. Raises what `rows` raises."""
        body = b"\n".join(orjson.dumps(row) for row in rows)
        settings = _INSERTING | ({"insert_deduplicate": 1, "insert_deduplication_token": once} if once else {})
        await self._run(f"{table}_insert", self._insert, table, list(rows[0]), body, settings)

    async def ping(self) -> None:
        """Raises Unavailable unless ClickHouse answers and the tables are there."""
        await self.rows("ping", "SELECT 1 FROM call_rows LIMIT 0", {})

    def close(self) -> None:
        """Ends threads and connections; queries under way finish first."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._stream_threads.shutdown(wait=True, cancel_futures=True)
        for client in (self._client, self._streaming):
            if client is not None:
                client.close()
        self._pool.clear()

    async def _run(self, name: str, step: Callable[..., bytes], *arguments: Any) -> bytes:
        """`step` in a thread, if there is room for it."""
        if self._under_way >= self._room:
            raise Unavailable("too many queries wait already")
        self._under_way += 1
        begun = time.perf_counter()
        try:
            answer: bytes = await asyncio.get_running_loop().run_in_executor(self._threads, _worded, step, *arguments)
            return answer
        finally:
            self._under_way -= 1
            if self._observe is not None:
                self._observe(name, time.perf_counter() - begun)

    def _fetch(self, sql: str, parameters: dict[str, Any], by_key: bool) -> bytes:
        settings = self._settings | {"max_threads": 1} if by_key else self._settings
        answer: bytes = self._connected().raw_query(sql, parameters=parameters, settings=settings, fmt="JSONEachRow")
        return answer

    def _fetch_as(self, sql: str, parameters: dict[str, Any], form: str, settings: dict[str, Any]) -> bytes:
        answer: bytes = self._connected().raw_query(
            sql, parameters=parameters, settings=self._settings | settings, fmt=form
        )
        return answer

    def _open(self, sql: str, parameters: dict[str, Any], form: str, settings: dict[str, Any]) -> Any:
        with self._connecting:
            if self._streaming is None:
                self._streaming = self._connection(_STREAM_WAIT_S)
        unbounded = self._settings | {"max_execution_time": _STREAM_S, "max_result_rows": 0} | settings
        return self._streaming.raw_stream(sql, parameters=parameters, settings=unbounded, fmt=form)

    def _insert(self, table: str, columns: list[str], body: bytes, settings: dict[str, Any]) -> bytes:
        self._connected().raw_insert(table, columns, body, settings=settings, fmt="JSONEachRow")
        return b""

    def _connected(self) -> Any:
        with self._connecting:
            if self._client is None:
                self._client = self._connection(self._timeout)
            return self._client

    def _connection(self, timeout_s: float) -> Any:
        return clickhouse_connect.get_client(
            **target(self._url),
            database=self._database,
            pool_mgr=self._pool,
            autogenerate_session_id=False,
            connect_timeout=3,
            send_receive_timeout=timeout_s,
            query_retries=1,
            client_name="cdr-query",
        )


def _worded(step: Callable[..., Any], *arguments: Any) -> Any:
    """`step`, its errors in the three kinds of this module."""
    try:
        return step(*arguments)
    except OperationalError as error:
        raise Unavailable(first_line(error)) from error
    except ClickHouseError as error:
        raise _meaning(error) from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(first_line(error)) from error


def _meaning(error: ClickHouseError) -> Exception:
    code = error_code(error)
    if code in _COSTLY:
        return TooCostly(first_line(error))
    if (code is None and not isinstance(error, ProgrammingError)) or code in _AWAY:
        return Unavailable(first_line(error))
    return QueryFailed(first_line(error))
