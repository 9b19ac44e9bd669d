"""Kafka: how to connect, which topics there are, and that they are as they must be."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import socket
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError
from aiokafka.partitioner import murmur2

from pipeline import kafka_security
from pipeline.errors import DEPENDENCY, USAGE, Problem
from pipeline.instants import DAY_MS
from pipeline.settings import Settings
from pipeline.settings.kafka import KafkaSettings

# What it logs where nothing is set up to log, errors say too.
logging.getLogger("aiokafka").addHandler(logging.NullHandler())

LARGEST_MESSAGE = 4 << 20
# A header of records in raw topics: whose events they are. Without it they are CDR_TENANT's.
TENANT_HEADER = "tenant"
# Before the names of a record's own headers, in its dead letter.
HEADER_PREFIX = "header."


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic and what it must be like. Configuration is set only where we create it."""

    name: str
    partitions: int
    config: dict[str, str]


def raw_topics(settings: KafkaSettings) -> dict[str, str]:
    """Source → the topic of its raw events, for every source that is decoded before it is folded."""
    return {
        "sip": settings.sip_topic,
        "freeswitch": settings.freeswitch_topic,
        "asterisk": settings.asterisk_topic,
        "kamailio": settings.kamailio_topic,
        "portsip": settings.portsip_topic,
        "yeastar": settings.yeastar_topic,
    }


def topic_names(settings: Settings) -> dict[str, str]:
    """What a topic is for → its name."""
    return {
        "events": settings.events_topic,
        **raw_topics(settings),
        "cdrs": settings.cdrs_topic,
        "reports": settings.reports_topic,
        "dead_letters": settings.dead_letters_topic,
    }


def topics(settings: Settings) -> list[Topic]:
    """The topics of the pipeline. Events are kept for a week: long enough to mend a worker over a
    weekend; the archive keeps them from then on."""
    week = {
        "retention.ms": str(7 * DAY_MS),
        "min.insync.replicas": "2" if settings.replication > 2 else "1",
        # When the broker took a record. With the producer's clock, which is the default, a clock that is an hour ahead
        # has every record refused (message.timestamp.after.max.ms), and one that is behind has them deleted early.
        "message.timestamp.type": "LogAppendTime",
    }
    # What we write ourselves may be larger than what came in: headers on a dead letter, all legs of a call.
    large = {**week, "max.message.bytes": str(LARGEST_MESSAGE)}
    return [
        Topic(settings.events_topic, settings.partitions, week),
        # A document of mod_json_cdr with a long call flow is larger than brokers take by themselves.
        *(Topic(name, settings.partitions, large) for name in raw_topics(settings).values()),
        Topic(settings.cdrs_topic, settings.partitions, large),
        Topic(settings.reports_topic, settings.partitions, week),
        Topic(settings.dead_letters_topic, 1, {**large, "retention.ms": str(30 * DAY_MS)}),
    ]


@lru_cache(maxsize=1 << 16)
def partition_of(key: bytes, partitions: int) -> int:
    """Where Kafka's own partitioner puts a key (murmur2): all events of a call bear the same one."""
    return int(murmur2(key) & 0x7FFFFFFF) % partitions


def connection(settings: Settings) -> dict[str, Any]:
    """What every aiokafka client here is given. Raises `Problem` for an address that is none."""
    for server in settings.kafka.split(","):
        if not re.fullmatch(r"\s*\S+:\d{1,5}\s*", server, re.ASCII):
            raise Problem(
                f"CDR_KAFKA {settings.kafka!r}: {server.strip()!r} is no host:port.",
                hint="Write it like kafka-1:9092,kafka-2:9092.",
                code=USAGE,
            )
    return {"bootstrap_servers": settings.kafka, **kafka_security.options(settings)}


