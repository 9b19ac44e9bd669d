"""What it costs to decode the dialects of PBXs beside canonical events of the same size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import orjson

from bench import pbx_call
from pipeline.sources import canonical
from pipeline.sources.asterisk import decoder as asterisk
from pipeline.sources.contract import Decoded
from pipeline.sources.freeswitch import decoder as freeswitch


class Nothing(msgspec.Struct):
    """No field of a value: decoding into it is the least that reading JSON can cost."""


@dataclass(frozen=True)
class Cost:
    """µs of CPU. `floor`: of passing over a value without taking anything from it."""

    bytes: int
    value: float
    event: float
    canonical: float
    floor: float

    @property
    def ratio(self) -> float:
        """An event of the dialect beside a canonical one of the same size."""
        return self.event / self.canonical


def same_size(value: bytes, size: int) -> bytes:
    """A canonical event filled up to `size` bytes, as a producer would: in `data`."""
    event = orjson.loads(value)
    data = event.setdefault("data", {})
    place = 0
    while len(value) < size:
        data[f"media_setting_{place:03d}"] = "a value of some thirty letters"
        value, place = orjson.dumps(event), place + 1
    return value


def costs(values: list[bytes], t0_ms: int, timed: Callable[[Callable[[], object]], float]) -> dict[str, Cost]:
    """What each dialect costs; `values` are canonical events, `timed` gives the CPU seconds of some work."""
    calls = 300
    found = {}
    spread = range(0, calls * 100, 100)
    dialects: dict[str, tuple[Callable[[list[bytes]], Decoded], list[list[bytes]]]] = {
        "FreeSWITCH, whole events": (freeswitch.decode, [pbx_call.freeswitch(n, t0_ms + n, 6000) for n in spread]),
        "FreeSWITCH, few variables": (freeswitch.decode, [pbx_call.freeswitch(n, t0_ms + n) for n in spread]),
        "Asterisk, CEL": (asterisk.decode, [pbx_call.asterisk(n, t0_ms + n) for n in spread]),
    }
    skip = msgspec.json.Decoder(Nothing).decode
    for name, (decode, of_calls) in dialects.items():
        raw = [value for of_call in of_calls for value in of_call]
        size = sum(map(len, raw)) // len(raw)
        plain = [same_size(value, size) for value in values[: len(raw)]]
        spent = timed(lambda decode=decode, raw=raw: decode(raw))  # type: ignore[misc]
        events = len(decode(raw).events)
        beside = timed(lambda plain=plain: canonical.decode(plain)) / len(plain)  # type: ignore[misc]
        floor = timed(lambda raw=raw: list(map(skip, raw))) / len(raw)  # type: ignore[misc]
        found[name] = Cost(size, 1e6 * spent / len(raw), 1e6 * spent / events, 1e6 * beside, 1e6 * floor)
    return found
