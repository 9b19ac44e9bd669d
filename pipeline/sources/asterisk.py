"""Asterisk → call events: CEL rows, AMI events and ARI events, one JSON object a value.

A call is its node and linked id, a leg its node and unique id: the unique ids of two servers may be equal. Local
channels, stand-ins of masquerades and other inner workings are no legs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from pipeline.sources.asterisk_ami import ami
from pipeline.sources.asterisk_ari import ari
from pipeline.sources.asterisk_cel import cel, renamed
from pipeline.sources.asterisk_fields import Fields, Malformed
from pipeline.sources.source import Decoded, Rejected
from schemas.event import Event

MAX_BYTES: Final = 1_000_000  # of one value
LATEST_MS: Final = 4_102_444_800_000  # 2100-01-01
FUTURE_MS: Final = 86_400_000  # how far the clock of a node may run ahead


def decode(
    values: Sequence[bytes], *, tenant: str = "default", zone: str = "UTC", node: str = "", now_ms: int | None = None
) -> Decoded:
    """Decode a batch. Never raises for a value.

    `zone` (IANA) is that of the nodes, for CEL over AMI, whose times have none; a value may name its own in `zone`.
    `node` names the server where the values do not (`node`, `SystemName`). With `now_ms`, ms since the epoch, a time
    more than a day after it is rejected. Raises ZoneInfoNotFoundError or ValueError for a zone that does not exist.
    """
    ZoneInfo(zone)
    decoded = Decoded()
    latest = LATEST_MS if now_ms is None else min(LATEST_MS, now_ms + FUTURE_MS)
    for index, value in enumerate(values):
        try:
            events = _events(value, tenant, zone, node, latest)
        except Malformed as malformed:
            decoded.rejected.append(Rejected(index, str(malformed)))
            continue
        decoded.events += events
        decoded.origin += [index] * len(events)
    return decoded


def _events(value: bytes, tenant: str, zone: str, node: str, latest: int) -> list[Event]:
    parsed = _parse(value)
    raw = dict(zip(_lowered(tuple(parsed)), parsed.values(), strict=True))
    own = raw.get("zone")
    if isinstance(own, str) and own:
        zone = own
        try:
            ZoneInfo(zone)
        except (KeyError, OSError, ValueError):
            raise Malformed(f"/zone: {own[:40]!r} is no IANA time zone; write one such as Europe/Paris") from None
    if node and not raw.get("node"):
        raw["node"] = node
    if "eventtype" in raw and "eventname" not in raw:
        raw = renamed(raw)
    if "eventname" in raw:
        return cel(Fields(raw, tenant, zone, latest))
    if "event" in raw:
        return ami(Fields(raw, tenant, zone, latest))
    if "type" in raw:
        return ari(Fields(raw, tenant, zone, latest))
    raise Malformed(
        "/Event: is missing; send AMI events, CEL rows (EventName or eventtype) or ARI events (type) as JSON objects"
    )


@lru_cache(maxsize=1024)
def _lowered(names: tuple[str, ...]) -> tuple[str, ...]:
    """Field names in lower case; events of one kind have the same."""
    return tuple(name.lower() for name in names)


def _parse(value: bytes) -> dict[str, Any]:
    if len(value) > MAX_BYTES:
        raise Malformed(f"the value has {len(value)} bytes; at most {MAX_BYTES} are allowed")
    try:
        raw = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        try:
            raw = orjson.loads(value.decode("utf-8", "replace"))  # names come as the phone sent them
        except orjson.JSONDecodeError:
            raise Malformed(f"the value is no JSON ({error}); send one JSON object for each event") from None
    if not isinstance(raw, dict):
        raise Malformed("the value is no object; send one JSON object for each event")
    return raw
