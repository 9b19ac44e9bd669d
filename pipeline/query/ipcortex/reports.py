"""ipcortex' reports: calls in and out by company, extension and device; costs of a month.

A month may hold hundreds of thousands of calls: they are read in portions and kept as encoded JSON, so that
memory grows with the answer alone and other requests are served between portions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import orjson

from pipeline.directory.model import Directory
from pipeline.query.access.caller import Caller
from pipeline.query.ipcortex.owners import DEFAULT, Owner, Owners, bare
from pipeline.query.ipcortex.rows import (
    BILL_S,
    DIALLED,
    DIALLED_COLUMNS,
    OWNER,
    RECEIVED,
    RECEIVED_COLUMNS,
    SIP_USER,
    UNPRICED,
    dialled,
    money,
    received,
)
from pipeline.query.ipcortex.scope import Scope
from pipeline.rating.numbers import Numbering
from pipeline.warehouse.analytics.aggregate import Measure, aggregate
from pipeline.warehouse.analytics.measures import money as money_sum
from pipeline.warehouse.query.clauses import CALL_LOGS, CALLS, CLOSED_CALLS
from pipeline.warehouse.query.columns import CALL, CALL_LOG
from pipeline.warehouse.query.expressions import All, Column, Compare, In, Literal, Node
from pipeline.warehouse.query.pages.keyset import oldest_first
from pipeline.warehouse.query.reader import Reader, Row
from schemas.call import snowflake_ms

_COST: Final = money_sum("cost")
_SECONDS: Final = Measure("seconds", f"sum({BILL_S.sql})", "sum")
_UNKNOWN: Final = Measure("unknown", f"countIf({UNPRICED})", "count")
_VISITS: Final = Column("visits", "JSONExtractRaw(detail, 'queue_visits')")

# extension or device -> its names, and its calls as JSON
Calls = dict[str, "Line"]


@dataclass(slots=True)
class Line:
    """The calls of an extension or device."""

    about: dict[str, str]
    calls: list[bytes] = field(default_factory=list)

    def shown(self) -> dict[str, Any]:
        return {**self.about, "calls": orjson.Fragment(b"[" + b",".join(self.calls) + b"]")}


@dataclass(frozen=True, slots=True)
class Report:
    """Who asks, what for, and with which directory."""

    reader: Reader
    caller: Caller
    directory: Directory
    numbering: Numbering
    scope: Scope

    @property
    def owners(self) -> Owners:
        return Owners(self.directory, merge=self.scope.merge)

    def companies(self, otherwise: frozenset[str] | None) -> frozenset[str] | None:
        """The companies asked for; `otherwise` when none is named; None is all."""
        if self.scope.companies is None:
            return otherwise
        owners = self.owners
        return frozenset(owners.asked(name) for name in self.scope.companies)


async def incalls(report: Report) -> dict[str, Any]:
    """Calls received, by extension."""
    wanted = report.companies(frozenset({DEFAULT}))
    merged: Calls = {}
    for lines in (await _received(report, wanted, ddi=False)).values():
        merged |= lines
    return {number: line.shown() for number, line in sorted(merged.items())}


async def outcalls(report: Report) -> dict[str, Any]:
    """Calls dialled, by device."""
    wanted = report.companies(frozenset({DEFAULT}))
    merged: Calls = {}
    for lines in (await _dialled(report, wanted, priced=True)).values():
        merged |= lines
    return {key: line.shown() for key, line in sorted(merged.items())}


async def allcalls(report: Report) -> dict[str, Any]:
    """Both, by company. Costs are left out: they are 0."""
    inward = await _received(report, None, ddi=True)
    outward = await _dialled(report, None, priced=False)
    owners = report.owners
    return {
        company: {
            "name": owners.company_name(company),
            "in": {number: line.shown() for number, line in sorted(inward.get(company, {}).items())},
            "out": {key: line.shown() for key, line in sorted(outward.get(company, {}).items())},
        }
        for company in sorted(inward.keys() | outward.keys())
    }


async def outsummary(report: Report) -> dict[str, Any]:
    """Cost, seconds and unpriced calls of each company, and with `detail` of each device."""
    found = await aggregate(
        report.reader,
        report.caller.view,
        CLOSED_CALLS,
        (_COST, _SECONDS, _UNKNOWN),
        (OWNER, SIP_USER),
        DIALLED,
        first_ms=report.scope.first_ms,
        end_ms=report.scope.end_ms,
    )
    wanted, owners = report.companies(None), report.owners
    sums: dict[str, dict[Owner | None, _Sum]] = {}
    for row in found.rows:
        owner = owners.of(row["owner"], row["sip_user"], "")
        if wanted is None or owner.company in wanted:
            company = sums.setdefault(owner.company, {})
            for key in (None, owner):
                company.setdefault(key, _Sum()).add(row)
    return {
        company: {"name": owners.company_name(company)}
        | parts[None].shown()
        | (
            {
                _apart(owner.key): {"name": owner.name, "device": owner.device} | part.shown()
                for owner, part in sorted(((o, p) for o, p in parts.items() if o), key=lambda each: each[0].key)
            }
            if report.scope.detail
            else {}
        )
        for company, parts in sorted(sums.items())
    }


@dataclass(slots=True)
class _Sum:
    """Sums over calls; money stays exact until it is shown. `cost` is None where no call has a price."""

    cost: Decimal | None = None
    seconds: int = 0
    unknown: int = 0

    def add(self, row: Row) -> None:
        if row["cost"] is not None:
            self.cost = (self.cost or Decimal(0)) + Decimal(row["cost"])
        self.seconds += int(row["seconds"])
        self.unknown += int(row["unknown"])

    def shown(self) -> dict[str, Any]:
        cost = None if self.cost is None and self.unknown else money(str(self.cost or 0))
        return {"cost": cost, "seconds": self.seconds, "unknown": self.unknown}


def _apart(key: str) -> str:
    """A device's key, which stands beside the company's own fields, unlike them."""
    return f"{key} (device)" if key in ("name", "cost", "seconds", "unknown") else key


async def _received(report: Report, wanted: frozenset[str] | None, *, ddi: bool) -> dict[str, Calls]:
    """The calls received by extensions of the wanted companies, by company and extension."""
    scope, owners = report.scope, report.owners
    where: list[Node] = [*RECEIVED]
    if scope.extensions:
        where.append(In(CALL_LOG["number"], tuple(Literal(number) for number in scope.extensions)))
    found: dict[str, Calls] = {}
    async for rows in oldest_first(
        report.reader,
        report.caller.view,
        CALL_LOGS,
        RECEIVED_COLUMNS,
        All(tuple(where)),
        first_ms=scope.first_ms,
        end_ms=scope.end_ms,
    ):
        boxes: dict[int, set[str]] = {}
        for row in rows:
            if row["kind"] == "voicemail":
                boxes.setdefault(row["session_id"], set()).add(row["number"])
        visits = await _visits(report, [row["session_id"] for row in rows if row["kind"] == "queue_agent"])
        for row in rows:
            company = owners.company(row["number"])
            if row["kind"] == "voicemail" or (wanted is not None and company not in wanted):
                continue
            line = found.setdefault(company, {}).get(row["number"])
            if line is None:
                line = Line({"name": owners.extension_name(row["number"], row["name"])})
                found[company][row["number"]] = line
            call = received(row, boxes, visits.get(row["session_id"], []))
            line.calls.append(orjson.dumps(call | {"ddi": row["did"]} if ddi else call))
    return found


async def _visits(report: Report, sessions: list[int]) -> Mapping[int, list[dict[str, Any]]]:
    """The times in queues of the calls with these ids; an id tells when its call began."""
    if not sessions:
        return {}
    wanted = set(sessions)
    moments = [snowflake_ms(session) for session in sessions]
    found: dict[int, list[dict[str, Any]]] = {}
    async for rows in oldest_first(
        report.reader,
        report.caller.view,
        CALLS,
        (CALL["id"], CALL["started_at"], _VISITS),
        Compare("ne", CALL["wait_ms"], Literal(None, quoted=False)),
        first_ms=min(moments),
        end_ms=max(moments) + 1,
    ):
        found |= {row["id"]: orjson.loads(row["visits"] or b"[]") for row in rows if row["id"] in wanted}
    return found


async def _dialled(report: Report, wanted: frozenset[str] | None, *, priced: bool) -> dict[str, Calls]:
    """The calls of devices of the wanted companies, by company and device."""
    scope, owners = report.scope, report.owners
    devices = frozenset(bare(name) for name in scope.deviceids)
    found: dict[str, Calls] = {}
    async for rows in oldest_first(
        report.reader,
        report.caller.view,
        CLOSED_CALLS,
        DIALLED_COLUMNS,
        DIALLED,
        first_ms=scope.first_ms,
        end_ms=scope.end_ms,
    ):
        for row in rows:
            outward = row["direction"] == "inbound_outbound"
            owner = owners.of(row["owner"], row["sip_user"], "" if outward else row["caller_name"])
            if (wanted is not None and owner.company not in wanted) or (devices and bare(owner.key) not in devices):
                continue
            line = found.setdefault(owner.company, {}).get(owner.key)
            if line is None:
                line = found[owner.company][owner.key] = Line({"name": owner.name, "device": owner.device})
            call = dialled(row, report.directory, report.numbering)
            line.calls.append(orjson.dumps(call if priced else call | {"cost": 0}))
    return found
