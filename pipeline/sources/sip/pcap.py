"""Capture files → HEP packets: pcap and pcapng as tcpdump, Wireshark and the capture tools of PBXs write them.

Also read: a file of HEP version 3 packets one after the other, and HEP as JSON, one packet a line.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from pipeline.errors import USAGE, Problem
from pipeline.sources.sip import hep
from pipeline.sources.sip.frames import TCP, Frames, Segment
from pipeline.sources.sip.hep import Packet
from pipeline.sources.sip.tcp import START, Streams

# magic number → byte order, and how many units of the second's fraction make a microsecond
_PCAP: Final = {
    b"\xd4\xc3\xb2\xa1": ("<", 1),
    b"\xa1\xb2\xc3\xd4": (">", 1),
    b"\x4d\x3c\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\x3c\x4d": (">", 1000),
}
_SECTION: Final = b"\x0a\x0d\x0d\x0a"
_MAX_FRAME: Final = 1 << 26


def records(data: bytes, name: str = "the capture") -> Iterator[bytes]:
    """The HEP packets of a capture (pcap, pcapng, HEP version 3 packets, HEP as JSON lines), in its order.

    Frames that carry no SIP are passed over. `name` is what messages call it. Raises `Problem` when it is no capture,
    or damaged.
    """
    if not data:
        return
    if data[:4] in _PCAP:
        yield from _packets(_pcap(data, name))
    elif data[:4] == _SECTION:
        yield from _packets(_pcapng(data, name))
    elif data[:4] == hep.MAGIC:
        yield from _concatenated(data, name)
    elif data[:64].lstrip()[:1] == b"{":
        yield from (line for line in data.splitlines() if line.strip())
    else:
        raise Problem(
            f"{name} begins with {data[:4]!r}: neither pcap, pcapng, HEP version 3 nor HEP as JSON.",
            hint="Save the capture as pcap or pcapng.",
            code=USAGE,
        )


def _pcap(data: bytes, name: str) -> Iterator[tuple[int, int, bytes]]:
    """(microseconds, link type, frame) of each record."""
    order, fraction = _PCAP[data[:4]]
    if len(data) < 24:
        raise Problem(f"{name} ends inside its header.", hint="Save the capture again.")
    link = int(struct.unpack_from(order + "I", data, 20)[0]) & 0x0FFFFFFF
    head = struct.Struct(order + "IIII")
    offset = 24
    while offset + 16 <= len(data):
        seconds, rest, size, _ = head.unpack_from(data, offset)
        offset += 16
        if size > _MAX_FRAME:
            raise Problem(f"{name}: record at byte {offset - 16} claims {size} bytes.", hint="The file is damaged.")
        yield seconds * 1_000_000 + rest // fraction, link, data[offset : offset + size]
        offset += size  # a capture that was cut off in its last frame has given all it holds


def _pcapng(data: bytes, name: str) -> Iterator[tuple[int, int, bytes]]:
    """(microseconds, link type, frame) of each packet block."""
    order = "<"
    interfaces: list[tuple[int, int, int]] = []  # link type, units a second, offset in seconds
    offset = 0
    while offset + 12 <= len(data):
        if data[offset : offset + 4] == _SECTION:
            order = "<" if data[offset + 8 : offset + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            interfaces = []
        kind, size = struct.unpack_from(order + "II", data, offset)
        if size < 12 or size % 4:
            raise Problem(f"{name}: block at byte {offset} has length {size}.", hint="The file is damaged.")
        body = data[offset + 8 : offset + size - 4]
        if kind == 1 and len(body) >= 8:
            interfaces.append(_interface(body, order))
        elif kind in (6, 2) and len(body) >= 20:
            number, high, low, captured = struct.unpack_from(order + ("I" if kind == 6 else "Hxx") + "III", body)
            if number < len(interfaces):
                link, units, shift = interfaces[number]
                micros = (high << 32 | low) * 1_000_000 // units + shift * 1_000_000
                yield micros, link, body[20 : 20 + captured]
        offset += size


def _interface(body: bytes, order: str) -> tuple[int, int, int]:
    link = struct.unpack_from(order + "H", body)[0]
    units, shift, offset = 1_000_000, 0, 8
    while offset + 4 <= len(body):
        code, length = struct.unpack_from(order + "HH", body, offset)
        value = body[offset + 4 : offset + 4 + length]
        if not code:
            break
        if code == 9 and length >= 1:  # if_tsresol
            units = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** min(value[0], 18)
        elif code == 14 and length == 8:  # if_tsoffset
            shift = struct.unpack(order + "q", value)[0]
        offset += 4 + (length + 3) // 4 * 4
    return link, units, shift


def _packets(frames: Iterator[tuple[int, int, bytes]]) -> Iterator[bytes]:
    """Frames → HEP packets of the SIP in them; HEP that was itself captured on the wire is passed on as it is."""
    reader, streams = Frames(), Streams()
    for micros, link, frame in frames:
        for segment in reader.segments(micros, link, frame):
            if segment.protocol == TCP:
                for message in streams.messages(segment):
                    yield _hep(segment, message)
            elif segment.payload[:4] == hep.MAGIC:
                yield segment.payload
            elif START.match(segment.payload):
                yield _hep(segment, segment.payload)


def _hep(segment: Segment, payload: bytes) -> bytes:
    seconds, micros = divmod(segment.micros, 1_000_000)
    packet = Packet(
        payload=payload[: hep.MAX_PAYLOAD - 256],
        seconds=seconds & 0xFFFFFFFF,
        micros=micros,
        src=segment.src,
        dst=segment.dst,
        src_port=segment.src_port,
        dst_port=segment.dst_port,
        protocol=segment.protocol,
    )
    return hep.encode(packet)


def _concatenated(data: bytes, name: str) -> Iterator[bytes]:
    offset = 0
    while offset < len(data):
        size = int.from_bytes(data[offset + 4 : offset + 6], "big")
        if data[offset : offset + 4] != hep.MAGIC or size < 6:
            raise Problem(f"{name}: byte {offset} is no beginning of a HEP packet.", hint="The file is damaged.")
        yield data[offset : offset + size]
        offset += size
