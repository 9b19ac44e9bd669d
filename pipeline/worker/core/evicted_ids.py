"""Call ids that memory had and forgot: whose id comes back is looked up in the archive.

A call may go on under its id after all its legs had ended (a queue that calls back), which is one call. So it
matters for some hours whether an id is new. A filter says so: it never forgets within that time, and takes an id
that it never saw for a known one now and then, which costs a look and nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from zlib import crc32

from pipeline.calls.id_reuse import NEAR_MS

_BITS = 27  # of the hash that count: 16 MB a filter; ten million ids in it, one in thirteen is looked up in vain


class EvictedIds:
    """Ids of the last hours. They may be given as their CRC-32, too."""

    def __init__(self) -> None:
        self._now = bytearray()
        self._before = bytearray()
        self._since = time.monotonic()

    def add(self, call_id: str) -> None:
        """Remember an id."""
        self.add_hashes((crc32(call_id.encode(errors="replace")),))

    def add_hashes(self, hashes: Iterable[int]) -> None:
        """Remember ids of which only the CRC-32 is known."""
        if time.monotonic() - self._since > NEAR_MS / 1000:
            self._before, self._now, self._since = self._now, bytearray(), time.monotonic()
        bits = self._now or bytearray(1 << (_BITS - 3))
        for hash_ in hashes:
            place = hash_ & ((1 << _BITS) - 1)
            bits[place >> 3] |= 1 << (place & 7)
        self._now = bits

    def __contains__(self, call_id: str) -> bool:
        place = crc32(call_id.encode(errors="replace")) & ((1 << _BITS) - 1)
        byte, bit = place >> 3, 1 << (place & 7)
        return bool(self._now and self._now[byte] & bit) or bool(self._before and self._before[byte] & bit)
