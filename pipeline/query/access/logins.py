"""Names and passwords compared: off the event loop, as long for a wrong name as for a wrong password,
and not again and again."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from pipeline.query.access.login_throttle import LoginThrottle
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
        self._throttle = LoginThrottle(monotonic)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="password")
        self._under_way = 0

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def login(self, username: str, password: str, domain: str | None, address: str) -> User | None:
        """The user, None for a wrong name, password or domain. 429 after too many failures; see `login_throttle`."""
        domain = domain or ""
        if len(username) > _LONGEST_NAME or len(password) > LONGEST or not _is_text(username + domain):
            return None
        user = await self._meant(username, domain)
        # However a user is spelled, it is the same; a name that nobody has is counted as it is written.
        spelled = f"name {username.casefold()}\0{domain.casefold()}"
        counted = spelled if user is None else f"user {user.tenant}\0{user.name}"
        wait_s = self._throttle.wait_s(counted, address)
        if wait_s:
            raise blocked(wait_s)
        if await self._is_password(password, nobodys() if user is None else user.password) and user is not None:
            self._throttle.succeeded(counted, address)
            return user
        self._throttle.failed(counted, address)
        return None

    async def _meant(self, username: str, domain: str) -> User | None:
        """The user that is meant, whoever else exists. A name alone is that of a user without a domain; with a domain
        (in its own field, or behind an @) it is a user of that domain, of that tenant, or of the tenant whose domain
        that is. None where several are meant: nobody can tell which."""
        found = await self._chosen(username, domain)
        if found is None and not domain and "@" in username:
            name, _, behind = username.rpartition("@")
            found = await self._chosen(name, behind)
        return found

    async def _chosen(self, name: str, domain: str) -> User | None:
        users = [user for user in await find_users(self._reader, name) if not user.disabled]
        if domain:
            low = domain.lower()  # names of hosts are the same in every case (RFC 3261, 19.1.4), ids of tenants are not
            meant = [user for user in users if user.domain.lower() == low or user.tenant == domain]
            meant = meant or [
                user
                for user in users[:_MOST_NAMESAKES]
                if not user.domain and (await self._directories.of(user.tenant)).tenant.domain.lower() == low
            ]
        else:
            meant = [user for user in users if not user.domain]
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
