"""`/v1/cdrs/stream`: every version, where it stands, who sees what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from pipeline import kafka
from pipeline.errors import BadField
from pipeline.push.following import Following, Look, place_of
from pipeline.query.access.caller import Caller
from pipeline.query.app import create_app
from pipeline.settings import Settings
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.query.view import View, document_of
from tests.push.change_feed import produce
from tests.servers import KafkaServer

ACME = Caller("acme", "tests", ("cdr:read",))


def document(call_id: str, version: int, *, tenant: str = "acme", extension: str = "201") -> dict[str, Any]:
    return {
        "call_id": call_id,
        "tenant": tenant,
        "version": version,
        "direction": "internal",
        "caller": {"number": "200", "extension": "200"},
        "callee": {"number": extension, "extension": extension},
        "logs": [{"number": "800"}],
    }


@pytest.fixture
async def feed(broker: KafkaServer, request: pytest.FixtureRequest) -> Settings:
    name = f"{request.node.name}-cdrs"
    settings = Settings(kafka=broker.bootstrap, cdrs_topic=name, partitions=2)
    await kafka.ensure_topics(settings)
    return settings


def seen_by(caller: Caller) -> Look:
    async def look(document: dict[str, Any]) -> dict[str, Any] | None:
        return document_of(caller.view, document)

    return look


async def follow(
    settings: Settings, number: int, place: dict[int, int] | None, caller: Caller = ACME
) -> tuple[list[tuple[str, int]], str]:
    """The first so many events, and the last id."""
    following = Following(settings, caller.tenant, seen_by(caller), place)
    await following.begin()
    events = following.events()
    text = ""
    async with asyncio.timeout(20):
        while text.count("data: ") < number:
            text += (await anext(events)).decode()
    await events.aclose()
    data = [orjson.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    ids = [line[4:] for line in text.splitlines() if line.startswith("id: ")]
    return [(one["call_id"], one["version"]) for one in data][:number], ids[-1]


async def test_every_version_in_order_and_on_from_the_last(feed: Settings) -> None:
    await produce(feed, *(document("a", version) for version in range(1, 4)), document("bb", 1))
    await produce(feed, document("a", 9, tenant="other"))
    found, last = await follow(feed, 4, {0: 0})
    assert sorted(found) == [("a", 1), ("a", 2), ("a", 3), ("bb", 1)]
    assert [each for each in found if each[0] == "a"] == [("a", 1), ("a", 2), ("a", 3)]
    await produce(feed, document("a", 4), document("bb", 2))
    found, _ = await follow(feed, 2, place_of(last))
    assert sorted(found) == [("a", 4), ("bb", 2)]


async def test_without_an_id_it_begins_now(feed: Settings) -> None:
    await produce(feed, document("a", 1), document("a", 2))
    following = Following(feed, ACME.tenant, seen_by(ACME), None)
    await following.begin()
    events = following.events()
    text = (await anext(events)).decode()
    await produce(feed, document("a", 3))
    async with asyncio.timeout(20):
        text += (await anext(events)).decode()
    await events.aclose()
    assert [orjson.loads(line[6:])["version"] for line in text.splitlines() if line.startswith("data: ")] == [3]


async def test_a_user_sees_own_calls(feed: Settings) -> None:
    await produce(feed, document("a", 1), document("a", 2, extension="300"), document("a", 3))
    user = Caller("acme", "tests", ("cdr:read",), "user", "201")
    assert (await follow(feed, 2, {0: 0}, user))[0] == [("a", 1), ("a", 3)]


def test_who_sees_what() -> None:
    assert document_of(View("acme", "800"), document("a", 1)) == document("a", 1)
    assert document_of(View("acme", "80"), document("a", 1)) is None
    assert document_of(View("acme", ""), document("a", 1)) is None
    assert document_of(View("acme"), document("a", 1, tenant="other")) is None


@pytest.mark.parametrize("text", ["", "x", "1", "0:", "0:1,", "0:-1", "0:1;1:2", "0:" + "9" * 30])
def test_ids_that_are_none(text: str) -> None:
    with pytest.raises(BadField, match="Last-Event-ID"):
        place_of(text)


@pytest.fixture
async def api(settings: Settings, client: Any) -> AsyncIterator[httpx.AsyncClient]:
    away = settings.model_copy(update={"kafka": "127.0.0.1:9"})
    app = create_app(away)
    token = create_token(client, "acme", "tests")
    transport, headers = httpx.ASGITransport(app=app), {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as found:
        yield found
    app.state.reader.close()


async def test_what_is_wrong_is_said_with_a_status(api: httpx.AsyncClient) -> None:
    assert (await api.get("/v1/cdrs/stream", headers={"Last-Event-ID": "x"})).status_code == 400
    assert (await api.get("/v1/cdrs/stream?colour=red")).status_code == 400
    assert (await api.get("/v1/cdrs/stream", headers={"Authorization": "Bearer x"})).status_code == 401
    away = await api.get("/v1/cdrs/stream")
    assert away.status_code == 503 and away.headers["Retry-After"]
