"""Running a report: from its definition to a file that is noted, and a mail that is sent.

Every step may be repeated: the run's id, its file's name and its mail's Message-ID are made of the
definition and of when it was due, and what was done is noted before the job is acknowledged. So a job that is
run again after its worker was killed gives one result and one mail. What remains is SMTP's own window: killed after the
server took the mail and before that is noted, the mail is sent again, with the same Message-ID.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import structlog

from pipeline.clock import now_ms
from pipeline.files import Files
from pipeline.instants import DAY_MS
from pipeline.reports import mail
from pipeline.reports.blobs import blob_token
from pipeline.reports.catalogue import ALL
from pipeline.reports.definition import Definition
from pipeline.reports.ranges import Span, span_of
from pipeline.reports.rendering.render import Letterhead, render
from pipeline.reports.rendering.table import Report
from pipeline.reports.store import (
    MAIL_FAILED,
    MAIL_SENDING,
    MAIL_SENT,
    MAIL_WAITING,
    RUN_DONE,
    RUN_FAILED,
    RUN_RUNNING,
    RUN_WAITING,
    ReportStore,
    Run,
    failed,
    run_id,
)
from pipeline.reports.types.build import Question, letterhead, with_currency
from pipeline.settings import Settings
from pipeline.warehouse.identity.access import is_masked
from pipeline.warehouse.query.reader import QueryFailed, Reader, TooCostly, Unavailable
from pipeline.warehouse.query.view import View
from pipeline.warehouse.reference.directories import Directories

log = structlog.get_logger("cdr.reports")

# A report that ended so many workers is not begun again.
MOST_ATTEMPTS: Final = 5


class Runner:
    """What runs reports in a process."""

    def __init__(self, settings: Settings, reader: Reader, files: Files, clock: Callable[[], int] = now_ms) -> None:
        self._settings, self._reader, self._files, self._clock = settings, reader, files, clock
        self.store = ReportStore(reader)
        self.directories = Directories(reader)

    async def perform(self, tenant: str, report_id: int, due_ms: int, is_mine: Callable[[], bool]) -> None:
        """Do what is not yet done of a run. `is_mine` tells whether the job still belongs to this process.

        Raises Unavailable when ClickHouse is away: the job is to be tried again.
        """
        id_ = run_id(report_id, due_ms)
        known = await self.store.run(tenant, id_)
        if known is not None and (known[1] or known[0].state == RUN_FAILED):
            return
        run = known[0] if known else Run(tenant, id_, report_id, due_ms, RUN_RUNNING)
        if run.state in (RUN_WAITING, RUN_RUNNING):
            found = await self.store.definition(tenant, report_id)
            asked = run.state == RUN_WAITING  # by a person, of the report as it is now
            if found is None or (found[0].requested_at > due_ms and not asked):  # taken back, or changed since
                if asked:
                    await self.store.write_run(run, destroyed=True)
                return
            run = await self._make(run, found[0])
        if run.state == RUN_DONE and run.mail in (MAIL_WAITING, MAIL_SENDING) and is_mine():
            await self._send(run)

    async def _make(self, run: Run, definition: Definition) -> Run:
        """Build the report and keep its file. Failures that trying again cannot mend are noted."""
        if run.attempts >= MOST_ATTEMPTS:
            run = failed(run, f"was begun {run.attempts} times and never ended; ask for less time, or fewer calls")
            await self.store.write_run(run)
            return run
        run = replace(
            run,
            state=RUN_RUNNING,
            attempts=run.attempts + 1,
            name=definition.name,
            type=definition.type,
            format=definition.format,
            email=definition.email,
            secret=run.secret or secrets.token_hex(16),
        )
        await self.store.write_run(run)
        try:
            masked = is_masked(definition.numbers, self._settings.mask_numbers)
            directory = await self.directories.seen(View(run.tenant, masked=masked))
            span = span_of(definition.range, run.due_at, directory.tenant.zone, definition.custom)
            question = Question(self._reader, directory, definition.type, span, definition.filter, masked=masked)
            report = await with_currency(question, await ALL[definition.type].build(question))
            mark = hashlib.sha256(run.tenant.encode(errors="replace")).hexdigest()[:16]
            path = f"reports/{mark}/{run.id}.{definition.format.lower()}"
            size = await self._write(path, report, definition, letterhead(directory))
        except Unavailable:
            raise
        except (TooCostly, QueryFailed, OSError, ValueError, KeyError, ImportError, ArithmeticError) as error:
            log.warning("report failed", report=str(run.report_id), run=str(run.id), error=str(error))
            run = failed(run, _reason(error))
            await self.store.write_run(run)
            return run
        run = replace(
            run,
            state=RUN_DONE,
            masked=int(masked),
            first_at=span.first_ms,
            end_at=span.end_ms,
            completed_at=self._clock(),
            file_name=file_name(definition.name, span, definition.format),
            file_size=size,
            path=path,
            mail=MAIL_WAITING if definition.email else "",
            mail_at=self._clock() if definition.email else None,
        )
        await self.store.write_run(run)
        log.info("report made", report=str(run.report_id), run=str(run.id), type=run.type, bytes=size)
        return run

    async def _write(self, path: str, report: Report, definition: Definition, head: Letterhead) -> int:
        """The file in the store, and its size. Pieces are written from threads: the store may be far."""
        size = 0
        writing = self._files.writing(path)
        file = await asyncio.to_thread(writing.__enter__)
        try:
            form, name = definition.format.lower(), definition.name
            async for piece in render(report, form, name=name, made_ms=self._clock(), head=head):
                size += len(piece)
                await asyncio.to_thread(file.write, piece)
        except BaseException as error:
            await asyncio.to_thread(writing.__exit__, type(error), error, error.__traceback__)
            raise
        await asyncio.to_thread(writing.__exit__, None, None, None)
        return size

    async def _send(self, run: Run) -> None:
        settings = self._settings
        run = replace(run, mail=MAIL_SENDING, mail_tries=run.mail_tries + 1)
        await self.store.write_run(run)
        directory = await self.directories.of(run.tenant)
        span = Span(run.first_at or 0, run.end_at or 0, directory.tenant.zone)
        file: bytes | None = None
        try:
            if run.file_size <= settings.report_attach_mb * 1_000_000:
                file = await asyncio.to_thread(self._read, run.path)
            message = mail.compose(run, ALL[run.type].title, span, file, self.link(run), settings)
            await mail.send(message, settings)
        except (mail.NotSent, OSError, ValueError) as error:
            lasting = not isinstance(error, mail.NotSent) or error.lasting or run.mail_tries > len(mail.RETRY_S)
            wait = mail.RETRY_S[min(run.mail_tries, len(mail.RETRY_S)) - 1]
            run = replace(
                run,
                mail=MAIL_FAILED if lasting else MAIL_WAITING,
                mail_at=self._clock() + wait * 1000,
                reason=f"The report was made, but not mailed: {error}"[:1000],
            )
            log.warning("report not mailed", run=str(run.id), error=str(error), again_s=None if lasting else wait)
        else:
            run = replace(run, mail=MAIL_SENT, mail_at=self._clock(), reason="")
            log.info("report mailed", run=str(run.id))
        await self.store.write_run(run)

    def _read(self, path: str) -> bytes:
        with self._files.open(path) as file:
            return file.read()

    def link(self, run: Run) -> mail.Link:
        """Where the file can be fetched by whoever has the mail."""
        until = self._clock() // 1000 + self._settings.report_link_days * 86_400
        base = self._settings.public_url.rstrip("/") or f"http://{self._settings.api_host}:{self._settings.api_port}"
        return mail.Link(f"{base}/api/blobs/{blob_token(run.id, run.secret, until)}", until * 1000)

    async def clear(self) -> int:
        """Delete what is older than its retention; returns how many."""
        if not self._settings.report_retention_days:
            return 0
        expired = await self.store.expired(self._clock() - self._settings.report_retention_days * DAY_MS)
        for run in expired:
            await destroy(self.store, self._files, run)
        return len(expired)


async def destroy(store: ReportStore, files: Files, run: Run) -> None:
    """Take a run and its file away. The file first: a row without a file is better than a file that nobody knows."""
    if run.path:
        await asyncio.to_thread(files.delete, run.path)
    await store.write_run(run, destroyed=True)


def file_name(name: str, span: Span, form: str) -> str:
    """The file's name for people: what it is and of which days."""
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._")[:80] or "report"
    return f"{plain}_{span.first[:10]}_{span.last[:10]}.{form.lower()}"


def _reason(error: Exception) -> str:
    if isinstance(error, TooCostly):
        return "The report takes too long; ask for less time, or fewer calls."
    return f"{type(error).__name__}: {error}"
