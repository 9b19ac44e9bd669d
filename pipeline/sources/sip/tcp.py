"""SIP over TCP: segments put in order and cut into messages by Content-Length (RFC 3261, section 18.3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from pipeline.sources.sip.frames import Segment

MAX_MESSAGE: Final = 65_535
_MAX_WAITING: Final = 256  # segments that wait for an earlier one, per direction of a connection
_SYN: Final = 2
_RESET: Final = 4
_LENGTH: Final = re.compile(rb"\n(?:content-length|l)[ \t]*:[ \t]*(\d{1,6})", re.IGNORECASE)
START: Final = re.compile(rb"(?:SIP/2\.0 [1-6]\d\d |[A-Z]{3,32} [^\r\n]{1,2048} SIP/2\.0\r?\n)")


class _Flow(msgspec.Struct):
    """One direction of a connection."""

    expected: int | None = None
    buffer: bytearray = msgspec.field(default_factory=bytearray)
    waiting: dict[int, bytes] = msgspec.field(default_factory=dict)


class Streams:
    """All TCP connections of a capture."""

    def __init__(self) -> None:
        self._flows: dict[tuple[str, int, str, int], _Flow] = {}

    def messages(self, segment: Segment) -> Iterator[bytes]:
        """The SIP messages that this segment completes."""
        name = (segment.src, segment.src_port, segment.dst, segment.dst_port)
        if segment.flags & _RESET:
            self._flows.pop(name, None)
            return
        flow = self._flows.setdefault(name, _Flow())
        if segment.flags & _SYN:
            flow.expected = (segment.sequence + 1) & 0xFFFFFFFF
            flow.buffer.clear()
            flow.waiting.clear()
            return
        if not segment.payload:
            return
        if flow.expected is None:  # the capture began in the middle of the connection
            flow.expected = segment.sequence
        _take(flow, segment.sequence, segment.payload)
        yield from _cut(flow.buffer)


def _take(flow: _Flow, sequence: int, payload: bytes) -> None:
    """Append what is new and in order; keep what came too early."""
    flow.waiting[sequence] = max(payload, flow.waiting.get(sequence, b""), key=len)
    progress = True
    while progress:
        progress = False
        for start in list(flow.waiting):
            assert flow.expected is not None
            ahead = (start - flow.expected + 0x80000000 & 0xFFFFFFFF) - 0x80000000
            if ahead > 0:
                continue
            data = flow.waiting.pop(start)[-ahead if ahead else 0 :]
            flow.buffer += data
            flow.expected = (flow.expected + len(data)) & 0xFFFFFFFF
            progress = True
    if len(flow.waiting) > _MAX_WAITING:  # a segment was not captured: go on after the gap
        assert flow.expected is not None
        expected = flow.expected
        flow.expected = min(flow.waiting, key=lambda start: (start - expected) & 0xFFFFFFFF)
        flow.buffer.clear()


def _cut(buffer: bytearray) -> Iterator[bytes]:
    """Take whole messages off the front of the buffer; skip what is no SIP."""
    while buffer:
        match = START.search(buffer)
        if match is None:
            if len(buffer) > MAX_MESSAGE:
                buffer.clear()
            return
        if match.start():
            del buffer[: match.start()]
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(buffer) > MAX_MESSAGE:
                buffer.clear()
            return
        length = _LENGTH.search(buffer, 0, end + 2)
        total = end + 4 + (int(length[1]) if length is not None else 0)
        if total > MAX_MESSAGE:
            del buffer[: end + 4]
            continue
        if len(buffer) < total:
            return
        yield bytes(buffer[:total])
        del buffer[:total]
