"""The newest events as `cdr doctor` sees them in Kafka: their keys, and how many come twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from pipeline.doctor.finding import FAIL, OK, WARN, Check
from pipeline.kafka import partition_of

SAMPLE: Final = 200  # newest records of each partition that are looked at
ENOUGH: Final = 20  # events of a node from which on a rate says something
MANY_TWICE: Final = 0.1  # of a node's events
SHOWN: Final = 5  # nodes that a finding names


class _Keyed(msgspec.Struct):
    call_id: str
    event_id: str = ""
    tenant: str = ""
    node: str = ""


@dataclass
class Sample:
    """What was seen in the newest events."""

    partitions: int
    looked: int = 0
    wrong_key: int = 0
    wrong_place: int = 0
    facts: set[tuple[str, str, str]] = field(default_factory=set)
    events: Counter[str] = field(default_factory=Counter)  # of each node
    copies: Counter[str] = field(default_factory=Counter)  # of each node, after the first of a fact

    def look(self, partition: int, key: bytes | None, value: bytes) -> None:
        """Take one record in; one that is no event is passed over."""
        try:
            event = msgspec.json.decode(value, type=_Keyed)
            call_id = event.call_id.encode()
        except (msgspec.DecodeError, UnicodeError):
            return
        self.looked += 1
        self.wrong_key += key != call_id
        self.wrong_place += key == call_id and partition_of(call_id, self.partitions) != partition
        fact = (event.tenant, event.call_id, event.event_id or blake2b(value, digest_size=16).hexdigest())
        self.events[event.node] += 1
        self.copies[event.node] += fact in self.facts
        self.facts.add(fact)

    def checks(self) -> list[Check]:
        """What is to be said of it."""
        return [self._keys(), self._twice()]

    def _keys(self) -> Check:
        if self.wrong_place:
            hint = "Have all producers partition by murmur2 (librdkafka: partitioner=murmur2_random)."
            found = f"{self.wrong_place} of {self.looked} events lie on another partition than their key says"
            return Check(FAIL, "keys", found, hint)
        if self.wrong_key:
            hint = "Set the key to the call_id: workers have to send such events on."
            return Check(
                WARN, "keys", f"{self.wrong_key} of {self.looked} events have another key than their call_id", hint
            )
        return Check(OK, "keys", f"{self.looked} events looked at")

    def _twice(self) -> Check:
        rates = sorted(((self.copies[node] / count, count, node) for node, count in self.events.items()), reverse=True)
        much = [
            f"{node or 'a node without a name'} {rate:.0%}"
            for rate, count, node in rates
            if count >= ENOUGH and rate > MANY_TWICE
        ]
        if much:
            hint = (
                "Nothing counts twice, but it costs: two producers for one PBX, or one that sends again what was taken?"
            )
            return Check(WARN, "duplicates", f"of the newest events: {', '.join(much[:SHOWN])}", hint)
        return Check(OK, "duplicates", f"{self.copies.total()} of the {self.looked} newest events")


async def examine(consumer: AIOKafkaConsumer, parts: list[TopicPartition]) -> list[Check]:
    """The checks of the newest events in the partitions of the events topic."""
    consumer.assign(parts)
    ends, begins = await consumer.end_offsets(parts), await consumer.beginning_offsets(parts)
    for part in parts:
        consumer.seek(part, max(begins[part], ends[part] - SAMPLE))
    sample = Sample(len(parts))
    try:
        async with asyncio.timeout(10):
            while batch := await consumer.getmany(timeout_ms=1000):
                for part, records in batch.items():
                    for record in records:
                        sample.look(part.partition, record.key, record.value or b"")
    except TimeoutError:
        pass  # events come faster than we look: what we saw is sample enough
    return sample.checks()
