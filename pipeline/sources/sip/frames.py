"""Captured frames → transport payloads: link, IP and UDP layers, with IP fragments put together.

Link types: Ethernet (with VLAN tags), Linux cooked v1 and v2, BSD loopback, raw IP. Frames that are cut short or carry
something else give nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Final

import msgspec

UDP: Final = 17
TCP: Final = 6

ETHERNET, NULL, RAW, LOOP, COOKED, COOKED2, IPV4, IPV6 = 1, 0, 101, 108, 113, 276, 228, 229
_RAW: Final = frozenset({RAW, 12, 14, IPV4, IPV6})
_MAX_FRAGMENTED: Final = 1024  # datagrams that wait for their other fragments


class Segment(msgspec.Struct, gc=False):
    """A UDP datagram's or a TCP segment's payload. Time in microseconds since the epoch."""

    micros: int
    src: str
    dst: str
    src_port: int
    dst_port: int
    protocol: int
    payload: bytes
    sequence: int = 0  # TCP
    flags: int = 0  # TCP


class Frames:
    """Reads frames one after the other; keeps fragments until their datagram is whole."""

    def __init__(self) -> None:
        self._fragments: dict[tuple[object, ...], dict[int, tuple[bytes, bool]]] = {}

    def segments(self, micros: int, link: int, frame: bytes) -> Iterator[Segment]:
        """The segment that a frame carries or completes, if any."""
        packet = _network(link, frame)
        if not packet:
            return
        version = packet[0] >> 4
        found = self._ipv4(packet) if version == 4 else self._ipv6(packet) if version == 6 else None
        if found is not None:
            protocol, src, dst, payload = found
            segment = _transport(micros, protocol, src, dst, payload)
            if segment is not None:
                yield segment

    def _ipv4(self, packet: bytes) -> tuple[int, str, str, bytes] | None:
        header = (packet[0] & 15) * 4
        total = int.from_bytes(packet[2:4], "big")
        if header < 20 or len(packet) < header:
            return None
        end = total if header <= total <= len(packet) else len(packet)  # 0 where the card did the segmentation
        payload = packet[header:end]
        source, destination = packet[12:16], packet[16:20]
        fragment = int.from_bytes(packet[6:8], "big")
        offset, more = (fragment & 0x1FFF) * 8, bool(fragment & 0x2000)
        if offset or more:
            whole = self._assemble((source, destination, packet[4:6], packet[9]), offset, more, payload)
            if whole is None:
                return None
            payload = whole
        return (
            packet[9],
            socket.inet_ntop(socket.AF_INET, source),
            socket.inet_ntop(socket.AF_INET, destination),
            payload,
        )

    def _ipv6(self, packet: bytes) -> tuple[int, str, str, bytes] | None:
        if len(packet) < 40:
            return None
        end = 40 + int.from_bytes(packet[4:6], "big")
        packet = packet[:end] if end > 40 else packet
        source, destination, following, offset = packet[8:24], packet[24:40], packet[6], 40
        payload: bytes | None = None
        while following in (0, 43, 60, 44):  # hop-by-hop, routing, destination options, fragment
            if len(packet) < offset + 8:
                return None
            kind, following = following, packet[offset]
            if kind == 44:
                place = int.from_bytes(packet[offset + 2 : offset + 4], "big")
                identity = (source, destination, packet[offset + 4 : offset + 8], following)
                payload = self._assemble(identity, place & 0xFFF8, bool(place & 1), packet[offset + 8 :])
                if payload is None:
                    return None
                break
            offset += (packet[offset + 1] + 1) * 8
        if payload is None:
            payload = packet[offset:]
        return (
            following,
            socket.inet_ntop(socket.AF_INET6, source),
            socket.inet_ntop(socket.AF_INET6, destination),
            payload,
        )

    def _assemble(self, identity: tuple[object, ...], offset: int, more: bool, part: bytes) -> bytes | None:
        if identity not in self._fragments and len(self._fragments) >= _MAX_FRAGMENTED:
            self._fragments.pop(next(iter(self._fragments)))
        parts = self._fragments.setdefault(identity, {})
        parts[offset] = (part, more)
        whole = bytearray()
        while len(whole) in parts and len(whole) <= 65_535:
            piece, further = parts[len(whole)]
            if not piece and further:
                return None
            whole += piece
            if not further:
                del self._fragments[identity]
                return bytes(whole)
        return None


def _network(link: int, frame: bytes) -> bytes:
    """The IP packet inside a frame; empty when there is none."""
    if link == ETHERNET:
        offset = 12
        while frame[offset : offset + 2] in (b"\x81\x00", b"\x88\xa8", b"\x91\x00"):
            offset += 4
        return frame[offset + 2 :] if frame[offset : offset + 2] in (b"\x08\x00", b"\x86\xdd") else b""
    if link == COOKED:
        offset = 14
        while frame[offset : offset + 2] in (b"\x81\x00", b"\x88\xa8"):
            offset += 4
        return frame[offset + 2 :] if frame[offset : offset + 2] in (b"\x08\x00", b"\x86\xdd") else b""
    if link == COOKED2:
        return frame[20:] if frame[:2] in (b"\x08\x00", b"\x86\xdd") else b""
    if link in (NULL, LOOP):
        return frame[4:]
    return frame if link in _RAW else b""


def _transport(micros: int, protocol: int, src: str, dst: str, payload: bytes) -> Segment | None:
    if len(payload) < 8:
        return None
    src_port, dst_port = int.from_bytes(payload[:2], "big"), int.from_bytes(payload[2:4], "big")
    if protocol == UDP:
        length = int.from_bytes(payload[4:6], "big")
        data = payload[8:length] if 8 <= length <= len(payload) else payload[8:]
        return Segment(micros, src, dst, src_port, dst_port, UDP, data)
    if protocol == TCP and len(payload) >= 20:
        header = (payload[12] >> 4) * 4
        if header < 20:
            return None
        sequence = int.from_bytes(payload[4:8], "big")
        return Segment(micros, src, dst, src_port, dst_port, TCP, payload[header:], sequence, payload[13])
    return None
