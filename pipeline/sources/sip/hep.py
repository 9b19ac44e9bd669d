"""HEP version 3 packets: the envelope in which SIP nodes mirror their messages to a capture server.

Layout (HEP/EEP version 3): "HEP3", total length, then chunks of vendor, type, length, value. Chunks of
the generic vendor 0 that are read: 1 address family, 2 transport, 3 to 6 addresses, 7 and 8 ports,
9 seconds, 10 microseconds, 11 payload type, 12 capture id, 14 password, 15 payload, 16 payload
compressed with zlib, 17 correlation id, 19 node name. Other chunks and vendors are passed over.
"""

from __future__ import annotations

import socket
import struct
import zlib
from typing import Final

import msgspec

from pipeline.sources.contract import Malformed

MAGIC: Final = b"HEP3"
SIP: Final = 1  # payload type
MAX_PAYLOAD: Final = 65_535  # bytes, also of what a compressed payload may grow to

_CHUNK: Final = struct.Struct(">HHH").unpack_from
_HEAD: Final = struct.Struct(">HHH")

_addresses: dict[bytes, str] = {}
_MAX_ADDRESSES: Final = 50_000


class MalformedHep(Malformed):
    """The bytes are no HEP packet; the text names the field, what was there and what to do."""


class Packet(msgspec.Struct, gc=False):
    """One captured message. Addresses as text; time as the capturing node's clock told it."""

    payload: bytes = b""
    kind: int = SIP  # payload type: 1 SIP, 5 RTCP, 34 and 35 quality reports, 100 log, …
    seconds: int = 0
    micros: int = 0
    src: str = ""
    dst: str = ""
    src_port: int = 0
    dst_port: int = 0
    protocol: int = 17  # IP protocol: 17 UDP, 6 TCP
    capture_id: int = 0
    node: str = ""
    password: str = ""
    correlation: str = ""

    @property
    def at(self) -> int:
        """When it was captured, ms since the epoch, UTC."""
        return self.seconds * 1000 + self.micros // 1000


def parse(data: bytes) -> Packet:
    """Read one packet. Raises `MalformedHep`."""
    size = len(data)
    if size < 6 or data[:4] != MAGIC:
        if data[:1] in (b"\x01", b"\x02") and size > 1 and data[1] in (16, 28, 40):
            raise MalformedHep(f"HEP version {data[0]} is not read; set the capture agent to version 3")
        raise MalformedHep(f"packet begins with {data[:8]!r}, expected b'HEP3'; send HEP version 3 only")
    total = data[4] << 8 | data[5]
    if total > size:
        raise MalformedHep(
            f"length field says {total} bytes, {size} came; the packet was cut: raise the UDP size or use TCP"
        )
    packet, offset = _prefix(data, total)
    learn = offset == 6
    while offset < total:
        if offset + 6 > total:
            raise MalformedHep(
                f"{total - offset} bytes after the last chunk, a chunk header has 6; mend the capture agent"
            )
        vendor, kind, length = _CHUNK(data, offset)
        if length < 6 or offset + length > total:
            raise MalformedHep(
                f"chunk {kind} at byte {offset} has length {length}, expected 6 to {total - offset}; "
                "mend the capture agent"
            )
        if kind == 15 and not vendor:
            packet.payload = data[offset + 6 : offset + length]
        elif not vendor:
            _read(packet, kind, data, offset + 6, offset + length)
        offset += length
    if learn and len(_layouts) < _MAX_LAYOUTS:
        _learn(data, total)
    return packet


class _Layout(msgspec.Struct, frozen=True):
    """The chunks of fixed width with which an agent begins every packet: read in one step once known."""

    end: int  # where they end in the packet
    fields: struct.Struct  # header, value, header, value, …
    headers: tuple[bytes, ...]
    places: tuple[int, ...]  # of the values in the order of _FIXED; -1 where the layout has none


_FIXED: Final = {11: "B", 9: "I", 10: "I", 3: "4s", 4: "4s", 7: "H", 8: "H", 2: "B", 12: "I", 1: "B"}
_layouts: list[_Layout] = []
_MAX_LAYOUTS: Final = 8


def _learn(data: bytes, total: int) -> None:
    """Remember how this packet, which has been read, begins."""
    form, headers, kinds, offset = ">", [], [], 6
    while offset < total:
        vendor, kind, length = _CHUNK(data, offset)
        code = _FIXED.get(kind)
        if vendor or code is None or length != 6 + struct.calcsize(">" + code) or kind in kinds:
            break
        form += "6s" + code
        headers.append(data[offset : offset + 6])
        kinds.append(kind)
        offset += length
    if len(kinds) >= 6 and {3, 4, 9, 11} <= set(kinds):
        places = tuple(2 * kinds.index(kind) + 1 if kind in kinds else -1 for kind in _FIXED)
        _layouts.append(_Layout(offset, struct.Struct(form), tuple(headers), places))


