"""POST /ingest/{source}: what is answered, and what reaches Kafka."""

from __future__ import annotations

import asyncio
import base64
import gzip
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from pipeline.ingest import sender as senders
from pipeline.ingest.sender import KafkaFull, Sender
from pipeline.kafka import partition_of, raw_topics
from pipeline.query.app import create_app
from pipeline.settings import Settings
from pipeline.warehouse.identity.tokens import create_token
from tests.ingest.recorder import consume_records
from tests.servers import ClickHouseServer, KafkaServer
from tests.sources import scenario

_numbers = itertools.count(1)
AT = "2026-03-10T12:00:00.000Z"


class Service:
    """The query service in this process, with topics and tokens of its own."""

    def __init__(self, broker: str, server: ClickHouseServer, database: str, **settings: Any) -> None:
        name = f"http{next(_numbers)}"
        topics = {f"{source}_topic": f"{name}-{source}" for source in raw_topics(Settings())}
        topics |= {f"{what}_topic": f"{name}-{what}" for what in ("events", "cdrs", "dead_letters")}
        self.settings = Settings(kafka=broker, clickhouse=server.url, database=database, partitions=3).model_copy(
            update=topics | settings
        )
        client = server.client(database)
        self.token = create_token(client, "acme", "pbx", scopes=("cdr:ingest",))
        self.reader = create_token(client, "acme", "reader", scopes=("cdr:read",))
        client.close()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Callable[..., Any]]:
        app = create_app(self.settings)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://cdr") as client,
        ):

            async def post(source: str, content: Any, token: str = "", **headers: str) -> httpx.Response:
                authorization = {"authorization": f"Bearer {token or self.token}"}
                told = {name.replace("_", "-"): value for name, value in headers.items()}
                return await client.post(f"/ingest/{source}", content=content, headers=authorization | told)

            post.client = client  # type: ignore[attr-defined]
            yield post


@pytest.fixture
def service(kafka: KafkaServer, clickhouse_endpoint: ClickHouseServer, database: str) -> Service:
    return Service(kafka.bootstrap, clickhouse_endpoint, database)


def event(type_: str = "started", **fields: Any) -> bytes:
    return json.dumps({"type": type_, "at": AT, "call_id": "c-1", "leg_id": "a"} | fields).encode()


async def test_lines_are_taken_or_told_why_not(service: Service, kafka: KafkaServer) -> None:
    lines = [event(), event("rang", at="2026-03-10 12:00"), b"{", b"", event("ended", call_id="c-2", event_id="e-9")]
    async with service.client() as post:
        answer = await post("canonical", b"\n".join(lines), content_type="application/x-ndjson")
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert (body["taken"], body["refused"], body["ignored"]) == (2, 2, 0)
        assert [(line["line"], line["state"]) for line in body["lines"]] == [
            (1, "taken"),
            (2, "refused"),
            (3, "refused"),
            (5, "taken"),
        ]
        assert body["lines"][1]["pointer"] == "/at" and "RFC 3339" in body["lines"][1]["hint"]
        assert "is not JSON" in body["lines"][2]["detail"]
        assert body["lines"][3]["event_id"] == "e-9"
        again = await post("canonical", b"\n".join(lines))
        assert again.json() == body
    records = await consume_records(kafka, service.settings.events_topic, 4)
    assert {record.key for record in records} == {b"c-1", b"c-2"}
    for record in records:
        assert record.partition == partition_of(record.key, 3)
        stored = json.loads(record.value)
        assert stored["tenant"] == "acme" and stored["event_id"]
    assert len({json.loads(record.value)["event_id"] for record in records}) == 2


async def test_an_array_and_the_tenant_of_the_token(service: Service, kafka: KafkaServer) -> None:
    async with service.client() as post:
        items = [json.loads(event(tenant="other")), 7, json.loads(event("answered", data={"big": 2**70}))]
        answer = await post("canonical", json.dumps(items), content_type="application/json")
    assert [line["state"] for line in answer.json()["lines"]] == ["taken", "refused", "taken"]
    records = await consume_records(kafka, service.settings.events_topic, 2)
    assert {json.loads(record.value)["tenant"] for record in records} == {"acme"}


async def test_nothing_taken_is_a_problem(service: Service) -> None:
    async with service.client() as post:
        for content in (b"", b"[]", b"[1,", b"{}", b"null", b'"text"', b"[[[[", b"\xff\xfe"):
            answer = await post("canonical", content)
            assert answer.status_code == 400, content
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"]
        assert (await post("canonical", b"{}")).json()["lines"][0]["pointer"] == "/type"
        assert (await post("canonical", b"{}", content_encoding="br")).status_code == 400
        assert (await post("nonsense", b"{}")).status_code == 404


async def test_who_may(service: Service) -> None:
    async with service.client() as post:
        assert (await post("canonical", event(), token="cdr_" + "x" * 43)).status_code == 401
        answer = await post("canonical", event(), token=service.reader)
        assert answer.status_code == 403 and "cdr:ingest" in answer.json()["detail"]
        client = post.client  # type: ignore[attr-defined]
        assert (await client.post("/ingest/canonical", content=event())).status_code == 401
        named = await client.post(f"/ingest/canonical?access_token={service.token}", content=event())
        assert named.status_code == 200
        basic = base64.b64encode(f"acme:{service.token}".encode()).decode()
        answer = await client.post("/ingest/canonical", content=event(), headers={"authorization": f"Basic {basic}"})
        assert answer.status_code == 200, answer.text


