"""The ClickHouse engine inside this process (chDB): one data directory, one connection a statement.

A connection carries its own database and settings, so each statement gets one of its own, as each
HTTP request does on a server; those that asked for the same database and settings share one, one
after another (USE and SET take 1 ms each). Statements of several threads run side by side: chDB
releases the interpreter while it works.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import chdb

from pipeline.embedded.chdb_endpoint.statements import BLOCKWISE, Statement
from pipeline.errors import CdrError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CODE = re.compile(r"Code: (\d+)\. DB::Exception: ")
MOST_IDLE = 16
OUT_OF_SPACE = ("NOT_ENOUGH_SPACE", "No space left on device", "errno: 28")


class EngineError(CdrError):
    """A ClickHouse exception: its number, and its text as a server would send it."""

    def __init__(self, text: str, code: int | None = None) -> None:
        """Keep the last `Code: N. DB::Exception:` of nested ones, which is the cause."""
        found = list(_CODE.finditer(text))
        self.code = code if code is not None else (int(found[-1].group(1)) if found else 1001)
        body = text[found[-1].end() :] if found else text
        if any(sign in text for sign in OUT_OF_SPACE):
            body += " The disk of the data directory is full: free space on it; work goes on by itself."
        super().__init__(f"Code: {self.code}. DB::Exception: {body.strip()}")


@dataclass(frozen=True)
class Request:
    """One statement with what its request set: database, settings, bound parameters."""

    sql: bytes
    statement: Statement
    database: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    default_format: str = "TabSeparated"
    rows: Iterable[bytes] = ()  # data of an INSERT, behind the SQL
    read_only: bool = False

    @property
    def leaves_traces(self) -> bool:
        """Whether a connection should not be used again after this: a token is of one insert only."""
        return "insert_deduplication_token" in self.settings

    @property
    def format(self) -> str:
        """The format of the answer."""
        return self.statement.format or self.default_format


@dataclass(frozen=True)
class Counts:
    """What a statement read and wrote."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    seconds: float = 0.0


def _quoted(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _identifier(value: str) -> str:
    return "`" + value.replace("\\", "\\\\").replace("`", "\\`") + "`"


class Engine:
    """The engine over one data directory. One process at a time may hold it."""

    def __init__(self, path: Path) -> None:
        """Open the data directory; RuntimeError when another process has it."""
        self._path = str(path)
        self._keep = chdb.connect(self._path)  # the engine lives as long as one connection is open
        self._idle: OrderedDict[tuple[Any, ...], list[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the data directory."""
        for connections in self._idle.values():
            for connection in connections:
                connection.close()
        self._keep.close()

    def _take(self, key: tuple[Any, ...]) -> Any:
        with self._lock:
            connections = self._idle.get(key)
            return connections.pop() if connections else None

    def _give_back(self, key: tuple[Any, ...], connection: Any) -> None:
        """Keep a few connections of the last used settings; close the rest."""
        with self._lock:
            self._idle.setdefault(key, []).append(connection)
            self._idle.move_to_end(key)
            surplus = self._idle[key][MOST_IDLE:]
            del self._idle[key][MOST_IDLE:]
            while len(self._idle) > MOST_IDLE:
                surplus += self._idle.popitem(last=False)[1]
        for old in surplus:
            old.close()

    def _open(self, request: Request) -> Any:
        settings = dict(request.settings)
        if request.read_only:
            settings["readonly"] = "2"  # last: nothing can be set after it
        for name in settings:
            if not _NAME.fullmatch(name):
                raise EngineError(f"Unknown setting {name!r}", 115)
        connection = chdb.connect(self._path)
        try:
            if request.database:
                connection.query(f"USE {_identifier(request.database)}", "Null")
            if settings:
                pairs = ", ".join(f"{name} = {_quoted(value)}" for name, value in settings.items())
                connection.query(f"SET {pairs}", "Null")
        except Exception:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _connection(self, request: Request) -> Iterator[Any]:
        key = (request.database, tuple(sorted(request.settings.items())), request.read_only)
        connection = None
        try:
            connection = self._take(key) or self._open(request)
            yield connection
            # A token is never used twice; SET, USE and temporary tables leave something behind.
            if request.statement.verb in ("SELECT", "WITH", "INSERT") and not request.leaves_traces:
                self._give_back(key, connection)
                connection = None
        except RuntimeError as error:
            raise EngineError(str(error)) from None
        except Exception as error:
            if type(error).__name__ != "ChdbError":  # chDB has two classes of that name
                raise
            raise EngineError(str(error)) from None
        finally:
            if connection is not None:
                connection.close()

    def insert(self, request: Request) -> Counts:
        """Run an INSERT whose rows came behind it. All rows of the body, or an error.

        The engine takes the rows from a file. (Its streaming insert says nothing when a block cannot be
        written, a full disk included; `FROM input(…)` with the rows behind it inserts nothing.)
        """
        statement = request.statement
        with _row_file(request.rows) as path:
            if statement.input_at is not None:
                start, end = statement.input_at
                source = f"file({_quoted(path)}, {_quoted(statement.format)}, ".encode() + statement.structure + b")"
                sql = statement.head[:start] + source + statement.head[end:]
            else:
                at = len(statement.head) if statement.settings_at is None else statement.settings_at
                source = f" FROM INFILE {_quoted(path)} ".encode()
                sql = statement.head[:at] + source + statement.head[at:] + f" FORMAT {statement.format}".encode()
            return self._query(request, sql, "Null")[1]

    def run(self, request: Request) -> tuple[bytes, Counts]:
        """Run a statement and give its whole answer."""
        return self._query(request, request.sql, request.default_format)

    def _query(self, request: Request, sql: bytes, form: str) -> tuple[bytes, Counts]:
        if request.statement.verb == "INSERT" and "async_insert" not in request.settings:
            request = replace(request, settings=request.settings | {"async_insert": "0"})
        with self._connection(request) as connection:
            done = connection.query(sql.decode(), form, params=request.parameters)
            return done.bytes() or b"", _counts(done)

    def stream(self, request: Request) -> Iterator[bytes]:
        """Run a query and give its answer block by block, while the engine goes on."""
        with self._connection(request) as connection:
            blocks = connection.send_query(request.sql.decode(), request.default_format, params=request.parameters)
            try:
                for block in blocks:
                    yield block.bytes()
            finally:
                blocks.close()

    @staticmethod
    def can_stream(request: Request) -> bool:
        """Whether the answer can be given block by block: a plain query in a format without frame."""
        return request.statement.blockwise and request.format in BLOCKWISE and request.settings.get("extremes") != "1"


def _counts(done: Any) -> Counts:
    return Counts(done.rows_read(), done.bytes_read(), done.rows_written(), done.bytes_written(), float(done.elapsed()))


@contextlib.contextmanager
def _row_file(rows: Iterable[bytes]) -> Iterator[str]:
    """A file that the engine can read the rows from: in memory where the system can, else temporary."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("rows")
        path = f"/proc/self/fd/{descriptor}"
        with os.fdopen(descriptor, "wb") as file:
            for piece in rows:
                file.write(piece)
            file.flush()
            yield path
        return
    with tempfile.NamedTemporaryFile(prefix="rows-") as temporary:
        for piece in rows:
            temporary.write(piece)
        temporary.flush()
        yield temporary.name
