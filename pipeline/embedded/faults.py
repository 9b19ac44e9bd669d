"""Faults that a test asks the endpoint to have. Only there when CDR_FAULTS=1."""

from __future__ import annotations

import threading
import time
from typing import Literal

import msgspec

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
