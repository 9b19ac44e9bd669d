"""Report definitions and runs in ClickHouse. A change is a new version of the row; the last one counts.

Definitions are written by the service, runs by the workers, so neither overwrites the other's news. What is
destroyed gets the highest version: nothing that is still under way brings it back.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final
from zlib import crc32

import orjson

from pipeline.instants import instant
from pipeline.reports.definition import Definition
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.conditions import condition
from pipeline.warehouse.query.expressions import Column
from pipeline.warehouse.query.pages.paging import Asked
from pipeline.warehouse.query.reader import Reader, Row
from schemas.call import rfc3339, snowflake

_GONE: Final = 2**63
# A run that somebody asked for waits until a worker takes it; one that is due begins by running.
RUN_WAITING, RUN_RUNNING, RUN_DONE, RUN_FAILED = "waiting", "running", "done", "failed"
MAIL_WAITING, MAIL_SENDING, MAIL_SENT, MAIL_FAILED = "waiting", "sending", "sent", "failed"
_TIMES: Final = frozenset(
    {"started_at", "ended_at", "requested_at", "due_at", "first_at", "end_at", "completed_at", "mail_at"}
)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a definition. Times in ms."""

    tenant: str
    id: int
    report_id: int
    due_at: int
    state: str
    reason: str = ""
    attempts: int = 0
    name: str = ""
    type: str = ""
    format: str = "HTML"
    first_at: int | None = None
    end_at: int | None = None
    completed_at: int | None = None
    file_name: str = ""
    file_size: int = 0
    path: str = ""
    secret: str = ""
    email: str = ""
    mail: str = ""
    mail_at: int | None = None
    mail_tries: int = 0
    masked: int = 0  # 1: phone numbers in its file


@dataclass(frozen=True, slots=True)
class Listed:
    """A page, and how many there are on all pages."""

    count: int
    rows: list[Row]


def run_id(report_id: int, due_ms: int) -> int:
    """The id of a run: the same for the same definition and due time, whoever runs it and how often."""
    return snowflake(due_ms, crc32(str(report_id).encode()))


def new_id(now_ms: int) -> int:
    """The id of a new definition."""
    return snowflake(now_ms, secrets.randbits(22))


# What became of the newest run of each definition of a tenant, and what follows from it for the definition.
_STATES: Final = (
    "SELECT report_id, argMax(state, due_at) AS last_state, argMax(reason, due_at) AS last_reason,"
    " argMax(mail, due_at) AS last_mail, max(due_at) AS last_due"
    " FROM report_run_rows FINAL WHERE {0} GROUP BY report_id"
)
# Runs from before the last change say nothing of the definition as it is now.
_STATUS: Final = (
    "multiIf(last_due < requested_at, if(cron_expr = '', 'RUNNING', 'SCHEDULED'),"
    " last_state IN ('waiting', 'running'), 'RUNNING', last_state = 'failed', 'ABORTED', 'SCHEDULED')"
)
DEFINITION: Final[Mapping[str, Column]] = {
    column.name: column
    for column in (
        Column("id", "id", "id"),
        *(Column(name, name) for name in ("name", "type", "cron_expr", "status", "email", "format", "range")),
    )
}
COMPLETED: Final[Mapping[str, Column]] = {
    column.name: column
    for column in (
        Column("id", "id", "id"),
        *(Column(name, name) for name in ("name", "type", "format", "file_name")),
        Column("completed_at", "completed_at", "time", nullable=True),
        Column("file_size", "file_size", "number"),
    )
}


def _definitions(tenant: str, bindings: Bindings) -> str:
    whose = f"tenant = {bindings.bind(tenant, 'String')}"
    return (
        f"SELECT r.*, {_STATUS} AS status, if(last_due < requested_at, '', last_reason) AS reason"
        f" FROM (SELECT * FROM report_rows FINAL WHERE {whose} AND deleted = 0) AS r"
        f" LEFT JOIN ({_STATES.format(whose)}) AS s ON r.id = s.report_id"
    )


