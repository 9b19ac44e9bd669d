"""Messages that a capture agent sent in pieces: TCP segments or IP fragments, each in a HEP packet of its own.

A piece that begins no message goes on with one that was left incomplete just before, between the same addresses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from pipeline.sources.sip.hep import Packet

_LENGTH: Final = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*(\d{1,6})", re.IGNORECASE | re.MULTILINE)
_SOON_MICROS: Final = 2_000_000  # between two pieces of one message
_MOST: Final = 200  # packets that are looked at for the beginning of a message


def is_incomplete(payload: bytes) -> bool:
    """Whether a message lacks the end of its header, or of the body that its Content-Length announces."""
    head, end, body = payload.partition(b"\r\n\r\n")
    if not end:
        return True
    length = _LENGTH.search(head)
    return length is not None and int(length[1]) > len(body)


def joined(values: Sequence[bytes], tails: Sequence[int], read: Callable[[bytes], Packet]) -> dict[int, list[int]]:
    """The values that are one message: the place of its head → those of its further pieces. `tails`: the places of the
    values that begin no message, in order; `read` gives the packet of a value, or raises ValueError."""
    packets: dict[int, Packet | None] = {}

    def at(place: int) -> Packet | None:
        if place not in packets:
            try:
                packets[place] = read(values[place])
            except ValueError:
                packets[place] = None
        return packets[place]

    found: dict[int, list[int]] = {}
    for tail in tails:
        piece = at(tail)
        packets[tail] = None  # it is the head of none
        for place in range(tail - 1, max(-1, tail - 1 - _MOST), -1):
            head = at(place)
            if piece is None or head is None or _way(head) != _way(piece):
                continue
            if 0 <= _micros(piece) - _micros(head) <= _SOON_MICROS and is_incomplete(head.payload):
                head.payload += piece.payload
                found.setdefault(place, []).append(tail)
            break
    return found


def _way(packet: Packet) -> tuple[object, ...]:
    return packet.src, packet.src_port, packet.dst, packet.dst_port, packet.node, packet.capture_id


def _micros(packet: Packet) -> int:
    return packet.seconds * 1_000_000 + packet.micros
