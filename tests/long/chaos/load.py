"""What the worker is fed: calls whose truth is known, told as PBXs tell them and worse.

All of it is a function of the seed and of the moment it began: every scenario of the simulated company for two
tenants, attended transfers over two ids, raw events of FreeSWITCH and Asterisk, events without a hang-up; told
twice, out of order, late, under a wrong key, and poison between them.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import orjson

from pipeline.kafka import TENANT_HEADER
from pipeline.sources import canonical
from pipeline.traffic import day
from pipeline.traffic.scenarios import SCENARIOS
from schemas.event import Event
from tests.worker.phone_calls import event, now_ms
from tests.worker.source_scenarios import scenarios

CANONICAL = "canonical"
TENANTS = ("acme", "globex")
# Shares of events and calls.
TWICE, LATE, WRONG_KEY, LOST, POISON = 0.05, 0.04, 0.01, 0.01, 0.004
JOINED = 0.06
RAW_EVERY = 40  # ticks between two copies of a dialect's scenarios
LONGEST_PAUSE = 12  # ticks between two events of a call that is not late


@dataclass(frozen=True, slots=True)
class Message:
    """One record to produce."""

    source: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


@dataclass
class Load:
    """The ledger: `events` is what was told (as call events), `poison` what is no event."""

    seed: int
    calls_a_tick: int = 12
    dialects: tuple[str, ...] = ("freeswitch", "asterisk")
    events: list[Event] = field(default_factory=list)
    poison: set[bytes] = field(default_factory=set)
    calls: int = 0
    _later: dict[int, list[Message]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self._ticks = 0

    def tick(self) -> list[Message]:
        """The records of the next moment."""
        for _ in range(self.calls_a_tick):
            self._begin()
        if self.dialects and self._ticks % RAW_EVERY == RAW_EVERY // 4:
            self._raw(self.chance.choice(self.dialects))
        told = self._later.pop(self._ticks, [])
        self._ticks += 1
        self.chance.shuffle(told)
        return told

    def rest(self) -> Iterator[list[Message]]:
        """What is still to be told when no more calls begin."""
        while self._later:
            first = min(self._later)
            told = self._later.pop(first)
            self.chance.shuffle(told)
            yield told

    def _begin(self) -> None:
        chance = self.chance
        number, self.calls = self.calls, self.calls + 1
        start = now_ms() - chance.randrange(60_000, 3_600_000)
        tenant = chance.choice(TENANTS)
        if chance.random() < JOINED:
            events = _joined(number, self.seed, start, tenant)
        else:
            kind = chance.choice(tuple(SCENARIOS))
            call = day.call(self.seed, number, start, kind, tenant=tenant, pace=0.2)
            events = [msgspec.json.encode(each) for each in call]
        late = self._ticks + chance.randrange(20, 200)
        tick = self._ticks
        told: list[bytes] = []
        for value in events:
            if chance.random() < LOST:
                continue  # never sent: the call is what the rest of its events tell
            told.append(value)
            at = late if chance.random() < LATE else tick
            tick += int(chance.random() ** 3 * LONGEST_PAUSE)
            self._tell(value, at)
            if chance.random() < TWICE:
                self._tell(value, at + chance.randrange(60))
        self.events += canonical.decode(told).events
        if chance.random() < POISON * 10:
            self._poison(number)

    def _tell(self, value: bytes, tick: int) -> None:
        key = orjson.loads(value)["call_id"].encode()
        if self.chance.random() < WRONG_KEY:
            key = b"some other key"
        self._later[tick].append(Message(CANONICAL, key, value))

    def _poison(self, number: int) -> None:
        value = self.chance.choice(
            (
                b'{"type": "started", "number": %d' % number,
                b'{"type": "started", "at": "yesterday", "call_id": "p%d"}' % number,
                b"\x00\xff\xfe poison %d" % number,
                b'["%d"]' % number,
            )
        )
        self.poison.add(value)
        self._later[self._ticks + self.chance.randrange(30)].append(Message(CANONICAL, b"k", value))

    def _raw(self, dialect: str) -> None:
        """All scenarios of a dialect once more, each for a tenant of its own."""
        messages, _ = scenarios(dialect)
        suffix = f"-{self.seed}-{self._ticks}"
        for key, value, tenant in messages:
            headers = ((TENANT_HEADER, (tenant + suffix).encode()),)
            at = self._ticks + self.chance.randrange(LONGEST_PAUSE)
            for again in range(2 if self.chance.random() < TWICE else 1):
                self._later[at + again].append(Message(dialect, key, value, headers))
        self.events += [msgspec.structs.replace(each, tenant=each.tenant + suffix) for each in scenarios(dialect)[1]]


def _joined(number: int, seed: int, at: int, tenant: str) -> list[bytes]:
    """An attended transfer that the PBX tells as two calls."""
    one, two = f"one-{seed}-{number}", f"two-{seed}-{number}"
    events = [
        event(one, "started", at, 0, leg_id=f"{one}-a", caller="200", callee="300"),
        event(one, "rang", at + 500, 1, leg_id=f"{one}-a"),
        event(one, "answered", at + 1000, 2, leg_id=f"{one}-a"),
        event(two, "started", at + 5000, 0, leg_id=f"{two}-b", caller="300", callee="301"),
        event(two, "answered", at + 6000, 1, leg_id=f"{two}-b", linked_ids=[one]),
        event(two, "ended", at + 9000, 2, leg_id=f"{two}-b"),
        event(one, "ended", at + 9500, 3, leg_id=f"{one}-a", hung_up_by="party"),
    ]
    return [orjson.dumps(each | {"tenant": tenant}) for each in events]