class ReportStore:
    """Definitions and runs, over the process's reader."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    # -- definitions ---------------------------------------------------------------------------------------

    async def save(self, definition: Definition, *, deleted: bool = False, base: int | None = None) -> bool:
        """Write a definition, or take it out. `base`: `requested_at` of the version that it was made of; False, and
        nothing written, when another change of that version was first, whichever process made it."""
        once = "" if base is None else f"{definition.tenant}/{definition.id}/{base}"
        row = asdict(definition) | {
            "filter": orjson.dumps(definition.filter).decode(),
            "deleted": int(deleted),
            "version": _GONE if deleted else time.time_ns(),
        }
        await self._reader.insert("report_rows", [_written(row)], once=once)
        return not once or await self._has(definition, row["version"])

    async def _has(self, definition: Definition, version: int) -> bool:
        """Whether this version was stored, and is not so old that it was merged away."""
        bindings = Bindings()
        rows = await self._reader.rows(
            "report_version",
            f"SELECT count() AS n FROM report_rows WHERE tenant = {bindings.bind(definition.tenant, 'String')}"
            f" AND id = {bindings.bind(definition.id, 'UInt64')} AND version = {bindings.bind(version, 'UInt64')}",
            bindings.values,
            by_key=True,
        )
        return bool(rows[0]["n"])

    async def definition(self, tenant: str, id_: int) -> tuple[Definition, str, str] | None:
        """A definition with its status, and why its last run failed or was not mailed; None when there is none."""
        bindings = Bindings()
        sql = f"SELECT * FROM ({_definitions(tenant, bindings)}) WHERE id = {bindings.bind(id_, 'UInt64')}"
        rows = await self._reader.rows("report", sql, bindings.values, by_key=True)
        return (as_definition(rows[0]), rows[0]["status"], rows[0]["reason"]) if rows else None

    async def definitions(
        self,
        tenant: str,
        types: Sequence[str],
        asked: Asked | None = None,
    ) -> Listed:
        """Definitions of these types that match, with `status` and `reason`; newest first unless ordered."""
        bindings = Bindings()
        return await self._page("reports", _definitions(tenant, bindings), types, asked or Asked(), bindings)

    async def scheduled(self) -> list[Row]:
        """Every definition of every tenant, with last_due: for the scheduler."""
        return await self._reader.rows(
            "reports_due",
            "SELECT r.*, last_due FROM (SELECT * FROM report_rows FINAL WHERE deleted = 0) AS r"
            " LEFT JOIN (SELECT report_id, max(due_at) AS last_due FROM report_run_rows FINAL"
            " WHERE state IN ('done', 'failed') GROUP BY report_id) AS s ON r.id = s.report_id"
            " WHERE r.cron_expr != '' OR last_due < r.requested_at",
            {},
        )

    # -- runs ----------------------------------------------------------------------------------------------

    async def write_run(self, run: Run, *, destroyed: bool = False) -> None:
        """Write what is known of a run now."""
        row = asdict(run) | {"destroyed": int(destroyed), "version": _GONE if destroyed else time.time_ns()}
        await self._reader.insert("report_run_rows", [_written(row)])

    async def run(self, tenant: str, id_: int) -> tuple[Run, bool] | None:
        """A run, and whether it was destroyed."""
        rows = await self._reader.rows(
            "report_run",
            "SELECT * FROM report_run_rows FINAL WHERE tenant = {tenant:String} AND id = {id:UInt64}",
            {"tenant": tenant, "id": id_},
            by_key=True,
        )
        return (as_run(rows[0]), bool(rows[0]["destroyed"])) if rows else None

    async def runs_by_id(self, id_: int) -> list[Run]:
        """The live completed runs with this id, of whichever tenant: what a download link names."""
        return await self._runs("report_blob", "state = 'done' AND id = {id:UInt64}", {"id": id_}, by_key=True)

    async def completed(
        self,
        tenant: str,
        types: Sequence[str],
        asked: Asked | None = None,
        *,
        masked: bool = False,
    ) -> Listed:
        """Runs of these types with a file, newest first unless ordered; only those without a number in full if
        `masked`."""
        bindings = Bindings()
        sql = (
            f"SELECT * FROM report_run_rows FINAL WHERE tenant = {bindings.bind(tenant, 'String')}"
            f" AND destroyed = 0 AND state = 'done' AND masked >= {bindings.bind(int(masked), 'UInt8')}"
        )
        return await self._page("completed_reports", sql, types, asked or Asked(), bindings)

    async def of_definition(self, tenant: str, report_id: int, *, masked: bool = False, most: int = 20) -> list[Run]:
        """The newest runs of a definition, whatever became of them; of those with a file only the ones without a number
        in full if `masked`."""
        which = (
            "tenant = {tenant:String} AND report_id = {report:UInt64} AND (state != 'done' OR masked >= {masked:UInt8})"
            " ORDER BY due_at DESC LIMIT {most:UInt32}"
        )
        values = {"tenant": tenant, "report": report_id, "masked": int(masked), "most": most}
        return await self._runs("report_runs", which, values, by_key=True)

    async def asked(self) -> list[Run]:
        """Runs that somebody asked for and that no worker has begun: for the scheduler."""
        return await self._runs("reports_asked", "state = 'waiting'", {})

    async def unsent(self, now_ms: int) -> list[Run]:
        """Runs whose mail is due to be tried again."""
        which = "state = 'done' AND mail = 'waiting' AND mail_at <= fromUnixTimestamp64Milli({until:Int64}, 'UTC')"
        return await self._runs("reports_unsent", which, {"until": now_ms})

    async def expired(self, before_ms: int) -> list[Run]:
        """Runs that were completed before an instant, or failed; at most a thousand."""
        which = (
            "state IN ('done', 'failed')"
            " AND ifNull(completed_at, due_at) < fromUnixTimestamp64Milli({until:Int64}, 'UTC') LIMIT 1000"
        )
        return await self._runs("reports_expired", which, {"until": before_ms})

    async def with_files(self, tenant: str) -> list[Run]:
        """Runs of a tenant ("" for all) whose files are kept, newest first."""
        which = "path != '' AND ({tenant:String} = '' OR tenant = {tenant:String}) ORDER BY due_at DESC"
        return await self._runs("reports_with_files", which, {"tenant": tenant})

    async def _runs(self, what: str, which: str, values: Mapping[str, Any], *, by_key: bool = False) -> list[Run]:
        """Runs that were not destroyed."""
        sql = f"SELECT * FROM report_run_rows FINAL WHERE destroyed = 0 AND {which}"
        return [as_run(row) for row in await self._reader.rows(what, sql, dict(values), by_key=by_key)]

    async def _page(self, what: str, select: str, types: Sequence[str], asked: Asked, bindings: Bindings) -> Listed:
        which = (
            f"FROM ({select}) WHERE type IN {bindings.bind(list(types), 'Array(String)')}"
            f" AND {condition(asked.where, bindings)}"
        )
        counted = await self._reader.rows(f"{what}_count", f"SELECT count() AS n {which}", bindings.values, by_key=True)
        if int(counted[0]["n"]) <= asked.skip:
            return Listed(int(counted[0]["n"]), [])
        by = ", ".join([*(f"{key.column.sql} {'DESC' if key.descending else 'ASC'}" for key in asked.order), "id DESC"])
        rows = await self._reader.rows(
            what,
            f"SELECT * {which} ORDER BY {by} LIMIT {bindings.bind(asked.top, 'UInt32')}"
            f" OFFSET {bindings.bind(asked.skip, 'UInt64')}",
            bindings.values,
            by_key=True,
        )
        return Listed(int(counted[0]["n"]), rows)


def as_definition(row: Row) -> Definition:
    """A row as its definition."""
    values = {name: _read(name, row[name]) for name in Definition.__dataclass_fields__}
    return Definition(**values | {"filter": orjson.loads(row["filter"] or "{}")})


def as_run(row: Row) -> Run:
    """A row as its run."""
    return Run(**{name: _read(name, row[name]) for name in Run.__dataclass_fields__})


def failed(run: Run, reason: str) -> Run:
    """The run, over without a file."""
    return replace(run, state=RUN_FAILED, reason=reason[:1000])


def _read(name: str, value: Any) -> Any:
    return instant(value) if name in _TIMES and value is not None else value


def _written(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: rfc3339(value) if name in _TIMES else value for name, value in row.items()}
