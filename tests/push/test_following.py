"""`/v1/cdrs/stream` on Apache Kafka, which tells a client of those topics only that it asks for."""

from __future__ import annotations

from typing import Any

import orjson

from pipeline.kafka import ensure_topics
from pipeline.push.following import Following
from pipeline.settings import Settings
from tests.push.change_feed import produce
from tests.servers import KafkaServer


async def test_a_client_follows_from_the_beginning_and_goes_on(kafka: KafkaServer) -> None:
    settings = Settings(kafka=kafka.bootstrap, cdrs_topic="following-cdrs", partitions=3)
    await ensure_topics(settings)
    documents = [{"call_id": "c" * (number + 1), "tenant": "acme", "version": 1} for number in range(6)]
    await produce(settings, *documents)

    async def everything(shown: dict[str, Any]) -> dict[str, Any]:
        return shown

    following = Following(settings, "acme", everything, {0: 0})
    await following.begin()
    text = b""
    events = following.events()
    async for piece in events:
        text += piece
        if text.count(b"event: call") == len(documents):
            break
    await events.aclose()
    got = [orjson.loads(line[6:])["call_id"] for line in text.splitlines() if line.startswith(b"data: ")]
    assert sorted(got) == [document["call_id"] for document in documents]
    last = [line[4:].decode() for line in text.splitlines() if line.startswith(b"id: ")][-1]
    assert sum(int(each.partition(":")[2]) for each in last.split(",")) == len(documents)
