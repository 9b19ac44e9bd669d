"""The dialects by name. A decoder is loaded when it is first used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Final, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.errors import USAGE, Problem
from pipeline.sources.contract import DEFAULTS, Decoded, Decoder, Options, RawDecoder


class _Decode(Protocol):
    """`decode` of a dialect's module."""

    def __call__(self, values: Sequence[bytes], options: Options, *, now_ms: int | None) -> Decoded: ...


# Name → the module that has its `decode`.
SOURCES: Final[dict[str, str]] = {
    "canonical": "pipeline.sources.canonical",
    "sip": "pipeline.sources.sip.decoder",
    "freeswitch": "pipeline.sources.freeswitch.decoder",
    "asterisk": "pipeline.sources.asterisk.decoder",
    "kamailio": "pipeline.sources.kamailio.decoder",
    "opensips": "pipeline.sources.kamailio.decoder",
    "portsip": "pipeline.sources.portsip.decoder",
    "yeastar": "pipeline.sources.yeastar.decoder",
}


def source(name: str, options: Options = DEFAULTS) -> Decoder:
    """The decoder of a dialect, with what it cannot know from its values.

    Raises Problem when there is no dialect, or no time zone, of that name.
    """
    if name not in SOURCES:
        raise Problem(f"Unknown source {name!r}.", hint=f"Known sources: {', '.join(SOURCES)}.", code=USAGE)
    for zone in {options.zone, *options.zones.values()}:
        _check(zone)

    def decode(values: Sequence[bytes], *, now_ms: int | None = None) -> Decoded:
        return _decode(name)(values, options, now_ms=now_ms)

    return decode


def raw_decoder(name: str, options: Options = DEFAULTS) -> RawDecoder:
    """The decoder of a source whose values are given their tenant when they are decoded.

    Raises Problem when there is no source, or no time zone, of that name.
    """
    source(name, options)
    of_tenant = cache(lambda tenant: replace(options, tenant=tenant))

    def decode(values: Sequence[bytes], /, *, tenant: str, now_ms: int | None) -> Decoded:
        return _decode(name)(values, of_tenant(tenant), now_ms=now_ms)

    return decode


def unfinished(name: str, values: Sequence[bytes]) -> int:
    """How many values of the end of a batch are to be decoded with the next one: pieces of a message of which the rest
    is to come."""
    found = getattr(import_module(SOURCES[name]), "unfinished", None)
    return 0 if found is None else int(found(values))


def stamped(name: str, value: bytes, at_ms: int) -> bytes:
    """The value as it is to be decoded: dialects whose events bear no time get that of their receipt, ms."""
    if name != "yeastar" or value[:1] != b"{" or b'"received_at"' in value or value[1:2] == b"}":
        return value
    return b'{"received_at":%d,' % at_ms + value[1:]


@cache
def _decode(name: str) -> _Decode:
    found: _Decode = import_module(SOURCES[name]).decode
    return found


def _check(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Problem(
            f"Unknown time zone {zone!r}.", hint="Write an IANA name, such as Europe/Paris.", code=USAGE
        ) from error
