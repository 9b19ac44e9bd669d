"""Who asks through a proxy: the address that a trusted proxy forwards for, never one that anybody writes.

X-Forwarded-For grows to the right with every proxy. It is read from there, for as long as the addresses are those of
trusted proxies: the first that is none is the client.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.query.http.connections import Network, is_one_of, networks_of

LOOPBACK: Final = networks_of("127.0.0.0/8,::1")


class Forwarded:
    """The ASGI middleware."""

    def __init__(self, app: ASGIApp, trusted: Sequence[Network]) -> None:
        self._app, self._trusted = app, trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = (scope.get("client") or ("",))[0] if scope["type"] == "http" else ""
        if peer and is_one_of(peer, self._trusted):
            headers = _listed(scope)
            scope["client"] = (self._client(peer, headers.get(b"x-forwarded-for", [])), 0)
            scheme = headers.get(b"x-forwarded-proto", [""])[-1].strip()
            if scheme in ("http", "https"):
                scope["scheme"] = scheme
        await self._app(scope, receive, send)

    def _client(self, peer: str, hops: Sequence[str]) -> str:
        client = peer
        for hop in reversed(hops):
            address = _address(hop)
            if address is None:  # what stands further left, anybody may have written
                break
            client = address
            if not is_one_of(address, self._trusted):
                break
        return client


def is_local(scope: Scope) -> bool:
    """Whether the request comes from this machine, and through no proxy."""
    peer = (scope.get("client") or ("",))[0]
    through = any(name in (b"x-forwarded-for", b"x-real-ip", b"forwarded", b"via") for name, _ in scope["headers"])
    return is_one_of(peer, LOOPBACK) and not through


def _listed(scope: Scope) -> dict[bytes, list[str]]:
    """The values of each header, in their order, also of one that came several times."""
    found: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        found.setdefault(name, []).extend(value.decode("latin-1").split(","))
    return found


def _address(hop: str) -> str | None:
    """The address in a hop, without its port; None when it is none."""
    text = hop.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
