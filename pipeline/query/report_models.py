"""Shapes of reports for the OpenAPI document: those of PortSIP's schema, and reports as JSON."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_ID = "700551909773148160"
_TIME = "2024-08-20T06:00:59Z"

ReportType = Literal[
    "NORMAL",
    "EXTENSION_GROUP_CALL_COST",
    "QUEUE_PERFORMANCE",
    "QUEUE_DETAILED_STATISTICS",
    "QUEUE_ABANDONED_CALLS",
    "QUEUE_SLA_STATISTICS",
    "QUEUE_BREACHES_SLA_STATISTICS",
    "QUEUE_CALLBACKS",
    "QUEUE_FAILED_CALLBACKS",
    "TEAM_QUEUE_GENERAL_STATISTICS",
    "RING_GROUP_STATISTICS",
]
_Format = Literal["CSV", "HTML"]
_Range = Literal["TODAY", "YESTERDAY", "LAST_WEEK", "LAST_SEVEN_DAYS", "LAST_MONTH", "LAST_THIRTY_DAYS", "CUSTOM"]
_Status = Literal["RUNNING", "SCHEDULED", "ABORTED"]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CallReportSummary(_Shape):
    """A report definition in a list."""

    id: str = Field(description="Id of the report.", examples=[_ID])
    name: str = Field(description="Its name.", examples=["Calls of the week"])
    type: ReportType = Field(description="Which report.", examples=["NORMAL"])
    cron_expr: str = Field(description="When it runs, in the tenant's zone; empty: once.", examples=["0 6 * * 1"])
    status: _Status = Field(description="RUNNING, SCHEDULED (waits, or is done), ABORTED.", examples=["SCHEDULED"])


class CallReportPage(_Shape):
    """Report definitions, and how many match on all pages."""

    count: int = Field(ge=0, examples=[1])
    items: list[CallReportSummary]


class NewCallReport(_Shape):
    """A report to be made: at once, or whenever `cron_expr` says."""

    name: str = Field(description="What people call it.", max_length=256, examples=["Calls of the week"])
    type: ReportType = Field(description="Which report.", examples=["NORMAL"])
    email: str = Field(description="Where it is sent; empty: nowhere.", max_length=128, examples=["boss@example.com"])
    format: _Format = Field(description="Form of the file.", examples=["HTML"])
    range: _Range = Field(description="Which calls, seen from when it runs.", examples=["LAST_WEEK"])
    started_at: str | None = Field(None, description="Begin of a CUSTOM range, RFC 3339.", examples=[_TIME])
    ended_at: str | None = Field(None, description="End of a CUSTOM range, RFC 3339.", examples=[_TIME])
    cron_expr: str = Field("", description="minute hour day month weekday; empty: once, now.", examples=["0 6 * * 1"])
    filter: dict[str, Any] = Field(description="Which calls; what it may hold depends on the type.", examples=[{}])


class CallReportChange(_Shape):
    """What is to be different; everything may be left out."""

    name: str = Field("", description="What people call it.", examples=["Calls of the week"])
    email: str = Field("", description="Where it is sent; empty: nowhere.", examples=["boss@example.com"])
    format: _Format = Field("HTML", description="Form of the file.", examples=["HTML"])
    range: _Range = Field("LAST_WEEK", description="Which calls, seen from when it runs.", examples=["LAST_WEEK"])
    started_at: str | None = Field(None, description="Begin of a CUSTOM range, RFC 3339.", examples=[_TIME])
    ended_at: str | None = Field(None, description="End of a CUSTOM range, RFC 3339.", examples=[_TIME])
    cron_expr: str = Field("", description="minute hour day month weekday; empty: once, now.", examples=["0 6 * * 1"])
    filter: dict[str, Any] = Field({}, description="Which calls; as the type has it.", examples=[{}])


class CallReport(NewCallReport):
    """A report definition."""

    id: str = Field(description="Id of the report.", examples=[_ID])
    status: _Status = Field(description="RUNNING, SCHEDULED (waits, or is done), ABORTED.", examples=["SCHEDULED"])
    reason: str = Field("", description="Why an ABORTED report was; only then.", examples=[""])


class CallReportId(_Shape):
    """The id of a report just created."""

    id: str = Field(examples=[_ID])


class CompletedCallReport(_Shape):
    """A report that was made."""

    id: str = Field(description="Id of the completed report.", examples=[_ID])
    name: str = Field(description="Its name.", examples=["Calls of the week"])
    type: ReportType = Field(description="Which report.", examples=["NORMAL"])
    format: _Format = Field(description="Form of the file.", examples=["HTML"])
    completed_at: str = Field(description="When it was made, RFC 3339.", examples=[_TIME])
    file_name: str = Field(description="Name of the file.", examples=["Calls_of_the_week_2024-08-12_2024-08-18.html"])
    file_size: int = Field(ge=0, description="Bytes.", examples=[48213])
    file_url: str = Field(
        description="Path to fetch it from, without a token, for some days.", examples=["/api/blobs/x"]
    )


class CompletedCallReportPage(_Shape):
    """Reports that were made, and how many match on all pages."""

    count: int = Field(ge=0, examples=[1])
    items: list[CompletedCallReport]


_Kind = Literal["text", "quantity", "count", "seconds", "duration", "percent", "money", "time", "day", "decimal"]
Cell = str | int | float | None


class ReportColumn(_Shape):
    """What the cells of a column are."""

    name: str = Field(description="What stands above it.", examples=["Talking Time"])
    kind: _Kind = Field(
        description="What its values are: duration is seconds, percent a share from 0 to 1, money a decimal as text,"
        " quantity a number with its unit, time and day RFC 3339 in the zone.",
        examples=["duration"],
    )
    about: str = Field(description="What it means.", examples=["Answer to end"])


class ReportRow(_Shape):
    """A line of a table."""

    cells: list[Cell] = Field(description="A value a column; null where there is none.", examples=[["201", 12, 340]])
    total: bool = Field(default=False, description="It sums up others; left out where it does not.")


class ReportTable(_Shape):
    """A table of a report."""

    title: str = Field(description="What stands above it; may be empty.", examples=["Callers to look at"])
    columns: list[ReportColumn]
    rows: list[ReportRow]


class ReportFigure(_Shape):
    """A figure above the tables."""

    name: str = Field(examples=["Missed Calls"])
    value: Cell = Field(description="Null where there is nothing to tell.", examples=[12])
    kind: _Kind = Field(description="As of columns.", examples=["count"])
    about: str = Field(description="What it means.", examples=["Calls from outside in which nobody was reached"])
    change: float | None = Field(description="Against the time before, as a share; null when unknown.", examples=[-0.2])


class ReportRange(_Shape):
    """Of which time it is, both ends included."""

    model_config = ConfigDict(populate_by_name=True)
    from_: str = Field(alias="from", description="First instant, in the zone.", examples=["2024-08-19T00:00:00+01:00"])
    to: str = Field(description="Last instant.", examples=["2024-08-25T23:59:59+01:00"])
    zone: str = Field(description="IANA zone of all its times.", examples=["Europe/London"])


class ReportDocument(_Shape):
    """A report as JSON. Its columns are those of its CSV form and page; further ones may come."""

    type: str = Field(description="Which report.", examples=["missed"])
    name: str = Field(description="What people call it, else its title.", examples=["Monday"])
    title: str = Field(examples=["Missed and unreturned calls"])
    range: ReportRange
    facts: dict[str, str] = Field(description="What was asked for, in words.", examples=[{"Calls": "From outside"}])
    made_at: str = Field(description="When it was made, in the zone.", examples=["2024-08-26T06:00:00+01:00"])
    notes: list[str] = Field(description="What to know when reading it.", examples=[[]])
    figures: list[ReportFigure]
    tables: list[ReportTable]
