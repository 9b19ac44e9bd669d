"""Failed logins, counted in memory so that passwords cannot be tried one after another, and so that nobody is locked
out by somebody else's tries.

Ten failures of a user from one address end that address's tries of that user, and a hundred of an address all of its
tries, for five minutes. A hundred failures of a user from wherever end the tries of all addresses from which that user
never logged in: who did, still may.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

WINDOW_S: Final = 300.0
OF_BOTH: Final = 10  # failures of a user from one address, within the window
OF_A_USER: Final = 100
OF_AN_ADDRESS: Final = 100
_REMEMBERED: Final = 20_000


class LoginThrottle:
    """Failures of the last five minutes by user and address, in this process."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()
        self._was_here: OrderedDict[tuple[str, str], None] = OrderedDict()  # user, address of logins

    def wait_s(self, user: str, address: str) -> float:
        """Seconds until the user may be tried again from the address; 0 for now."""
        return max(self._wait_s(key, most) for key, most in self._counts(user, address))

    def failed(self, user: str, address: str) -> None:
        """One more wrong password."""
        for key, most in self._counts(user, address):
            self._failures.setdefault(key, deque(maxlen=most)).append(self._monotonic())
            self._failures.move_to_end(key)
        while len(self._failures) > _REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, user: str, address: str) -> None:
        """The right password: what failed before from this address were slips."""
        self._failures.pop((user, address), None)
        self._was_here[user, address] = None
        self._was_here.move_to_end((user, address))
        while len(self._was_here) > _REMEMBERED:
            self._was_here.popitem(last=False)

    def _counts(self, user: str, address: str) -> list[tuple[tuple[str, str], int]]:
        found = [((user, address), OF_BOTH), (("", address), OF_AN_ADDRESS)]
        if (user, address) not in self._was_here:
            found.append(((user, "everywhere"), OF_A_USER))
        return found

    def _wait_s(self, key: tuple[str, str], most: int) -> float:
        failures = self._failures.get(key)
        if failures is None or len(failures) < most:
            return 0.0
        return max(0.0, failures[0] + WINDOW_S - self._monotonic())
