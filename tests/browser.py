"""Headless Chromium, driven over its DevTools protocol: pages as people see them."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

PROGRAM = "chromium"
_PATIENCE_S = 60
_TALLEST = 2400  # of a picture; what is further down looks the same


def installed() -> bool:
    return shutil.which(PROGRAM) is not None


@dataclass(frozen=True, slots=True)
class Look:
    """How a page is looked at: width in CSS pixels, light or dark, on a screen or on paper."""

    width: int
    scheme: str
    media: str = "screen"

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}-{self.media}"


@dataclass(slots=True)
class Seen:
    """What was seen: a PNG of the page from its top, what the console said, how far the page overflows."""

    png: bytes
    console: list[str] = field(default_factory=list)
    overflow: int = 0  # CSS pixels beyond the window's width
    answer: Any = None


class Browser:
    """One running browser; pages come and go."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._heard: dict[str, list[dict[str, Any]]] = {}
        self._reading = asyncio.create_task(self._read())

    async def look(self, url: str, look: Look, *, ask: str = "null") -> Seen:
        """The page at `url`; `ask` is an expression whose value is the answer."""
        target = (await self._send("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self._send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        self._heard[session] = []
        try:
            for domain in ("Page", "Runtime", "Log"):
                await self._send(f"{domain}.enable", session)
            await self._send(
                "Emulation.setDeviceMetricsOverride",
                session,
                width=look.width,
                height=900,
                deviceScaleFactor=1,
                mobile=False,
            )
            media = [{"name": "prefers-color-scheme", "value": look.scheme}]
            await self._send("Emulation.setEmulatedMedia", session, media=look.media, features=media)
            await self._send("Page.navigate", session, url=url)
            await self._until(session, "Page.loadEventFired")
            overflow = await self._value(session, "document.documentElement.scrollWidth - window.innerWidth")
            answer = await self._value(session, ask)
            tall = await self._value(session, "document.documentElement.scrollHeight")
            clip = {"x": 0, "y": 0, "width": look.width, "height": min(int(tall), _TALLEST), "scale": 1}
            shot = await self._send(
                "Page.captureScreenshot", session, captureBeyondViewport=True, format="png", clip=clip
            )
            return Seen(base64.b64decode(shot["data"]), self._complaints(session), overflow, answer)
        finally:
            await self._send("Target.closeTarget", targetId=target)

    async def printed(self, url: str) -> bytes:
        """The page as PDF, on the paper that it asks for."""
        target = (await self._send("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self._send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        self._heard[session] = []
        try:
            await self._send("Page.enable", session)
            await self._send("Page.navigate", session, url=url)
            await self._until(session, "Page.loadEventFired")
            pdf = await self._send("Page.printToPDF", session, preferCSSPageSize=True, printBackground=True)
            return base64.b64decode(pdf["data"])
        finally:
            await self._send("Target.closeTarget", targetId=target)

    async def _value(self, session: str, expression: str) -> Any:
        answer = await self._send("Runtime.evaluate", session, expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def _complaints(self, session: str) -> list[str]:
        found = []
        for event in self._heard[session]:
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(event["params"]["exceptionDetails"]["text"]))
            elif event["method"] == "Log.entryAdded":
                found.append(str(event["params"]["entry"]["text"]))
            elif event["method"] == "Runtime.consoleAPICalled":
                found.append(str(event["params"]["args"]))
        return found

    async def _until(self, session: str, method: str) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while not any(event["method"] == method for event in self._heard[session]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def _send(self, method: str, session: str = "", **parameters: Any) -> Any:
        id_ = next(self._ids)
        self._waiting[id_] = asyncio.get_running_loop().create_future()
        message = {"id": id_, "method": method, "params": parameters} | ({"sessionId": session} if session else {})
        await self._socket.send_str(json.dumps(message))
        return await asyncio.wait_for(self._waiting[id_], _PATIENCE_S)

    async def _read(self) -> None:
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                future = self._waiting.pop(said["id"])
                if not future.done():
                    if "error" in said:
                        future.set_exception(RuntimeError(str(said["error"])))
                    else:
                        future.set_result(said["result"])
            else:
                self._heard.setdefault(said.get("sessionId", ""), []).append(said)

    async def end(self) -> None:
        self._reading.cancel()
        await asyncio.wait([self._reading])


@asynccontextmanager
async def browser(folder: Path) -> AsyncIterator[Browser]:
    """A browser with its profile in `folder`."""
    process = subprocess.Popen(  # noqa: ASYNC220 - starts at once
        [
            PROGRAM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--hide-scrollbars",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--remote-debugging-port=0",
            f"--user-data-dir={folder}",
            "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=os.environ | {"HOME": str(folder)},
    )
    try:
        port = folder / "DevToolsActivePort"
        async with asyncio.timeout(_PATIENCE_S):
            while not port.exists() or port.read_text().count("\n") < 1:  # noqa: ASYNC110 - a file that another program writes
                await asyncio.sleep(0.05)
        number, path = port.read_text().splitlines()[:2]
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"ws://127.0.0.1:{number}{path}", max_msg_size=0) as socket,
        ):
            found = Browser(socket)
            try:
                yield found
            finally:
                await found.end()
    finally:
        process.kill()
        process.wait()
