"""Making exports: in the background of the query service, two at a time, each into one file.

What is under way is written down every few seconds. An export that nobody has worked on for half a minute,
because its process ended, is begun again by the next process that is asked about it; the file appears whole or
not at all, so twice does no harm.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Final

import msgspec
import structlog

from pipeline.clock import now_ms
from pipeline.files import Files
from pipeline.query.questions.lists.answer import rows_of
from pipeline.query.questions.lists.question import ListQuestion
from pipeline.warehouse.query.pages.listing import Listing, count_of
from pipeline.warehouse.query.reader import QueryFailed, Reader, TooCostly, Unavailable
from pipeline.warehouse.reference.exports import Export, find, of_tenant, save

_AT_ONCE: Final = 2
_NOTED_EVERY_S: Final = 5.0
FORSAKEN_MS: Final = 30_000
_TRIES: Final = 5

log = structlog.get_logger("cdr.query")


def file_of(export: Export, ending: str) -> str:
    """Name of its file."""
    return f"exports/{hashlib.sha256(export.tenant.encode()).hexdigest()[:16]}/{export.id}.{ending}"


class ExportRuns:
    """The exports that this process makes."""

    def __init__(self, reader: Reader, files: Files) -> None:
        self._reader = reader
        self.files = files
        self._room: asyncio.Semaphore | None = None
        self._tasks: dict[tuple[str, str], asyncio.Task[None]] = {}

    def begin(self, export: Export, listing: Listing, question: ListQuestion) -> None:
        """Make it in the background, unless that is under way."""
        key = (export.tenant, export.id)
        task = self._tasks.get(key)
        if task is None or task.done():
            self._tasks[key] = asyncio.create_task(self._make(export, listing, question))
            self._tasks[key].add_done_callback(lambda _: self._tasks.pop(key, None))

    def working_on(self, export: Export) -> bool:
        """Whether somebody works on it: this process, or another not long ago."""
        return (export.tenant, export.id) in self._tasks or now_ms() - export.seen_at < FORSAKEN_MS

    async def delete(self, export: Export, ending: str) -> None:
        """Delete it and its file; one under way is given up."""
        task = self._tasks.get((export.tenant, export.id))
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await asyncio.to_thread(self.files.delete, file_of(export, ending))
        newest = await find(self._reader, export.tenant, export.id) or export
        await save(self._reader, msgspec.structs.replace(newest, state="deleted"))

    async def expired(self, tenant: str) -> list[Export]:
        """The tenant's exports whose time is over."""
        return [export for export in await of_tenant(self._reader, tenant) if export.expires_at < now_ms()]

    async def close(self) -> None:
        """Give up what is under way; the next process begins it again."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make(self, export: Export, listing: Listing, question: ListQuestion) -> None:
        self._room = self._room or asyncio.Semaphore(_AT_ONCE)
        async with self._room:
            for attempt in range(1, _TRIES + 1):
                try:
                    export = await self._written(export, listing, question)
                    return
                except (Unavailable, OSError) as error:
                    log.warning("export", id=export.id, attempt=attempt, problem=str(error))
                    if attempt == _TRIES:
                        await self._failed(export, "The warehouse or the file store did not answer.")
                    await asyncio.sleep(min(30.0, 2.0**attempt))
                except TooCostly:
                    await self._failed(export, "The export takes too long; narrow its time or filter.")
                    return
                except QueryFailed as error:
                    log.error("export", id=export.id, problem=str(error))
                    await self._failed(export, "The service failed; its log has more.")
                    return

    async def _failed(self, export: Export, why: str) -> None:
        newest = await find(self._reader, export.tenant, export.id) or export
        await save(self._reader, msgspec.structs.replace(newest, state="failed", problem=why, seen_at=now_ms()))

    async def _written(self, export: Export, listing: Listing, question: ListQuestion) -> Export:
        rows = await count_of(self._reader, listing)
        export = await save(
            self._reader, msgspec.structs.replace(export, state="running", rows=rows, bytes=0, seen_at=now_ms())
        )
        noted_at, size, digest = time.monotonic(), 0, hashlib.sha256()
        writing = self.files.writing(file_of(export, question.form.ending))
        file = await asyncio.to_thread(writing.__enter__)
        try:
            async for piece in _pieces(rows_of(self._reader, listing, question)):
                await asyncio.to_thread(file.write, piece)
                digest.update(piece)
                size += len(piece)
                if time.monotonic() - noted_at > _NOTED_EVERY_S:
                    noted_at = time.monotonic()
                    export = await save(self._reader, msgspec.structs.replace(export, bytes=size, seen_at=now_ms()))
        except BaseException as error:
            # the file is not there, whole or in part
            await asyncio.shield(asyncio.to_thread(_leave, writing, error))
            raise
        await asyncio.to_thread(writing.__exit__, None, None, None)
        done = msgspec.structs.replace(
            export, state="ready", bytes=size, sha256=digest.hexdigest(), problem="", seen_at=now_ms()
        )
        return await save(self._reader, done)


def _leave(writing: AbstractContextManager[object], error: BaseException) -> None:
    try:
        writing.__exit__(type(error), error, error.__traceback__)
    except BaseException as again:
        if again is not error:
            log.warning("export", problem=str(again))


async def _pieces(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Larger pieces: a store likes few writes."""
    held: list[bytes] = []
    size = 0
    async for piece in stream:
        held.append(piece)
        size += len(piece)
        if size >= 1 << 20:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
