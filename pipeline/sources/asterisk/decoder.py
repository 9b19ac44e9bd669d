"""Asterisk → call events: CEL rows, AMI events and ARI events, one JSON object a value.

A call is its node and linked id, a leg its node and unique id: the unique ids of two servers may be equal. Local
channels, stand-ins of masquerades and other inner workings are no legs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.sources.asterisk.ami import ami
from pipeline.sources.asterisk.ari import ari
from pipeline.sources.asterisk.cel import cel, renamed
from pipeline.sources.asterisk.fast_path import plain
from pipeline.sources.asterisk.fields import Fields
from pipeline.sources.contract import DEFAULTS, Decoded, Malformed, Options, collected, latest
from pipeline.sources.json_record import parse
from schemas.event import Event

MAX_BYTES: Final = 1_000_000  # of one value


def decode(values: Sequence[bytes], options: Options = DEFAULTS, *, now_ms: int | None = None) -> Decoded:
    """Decode a batch. Never raises for a value.

    CEL over AMI writes local time without a zone: `options.zone`, or that of the node in `options.zones`, says which; a
    value may name its own in `zone`. `options.node` names the server where the values do not (`node`, `SystemName`).
    With
    `now_ms`, ms since the epoch, a time more than a day after it is rejected.
    """
    until = latest(now_ms)
    return collected([plain(value, options, until) for value in values], values, general, options, until)


def general(value: bytes, options: Options, until: int) -> list[Event]:
    """The events of any value. Raises Malformed."""
    parsed = parse(value, MAX_BYTES)
    raw = dict(zip(_lowered(tuple(parsed)), parsed.values(), strict=True))
    own = raw.get("zone")
    if own and isinstance(own, str):
        options = _in_zone(options, own)
    if "eventtype" in raw and "eventname" not in raw:
        raw = renamed(raw)
    if "eventname" in raw:
        return cel(Fields(raw, options, until))
    if "event" in raw:
        return ami(Fields(raw, options, until))
    if "type" in raw:
        return ari(Fields(raw, options, until))
    raise Malformed(
        "/Event: is missing; send AMI events, CEL rows (EventName or eventtype) or ARI events (type) as JSON objects"
    )


@lru_cache(maxsize=1024)
def _exists(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (KeyError, OSError, ValueError):
        return False
    return True


def _in_zone(options: Options, zone: str) -> Options:
    """The options for a value that names its own zone."""
    if not _exists(zone):
        raise Malformed(f"/zone: {zone[:40]!r} is no IANA time zone; write one such as Europe/Paris")
    return replace(options, zone=zone, zones={})


@lru_cache(maxsize=1024)
def _lowered(names: tuple[str, ...]) -> tuple[str, ...]:
    """Field names in lower case; events of one kind have the same."""
    return tuple(name.lower() for name in names)
