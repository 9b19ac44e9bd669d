"""HEAD wherever GET is (RFC 9110, 9.3.2): the same status and headers, and nothing behind them."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """The ASGI middleware. What a GET would send without end ends with its headers: its client is told to be gone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        answered = asyncio.Event()

        async def receiving() -> Message:
            if answered.is_set():
                return {"type": "http.disconnect"}
            message = asyncio.ensure_future(receive())
            over = asyncio.ensure_future(answered.wait())
            done, _ = await asyncio.wait({message, over}, return_when=asyncio.FIRST_COMPLETED)
            for task in (message, over):
                if task not in done:
                    task.cancel()
            return message.result() if message in done else {"type": "http.disconnect"}

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                answered.set()

        scope["method"] = "GET"
        try:
            await self._app(scope, receiving, sending)
        finally:
            scope["method"] = "HEAD"
