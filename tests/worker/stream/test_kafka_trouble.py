"""Kafka away with nothing to do, topics that take little, that lose what was not read, that are gone."""

from __future__ import annotations

import asyncio

import orjson
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete

from pipeline import kafka
from tests.servers import KafkaServer
from tests.worker.administration import administer
from tests.worker.conftest import Deploy
from tests.worker.deployment import wait_for
from tests.worker.phone_calls import event, in_time, now_ms, phone_calls


def test_an_idle_worker_sees_that_kafka_is_away(deploy: Deploy, kafka: KafkaServer) -> None:
    deployment = deploy()
    worker = deployment.worker()
    deployment.produce(in_time(phone_calls(20, seed=2)))
    deployment.wait_done()
    kafka.kill()
    wait_for(lambda: not worker.ready, "not ready")
    assert "Kafka does not answer" in worker.checks()["kafka"]
    kafka.start()
    wait_for(lambda: worker.ready, "ready again")
    deployment.produce(in_time(phone_calls(20)))
    deployment.wait_done()
    deployment.verify()


@pytest.mark.slow
def test_topics_that_take_small_records_only(deploy: Deploy) -> None:
    """Somebody made the feed and the dead letters by hand: nothing stalls, what does not fit is cut."""
    deployment = deploy()
    settings = deployment.settings
    small = [
        ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": "6000"})
        for topic in (settings.cdrs_topic, settings.dead_letters_topic)
    ]
    administer(deployment, lambda admin: admin.alter_configs(small))
    worker = deployment.worker()
    at = now_ms() - 60_000
    many = [event("many", "started", at, 0, leg_id="a", caller="200", callee="300")]
    many += [event("many", "started", at + n, n, leg_id=f"leg-{n}", callee=str(n), role="target") for n in range(1, 60)]
    many += [event("many", "ended", at + 90, n + 60, leg_id=f"leg-{n}") for n in range(1, 60)]
    many += [event("many", "ended", at + 99, 999, leg_id="a")]
    deployment.produce([*many, *in_time(phone_calls(100))])
    poison = b"no event " * 5000
    deployment.send([(b"k", poison)])
    deployment.wait_done()
    deployment.verify([value for value in deployment.values if value != poison], feed=False)
    assert {record.key for record in deployment.feed()} >= {b"many", *(f"call-1-{n}".encode() for n in range(100))}
    (letter,) = {record.value for record in deployment.dead_letters()}
    assert poison.startswith(letter) and len(letter) > 500
    assert "max.message.bytes" in worker.said


@pytest.mark.slow
def test_records_lost_unread_stop_the_worker_until_somebody_says_to_go_on(deploy: Deploy) -> None:
    deployment = deploy(partitions=1, group_instance="only")
    worker = deployment.worker()
    deployment.produce(in_time(phone_calls(10)))
    deployment.wait_done()
    worker.stop()
    read = deployment.ends[0]
    deployment.produce(in_time(phone_calls(10, seed=2)))
    partition = TopicPartition(deployment.settings.events_topic, 0)
    administer(deployment, lambda admin: admin.delete_records({partition: RecordsToDelete(before_offset=read + 3)}))
    stopped = deployment.worker(ready=False)
    assert stopped.wait() == 1
    assert "records were lost before they were read" in stopped.said and "CDR_LOST_EVENTS=skip" in stopped.said
    assert f'"from_offset": {read}, "to_offset": {read + 2}' in stopped.said
    goes_on = deployment.worker(lost_events="skip")
    deployment.wait_done()
    assert goes_on.metric("cdr_records_lost_total") == 3
    values = deployment.values[:read] + deployment.values[read + 3 :]
    deployment.verify(values)
    assert goes_on.stop() == 0
    end = deployment.ends[0]
    deployment.produce(in_time(phone_calls(2, seed=3)))
    administer(
        deployment, lambda admin: admin.delete_records({partition: RecordsToDelete(before_offset=deployment.ends[0])})
    )
    deployment.worker(lost_events="skip")
    deployment.wait_done()  # nothing came since, and yet the loss is committed: it is told once
    assert deployment.ends[0] > end


def test_a_topic_that_is_deleted_stops_the_worker(deploy: Deploy) -> None:
    deployment = deploy()
    worker = deployment.worker()
    administer(deployment, lambda admin: admin.delete_topics([deployment.settings.events_topic]))
    assert worker.wait() == 1
    assert "a topic was deleted" in worker.said and deployment.settings.events_topic in worker.said


def test_an_event_that_the_topic_takes_no_more_is_a_dead_letter(deploy: Deploy) -> None:
    """It came under a wrong key and cannot be sent on under its own; its neighbours are not delayed."""
    deployment = deploy()
    settings = deployment.settings
    at = now_ms() - 60_000
    large = event("large", "started", at, 0, leg_id="a", user_data="v" * 9000)
    wrong = event("wrong", "started", at, 0, leg_id="a", user_data="v" * 900)
    deployment.send([(b"other", orjson.dumps(each)) for each in (large, *[wrong] * 9)])
    deployment.send([(b"k" * 8000, b"no event")])
    deployment.produce(in_time(phone_calls(20)))
    small = ConfigResource(ConfigResourceType.TOPIC, settings.events_topic, {"max.message.bytes": "6000"})
    narrow = ConfigResource(ConfigResourceType.TOPIC, settings.dead_letters_topic, {"max.message.bytes": "6000"})
    administer(deployment, lambda admin: admin.alter_configs([small, narrow]))
    deployment.worker()
    deployment.wait_done()
    letters = {dict(record.headers)["error"].decode(): record for record in deployment.dead_letters()}
    assert len(letters) == 2
    reason, letter = next((reason, letter) for reason, letter in letters.items() if "max.message.bytes" in reason)
    assert settings.events_topic in reason
    assert orjson.dumps(large).startswith(letter.value) and len(letter.value) > 1000
    assert dict(letter.headers)["value_bytes"] == str(len(orjson.dumps(large))).encode()
    values = [value for value in deployment.values if value not in (orjson.dumps(large), b"no event")]
    deployment.verify(values)


def test_a_record_of_a_wrong_clock_is_taken(deploy: Deploy) -> None:
    """Kafka refuses records of more than an hour ahead (InvalidTimestampError), and deletes old ones early, where it
    goes by the clock of who sends them."""
    deployment = deploy(partitions=1)
    names = [topic.name for topic in kafka.topics(deployment.settings)]
    wrong = (now_ms() + 20 * 3_600_000, now_ms() - 30 * 86_400_000)

    async def send() -> None:
        async with AIOKafkaProducer(bootstrap_servers=deployment.broker.bootstrap) as producer:
            for name in names:
                for at in wrong:
                    await producer.send_and_wait(name, b"{}", timestamp_ms=at)

    asyncio.run(send())
    for name in names:
        records = deployment.records(name)
        assert len(records) == len(wrong), name
        assert not {record.timestamp for record in records} & set(wrong), name
