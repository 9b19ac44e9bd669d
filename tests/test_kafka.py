"""Topics are created as they must be, and Kafka away is said in one line."""

from __future__ import annotations

import re

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from pipeline import kafka
from pipeline.errors import DEPENDENCY, USAGE, Problem
from pipeline.instants import DAY_MS
from pipeline.settings import Settings
from tests.servers import BrokerServer, KafkaServer


def settings_for(bootstrap: str, prefix: str, partitions: int = 3) -> Settings:
    return Settings(
        kafka=bootstrap,
        partitions=partitions,
        events_topic=f"{prefix}-events",
        cdrs_topic=f"{prefix}-cdrs",
        reports_topic=f"{prefix}-reports",
        dead_letters_topic=f"{prefix}-dead",
    ).model_copy(update={f"{source}_topic": f"{prefix}-{source}" for source in kafka.raw_topics(Settings())})


async def test_topics_are_created_once_and_keep_their_partitions(broker: BrokerServer) -> None:
    settings = settings_for(broker.bootstrap, "made")
    raw = dict.fromkeys(kafka.raw_topics(settings).values(), 3)
    counts = {"made-events": 3, **raw, "made-cdrs": 3, "made-reports": 3, "made-dead": 1}
    assert {*kafka.topic_names(settings).values()} == counts.keys()
    assert await kafka.ensure_topics(settings) == counts
    assert await kafka.ensure_topics(settings.model_copy(update={"partitions": 8})) == counts


async def test_topics_have_their_settings(kafka: KafkaServer) -> None:
    from pipeline.kafka import LARGEST_MESSAGE, ensure_topics

    await ensure_topics(settings_for(kafka.bootstrap, "set"))
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.bootstrap)
    await admin.start()
    try:
        names = ("set-events", "set-cdrs", "set-dead")
        answers = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name) for name in names])
    finally:
        await admin.close()
    found = {item[3]: {entry[0]: entry[1] for entry in item[4]} for answer in answers for item in answer.resources}
    assert found["set-events"]["retention.ms"] == str(7 * DAY_MS)
    assert found["set-dead"]["retention.ms"] == str(30 * DAY_MS)
    assert found["set-cdrs"]["max.message.bytes"] == found["set-dead"]["max.message.bytes"] == str(LARGEST_MESSAGE)


async def test_kafka_away_is_one_line_with_the_next_step() -> None:
    with pytest.raises(Problem, match=r"Kafka does not answer at 127\.0\.0\.1:1.*CDR_KAFKA") as caught:
        await kafka.ensure_topics(settings_for("127.0.0.1:1", "away"))
    assert caught.value.code == DEPENDENCY


@pytest.mark.parametrize(
    ("servers", "why"),
    [
        ("127.0.0.1:1", r"at 127\.0\.0\.1:1: Connection refused"),
        ("127.0.0.1:1,[::1]:1", r"127\.0\.0\.1:1: Connection refused; \[::1\]:1: "),
    ],
)
def test_each_address_says_why(servers: str, why: str) -> None:
    said = str(kafka.unreachable(settings_for(servers, "away"), TimeoutError()))
    assert re.search(why, said), said


@pytest.mark.parametrize("servers", ["127.0.0.1:x", "127.0.0.1", "a:1,,b:2", ""])
def test_what_is_no_address_is_said(servers: str) -> None:
    with pytest.raises(Problem, match="is no host:port") as caught:
        kafka.connection(settings_for(servers, "away"))
    assert caught.value.code == USAGE
