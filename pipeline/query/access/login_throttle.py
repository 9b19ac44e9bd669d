"""Failed logins, counted in memory so that passwords cannot be tried one after another."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

WINDOW_S: Final = 300.0
OF_A_NAME: Final = 10  # failures within the window
OF_AN_ADDRESS: Final = 100
_REMEMBERED: Final = 20_000


class Attempts:
    """Failures by name and by address of the last five minutes, in this process."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def wait_s(self, name: str, address: str) -> float:
        """Seconds until the next attempt may be made; 0 for now."""
        return max(self._wait_s(("name", name), OF_A_NAME), self._wait_s(("address", address), OF_AN_ADDRESS))

    def failed(self, name: str, address: str) -> None:
        """One more wrong password. An empty address is not counted."""
        for key, most in ((("name", name), OF_A_NAME), (("address", address), OF_AN_ADDRESS)):
            if not key[1]:
                continue
            self._failures.setdefault(key, deque(maxlen=most)).append(self._monotonic())
            self._failures.move_to_end(key)
        while len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """The right password: earlier failures of the name were slips."""
        self._failures.pop(("name", name), None)

    def _wait_s(self, key: tuple[str, str], most: int) -> float:
        failures = self._failures.get(key)
        if not key[1] or failures is None or len(failures) < most:
            return 0.0
        return max(0.0, failures[0] + WINDOW_S - self._monotonic())
