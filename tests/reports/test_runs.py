"""Runs: the file, the mail, and what is noted of both, step by step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.files import files_of
from pipeline.reports.definition import Definition
from pipeline.reports.mail import RETRY_S
from pipeline.reports.runs import MOST_ATTEMPTS, Runner
from pipeline.reports.store import Run, new_id, run_id
from pipeline.settings import Settings
from pipeline.warehouse.query.reader import Reader
from tests.reports import week
from tests.reports.conftest import Warehouse
from tests.reports.postbox import Postbox, serving


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.ms = time.time_ns() // 1_000_000

    def __call__(self) -> int:
        return self.ms


class Bench:
    """A runner with a mail server, and one definition."""

    def __init__(self, settings: Settings, reader: Reader, box: Postbox) -> None:
        self.clock = Clock()
        self.box = box
        self.settings = settings
        self.runner = Runner(settings, reader, files_of(settings), self.clock)

    async def save(self, **changes: Any) -> Definition:
        found = Definition(
            tenant=week.TENANT,
            id=new_id(self.clock.ms),
            name="Queues of the week",
            type="QUEUE_PERFORMANCE",
            email="boss@example.com, desk@example.com",
            format="CSV",
            range="CUSTOM",
            started_at=week.WEEK[0],
            ended_at=week.WEEK[1],
            requested_at=self.clock.ms,
        )
        definition = replace(found, **changes)
        await self.runner.store.save(definition)
        return definition

    async def perform(self, definition: Definition, *, mine: bool = True) -> Run:
        await self.runner.perform(definition.tenant, definition.id, definition.requested_at, lambda: mine)
        found = await self.runner.store.run(definition.tenant, run_id(definition.id, definition.requested_at))
        assert found is not None
        return found[0]


@pytest.fixture
def bench(warehouse: Warehouse, reader: Reader, tmp_path: Path) -> Iterator[Bench]:
    with serving() as (box, port):
        settings = warehouse.settings.model_copy(
            update={
                "files": str(tmp_path / "files"),
                "smtp_host": "127.0.0.1",
                "smtp_port": port,
                "smtp_from": "reports@pbx.example.com",
                "smtp_tls": "off",
                "public_url": "https://cdr.example.com/",
            }
        )
        yield Bench(settings, reader, box)


async def test_a_report_is_made_and_mailed(bench: Bench) -> None:
    run = await bench.perform(await bench.save())
    assert (run.state, run.mail, run.attempts, run.mail_tries) == ("done", "sent", 1, 1)
    (mail,) = bench.box.mails
    assert mail["From"] == "reports@pbx.example.com"
    assert mail["To"] == "boss@example.com, desk@example.com"
    assert mail["Subject"] == "Queues of the week: 2024-08-19 to 2024-08-25"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].startswith(f"<report-{run.id}-") and mail["Message-ID"].endswith("@pbx.example.com>")
    plain, page = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None and page is not None
    for body in (plain.get_content(), page.get_content()):
        assert "https://cdr.example.com/api/blobs/" in body
        assert "2024-08-19T00:00:00+08:00" in body
    (attached,) = mail.iter_attachments()
    assert attached.get_filename() == "Queues_of_the_week_2024-08-19_2024-08-25.csv"
    with files_of(bench.settings).open(run.path) as file:
        kept = file.read()
    assert len(kept) == run.file_size
    payload = attached.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert payload.replace(b"\r\n", b"\n").strip() == kept.replace(b"\r\n", b"\n").strip()


async def test_a_job_that_comes_again_changes_nothing(bench: Bench) -> None:
    definition = await bench.save()
    first = await bench.perform(definition)
    assert await bench.perform(definition) == first
    assert len(bench.box.mails) == 1


async def test_who_has_lost_the_job_sends_no_mail(bench: Bench) -> None:
    definition = await bench.save()
    run = await bench.perform(definition, mine=False)
    assert (run.state, run.mail) == ("done", "waiting")
    assert bench.box.mails == []
    assert (await bench.perform(definition)).mail == "sent"


async def test_a_mail_that_may_pass_is_tried_again(bench: Bench) -> None:
    bench.box.answers = ["451 Come back later"]
    definition = await bench.save()
    run = await bench.perform(definition)
    assert (run.state, run.mail, run.mail_at) == ("done", "waiting", bench.clock.ms + RETRY_S[0] * 1000)
    assert [due.id for due in await bench.runner.store.unsent(bench.clock.ms)] == []
    bench.clock.ms += RETRY_S[0] * 1000
    assert [due.id for due in await bench.runner.store.unsent(bench.clock.ms)] == [run.id]
    assert (await bench.perform(definition)).mail == "sent"
    found = await bench.runner.store.definition(week.TENANT, definition.id)
    assert found is not None and found[1:] == ("SCHEDULED", "")


@pytest.mark.parametrize("broken", ["refused", "no server"])
async def test_what_cannot_be_mailed_is_made_and_says_why(
    bench: Bench, warehouse: Warehouse, reader: Reader, broken: str
) -> None:
    bench.box.answers = ["550 No such mailbox"]
    if broken == "no server":
        settings = bench.settings.model_copy(update={"smtp_host": ""})
        bench = Bench(settings, reader, bench.box)
    definition = await bench.save()
    run = await bench.perform(definition)
    assert (run.state, run.mail) == ("done", "failed")
    found = await bench.runner.store.definition(week.TENANT, definition.id)
    assert found is not None and found[1] == "SCHEDULED"
    assert ("550 No such mailbox" if broken == "refused" else "CDR_SMTP_HOST") in found[2]
    assert bench.box.mails == []


async def test_large_files_are_not_attached(bench: Bench, reader: Reader) -> None:
    small = Bench(bench.settings.model_copy(update={"report_attach_mb": 0}), reader, bench.box)
    assert (await small.perform(await small.save(format="HTML"))).mail == "sent"
    (mail,) = bench.box.mails
    assert list(mail.iter_attachments()) == []
    plain = mail.get_body(("plain",))
    assert plain is not None and "too large to attach" in plain.get_content()


async def test_a_report_that_ends_its_workers_is_given_up(bench: Bench) -> None:
    definition = await bench.save()
    id_ = run_id(definition.id, definition.requested_at)
    begun = Run(week.TENANT, id_, definition.id, definition.requested_at, "running", attempts=MOST_ATTEMPTS)
    await bench.runner.store.write_run(begun)
    run = await bench.perform(definition)
    assert run.state == "failed"
    assert f"begun {MOST_ATTEMPTS} times" in run.reason


async def test_old_reports_go_with_their_files(bench: Bench) -> None:
    run = await bench.perform(await bench.save(email=""))
    files = files_of(bench.settings)
    assert files.exists(run.path)
    assert await bench.runner.clear() == 0
    bench.clock.ms += 91 * 86_400_000
    assert await bench.runner.clear() >= 1
    assert not files.exists(run.path)
    found = await bench.runner.store.run(week.TENANT, run.id)
    assert found is not None and found[1]
