"""Erasing a number and retention by tenant, over rows as the worker writes them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from typer.testing import CliRunner

from pipeline import settings as settings_module
from pipeline.cli import app as cli
from pipeline.errors import Problem
from pipeline.files import files_of
from pipeline.push.housekeeping import Housekeeping
from pipeline.query.erased_files import erase_files
from pipeline.query.questions.export_runs import file_of
from pipeline.reports.store import ReportStore, Run
from pipeline.settings import Settings
from pipeline.warehouse.privacy import erasure, retention
from pipeline.warehouse.privacy.remains import ELSEWHERE, remains
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.reference import exports
from schemas.call import rfc3339

AT = 1_773_144_000_000
NUMBER = "+441632960123"


def put(client: Any, call_id: str, *, tenant: str = "acme", caller: str = "200", at: int = AT, **more: str) -> None:
    """A call with one log and one event."""
    moment = rfc3339(at)
    base = {"tenant": tenant, "call_id": call_id, "started_at": moment, "version": 1, "id": abs(hash(call_id)) % 2**40}
    rows: dict[str, dict[str, Any]] = {
        "call_rows": {**base, "state": "closed", "caller_number": caller, **more},
        "call_log_rows": {**base, "number": "300", "caller_number": caller},
        "event_rows": {
            "tenant": tenant,
            "call_id": call_id,
            "event_id": call_id,
            "at": moment,
            "raw": orjson.dumps({"call_id": call_id, "caller": caller}).decode(),
        },
    }
    for table, row in rows.items():
        client.raw_insert(
            table, list(row), orjson.dumps(row), fmt="JSONEachRow", settings={"date_time_input_format": "best_effort"}
        )


def left(client: Any, table: str = "call_rows") -> list[str]:
    return [row[0] for row in client.query(f"SELECT DISTINCT call_id FROM {table} ORDER BY call_id").result_rows]


@pytest.fixture
def stored(client: Any) -> Any:
    put(client, "a", caller=NUMBER)
    put(client, "b", caller="00441632960123")
    put(client, "c")
    put(client, "d", caller=NUMBER, tenant="other")
    put(client, "e", destination="441632960123", at=AT + 86_400_000)
    client.command(
        "INSERT INTO event_rows (tenant, call_id, event_id, at, raw) SELECT 'acme', 'f', 'f',"
        " toDateTime64('2026-03-10 12:00:00', 3, 'UTC'), '{\"callee\":\"+441632960123\"}'"
    )
    return client


def test_everything_of_a_number_goes_and_nothing_else(stored: Any) -> None:
    dry = erasure.erase(stored, NUMBER, tenant="acme", dry_run=True)
    assert dry.calls == {("acme", each) for each in "abef"}
    assert left(stored, "event_rows") == list("abcdef")
    done = erasure.erase(stored, "+44 1632 960-123", tenant="acme", who="boss", key="k")
    assert done.calls == dry.calls and done.rows == dry.rows
    for table in ("call_rows", "call_log_rows", "event_rows"):
        assert left(stored, table) == ["c", "d"]
    (record,) = erasure.erasures(stored)
    assert (record["who"], record["calls"], record["event_rows"], record["tenant"]) == ("boss", 4, 4, "acme")
    assert NUMBER not in str(record) and len(record["number_hash"]) == 64
    erasure.erase(stored, NUMBER, key="k")
    assert left(stored) == ["c"]
    assert len({each["number_hash"] for each in erasure.erasures(stored)}) == 1
    terms = stored.query("SELECT tenant, term FROM call_term_rows FINAL").result_rows
    assert terms == [("acme", "200")]  # and no number of what was erased
    published = stored.query("SELECT count() FROM call_change_rows WHERE retired = 1").result_rows[0][0]
    assert published >= 4


def test_only_before(stored: Any) -> None:
    erasure.erase(stored, NUMBER, before_ms=AT + 3_600_000)
    assert left(stored) == ["c", "e"]
    terms = stored.query("SELECT term FROM call_term_rows FINAL ORDER BY term").result_rows
    assert [term for (term,) in terms] == ["200", "441632960123"]


def test_what_a_worker_writes_again_goes_again(stored: Any, settings: Settings) -> None:
    erasure.erase(stored, NUMBER)
    put(stored, "a", caller=NUMBER)  # from a worker's memory
    work = Housekeeping(settings, every_s=0.05)
    work.start()
    for _ in range(400):
        if left(stored) == ["c"] == left(stored, "event_rows"):
            break
        time.sleep(0.05)
    work.stop()
    assert left(stored) == ["c"] == left(stored, "event_rows") == left(stored, "call_log_rows")


@pytest.mark.parametrize("number", ["", " ", "+", "0", "a\nb", "1" * 200])
def test_what_is_no_number(client: Any, number: str) -> None:
    with pytest.raises(Problem, match="is no number"):
        erasure.erase(client, number)


def test_an_injection_is_a_number_that_nobody_has(stored: Any) -> None:
    assert erasure.erase(stored, "x') OR 1=1 --").calls == set()
    assert left(stored) == list("abcde")


def test_retention_of_a_tenant(stored: Any) -> None:
    put(stored, "new", at=time.time_ns() // 1_000_000)
    retention.set_rule(stored, "acme", "calls", 30)
    assert retention.apply_rules(stored) > 0
    assert left(stored) == ["d", "new"] and left(stored, "event_rows") == [*"abcdef", "new"]
    retention.set_rule(stored, "acme", "archive", 30)
    assert retention.apply_rules(stored) > 0 and retention.apply_rules(stored) == 0
    assert left(stored, "event_rows") == ["d", "new"]
    retention.set_rule(stored, "acme", "calls", 0)
    assert [(rule["table"], rule["days"]) for rule in retention.rules(stored)] == [("archive", 30)]
    with pytest.raises(Problem, match="none of"):
        retention.set_rule(stored, "acme", "tokens", 1)


def test_the_commands(stored: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_module, "settings", lambda: settings)
    run = CliRunner().invoke
    dry = run(cli, ["erase", "--number", NUMBER, "--tenant", "acme", "--dry-run", "-o", "json"])
    assert dry.exit_code == 0 and '"calls":4' in dry.stdout.replace(" ", "")
    assert run(cli, ["erase", "--number", NUMBER, "--before", "2026-03-10T13:00:00Z"]).exit_code == 0
    assert left(stored) == ["c", "e"]
    assert run(cli, ["retention", "set", "--tenant", "acme", "--table", "calls", "--days", "7"]).exit_code == 0
    assert "acme" in run(cli, ["retention", "list", "-o", "json"]).stdout


def test_files_that_hold_the_number_go_too(settings: Settings, client: Any, tmp_path: Path) -> None:
    kept = settings.model_copy(update={"files": str(tmp_path)})
    files = files_of(kept)
    store = exports.Export(
        tenant="acme", id="a" * 32, name="t", extension="", masked=0, question='{"of":"calls","format":"csv"}',
        state="ready", rows=1, bytes=1, sha256="", problem="", created_at=AT, seen_at=AT, expires_at=2 * AT,
    )  # fmt: skip
    made = [store, *(msgspec.structs.replace(store, id=each * 32) for each in "bc")]
    made[2] = msgspec.structs.replace(made[2], tenant="other")

    async def write() -> None:
        reader = Reader(kept.clickhouse, kept.database, threads=1)
        for export in made:
            await exports.save(reader, export)
        run = Run("acme", 7, 1, AT, "done", completed_at=AT, path="reports/7.csv", file_name="x.csv")
        await ReportStore(reader).write_run(run)
        reader.close()

    asyncio.run(write())
    for export, text in zip(made, (f"x,{NUMBER}\n", f"x,{NUMBER}4\n", f"x,{NUMBER}\n"), strict=True):
        files.put(file_of(export, "csv"), text.encode())
    files.put("reports/7.csv", b"00441632960123;1\n")

    def erase(*, dry_run: bool) -> int:
        def delete(forms: list[str]) -> int:
            return erase_files(kept, forms, "acme", dry_run=dry_run)

        return erasure.erase(client, NUMBER, tenant="acme", dry_run=dry_run, files=delete).rows["files"]

    assert (erase(dry_run=True), erase(dry_run=False), erase(dry_run=False)) == (2, 2, 0)
    assert [files.exists(file_of(export, "csv")) for export in made] == [False, True, True]
    assert not files.exists("reports/7.csv")
    assert sorted(each["files"] for each in erasure.erasures(client)) == [0, 2]


# Tables in which no number of a person stands: prices, what was done and when, ids and hashes.
WITHOUT_NUMBERS = {
    "call_change_rows",
    "erased_call_rows",
    "erasure_rows",
    "rate_rows",
    "rebuild_rows",
    "rerate_rows",
    "retention_rows",
    "schema_migrations",
}


def test_every_table_is_erased_looked_into_or_holds_no_number(client: Any) -> None:
    """A table that is new belongs to one of them, and somebody has to say to which."""
    tables = client.query(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine NOT LIKE '%View'"
    ).result_rows
    erased = {*erasure.TABLES, "call_term_rows"}
    assert {name for (name,) in tables} == erased | ELSEWHERE.keys() | WITHOUT_NUMBERS


def test_what_is_not_erased_is_said(stored: Any, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    stored.command(
        "INSERT INTO directory_rows (tenant, kind, key, body, version)"
        f" VALUES ('acme', 'extension', '777', '{{\"name\": \"Ann\", \"mobile\": \"{NUMBER}\"}}', 1),"
        f" ('acme', 'extension', '778', '{{\"mobile\": \"{NUMBER}4\"}}', 1),"
        f" ('other', 'extension', '779', '{{\"mobile\": \"{NUMBER}\"}}', 1)"
    )
    stored.command(
        "INSERT INTO report_rows (tenant, id, name, filter, version)"
        " VALUES ('acme', 1, 'one', '{\"caller\": \"00441632960123\"}', 1)"
    )
    assert remains(stored, NUMBER, "acme") == {"directory_rows": 1, "report_rows": 1}
    assert remains(stored, NUMBER) == {"directory_rows": 2, "report_rows": 1}
    assert remains(stored, "778") == {"directory_rows": 1}
    monkeypatch.setattr(settings_module, "settings", lambda: settings)
    done = CliRunner().invoke(cli, ["erase", "--number", NUMBER, "--tenant", "acme"])
    assert done.exit_code == 0
    assert "Not erased: 1 row of the directory: `cdr directory`." in done.output
    assert "Kafka keeps events and changes for 7 days" in done.output
    stored.command(
        "INSERT INTO directory_rows (tenant, kind, key, body, version) VALUES ('acme', 'extension', '777', '', 2)"
    )
    assert remains(stored, NUMBER, "acme") == {"report_rows": 1}
