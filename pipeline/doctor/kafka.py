"""Kafka as `cdr doctor` sees it: topics, their settings, the group's lag, the newest events."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from pipeline import kafka
from pipeline.doctor import events as doctor_events
from pipeline.doctor.finding import FAIL, OK, WARN, Check
from pipeline.instants import DAY_MS
from pipeline.settings import Settings
from pipeline.settings.kafka import KafkaSettings

LAG_WORTH_A_WORD = 100_000
SHORT_RETENTION_MS = DAY_MS


async def examine(settings: Settings) -> list[Check]:
    """The checks of Kafka. Raises `Problem` when it does not answer."""
    admin = AIOKafkaAdminClient(**kafka.connection(settings), request_timeout_ms=10_000)
    consumer = AIOKafkaConsumer(**kafka.connection(settings), enable_auto_commit=False)
    try:
        await admin.start()
        await consumer.start()
        checks = [Check(OK, "Kafka", f"answers at {settings.kafka}, {settings.kafka_security_protocol}")]
        counts = await _partitions(admin, settings)
        checks += _topics(settings, counts)
        present = [name for name, count in counts.items() if count]
        checks += await _configs(admin, settings, present)
        if counts.get(settings.events_topic):
            parts = [TopicPartition(settings.events_topic, n) for n in range(counts[settings.events_topic])]
            checks.append(await _lag(admin, consumer, settings, parts))
            checks += await doctor_events.examine(consumer, parts)
        return checks
    except (KafkaError, OSError) as error:
        raise await kafka.explained(settings, error) from error
    finally:
        await consumer.stop()
        await admin.close()


async def _partitions(admin: AIOKafkaAdminClient, settings: Settings) -> dict[str, int]:
    existing = set(await admin.list_topics())
    names = [topic.name for topic in kafka.topics(settings)]
    there = [name for name in names if name in existing]
    described = await admin.describe_topics(there) if there else []
    return dict.fromkeys(names, 0) | {item["topic"]: len(item["partitions"]) for item in described}


def _topics(settings: KafkaSettings, counts: Mapping[str, int]) -> list[Check]:
    missing = [name for name, count in counts.items() if not count]
    if missing:
        return [Check(FAIL, "topics", f"missing: {', '.join(missing)}", "A worker creates them when it starts.")]
    events, cdrs = counts[settings.events_topic], counts[settings.cdrs_topic]
    if events != cdrs:
        found = f"{settings.events_topic} has {events} partitions, {settings.cdrs_topic} {cdrs}"
        return [
            Check(WARN, "topics", found, f"Grow {settings.cdrs_topic} to {events}: its partitions follow the events'.")
        ]
    return [Check(OK, "topics", ", ".join(f"{name} {count}" for name, count in counts.items()))]


async def _configs(admin: AIOKafkaAdminClient, settings: KafkaSettings, names: list[str]) -> list[Check]:
    """Retention, clean-up and the largest message of the topics that are there."""
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    if not resources:
        return []
    configs: dict[str, dict[str, str]] = {}
    for response in await admin.describe_configs(resources):
        for _code, _message, _type, name, entries in response.resources:
            configs[name] = {entry[0]: entry[1] for entry in entries}
    checks = []
    for name, config in configs.items():
        retention = int(config.get("retention.ms") or -1)
        if 0 <= retention < SHORT_RETENTION_MS:
            found = f"{name} keeps records for {retention / 3_600_000:.1f} h"
            checks.append(
                Check(WARN, "retention", found, "A worker that is away for longer loses them: raise retention.ms.")
            )
        if "compact" in config.get("cleanup.policy", "") and name != settings.cdrs_topic:
            hint = "Set cleanup.policy=delete: compaction keeps only the last event of a call."
            checks.append(Check(FAIL, "retention", f"{name} is compacted", hint))
        largest = int(config.get("max.message.bytes") or kafka.LARGEST_MESSAGE)
        if name in (settings.cdrs_topic, settings.dead_letters_topic) and largest < kafka.LARGEST_MESSAGE:
            hint = f"Set max.message.bytes={kafka.LARGEST_MESSAGE}: a larger call or letter would hold up the worker."
            checks.append(Check(WARN, "message size", f"{name} takes at most {largest} bytes", hint))
    return checks or [Check(OK, "retention", "a day or more, no events compacted away")]


async def _lag(
    admin: AIOKafkaAdminClient, consumer: AIOKafkaConsumer, settings: KafkaSettings, parts: list[TopicPartition]
) -> Check:
    """How far the group is behind, and whether it has lost its place."""
    committed = await admin.list_consumer_group_offsets(settings.group, partitions=parts)
    ends, begins = await consumer.end_offsets(parts), await consumer.beginning_offsets(parts)
    lag, lost = 0, []
    for part in parts:
        at = committed[part].offset if part in committed else -1
        if 0 <= at < begins[part]:
            lost.append(str(part.partition))
        lag += max(0, ends[part] - max(at, begins[part]))
    if lost:
        found = f"records of partitions {', '.join(lost)} were deleted before {settings.group} read them"
        return Check(FAIL, "group", found, "Raise retention.ms, and produce what is lacking again.")
    if lag > LAG_WORTH_A_WORD:
        return Check(WARN, "group", f"{settings.group} is {lag} records behind", "Start workers, or wait.")
    return Check(OK, "group", f"{settings.group} is {lag} records behind")
