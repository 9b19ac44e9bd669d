"""Capture files: read here, understood by `sources.sip.pcap`, which has bytes only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import USAGE, Problem
from pipeline.sources.sip.pcap import records


def packets(file: str) -> Iterator[bytes]:
    """The HEP packets of a capture, in its order; "-" is standard input. Raises `Problem` as `records` does, and where
    the file cannot be read."""
    if file == "-":
        return records(sys.stdin.buffer.read(), "the input")
    try:
        data = Path(file).read_bytes()
    except OSError as error:
        raise Problem(f"{file} cannot be read: {error.strerror}.", hint="Give a capture file.", code=USAGE) from None
    return records(data, file)
