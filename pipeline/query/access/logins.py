"""Names and passwords compared: off the event loop, as long for a wrong name as for a wrong password,
and not again and again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pipeline.query.access.login_throttle import Attempts
from pipeline.query.http.problems import RequestProblem, unavailable
from pipeline.warehouse.identity.passwords import LONGEST, is_password, nobodys
from pipeline.warehouse.identity.users import User, find_users
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.reference.directories import Directories

_THREADS: Final = 2  # 16 MB each while they compare
_WAITING: Final = 64
_LONGEST_NAME: Final = 256
_MOST_NAMESAKES: Final = 100


class Logins:
    """Users by name and password."""

    def __init__(self, reader: Reader, directories: Directories, monotonic: Callable[[], float]) -> None:
        self._reader = reader
        self._directories = directories
        self._attempts = Attempts(monotonic)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="password")
        self._under_way = 0

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def login(self, username: str, password: str, domain: str | None, address: str) -> User | None:
        """The user, None for a wrong name, password or domain. 429 after ten failures of a name, or a
        hundred of an address for names that there are, within five minutes."""
        if len(username) > _LONGEST_NAME or len(password) > LONGEST or not _is_text(username + (domain or "")):
            return None
        name = f"{username.lower()}@{(domain or '').lower()}"
        wait_s = self._attempts.wait_s(name, address)
        if wait_s:
            raise blocked(wait_s)
        user = await self._chosen(username, domain)
        if user is None and not domain and "@" in username:
            plain, _, behind = username.rpartition("@")
            user = await self._chosen(plain, behind)
        if await self._is_password(password, nobodys() if user is None else user.password) and user is not None:
            self._attempts.succeeded(name)
            return user
        # names that nobody has cannot be guessed: of an address, they do not count
        self._attempts.failed(name, "" if user is None else address)
        return None

    async def _chosen(self, name: str, domain: str | None) -> User | None:
        """The one user that is meant. A domain is the user's own, the tenant, or the tenant's in the directory. Without
        one, a name that several tenants use means nobody, unless just one of those has no domain."""
        users = [user for user in await find_users(self._reader, name) if not user.disabled]
        if not domain:
            bare = users if len(users) == 1 else [user for user in users if not user.domain]
            return bare[0] if len(bare) == 1 else None
        for user in users:
            if domain in (user.domain, user.tenant):
                return user
        meant = [
            user
            for user in users[:_MOST_NAMESAKES]
            if not user.domain and (await self._directories.of(user.tenant)).tenant.domain == domain
        ]
        return meant[0] if len(meant) == 1 else None

    async def _is_password(self, password: str, stored: str) -> bool:
        if self._under_way >= _WAITING:
            raise unavailable("Too many logins at once; try again in 2 seconds.")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, is_password, password, stored)
        finally:
            self._under_way -= 1


def blocked(wait_s: float) -> RequestProblem:
    """429: too many wrong passwords."""
    seconds = math.ceil(wait_s)
    return RequestProblem(
        429,
        "too_many_logins",
        f"Too many wrong passwords; try again in {seconds} seconds.",
        headers={"Retry-After": str(seconds)},
    )


def _is_text(text: str) -> bool:
    """Whether it can be written as UTF-8: JSON can carry halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
