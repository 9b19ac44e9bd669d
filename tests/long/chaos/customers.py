"""Clients of the query service that keep what they get: exports and streams that go on where they broke off."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

_PATIENCE_S = 180.0
_PIECE = 64 << 10


class Client:
    """A tenant's token at the service. A question is asked until it is answered, whatever becomes of the service."""

    def __init__(self, base: str, tenant: str, token: str) -> None:
        self.base, self.tenant = base, tenant
        self.headers = {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, *, expect: tuple[int, ...] = (200,), **more: Any) -> httpx.Response:
        """The answer. 5xx and broken connections are asked again; anything else that is not expected is an error."""
        headers = self.headers | more.pop("headers", {})
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                answer = httpx.request(method, self.base + path, headers=headers, timeout=20, **more)
                if answer.status_code in expect:
                    return answer
                trouble = f"{answer.status_code} {answer.text[:300]}"
                assert answer.status_code >= 500 or answer.status_code == 429, f"{method} {path}: {trouble}"
            except httpx.HTTPError as error:
                trouble = f"{type(error).__name__}: {error}"
            assert time.monotonic() < deadline, f"{method} {path}: {trouble}"
            time.sleep(0.2)


@dataclass
class Exporter:
    """Makes one export after the other until it is told to stop, and looks at each: whole, and no call twice."""

    client: Client
    broken: list[str]
    done: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                lines = self.export(f"{self.client.tenant}-{self.done}")
                doubled = [
                    key for key, number in Counter(orjson.loads(line)["id"] for line in lines).items() if number > 1
                ]
                if doubled:
                    self.broken.append(f"export {self.done} has calls twice: {doubled[:3]}")
                self.done += 1
            except Exception as error:  # a promise that was broken ends the round, not this thread
                self.broken.append(f"export {self.done}: {type(error).__name__}: {error}")
                return

    def export(self, key: str) -> list[bytes]:
        """The lines of an export of all calls. Raises AssertionError when it cannot be had whole."""
        body = {"of": "calls", "format": "ndjson"}
        begun = self.client.ask("POST", "/v1/exports", json=body, headers={"Idempotency-Key": key}, expect=(202, 200))
        deadline = time.monotonic() + _PATIENCE_S
        while (state := self.client.ask("GET", f"/v1/exports/{begun.json()['id']}", expect=(200, 202)).json())[
            "state"
        ] not in ("ready", "failed"):
            assert time.monotonic() < deadline, f"not ready: {state}"
            time.sleep(0.3)
        if state["state"] == "failed" and "did not answer" in state["problem"]:
            return self.export(f"{key}-again")  # it says so, and a client asks again
        assert state["state"] == "ready", state
        whole = b""
        while len(whole) < state["bytes"]:
            asked = {"Range": f"bytes={len(whole)}-{len(whole) + _PIECE - 1}"}
            part = self.client.ask("GET", state["file"], headers=asked, expect=(200, 206))
            whole = part.content if part.status_code == 200 else whole + part.content  # 200: the whole file
        assert hashlib.sha256(whole).hexdigest() == state["sha256"], f"another file than was made: {state}"
        lines = whole.splitlines()
        assert len(lines) >= state["rows"] * 0.5, f"{len(lines)} lines of {state['rows']}"
        return lines


@dataclass
class Follower:
    """Follows `/v1/cdrs/stream` from the beginning and comes back with the last id when it breaks off."""

    client: Client
    got: Counter[tuple[str, int, bool]] = field(default_factory=Counter)  # (call_id, version, retired)
    resumed: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(30)

    def _run(self) -> None:
        last = "0:0"
        while not self._stop.is_set():
            try:
                for id_, kind, data in self._events(last):
                    last = id_ or last
                    if kind in ("call", "retired"):
                        document = orjson.loads(data)
                        self.got[document["call_id"], int(document["version"]), kind == "retired"] += 1
                    if self._stop.is_set():
                        return
            except httpx.HTTPError:
                pass
            self.resumed += 1
            time.sleep(0.2)

    def _events(self, last: str) -> Iterator[tuple[str, str, bytes]]:
        """(id, event, data) as they come. An event that was cut off is none (WHATWG HTML, 9.2.6)."""
        headers = self.client.headers | {"Last-Event-ID": last}
        with httpx.stream("GET", f"{self.client.base}/v1/cdrs/stream", headers=headers, timeout=15) as answer:
            if answer.status_code != 200:
                return
            id_ = kind = data = ""
            for line in answer.iter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    id_ = value
                elif name == "event":
                    kind = value
                elif name == "data":
                    data = value
                elif not line:
                    yield id_, kind, data.encode()
                    kind = data = ""
