"""What is written reads back equal: every field, every kind of text, every moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from pipeline.warehouse.storage import archive, rows, writer
from schemas.call import Call, CallLog, snowflake
from tests.servers import ClickHouseServer

AT = 1_790_000_000_123
NASTY = "tab\there, line\nbreak, cr\r, nul \0, \\N back\\slash, 'single' \"double\" `tick`, ünï 电话 😀, {x:String} %s"


@pytest.fixture
def client(clickhouse_endpoint: ClickHouseServer, database: str) -> Iterator[Any]:
    client = clickhouse_endpoint.client(database)
    yield client
    client.close()


def filled(struct: type[msgspec.Struct], **fixed: Any) -> dict[str, Any]:
    """A value for every field, no two alike."""
    values: dict[str, Any] = {}
    for number, (name, kind) in enumerate(struct.__annotations__.items(), start=1):
        if name.endswith("_at"):
            values[name] = AT + number
        elif str(kind).startswith("int"):
            values[name] = 1000 + number
        elif kind == "str":
            values[name] = f"{name} {NASTY}"
        elif kind == "list[str]":
            values[name] = [f"{name}1", NASTY, ""]
        elif str(kind).startswith("list[dict"):
            values[name] = [{"at": AT, "text": NASTY, "number": 1.5, "nothing": None, "yes": True}]
        else:
            values[name] = {"mos": 4.2}
    return values | fixed


def full_call(call_id: str = "c", **fixed: Any) -> Call:
    """A call with something in every field, and two logs."""
    id_ = snowflake(AT, 5)
    common = {"tenant": "acme", "call_id": call_id, "version": 8}
    logs = [
        CallLog(**filled(CallLog, **common, id=id_ + place, session_id=id_, position=place, started_at=AT + place))
        for place in range(2)
    ]
    return Call(**filled(Call, **common, id=id_, started_at=AT, logs=logs, **fixed))


def bare_call() -> Call:
    """A call of which nothing is known but that it began."""
    zero: dict[str, Any] = {"int": 0, "str": "", "list[str]": [], "int | None": None}
    values: dict[str, Any] = {name: zero.get(str(kind)) for name, kind in Call.__annotations__.items()}
    nested: dict[str, Any] = {name: [] for name in ("legs", "reroutes", "queue_visits", "recordings", "logs")}
    fixed = {"tenant": "acme", "call_id": "bare", "id": 9, "started_at": AT, "last_event_at": AT, "version": 2}
    return Call(**values | nested | fixed)


def read_back(client: Any, table: str, columns: tuple[str, ...], times: frozenset[str]) -> list[dict[str, Any]]:
    listed = ", ".join(f"toUnixTimestamp64Milli({name})" if name in times else f"`{name}`" for name in columns)
    query = f"SELECT {listed} FROM {table} FINAL WHERE retired = 0 ORDER BY call_id, id"
    return [dict(zip(columns, row, strict=True)) for row in client.query(query).result_rows]


CALL_TIMES = frozenset(name for name in Call.__annotations__ if name.endswith("_at"))
LOG_TIMES = frozenset(name for name in CallLog.__annotations__ if name.endswith("_at"))


def test_every_field_of_a_call_reads_back(client: Any) -> None:
    calls = [bare_call(), full_call()]
    writer.write_calls(client, [rows.call_row(call) for call in calls])
    found = read_back(client, "call_rows", rows.CALL_COLUMNS, CALL_TIMES)
    assert len(found) == len(calls)
    for row, call in zip(found, calls, strict=True):
        want = msgspec.structs.asdict(call)
        detail = json.loads(row.pop("detail"))
        assert row.pop("retired") == 0
        assert row == {name: want[name] for name in row}
        nested = {name: want[name] for name in ("legs", "reroutes", "queue_visits", "recordings", "quality")}
        assert detail == {name: value for name, value in nested.items() if value}
        assert set(row) | set(nested) | {"logs"} == set(want)


def test_every_field_of_a_call_log_reads_back(client: Any) -> None:
    call = full_call()
    call.logs[1] = msgspec.structs.replace(call.logs[1], rang_at=None, answered_at=None, ended_at=None, ring_ms=None)
    writer.write_call_logs(client, rows.log_rows(call))
    found = read_back(client, "call_log_rows", rows.LOG_COLUMNS, LOG_TIMES)
    assert [row | {"retired": 0} for row in found] == [
        msgspec.structs.asdict(log) | {"retired": 0} for log in call.logs
    ]


@pytest.mark.parametrize("at", [1_514_764_800_000, AT, 4_102_444_799_999, 1_709_164_800_001], ids=str)
def test_moments_keep_their_millisecond(client: Any, at: int) -> None:
    call = msgspec.structs.replace(bare_call(), started_at=at, ended_at=at, last_event_at=at)
    writer.write_calls(client, [rows.call_row(call)])
    (row,) = read_back(client, "call_rows", rows.CALL_COLUMNS, CALL_TIMES)
    assert (row["started_at"], row["ended_at"], row["last_event_at"]) == (at, at, at)


def test_retired_rows_are_seen_no_more_and_higher_versions_win(client: Any) -> None:
    call = full_call()
    newer = msgspec.structs.replace(call, version=10, status="busy")
    writer.write_calls(client, [rows.call_row(newer)])
    writer.write_calls(client, [rows.call_row(call)])  # what comes late does not win
    writer.write_call_logs(client, rows.log_rows(call))
    (row,) = read_back(client, "call_rows", rows.CALL_COLUMNS, CALL_TIMES)
    assert (row["version"], row["status"]) == (10, "busy")
    writer.write_calls(client, [rows.retired_call("acme", rows.call_key(call), "c", 12)])
    assert read_back(client, "call_rows", rows.CALL_COLUMNS, CALL_TIMES) == []
    writer.write_call_logs(client, [rows.retired_log("acme", rows.log_keys(call)[0], call.id, "c", 12)])
    (log,) = read_back(client, "call_log_rows", rows.LOG_COLUMNS, LOG_TIMES)
    assert log["id"] == call.logs[1].id


def line(event_id: str, raw: bytes, text: str = "x") -> bytes:
    fields = (text, f"call {text}", event_id, str(AT), "started", text, "topic", "3", "17")
    return "\t".join(rows.escape(field) for field in fields).encode() + b"\t" + rows.escape_bytes(raw)


@pytest.mark.parametrize(
    "raw", [b"{}", NASTY.encode(), bytes(range(256)), b"\\N", b"", b"\xff" * 100_000], ids=range(6)
)
def test_archived_bytes_come_back_as_they_came(client: Any, raw: bytes) -> None:
    writer.archive(client, rows.tab_separated([line("1", raw, NASTY)]), "token")
    key = (NASTY, f"call {NASTY}")
    assert archive.load(client, [key])[key].raw == [raw]


def test_every_insert_arrives_whole_and_a_repetition_changes_nothing(client: Any) -> None:
    """Counted, because an insert can lose rows without a word."""
    body = rows.tab_separated([line(str(number), b"{}") for number in range(20_000)])
    calls = [rows.call_row(msgspec.structs.replace(bare_call(), id=number)) for number in range(5000)]
    logs = [values for _ in range(2500) for values in rows.log_rows(full_call())]
    for place, log in enumerate(logs):
        log[rows.LOG_COLUMNS.index("id")] = place
    for _ in range(2):
        writer.archive(client, body, "t:0:0-19999")
        writer.write_calls(client, calls)
        writer.write_call_logs(client, logs)
    assert client.command("SELECT count() FROM event_rows") == 20_000  # dropped by its token, not merely merged
    assert client.command("SELECT count() FROM call_rows FINAL") == 5000
    assert client.command("SELECT count() FROM call_log_rows FINAL") == 5000
    writer.write_calls(client, [])
    writer.write_call_logs(client, [])


def test_newest_archived_event(client: Any) -> None:
    assert archive.newest(client, AT) == 0
    writer.archive(client, rows.tab_separated([line("1", b"{}")]), "token")
    assert archive.newest(client, AT) == AT
    assert archive.newest(client, AT - 1) == 0


def test_two_calls_of_one_instant_and_one_id_are_two_calls(client: Any) -> None:
    """The low bits of an id are a hash: at a thousand calls a second two are alike every other hour."""
    first = full_call("c")
    second = full_call("d")
    assert rows.call_key(first) == rows.call_key(second)
    writer.write_calls(client, [rows.call_row(first), rows.call_row(second)])
    writer.write_call_logs(client, [*rows.log_rows(first), *rows.log_rows(second)])
    assert len(read_back(client, "call_rows", rows.CALL_COLUMNS, CALL_TIMES)) == 2
    assert len(read_back(client, "call_log_rows", rows.LOG_COLUMNS, LOG_TIMES)) == 4
    writer.write_calls(client, [rows.retired_call("acme", rows.call_key(first), "c", 12)])
    (row,) = read_back(client, "call_rows", rows.CALL_COLUMNS, CALL_TIMES)
    assert row["call_id"] == "d"
