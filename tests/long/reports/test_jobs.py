"""Reports in workers: jobs over Kafka, schedules, mail, workers that are killed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.reports.definition import Definition
from pipeline.reports.jobs import report_reader
from pipeline.reports.store import ReportStore, new_id
from pipeline.settings import Settings
from pipeline.warehouse.reference.directories import save
from tests.query.stored_calls import write
from tests.reports import week
from tests.reports.postbox import Postbox, serving
from tests.servers import BrokerServer, ClickHouseServer
from tests.worker.deployment import Deployment, wait_for

MINUTE_MS = 60_000


@pytest.fixture
def postbox() -> Iterator[tuple[Postbox, int]]:
    with serving() as found:
        yield found


@pytest.fixture
def deployment(
    broker: BrokerServer, clickhouse_endpoint: ClickHouseServer, tmp_path: Path, postbox: tuple[Postbox, int]
) -> Iterator[Deployment]:
    found = Deployment(
        broker,
        clickhouse_endpoint,
        tmp_path,
        partitions=2,
        files=tmp_path / "files",
        smtp_host="127.0.0.1",
        smtp_port=postbox[1],
        smtp_from="reports@pbx.example.com",
        smtp_tls="off",
        public_url="https://cdr.example.com",
    )
    write(found.client, week.calls(number=200))
    save(found.client, week.TENANT, week.directory(), "tests")
    yield found
    found.close()


def wanted(**changes: Any) -> Definition:
    now = time.time_ns() // 1_000_000
    return replace(
        Definition(
            tenant=week.TENANT,
            id=new_id(now),
            name="Queues of the week",
            type="QUEUE_PERFORMANCE",
            email="boss@example.com, desk@example.com",
            format="CSV",
            range="CUSTOM",
            started_at=week.WEEK[0],
            ended_at=week.WEEK[1],
            requested_at=now,
        ),
        **changes,
    )


def with_store(settings: Settings, use: Callable[[ReportStore], Any]) -> Any:
    async def run() -> Any:
        reader = report_reader(settings)
        try:
            return await use(ReportStore(reader))
        finally:
            reader.close()

    return asyncio.run(run())


def runs(deployment: Deployment) -> list[dict[str, Any]]:
    found = deployment.client.query("SELECT * FROM report_run_rows FINAL ORDER BY due_at")
    return [dict(zip(found.column_names, row, strict=True)) for row in found.result_rows]


def test_a_killed_workers_job_gives_one_result_and_one_mail(
    deployment: Deployment, postbox: tuple[Postbox, int], clickhouse_endpoint: ClickHouseServer
) -> None:
    box, _ = postbox
    first = deployment.worker()
    clickhouse_endpoint.fault("pause", count=1, seconds=60, match="ARRAY JOIN agents")
    definition = wanted()
    with_store(deployment.settings, lambda store: store.save(definition))
    wait_for(lambda: clickhouse_endpoint.struck() > 0, lambda: deployment.said)
    first.kill()
    clickhouse_endpoint.fault("none")
    assert [run["state"] for run in runs(deployment)] == ["running"]
    deployment.worker()
    wait_for(
        lambda: [run["mail"] for run in runs(deployment)] == ["sent"], lambda: f"{runs(deployment)} {deployment.said}"
    )
    (run,) = runs(deployment)
    assert (run["state"], run["attempts"]) == ("done", 2)
    assert len(box.mails) == 1
    assert len(list((deployment.folder / "files").rglob("*.csv"))) == 1


def test_schedules_run_once_on_two_workers_and_catch_up(deployment: Deployment, postbox: tuple[Postbox, int]) -> None:
    box, _ = postbox
    now = time.time_ns() // 1_000_000
    missed = wanted(cron_expr="* * * * *", requested_at=now - 4 * MINUTE_MS, email="boss@example.com")
    with_store(deployment.settings, lambda store: store.save(missed))
    deployment.worker(report_catch_up="all", ready=False)
    deployment.worker(report_catch_up="all", ready=False)
    wait_for(
        lambda: len(runs(deployment)) >= 4 and all(run["mail"] == "sent" for run in runs(deployment)),
        lambda: f"{runs(deployment)} {deployment.said}",
    )
    found = runs(deployment)
    with_store(deployment.settings, lambda store: store.save(missed, deleted=True))
    assert all(run["attempts"] == 1 and run["due_at"].second == 0 for run in found)
    assert len({run["due_at"] for run in found}) == len(found)
    identifiers = [mail["Message-ID"] for mail in box.mails]
    assert len(identifiers) == len(set(identifiers)) >= len(found)


def test_killed_between_the_mail_and_its_note_the_same_mail_comes_again(
    deployment: Deployment, postbox: tuple[Postbox, int]
) -> None:
    """SMTP's own window: nobody can tell whether the server took it, so it is sent again, as the same message."""
    box, _ = postbox
    first = deployment.worker()
    box.after = first.kill
    definition = wanted()
    with_store(deployment.settings, lambda store: store.save(definition))
    wait_for(lambda: not first.running, lambda: deployment.said)
    assert len(box.mails) == 1
    assert [run["mail"] for run in runs(deployment)] == ["sending"]
    box.after = lambda: None
    deployment.worker()
    wait_for(lambda: [run["mail"] for run in runs(deployment)] == ["sent"], lambda: deployment.said)
    assert len(box.mails) == 2
    assert len({mail["Message-ID"] for mail in box.mails}) == 1
