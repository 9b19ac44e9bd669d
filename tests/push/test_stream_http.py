"""`/v1/cdrs/stream` over HTTP: nothing lost or told twice, nothing of anybody else, and no longer than the token."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import orjson
import pytest
import uvicorn

from pipeline import kafka
from pipeline.push import following
from pipeline.query.app import create_app
from pipeline.settings import Settings
from pipeline.warehouse.identity.tokens import create_token, list_tokens, revoke_token
from schemas.call import document as call_document
from tests.push.change_feed import produce
from tests.query.stored_calls import NOON, stored_call
from tests.servers import KafkaServer


def document(call_id: str, version: int, *, tenant: str = "acme", **changes: Any) -> dict[str, Any]:
    """A call document as the worker publishes it."""
    call = stored_call(tenant, call_id, NOON, version=version, **changes)
    found: dict[str, Any] = call_document(call)
    return found


@pytest.fixture
async def feed(settings: Settings, broker: KafkaServer, request: pytest.FixtureRequest) -> Settings:
    name = f"{request.node.name}-http-cdrs"
    feed = settings.model_copy(
        update={
            "kafka": broker.bootstrap, "cdrs_topic": name, "partitions": 2,
            "api_followers": 4,
        }
    )  # fmt: skip
    await kafka.ensure_topics(feed)
    return feed


@pytest.fixture
def base(feed: Settings, client: Any) -> Iterator[str]:
    """Address of the service, which runs in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(create_app(feed), log_level="error", timeout_graceful_shutdown=3)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(15)


class Follower:
    """A client of the stream, which reads as EventSource does."""

    def __init__(self, base: str, token: str, last: str | None = "0:0") -> None:
        self._base, self._token, self.last = base, token, last
        self.published: list[tuple[str, dict[str, Any]]] = []
        self.text = ""

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[httpx.Response]:
        headers = {"Authorization": f"Bearer {self._token}"} | ({"Last-Event-ID": self.last} if self.last else {})
        async with (
            httpx.AsyncClient(base_url=self._base, timeout=30) as client,
            client.stream("GET", "/v1/cdrs/stream", headers=headers) as answer,
        ):
            yield answer

    async def read(self, until: int) -> None:
        """Read until so many events are there, or the stream ends; then break off, perhaps within one."""
        async with asyncio.timeout(30), self.connected() as answer:
            assert answer.status_code == 200, await answer.aread()
            assert answer.headers["content-type"].startswith("text/event-stream")
            waiting = ""
            async for piece in answer.aiter_text():
                self.text += piece
                waiting += piece
                while "\n\n" in waiting:
                    block, _, waiting = waiting.partition("\n\n")
                    self._take(block)
                    if len(self.published) >= until:
                        return

    def _take(self, block: str) -> None:
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
        self.last = fields.get("id", self.last)
        if "data" in fields:
            self.published.append((fields["event"], orjson.loads(fields["data"])))

    @property
    def versions(self) -> list[tuple[str, int]]:
        return [(each["call_id"], each["version"]) for _, each in self.published]


async def test_who_comes_back_again_and_again_misses_nothing(feed: Settings, base: str, client: Any) -> None:
    follower = Follower(base, create_token(client, "acme", "t"))
    wanted = [(call, version) for version in range(1, 31) for call in ("a", "bb")]
    await produce(feed, *(document(call, version) for call, version in wanted[:40]))
    await produce(feed, *(document("x", version, tenant="other") for version in range(1, 6)))
    for number in (1, 2, 7, 20, 40):  # breaks off after so many
        await follower.read(number)
    await produce(feed, *(document(call, version) for call, version in wanted[40:]))
    await follower.read(60)
    assert sorted(follower.versions) == sorted(wanted)
    assert [version for call, version in follower.versions if call == "a"] == list(range(1, 31))
    assert "other" not in follower.text and '"x"' not in follower.text


async def test_nobody_elses(feed: Settings, base: str, client: Any) -> None:
    await produce(feed, *(document("a", version, tenant="other") for version in range(1, 4)), document("a", 9))
    await produce(feed, document("a", 10, tenant='acme","other'), document("a", 11, caller_name="acme"))
    follower = Follower(base, create_token(client, "acme", "t"))
    await follower.read(2)
    assert follower.versions == [("a", 9), ("a", 11)]


async def test_it_ends_with_its_token(feed: Settings, base: str, client: Any) -> None:
    token = create_token(client, "acme", "to be revoked")
    await produce(feed, document("a", 1))
    follower = Follower(base, token)
    reading = asyncio.create_task(follower.read(10))
    async with asyncio.timeout(20):
        while not follower.published:  # noqa: ASYNC110  it reads in a task of its own
            await asyncio.sleep(0.05)
    (id_,) = [row["id"] for row in list_tokens(client, "acme") if row["name"] == "to be revoked"]
    revoke_token(client, id_)
    begun = time.monotonic()
    await reading  # the stream ends by itself
    assert time.monotonic() - begun < 25
    await produce(feed, document("a", 2))
    assert follower.versions == [("a", 1)]
    with pytest.raises(AssertionError, match="unauthorized"):
        await follower.read(2)


async def test_it_says_that_it_is_alive(
    feed: Settings, base: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "ALIVE_S", 0.2)
    follower = Follower(base, create_token(client, "acme", "t"), None)
    reading = asyncio.create_task(follower.read(1))
    async with asyncio.timeout(20):
        while follower.text.count(": alive") < 2:  # noqa: ASYNC110  it reads in a task of its own
            await asyncio.sleep(0.05)
    await produce(feed, document("a", 1))
    await reading
    assert follower.versions == [("a", 1)]


async def test_a_slow_client_holds_up_nobody(feed: Settings, base: str, client: Any) -> None:
    token = create_token(client, "acme", "t")
    await produce(feed, *(document("a", version, user_data="x" * 100_000) for version in range(1, 101)))
    slow, quick = Follower(base, token), Follower(base, token)
    async with slow.connected() as answer:
        assert answer.status_code == 200  # and reads nothing
        await quick.read(100)
    assert [version for _, version in quick.versions] == list(range(1, 101))
    await slow.read(100)
    assert slow.versions == quick.versions


async def test_as_many_as_there_may_be(feed: Settings, base: str, client: Any) -> None:
    token = create_token(client, "acme", "t")
    async with contextlib.AsyncExitStack() as stack:
        reading = []  # who lets go of the iterator has hung up
        for _ in range(4):
            answer = await stack.enter_async_context(Follower(base, token).connected())
            assert answer.status_code == 200
            reading.append(answer.aiter_raw())
            await anext(reading[-1])
        refused = await stack.enter_async_context(Follower(base, token).connected())
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")


async def test_what_is_kept_no_longer_is_said(feed: Settings, base: str, client: Any) -> None:
    """A place ahead of the topic: another topic of this name, read from its beginning."""
    await produce(feed, document("a", 1), document("bb", 1))
    follower = Follower(base, create_token(client, "acme", "t"), "0:900,1:1")
    await follower.read(2)
    assert follower.published[0] == ("gap", {"partition": 0, "from": 900, "to": 0})
    assert follower.published[1][1]["call_id"] == "bb"