async def test_limits(kafka: KafkaServer, clickhouse_endpoint: ClickHouseServer, database: str) -> None:
    service = Service(kafka.bootstrap, clickhouse_endpoint, database, ingest_max_mb=1, ingest_max_events=3)
    async with service.client() as post:
        assert (await post("canonical", b" " * (1 << 20) + event())).status_code == 413

        async def parts() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b" " * (1 << 16)

        assert (await post("canonical", parts())).status_code == 413
        bomb = gzip.compress(b" " * (64 << 20))
        assert (await post("canonical", bomb, content_encoding="gzip")).status_code == 413
        assert (await post("canonical", gzip.compress(event()), content_encoding="gzip")).status_code == 200
        answer = await post("canonical", b"\n".join([event()] * 4))
        assert answer.status_code == 413 and "at most 3" in answer.json()["detail"]


async def test_kafka_away(clickhouse_endpoint: ClickHouseServer, database: str) -> None:
    service = Service("127.0.0.1:1", clickhouse_endpoint, database)
    async with service.client() as post:
        answer = await post("canonical", event())
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
        assert answer.json()["code"] == "unavailable"


async def test_kafka_that_does_not_answer(
    service: Service, kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(senders, "_ANSWER_S", 1.0)
    async with service.client() as post:
        assert (await post("canonical", event())).status_code == 200
        kafka.pause()
        answer = await post("canonical", event("ended"))
        assert answer.status_code == 503
        kafka.resume()
        assert (await post("canonical", event("ended"))).status_code == 200


async def test_a_full_buffer_takes_no_more() -> None:
    sender = Sender(Settings(kafka="127.0.0.1:1"), 1000)
    first = asyncio.ensure_future(sender.send("t", [(b"k", b"x" * 5000, [])]))  # alone, one may be as large as it is
    await asyncio.sleep(0)
    with pytest.raises(KafkaFull):
        await sender.send("t", [(b"k", b"y", [])])
    first.cancel()


@pytest.mark.parametrize("form", ["json", "form", "base64", "array", "lines"])
async def test_freeswitch_as_mod_json_cdr_posts_it(service: Service, kafka: KafkaServer, form: str) -> None:
    values = scenario.load("freeswitch", "answered")["values"]
    value = values[-1]
    content, kind, number = {
        "json": (value, "application/json", 1),
        "form": (b"cdr=" + quote(value).encode(), "application/x-www-form-urlencoded", 1),
        "base64": (b"cdr=" + base64.b64encode(value), "application/x-www-form-base64-encoded", 1),
        "array": (b"[" + b",".join(values) + b"]", "application/json", len(values)),
        "lines": (b"\n".join(values), "application/x-ndjson", len(values)),
    }[form]
    async with service.client() as post:
        answer = await post("freeswitch", content, content_type=kind)
        assert answer.status_code == 200, answer.text
        assert answer.json()["taken"] + answer.json()["ignored"] == number
    records = await consume_records(kafka, service.settings.freeswitch_topic, answer.json()["taken"])
    for record in records:
        assert dict(record.headers) == {"tenant": b"acme"}
        assert record.partition == partition_of(record.key, 3)
    assert {json.loads(record.value)["Unique-ID"] for record in records}
    assert len({record.key for record in records}) == 1


async def test_raw_events_that_tell_nothing_or_are_broken(service: Service, kafka: KafkaServer) -> None:
    broken = b'{"Event-Name":"CHANNEL_ANSWER"}'
    async with service.client() as post:
        answer = await post("freeswitch", b'{"Event-Name":"HEARTBEAT"}')
        assert (answer.status_code, answer.json()["ignored"]) == (200, 1)
        answer = await post("freeswitch", broken)
        assert answer.status_code == 400 and answer.json()["lines"][0]["pointer"] == "/Unique-ID"
        assert (await post("freeswitch", b"no json")).status_code == 400
    (record,) = await consume_records(kafka, service.settings.freeswitch_topic, 1)
    assert record.value == broken  # for the dead letters


async def test_reports_without_time_get_that_of_their_receipt(service: Service, kafka: KafkaServer) -> None:
    members = [{"extension": {"number": "1001", "channel_id": "PJSIP/1001-1", "member_status": "ALERT"}}]
    report = {"type": 30011, "sn": "S1", "msg": json.dumps({"call_id": "1773136800.1", "members": members})}
    row = {"method": "BYE", "from_tag": "f", "to_tag": "t", "callid": "c", "sip_code": "200", "time": 1773136800}
    async with service.client() as post:
        assert (await post("yeastar", json.dumps(report).encode())).status_code == 200
        assert (await post("opensips", json.dumps(row).encode())).status_code == 200
    (record,) = await consume_records(kafka, service.settings.yeastar_topic, 1)
    assert record.value.startswith(b'{"received_at":1')


async def test_it_is_in_the_document(service: Service) -> None:
    app = create_app(service.settings)
    operation = app.openapi()["paths"]["/ingest/{source}"]["post"]
    assert {"200", "400", "401", "403", "404", "413", "429", "503"} <= set(operation["responses"])
    assert "application/x-ndjson" in operation["requestBody"]["content"]
