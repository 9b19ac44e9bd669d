"""A line between two parts that can be made worse: late, narrow, cut, silent. A TCP relay in this process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from dataclasses import dataclass

from pipeline.embedded.process import HOST, free_port

CHUNK = 64 << 10


@dataclass(frozen=True, slots=True)
class Weather:
    """How the line is. `silent`: connections stay open and nothing arrives, as when a cable is pulled."""

    delay_s: float = 0.0
    bytes_s: float = 0.0  # 0: as many as there are
    silent: bool = False


class Line:
    """Listens on `port`, or on a socket that is given, and relays to `target`, which may change."""

    def __init__(self, target: int, listening: socket.socket | None = None) -> None:
        self._listening = listening
        self.port: int = listening.getsockname()[1] if listening else free_port()
        self.target = target
        self.weather = Weather()
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        begun = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(begun,), daemon=True)
        self._thread.start()
        begun.wait()

    def set(self, weather: Weather) -> None:
        """From now on, for connections that there are, too."""
        self.weather = weather

    def cut(self) -> None:
        """Break every connection, in the middle of whatever it carries."""
        self._loop.call_soon_threadsafe(self._cut)

    def close(self) -> None:
        """Stop listening, and cut."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)

    def _run(self, begun: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        here = {"sock": self._listening} if self._listening else {"host": HOST, "port": self.port}
        server = self._loop.run_until_complete(asyncio.start_server(self._relay, **here))
        begun.set()
        self._loop.run_forever()
        server.close()
        self._cut()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.1))
        self._loop.close()

    def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(HOST, self.target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, back}
        self._writers |= both
        try:
            await asyncio.gather(self._copy(reader, back), self._copy(there, writer))
        except asyncio.CancelledError:
            pass  # the line is closed; whoever began this task does not want to hear of it
        finally:
            for each in both:
                each.transport.abort()
            self._writers -= both

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK):
                arrived = time.monotonic()
                while self.weather.silent:  # noqa: ASYNC110 (as another thread says)
                    await asyncio.sleep(0.05)
                weather = self.weather
                wait = weather.delay_s + (len(data) / weather.bytes_s if weather.bytes_s else 0)
                await asyncio.sleep(max(0.0, arrived + wait - time.monotonic()))
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