def producer(settings: Settings, **options: Any) -> AIOKafkaProducer:
    """A producer that loses nothing: acknowledged by all replicas, retried without doubling."""
    return AIOKafkaProducer(
        **connection(settings),
        acks="all",
        **{
            "enable_idempotence": True,
            "linger_ms": 5,
            "max_batch_size": 1 << 19,
            "max_request_size": LARGEST_MESSAGE,
            "request_timeout_ms": 30_000,
            **options,
        },
    )


def unreachable(settings: KafkaSettings, error: BaseException) -> Problem:
    """Kafka does not answer, as one line that says what each address says. `explained` knows more."""
    return Problem(
        f"Kafka does not answer at {settings.kafka}: {_why(settings.kafka, error)}.",
        hint="Start it, or set CDR_KAFKA to its bootstrap servers.",
        code=DEPENDENCY,
    )


_TRY_S: Final = 2.0


def _why(servers: str, error: BaseException) -> str:
    """Why nobody answers: an address in words, the network's reason, or that somebody else listens there."""
    reasons = []
    addresses = [each.strip() for each in servers.split(",") if each.strip()]
    for server in addresses:
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), _TRY_S).close()
        except TimeoutError:
            reasons.append(f"{server}: no answer within {_TRY_S:.0f} s")
        except OSError as refused:
            reasons.append(f"{server}: {refused.strerror or refused}")
        except (ValueError, OverflowError):
            reasons.append(f"{server}: is no host:port")
        else:
            said = str(error).partition("Unable to bootstrap")[0].strip(" :") or type(error).__name__
            reasons.append(f"{server}: takes connections, but does not answer as Kafka does ({said})")
    if len(addresses) == 1:
        return reasons[0].partition(f"{addresses[0]}: ")[2]
    return "; ".join(reasons) or str(error) or type(error).__name__


async def explained(settings: Settings, error: BaseException) -> Problem:
    """Kafka does not answer, or does not let us in, as one line that says which."""
    return await kafka_security.refusal(settings) or unreachable(settings, error)


async def ensure_topics(settings: Settings) -> dict[str, int]:
    """Create the topics that are missing and return the partition count of each.

    Raises `Problem` when Kafka is away, `Refused` when it does not let us in. Existing topics keep their
    partitions: a topic that has more than the settings say was grown on purpose.
    """
    admin = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=15_000)
    try:
        await admin.start()
    except (KafkaError, OSError) as error:
        await admin.close()
        raise await explained(settings, error) from error
    try:
        wanted = topics(settings)
        existing = set(await admin.list_topics())
        missing = [topic for topic in wanted if topic.name not in existing]
        if missing:
            await _create(admin, missing, settings.replication)
        return await _partitions(admin, [topic.name for topic in wanted])
    except KafkaError as error:
        raise unreachable(settings, error) from error
    finally:
        await admin.close()


async def partition_count(settings: Settings, topic: str) -> int:
    """How many partitions a topic has now; 0 when there is no such topic. Raises KafkaError or OSError."""
    admin = AIOKafkaAdminClient(**connection(settings), request_timeout_ms=15_000)
    try:
        await admin.start()
        (described,) = await admin.describe_topics([topic])
        return 0 if described.get("error_code") else len(described["partitions"])
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, missing: list[Topic], replication: int) -> None:
    wanted = [NewTopic(topic.name, topic.partitions, replication, topic_configs=topic.config) for topic in missing]
    with contextlib.suppress(TopicAlreadyExistsError):  # another process was faster
        await admin.create_topics(wanted)


async def _partitions(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, int]:
    """Partition counts; a topic just created may take a moment to be known."""
    for _ in range(50):
        described = await admin.describe_topics(names)
        counts = {item["topic"]: len(item["partitions"]) for item in described if not item.get("error_code")}
        if all(counts.get(name) for name in names):
            return counts
        await asyncio.sleep(0.2)
    lacking = ", ".join(sorted(set(names) - {name for name, count in counts.items() if count}))
    raise Problem(
        f"Kafka does not have the topics {lacking}.", hint="Create them, or allow this user to.", code=DEPENDENCY
    )
