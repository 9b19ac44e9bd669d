"""Messages that a capture agent sent in pieces: TCP segments or IP fragments, each in a HEP packet of its own.

A piece that begins no message goes on with one that was left incomplete just before, between the same addresses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from pipeline.sources.sip.hep import Packet

TCP: Final = 6  # IP protocol
_LENGTH: Final = re.compile(rb"^(?:content-length|l)[ \t]*:[ \t]*(\d{1,6})", re.IGNORECASE | re.MULTILINE)
_SOON_MICROS: Final = 2_000_000  # between two pieces of one message
_MOST: Final = 200  # packets that are looked at for the beginning of a message
_NEAR: Final = 32  # packets at the end of a batch that are looked at for a message that goes on in the next
_BEGINNING: Final = re.compile(rb"[\r\n]*(?:SIP/2\.0 \d{3} |[A-Z]{3,20} (?:sips?|tel|urn)(?::|\Z))")


def is_incomplete(payload: bytes) -> bool:
    """Whether a message lacks the end of its header, or of the body that its Content-Length announces."""
    head, end, body = payload.partition(b"\r\n\r\n")
    if not end:
        return True
    length = _LENGTH.search(head)
    return length is not None and int(length[1]) > len(body)


def begins(payload: bytes) -> bool:
    """Whether a payload begins as a SIP message does, even if it is cut within its first line."""
    return _BEGINNING.match(payload) is not None


def rest_of(payload: bytes) -> bytes:
    """What follows the message that a payload begins with, if another one begins there: a TCP segment may hold several;
    b"" otherwise."""
    head, end, body = payload.partition(b"\r\n\r\n")
    length = _LENGTH.search(head) if end and body else None
    rest = body[int(length[1]) :].lstrip(b"\r\n") if length is not None else b""
    return rest if rest and begins(rest) else b""


def last_message(packet: Packet) -> bytes:
    """The message that may go on in the next packet: of several in one TCP segment the last one."""
    payload = packet.payload
    while packet.protocol == TCP and (rest := rest_of(payload)):
        payload = rest
    return payload


def way(packet: Packet) -> tuple[object, ...]:
    """Between whom a packet was seen, and by whom."""
    return packet.src, packet.src_port, packet.dst, packet.dst_port, packet.node, packet.capture_id


def follows(head: Packet, piece: Packet) -> bool:
    """Whether a piece may go on with a message that was left incomplete."""
    return 0 <= _micros(piece) - _micros(head) <= _SOON_MICROS and is_incomplete(last_message(head))


def unfinished(values: Sequence[bytes], read: Callable[[bytes], Packet]) -> int:
    """How many values of the end are to be read with those that follow: a message begins there that they do not end."""
    for place in range(max(0, len(values) - _NEAR), len(values)):
        head = _packet(values[place], read)
        if head is None or not begins(head.payload) or not is_incomplete(last_message(head)):
            continue
        for value in values[place + 1 :]:
            piece = _packet(value, read)
            if piece is not None and way(piece) == way(head) and not begins(piece.payload) and follows(head, piece):
                head.payload += piece.payload
        if is_incomplete(last_message(head)):
            return len(values) - place
    return 0


def _packet(value: bytes, read: Callable[[bytes], Packet]) -> Packet | None:
    try:
        return read(value)
    except ValueError:
        return None


def joined(values: Sequence[bytes], tails: Sequence[int], read: Callable[[bytes], Packet]) -> dict[int, list[int]]:
    """The values that are one message: the place of its head → those of its further pieces. `tails`: the places of the
    values that begin no message, in order; `read` gives the packet of a value, or raises ValueError."""
    packets: dict[int, Packet | None] = {}

    def at(place: int) -> Packet | None:
        if place not in packets:
            packets[place] = _packet(values[place], read)
        return packets[place]

    found: dict[int, list[int]] = {}
    for tail in tails:
        piece = at(tail)
        if piece is not None and begins(piece.payload):
            continue  # the head of one, cut within its first line
        packets[tail] = None  # it is the head of none
        for place in range(tail - 1, max(-1, tail - 1 - _MOST), -1):
            head = at(place)
            if piece is None or head is None or way(head) != way(piece):
                continue
            if follows(head, piece):
                head.payload += piece.payload
                found.setdefault(place, []).append(tail)
            break
    return found


def _micros(packet: Packet) -> int:
    return packet.seconds * 1_000_000 + packet.micros
