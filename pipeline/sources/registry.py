"""The dialects by name. A decoder is loaded when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from inspect import signature
from typing import Final

from pipeline.errors import USAGE, Problem
from pipeline.sources.source import Decoded, Decoder, RawDecoder

_MODULES: Final = {
    "canonical": "pipeline.sources.canonical",
    "sip": "pipeline.sources.sip_events",
    "freeswitch": "pipeline.sources.freeswitch",
    "asterisk": "pipeline.sources.asterisk",
}


def _lazily(module: str) -> Decoder:
    def decode(values: Sequence[bytes]) -> Decoded:
        decoder: Decoder = import_module(module).decode
        return decoder(values)

    return decode


SOURCES: Final[dict[str, Decoder]] = {name: _lazily(module) for name, module in _MODULES.items()}


def source(name: str) -> Decoder:
    """The decoder of a dialect.

    Raises Problem when there is none of that name.
    """
    decoder = SOURCES.get(name)
    if decoder is None:
        raise Problem(f"Unknown source {name!r}.", hint=f"Known sources: {', '.join(SOURCES)}.", code=USAGE)
    return decoder


def raw_decoder(name: str, zone: str) -> RawDecoder:
    """The decoder of a source whose values are given their tenant when they are decoded.

    `zone` (IANA) is that of the nodes, for dialects with local times. Raises Problem when there is no source of
    that name.
    """
    source(name)
    loaded: list[Callable[..., Decoded]] = []

    def decode(values: Sequence[bytes], /, *, tenant: str, now_ms: int | None) -> Decoded:
        if not loaded:
            found: Callable[..., Decoded] = import_module(_MODULES[name]).decode
            loaded.append(partial(found, zone=zone) if "zone" in signature(found).parameters else found)
        return loaded[0](values, tenant=tenant, now_ms=now_ms)

    return decode
