"""A real HTTP server that takes webhooks, in a thread of its own."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import orjson
from aiohttp import web


@dataclass
class Got:
    """One request as it came."""

    path: str
    id: str
    timestamp: int
    signatures: str
    body: bytes

    @property
    def type(self) -> str:
        return str(orjson.loads(self.body)["type"])

    def signed_with(self, secret: str) -> bool:
        """Whether the signature is right, worked out here on its own."""
        key = base64.b64decode(secret.split("_", 1)[1])
        wanted = hmac.digest(key, f"{self.id}.{self.timestamp}.".encode() + self.body, hashlib.sha256)
        return any(
            version == "v1" and hmac.compare_digest(base64.b64decode(value), wanted)
            for version, _, value in (each.partition(",") for each in self.signatures.split())
        )


@dataclass
class Receiver:
    """What came, and what is answered: a status, after so many seconds."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answer: Callable[[Got], tuple[int, float]] = lambda _: (204, 0.0)

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    async def take(self, request: web.Request) -> web.Response:
        got = Got(
            request.path,
            request.headers["webhook-id"],
            int(request.headers["webhook-timestamp"]),
            request.headers["webhook-signature"],
            await request.read(),
        )
        self.got.append(got)
        status, wait_s = self.answer(got)
        await asyncio.sleep(wait_s)
        return web.Response(status=status, headers={"Location": self.url("/elsewhere")} if status // 100 == 3 else {})


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free port until the block ends."""
    receiver, loop = Receiver(), asyncio.new_event_loop()

    async def begin() -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", receiver.take)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        receiver.port = runner.addresses[0][1]
        return runner

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
    try:
        yield receiver
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
