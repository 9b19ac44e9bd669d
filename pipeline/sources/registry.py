"""The dialects by name. A decoder is loaded when it is first used."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Final

from pipeline.errors import USAGE, Problem
from pipeline.sources.source import Decoded, Decoder


def _lazily(module: str) -> Decoder:
    def decode(values: Sequence[bytes]) -> Decoded:
        decoder: Decoder = import_module(module).decode
        return decoder(values)

    return decode


SOURCES: Final[dict[str, Decoder]] = {
    "canonical": _lazily("pipeline.sources.canonical"),
    "sip": _lazily("pipeline.sources.sip_events"),
    "freeswitch": _lazily("pipeline.sources.freeswitch"),
    "asterisk": _lazily("pipeline.sources.asterisk"),
}


def source(name: str) -> Decoder:
    """The decoder of a dialect.

    Raises Problem when there is none of that name.
    """
    decoder = SOURCES.get(name)
    if decoder is None:
        raise Problem(f"Unknown source {name!r}.", hint=f"Known sources: {', '.join(SOURCES)}.", code=USAGE)
    return decoder
