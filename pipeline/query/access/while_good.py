"""Answers that last: they end when the token of their request does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from fastapi import Request

from pipeline.query.access.authenticator import Authenticator
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import identified
from pipeline.query.http.problems import RequestProblem
from pipeline.warehouse.query.reader import TooCostly, Unavailable

_LOOK_S: Final = 1.0  # how often a stream asks whether its token is still good

_CLOSING: Final[set[asyncio.Future[None]]] = set()


async def while_good(request: Request, caller: Caller, pieces: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """The pieces of a long answer, for as long as the request's token is good and means the same caller. With the
    warehouse away nobody can have revoked it."""
    following: asyncio.Future[bytes] | None = None
    try:
        while True:
            following = following or asyncio.ensure_future(anext(pieces))
            done, _ = await asyncio.wait({following}, timeout=_LOOK_S)
            if not await _is_still(request, caller):
                return
            if done:
                piece, following = following.result(), None
                yield piece
    except StopAsyncIteration:
        return
    finally:  # in a task of its own: who is cancelled because the client went has no time to close anything
        closing = asyncio.ensure_future(_closed(following, pieces))
        _CLOSING.add(closing)
        closing.add_done_callback(_CLOSING.discard)
        await asyncio.shield(closing)


async def _closed(following: asyncio.Future[bytes] | None, pieces: AsyncGenerator[bytes, None]) -> None:
    if following is not None:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    await pieces.aclose()


async def _is_still(request: Request, caller: Caller) -> bool:
    ticket = request.query_params.get("ticket")
    try:
        if ticket is not None and "authorization" not in request.headers:
            gate: Authenticator = request.app.state.gate
            return await gate.holder_of(ticket, opened=True) == caller
        return await identified(request) == caller
    except RequestProblem:
        return False
    except (Unavailable, TooCostly):
        return True