def _prefix(data: bytes, total: int) -> tuple[Packet, int]:
    """What a known layout reads of the packet, and where it ends; nothing read when none fits."""
    for layout in _layouts:
        if layout.end <= total:
            fields = (*layout.fields.unpack_from(data, 6), 0)
            if fields[0:-1:2] == layout.headers:
                kind, seconds, micros, src, dst, src_port, dst_port, protocol, capture, _ = layout.places
                return Packet(
                    b"",
                    fields[kind],
                    fields[seconds],
                    fields[micros],
                    _address(fields[src], 4),
                    _address(fields[dst], 4),
                    fields[src_port],
                    fields[dst_port],
                    fields[protocol] or 17,
                    fields[capture],
                ), layout.end
    return Packet(), 6


def _read(packet: Packet, kind: int, data: bytes, start: int, end: int) -> None:
    if kind in _NUMBERS:
        # A number of another width than the usual still is that number.
        if end - start > 8:
            raise MalformedHep(
                f"chunk {kind} is a number of {end - start} bytes, expected at most 4; mend the capture agent"
            )
        value = int.from_bytes(data[start:end], "big")
        if kind == 9:
            packet.seconds = value
        elif kind == 10:
            packet.micros = value
        elif kind == 7:
            packet.src_port = value
        elif kind == 8:
            packet.dst_port = value
        elif kind == 11:
            packet.kind = value
        elif kind == 2:
            packet.protocol = value
        else:
            packet.capture_id = value
    elif kind == 3:
        packet.src = _address(data[start:end], 4)
    elif kind == 4:
        packet.dst = _address(data[start:end], 4)
    elif kind == 5:
        packet.src = _address(data[start:end], 16)
    elif kind == 6:
        packet.dst = _address(data[start:end], 16)
    elif kind == 19:
        packet.node = text(data[start:end])
    elif kind == 17:
        packet.correlation = text(data[start:end])
    elif kind == 14:
        packet.password = text(data[start:end])
    elif kind == 16:
        packet.payload = _inflate(data[start:end])


_NUMBERS: Final = frozenset({2, 7, 8, 9, 10, 11, 12})


def text(value: bytes) -> str:
    """A text chunk: UTF-8, some agents end it with NUL."""
    return value.decode("utf-8", "replace").rstrip("\0").replace("\0", "\ufffd").strip()


def _address(value: bytes, width: int) -> str:
    """An address as text, remembered: a node talks to few others."""
    known = _addresses.get(value)
    if known is not None:
        return known
    if len(value) != width:
        raise MalformedHep(f"an IP address of {len(value)} bytes, expected {width}; mend the capture agent")
    found = socket.inet_ntop(socket.AF_INET if width == 4 else socket.AF_INET6, value)
    if len(_addresses) > _MAX_ADDRESSES:
        _addresses.clear()
    _addresses[value] = found
    return found


def _inflate(value: bytes) -> bytes:
    """A zlib payload, bounded: a small packet must not grow without limit."""
    try:
        inflater = zlib.decompressobj()
        payload = inflater.decompress(value, MAX_PAYLOAD)
    except zlib.error as error:
        raise MalformedHep(
            f"chunk 16, the compressed payload, is no zlib stream ({error}); mend the capture agent"
        ) from None
    if inflater.unconsumed_tail:
        raise MalformedHep(
            f"chunk 16, the compressed payload, inflates to more than {MAX_PAYLOAD} bytes; no SIP message does"
        )
    return payload


def encode(packet: Packet) -> bytes:
    """The packet as HEP version 3. Raises `ValueError` when it is longer than the format can say (65,535 bytes)."""
    v6 = ":" in packet.src or ":" in packet.dst
    family = socket.AF_INET6 if v6 else socket.AF_INET
    empty = "::" if v6 else "0.0.0.0"
    chunks = [
        (1, bytes([10 if v6 else 2])),
        (2, bytes([packet.protocol & 0xFF])),
        (5 if v6 else 3, socket.inet_pton(family, packet.src or empty)),
        (6 if v6 else 4, socket.inet_pton(family, packet.dst or empty)),
        (7, packet.src_port.to_bytes(2, "big")),
        (8, packet.dst_port.to_bytes(2, "big")),
        (9, packet.seconds.to_bytes(4, "big")),
        (10, packet.micros.to_bytes(4, "big")),
        (11, bytes([packet.kind & 0xFF])),
        (12, packet.capture_id.to_bytes(4, "big")),
    ]
    for kind, value in ((14, packet.password), (17, packet.correlation), (19, packet.node)):
        if value:
            chunks.append((kind, value.encode()))
    chunks.append((15, packet.payload))
    body = b"".join(_HEAD.pack(0, kind, 6 + len(value)) + value for kind, value in chunks if len(value) <= 65_529)
    if len(body) + 6 > 65_535 or len(packet.payload) > 65_529:
        raise ValueError(f"a payload of {len(packet.payload)} bytes does not fit a HEP packet of 65535 bytes")
    return MAGIC + (6 + len(body)).to_bytes(2, "big") + body
