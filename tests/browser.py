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
    scripts: bool = True  # those of the page; `ask` runs in any case

    def __str__(self) -> str:
        return f"{self.width}-{self.scheme}-{self.media}{'' if self.scripts else '-plain'}"


@dataclass(slots=True)
class Seen:
    """What was seen: a PNG of the page from its top, what the console said, how far the page overflows."""

    png: bytes
    console: list[str] = field(default_factory=list)
    overflow: int = 0  # CSS pixels beyond the window's width
    answer: Any = None


class Tab:
    """A page that is open."""

    def __init__(self, browser: Browser, session: str, look: Look) -> None:
        self._browser, self._session, self._look = browser, session, look

    async def go(self, url: str) -> None:
        """Load another page."""
        self.heard.clear()
        await self.send("Page.navigate", url=url)
        await self.loaded()

    async def loaded(self) -> None:
        """Wait until a page that was asked for has loaded."""
        await self._browser.until(self._session, "Page.loadEventFired")

    async def value(self, expression: str) -> Any:
        """What the expression, or its promise, comes to."""
        answer = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(str(answer["exceptionDetails"])[:2000])
        return answer["result"].get("value")

    async def until(self, expression: str) -> Any:
        """Wait until the expression is true, and give it."""
        async with asyncio.timeout(_PATIENCE_S):
            while not (found := await self.value(expression)):  # noqa: ASYNC110 - the page tells nobody
                await asyncio.sleep(0.02)
            return found

    async def press(self, key: str, text: str = "") -> None:
        """A key of the keyboard, down and up. `text`: what it writes."""
        code = {"Enter": 13, "ArrowUp": 38, "ArrowDown": 40, "Escape": 27, "Tab": 9}.get(key, 0)
        text = text or ("\r" if key == "Enter" else "")
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        await self.send("Input.dispatchKeyEvent", type="keyDown", **about, **({"text": text} if text else {}))
        await self.send("Input.dispatchKeyEvent", type="keyUp", **about)

    async def picture(self, tallest: int = _TALLEST, part: str = "html") -> bytes:
        """A PNG of the page, or of the part that a selector names, from its top."""
        place = f"(box => [box.x + scrollX, box.y + scrollY, box.width])(document.querySelector('{part}')"
        x, y, width = await self.value(f"{place}.getBoundingClientRect())")
        tall = await self.value(f"document.querySelector('{part}').scrollHeight")
        clip = {"x": x, "y": y, "width": width, "height": min(int(tall), tallest), "scale": 1}
        shot = await self.send("Page.captureScreenshot", captureBeyondViewport=True, format="png", clip=clip)
        return base64.b64decode(shot["data"])

    async def resize(self, width: int, height: int = 900) -> None:
        """Make the window this large, CSS pixels."""
        about = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.send("Emulation.setDeviceMetricsOverride", **about)

    def complaints(self) -> list[str]:
        """What the console said: errors, and what the page's policy forbade."""
        found = []
        for event in self.heard:
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(event["params"]["exceptionDetails"]["text"]))
            elif event["method"] == "Log.entryAdded":
                found.append(str(event["params"]["entry"]["text"]))
            elif event["method"] == "Runtime.consoleAPICalled":
                found.append(str(event["params"]["args"]))
        return found

    @property
    def wire_bytes(self) -> int:
        """Bytes that came for the page since it was asked for, as they were sent."""
        finished = (event["params"] for event in self.heard if event["method"] == "Network.loadingFinished")
        return sum(int(each["encodedDataLength"]) for each in finished)

    @property
    def heard(self) -> list[dict[str, Any]]:
        return self._browser.heard(self._session)

    async def send(self, method: str, **parameters: Any) -> Any:
        """A command of the DevTools protocol to this page."""
        return await self._browser.send(method, self._session, **parameters)


class Browser:
    """One running browser; pages come and go."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._heard: dict[str, list[dict[str, Any]]] = {}
        self._reading = asyncio.create_task(self._read())

    async def look(self, url: str, look: Look, *, ask: str = "null") -> Seen:
        """The page at `url`; `ask` is an expression whose value, or that of whose promise, is the answer."""
        async with self.visit(url, look) as tab:
            overflow = await tab.value("document.documentElement.scrollWidth - window.innerWidth")
            answer = await tab.value(ask)
            return Seen(await tab.picture(), tab.complaints(), overflow, answer)

    @asynccontextmanager
    async def visit(self, url: str, look: Look) -> AsyncIterator[Tab]:
        """The page at `url`, loaded, for as long as the block lasts."""
        target = (await self.send("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        self._heard[session] = []
        tab = Tab(self, session, look)
        try:
            for domain in ("Page", "Runtime", "Log", "Network"):
                await self.send(f"{domain}.enable", session)
            await tab.resize(look.width)
            media = [{"name": "prefers-color-scheme", "value": look.scheme}]
            await self.send("Emulation.setEmulatedMedia", session, media=look.media, features=media)
            await self.send("Emulation.setScriptExecutionDisabled", session, value=not look.scripts)
            await tab.go(url)
            yield tab
        finally:
            await self.send("Target.closeTarget", targetId=target)

    async def printed(self, url: str) -> bytes:
        """The page as PDF, on the paper that it asks for."""
        target = (await self.send("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        self._heard[session] = []
        try:
            await self.send("Page.enable", session)
            await self.send("Page.navigate", session, url=url)
            await self.until(session, "Page.loadEventFired")
            pdf = await self.send("Page.printToPDF", session, preferCSSPageSize=True, printBackground=True)
            return base64.b64decode(pdf["data"])
        finally:
            await self.send("Target.closeTarget", targetId=target)

    def heard(self, session: str) -> list[dict[str, Any]]:
        return self._heard[session]

    async def until(self, session: str, method: str) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while not any(event["method"] == method for event in self._heard[session]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def send(self, method: str, session: str = "", **parameters: Any) -> Any:
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
