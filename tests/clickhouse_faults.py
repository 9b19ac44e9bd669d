"""The ClickHouse endpoint with faults that a test asks for: `python -m tests.clickhouse_faults --path DIR --port N`.

POST /__fault puts one in force, GET /__fault says how often it struck.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec

from pipeline.embedded import clickhouse
from pipeline.embedded.chdb_endpoint.bodies import read_pieces
from pipeline.embedded.chdb_endpoint.endpoint import Handler
from pipeline.embedded.chdb_endpoint.engine import EngineError, Request

Mode = Literal["none", "refuse", "error", "slow", "drop_answer", "pause"]


class Fault(msgspec.Struct, frozen=True):
    """What the next requests meet.

    refuse: the connection closes before the request is read. error: an exception with `code`, nothing
    is executed. slow: `seconds` of delay, then normal. drop_answer: executed, then the connection
    closes without an answer. pause: nothing is answered for `seconds`, or until another fault is set.
    `count` requests are hit (0: all until the next fault); only statements that contain `match`.
    """

    mode: Mode
    count: int = 0
    code: int = 999
    seconds: float = 1.0
    match: str = ""


class Faults:
    """The fault in force, and how often it struck."""

    def __init__(self) -> None:
        """No fault."""
        self._changed = threading.Condition()
        self._fault = Fault("none")
        self._left = 0
        self.struck = 0

    def set(self, body: bytes) -> None:
        """Put a fault in force; msgspec.ValidationError when the body is not one."""
        fault = msgspec.json.decode(body, type=Fault)
        with self._changed:
            self._fault, self._left, self.struck = fault, fault.count, 0
            self._changed.notify_all()

    def strikes_connection(self) -> bool:
        """Whether a new request is refused before it is read."""
        return self._take("", ("refuse",)) is not None

    def strike(self, sql: bytes) -> Fault | None:
        """The fault this statement meets, after the wait that slow and pause ask for."""
        fault = self._take(sql.decode(errors="replace"), ("error", "slow", "drop_answer", "pause"))
        if fault is None:
            return None
        if fault.mode == "slow":
            time.sleep(fault.seconds)
        if fault.mode == "pause":
            with self._changed:
                self._changed.wait_for(lambda: self._fault is not fault, fault.seconds)
        return fault

    def _take(self, sql: str, modes: tuple[str, ...]) -> Fault | None:
        with self._changed:
            fault = self._fault
            if fault.mode not in modes or fault.match not in sql:
                return None
            if fault.count:
                if self._left == 0:
                    return None
                self._left -= 1
            self.struck += 1
            return fault


FAULTS: Final = Faults()


class FaultyHandler(Handler):
    """Answers as the endpoint does, unless a fault is in force."""

    def do_GET(self) -> None:
        if urlsplit(self.path).path == "/__fault":
            self._answer(200, json.dumps({"struck": FAULTS.struck}).encode())
        elif FAULTS.strikes_connection():
            self._hang_up()
        else:
            super().do_GET()

    def do_POST(self) -> None:
        if urlsplit(self.path).path == "/__fault":
            try:
                FAULTS.set(b"".join(read_pieces(self.rfile, self.headers)))  # type: ignore[arg-type]
                self._answer(200, b"Ok.\n")
            except msgspec.MsgspecError as error:
                self._answer(400, f"{error}\n".encode())
        elif FAULTS.strikes_connection():
            self._hang_up()
        else:
            super().do_POST()

    def _perform(self, request: Request) -> None:
        fault = FAULTS.strike(request.sql)
        if fault is not None and fault.mode == "error":
            raise EngineError("Fault asked for by a test", fault.code)
        if fault is None or fault.mode != "drop_answer":
            return super()._perform(request)
        if request.statement.data_at is not None:
            self.server.engine.insert(request)
        else:
            self.server.engine.run(request)
        return self._hang_up()


if __name__ == "__main__":
    clickhouse.main(FaultyHandler)
