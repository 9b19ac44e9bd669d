"""Mutated raw events: what broken producers, cut lines and odd phones may send."""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Callable
from typing import Any

import msgspec

from pipeline.sources import canonical
from pipeline.sources.contract import Decoded
from schemas.event import Event

# 100,000 and more in a long run: CDR_FUZZ=100000
ROUNDS = int(os.environ.get("CDR_FUZZ", "3000"))
ODD: list[Any] = [
    None,
    "",
    " ",
    "0",
    "-1",
    "9" * 400,
    "1e400",
    "NaN",
    "\x00",
    "a\nb",
    "ü\u202e\ud83d\ude00",
    "x" * 3000,
    "ARRAY::|:|:",
    "%zz%41%",
    "{{1,2},{",
    '{"a":',
    True,
    0,
    -1,
    2**63,
    1e300,
    [],
    [["x"], {}],
    {},
    {"a": {"b": []}},
    "٣",
    "²",
    "2026-10-25 02:30:00",
    "9999-12-31 23:59:59",
]


def mutated(values: list[bytes], chance: random.Random) -> bytes:
    """One of the values, with something wrong."""
    value = chance.choice(values)
    way = chance.randrange(6)
    if way == 0:
        raw = bytearray(value)
        for _ in range(chance.randint(1, 8)):
            raw[chance.randrange(len(raw))] = chance.randrange(256)
        return bytes(raw)
    if way == 1:
        return value[: chance.randrange(len(value))]
    event = json.loads(value)
    for _ in range(chance.randint(1, 5)):
        key = chance.choice(list(event) or [""])
        if way == 2:
            event.pop(key, None)
        elif way == 3:
            event[key] = copy.deepcopy(event.get(chance.choice(list(event) or [""])))
        elif way == 4 and isinstance(event.get(key), dict):
            inner = event[key]
            if inner:
                inner[chance.choice(list(inner))] = copy.deepcopy(chance.choice(ODD))
        else:
            event[key] = copy.deepcopy(chance.choice(ODD))
    return json.dumps(event).encode("utf-8", "surrogatepass")


def events(decode: Callable[[list[bytes]], Decoded], values: list[bytes], number: int) -> list[Event]:
    """The events of so many values, some of them with something wrong."""
    chance = random.Random(number)
    return decode(
        [mutated(values, chance) if chance.random() < 0.5 else chance.choice(values) for _ in range(number)]
    ).events


def check(decode: Callable[[list[bytes]], Decoded], values: list[bytes], seed: int) -> None:
    """Whatever comes: a reason, or events that the rest of the product accepts."""
    chance = random.Random(seed)
    for _ in range(max(1, ROUNDS // 100)):
        batch = [mutated(values, chance) for _ in range(100)]
        decoded = decode(batch)
        assert len(decoded.events) == len(decoded.origin)
        assert all(rejected.reason and 0 <= rejected.index < 100 for rejected in decoded.rejected)
        assert not {rejected.index for rejected in decoded.rejected} & set(decoded.origin)
        sent = canonical.decode([msgspec.json.encode(event) for event in decoded.events])
        assert not sent.rejected, sent.rejected
        assert sent.events == decoded.events
        assert decode(batch) == decoded
