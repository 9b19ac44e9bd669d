"""How much one client may ask: requests a minute, and requests under way.

A client is an authenticated caller: a user, or a token. Until a request was authenticated it is the address that it
comes from: a header that anybody makes up gives nobody a count of its own. Counts are of one process: with several
behind a balancer each allows as much. The headers are RateLimit-Limit, -Remaining and -Reset as many clients read
them, and RateLimit and RateLimit-Policy of draft-ietf-httpapi-ratelimit-headers.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.query.http.problems import RequestProblem, response

_LIMITED: Final = ("/v1/", "/api/", "/rest/", "/openapi/", "/ui/")
_FREE: Final = ("/ui/static/",)  # files that browsers keep
_REMEMBERED: Final = 20_000
_WINDOW_S: Final = 60


class Limits:
    """The ASGI middleware: a bucket of requests for each client, filled evenly over a minute."""

    def __init__(
        self, app: ASGIApp, rate: int, concurrent: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._rate, self._concurrent = rate, concurrent
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._under_way: defaultdict[str, int] = defaultdict(int)
        self._known: OrderedDict[bytes, str] = OrderedDict()  # credentials that were good the last time → whose

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(_LIMITED) or path.startswith(_FREE):
            await self._app(scope, receive, send)
            return
        credentials = _credentials(scope)
        client = self._known.get(credentials) or f"address {(scope.get('client') or ('',))[0]}"
        limits = self._take(client) if self._rate else {}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in limits.items():
                    headers.setdefault(name, value)
            await send(message)

        problem = None
        if "Retry-After" in limits:
            problem = _too_many(f"More than {self._rate} requests in a minute; slow down.", limits)
        elif self._under_way[client] >= self._concurrent:
            problem = _too_many(
                f"{self._concurrent} requests are under way; wait for one to end.", {"Retry-After": "1"}
            )
        if problem is not None:
            await response(problem, scope["path"], scope["cdr.request_id"])(scope, receive, sending)
            return
        self._under_way[client] += 1
        try:
            await self._app(scope, receive, sending)
        finally:
            self._under_way[client] -= 1
            if not self._under_way[client]:
                del self._under_way[client]
            caller = scope.get("cdr.caller", "")
            if caller and self._rate and credentials not in self._known:
                self._give_back(client)  # whose it was is known only now
                self._take(f"caller {caller}")
            self._remember(credentials, caller)

    def _give_back(self, client: str) -> None:
        """Undo one `_take`."""
        if client in self._buckets:
            left, at = self._buckets[client]
            self._buckets[client] = (left + 1, at)

    def _remember(self, credentials: bytes, caller: str) -> None:
        """Whose the credentials were found to be; "" when they were good for nobody."""
        self._known.pop(credentials, None)
        if credentials and caller:
            self._known[credentials] = f"caller {caller}"
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def _take(self, client: str) -> dict[str, str]:
        """Headers after taking one request; with Retry-After when there was none to take."""
        now, each = self._monotonic(), self._rate / _WINDOW_S
        left, at = self._buckets.get(client, (float(self._rate), now))
        left = min(float(self._rate), left + (now - at) * each)
        empty = left < 1
        left -= 0 if empty else 1
        self._buckets[client] = (left, now)
        self._buckets.move_to_end(client)
        while len(self._buckets) > _REMEMBERED:
            self._buckets.popitem(last=False)
        reset = math.ceil((self._rate - left) / each)
        headers = {
            "RateLimit-Limit": str(self._rate),
            "RateLimit-Remaining": str(int(left)),
            "RateLimit-Reset": str(reset),
            "RateLimit-Policy": f'"default";q={self._rate};w={_WINDOW_S}',
            "RateLimit": f'"default";r={int(left)};t={reset}',
        }
        return headers | ({"Retry-After": str(max(1, math.ceil((1 - left) / each)))} if empty else {})


class StreamSlots:
    """Long answers of one tenant under way at a time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._under_way: defaultdict[str, int] = defaultdict(int)

    @contextmanager
    def one(self, tenant: str) -> Iterator[None]:
        """A turn until the block ends; 429 when all are taken."""
        if self._under_way[tenant] >= self._most:
            raise _too_many(
                f"{self._most} long answers of this tenant are under way; wait for one to end, or make an export.",
                {"Retry-After": "5"},
            )
        self._under_way[tenant] += 1
        try:
            yield
        finally:
            self._under_way[tenant] -= 1

    async def during(self, tenant: str, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces, with a turn while they come."""
        with self.one(tenant):
            async for piece in pieces:
                yield piece


def _too_many(why: str, headers: dict[str, str]) -> RequestProblem:
    return RequestProblem(429, "too_many_requests", why, headers=headers)


def _credentials(scope: Scope) -> bytes:
    """What a request proves its caller with, hashed; empty without any."""
    proofs = [value for name, value in scope["headers"] if name in (b"authorization", b"cookie")]
    query: bytes = scope["query_string"]
    if b"access_token=" in query:  # Yeastar's
        proofs += [part for part in query.split(b"&") if part.startswith(b"access_token=")]
    return hashlib.sha256(b"\0".join(proofs)).digest() if proofs else b""
