"""Where webhooks may go: the public internet, unless the operator says otherwise.

A tenant chooses the URL, our network makes the request; without this a webhook could reach what only our network
may. Names are resolved here and the connection goes to the address that was looked at.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final
from urllib.parse import urlsplit

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from pipeline.errors import CdrError

_TRANSLATED: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
_LONGEST: Final = 2048


class AddressRefused(CdrError, OSError):
    """An address that webhooks may not go to."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public internet; those that carry another inside are judged by it."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is None and any(found in network for network in _TRANSLATED):
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def check_url(url: str, *, private: bool) -> str:
    """The URL itself. Raises ValueError with the reason and the fix."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if len(url) > _LONGEST or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError(f"is no URL of printable ASCII up to {_LONGEST} characters")
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("is no URL; write it like https://example.com/hook")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("has a user, a password or a fragment; leave them out, messages are signed")
    if not private and (
        (is_literal(host) and not is_public(host)) or host == "localhost" or host.endswith(".localhost")
    ):
        raise ValueError("is not of the public internet; the operator may allow that with CDR_WEBHOOK_PRIVATE")
    return url


def is_literal(host: str) -> bool:
    """Whether the host is an IP address, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class PublicResolver(AbstractResolver):
    """Resolves names, and leaves out what is not public."""

    def __init__(self) -> None:
        self._inner = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Public addresses only; raises AddressRefused when there is none."""
        found = await self._inner.resolve(host, port, family)
        public = [each for each in found if is_public(each["host"])]
        if not public:
            raise AddressRefused(f"{host} has no address of the public internet")
        return public

    async def close(self) -> None:
        await self._inner.close()
