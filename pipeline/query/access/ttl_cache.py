"""What was looked up, remembered for a few seconds."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Final, Generic, TypeVar

FOUND_S: Final = 4.0  # a stream looks each second: 5 s are promised
MISSED_S: Final = 1.0
_REMEMBERED: Final = 10_000

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class TtlCache(Generic[Key, Value]):
    """Values by key, those found for 4 s and those missed for 1 s, the last 10,000 of them."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._entries: OrderedDict[Key, tuple[float, Value | None]] = OrderedDict()
        self._finding: dict[Key, asyncio.Future[Value | None]] = {}

    async def get(
        self, key: Key, find: Callable[[], Coroutine[Any, Any, Value | None]], *, missed_s: float = MISSED_S
    ) -> Value | None:
        """The value, looked up with `find` unless it was a moment ago."""
        entry = self._entries.get(key)
        begun = self._monotonic()
        if entry is not None and begun - entry[0] < (missed_s if entry[1] is None else FOUND_S):
            return entry[1]
        finding = self._finding.get(key)
        if finding is None:  # one look-up, however many ask
            finding = self._finding[key] = asyncio.ensure_future(find())
            finding.add_done_callback(lambda _: self._finding.pop(key, None))
        value = await asyncio.shield(finding)
        later = self._entries.get(key)
        if later is not None and later is not entry and later[0] >= begun:
            return later[1]  # somebody remembered a newer one meanwhile
        self._keep(key, begun, value)
        return value

    def remember(self, key: Key, value: Value) -> None:
        """Put a value there that is known to be the newest."""
        self._keep(key, self._monotonic(), value)

    def known(self) -> list[tuple[Key, Value]]:
        """Everything that was found, old or not."""
        return [(key, value) for key, (_, value) in self._entries.items() if value is not None]

    def _keep(self, key: Key, at: float, value: Value | None) -> None:
        self._entries[key] = (at, value)
        self._entries.move_to_end(key)
        while len(self._entries) > _REMEMBERED:
            self._entries.popitem(last=False)
