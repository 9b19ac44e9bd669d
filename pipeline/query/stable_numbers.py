"""Integers that vendors want where we have 63-bit ids: small enough for JavaScript (53 bits), in the order of
time, and functions of the id alone, so that writing a call again never changes them.

40 bits of the millisecond and 13 of the id's low bits. Two calls of one millisecond share a number
once in 8,192 times; clients that need more have the id itself in the other surfaces.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

_LOW: Final = 13


def number_of(id_: int) -> int:
    """The number of a call or call log by its id."""
    return (id_ >> 22) << _LOW | (id_ & ((1 << _LOW) - 1))


def five_hex(id_: int) -> str:
    """Five upper-case hexadecimal digits of an id, for identifiers that already hold its second."""
    return f"{crc32(id_.to_bytes(8, 'big')) & 0xFFFFF:05X}"
