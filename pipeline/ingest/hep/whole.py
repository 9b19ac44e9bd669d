"""Messages that a capture agent sent in pieces (TCP segments, IP fragments), put together before they go on.

A piece has no Call-ID, so it would go to Kafka under another key than the message that it belongs to, perhaps to
another partition. So a packet with an incomplete message waits for the rest, two seconds at most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from pipeline.sources.sip import hep
from pipeline.sources.sip.hep import Packet
from pipeline.sources.sip.pieces import begins, follows, is_incomplete, last_message, way

WAIT_S: Final = 2.0
_MOST: Final = 1_000  # messages that wait at once


class _Begun(msgspec.Struct):
    packet: Packet  # with what has come by now
    value: bytes
    until: float  # s, of the clock of `now`


class Whole:
    """Packets that wait for the rest of their message. `send` passes one on; False when there is no room for it."""

    def __init__(self, send: Callable[[Packet, bytes], bool], now: Callable[[], float]) -> None:
        self._send = send
        self._now = now
        self._begun: dict[tuple[object, ...], _Begun] = {}

    def take(self, packet: Packet, value: bytes) -> bool:
        """A packet as it came: passed on, kept for what follows, or put to what waits for it. False when there was no
        room; it may be given again."""
        if packet.kind != hep.SIP:
            return self._send(packet, value)
        if self._begun:
            self.overdue()
            begun = self._begun.get(way(packet))
            if begun is not None and not begins(packet.payload) and follows(begun.packet, packet):
                return self._goes_on(begun, packet)
        if begins(packet.payload) and is_incomplete(last_message(packet)) and len(self._begun) < _MOST:
            before = self._begun.pop(way(packet), None)
            if before is not None:
                self._send(before.packet, before.value)
            self._begun[way(packet)] = _Begun(packet, value, self._now() + WAIT_S)
            return True
        return self._send(packet, value)

    def _goes_on(self, begun: _Begun, piece: Packet) -> bool:
        grown = msgspec.structs.replace(begun.packet, payload=begun.packet.payload + piece.payload)
        try:
            value = hep.encode(grown)
        except ValueError:  # longer than a packet can be
            del self._begun[way(piece)]
            return self._send(begun.packet, begun.value)
        if is_incomplete(last_message(grown)):
            begun.packet, begun.value = grown, value
            return True
        if not self._send(grown, value):
            return False
        del self._begun[way(piece)]
        return True

    def overdue(self, *, all_: bool = False) -> None:
        """Pass on what waited for too long, as it is; with `all_` everything, at the end."""
        now = self._now()
        for key, begun in list(self._begun.items()):
            if (all_ or begun.until <= now) and self._send(begun.packet, begun.value):
                del self._begun[key]
