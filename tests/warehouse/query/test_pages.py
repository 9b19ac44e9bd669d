"""Pages, keysets and lookups against what they must equal, over rows in many versions."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from pipeline.warehouse.query.clauses import CALL_LOGS, CALLS, CLOSED_CALLS, Order, Place, Source
from pipeline.warehouse.query.columns import CALL, CALL_LOG
from pipeline.warehouse.query.expressions import Compare, Literal
from pipeline.warehouse.query.from_row import as_call
from pipeline.warehouse.query.pages import numbered
from pipeline.warehouse.query.pages.keyset import older
from pipeline.warehouse.query.pages.numbered import page
from pipeline.warehouse.query.reader import QueryFailed, Reader, TooCostly, Unavailable
from pipeline.warehouse.query.view import View
from pipeline.warehouse.query.whole_calls import call, call_log, logs_of
from pipeline.warehouse.storage.rows import call_row, log_rows, retired_call, retired_log
from pipeline.warehouse.storage.writer import write_call_logs, write_calls
from schemas.call import Call, rfc3339
from tests.query.stored_calls import MINUTE, NOON, stored_call, write
from tests.servers import ClickHouseServer

pytestmark = pytest.mark.embedded

SELECTED = tuple(CALL[name] for name in ("id", "call_id", "started_at", "caller_number"))


@pytest.fixture(scope="module")
def many(client: Any) -> list[Call]:
    """200 calls over two years, several of one millisecond, newest first; written in several versions."""
    chance = random.Random(7)
    times = [NOON - chance.choice([0, 1, MINUTE, *(chance.randrange(730) * 24 * 60 * MINUTE,) * 9]) for _ in range(200)]
    calls = [stored_call("many", f"call-{n}", at, caller_number=str(100 + n % 7)) for n, at in enumerate(times)]
    older_version = [msgspec.structs.replace(made, version=1, caller_number="wrong") for made in calls]
    write(client, calls[:150])
    write(client, older_version)  # arrives later, counts for nothing
    write(client, calls[100:])
    return sorted(calls, key=lambda made: (made.started_at, made.id), reverse=True)


@pytest.fixture(params=[0, 10_000], ids=["many", "few"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ways in which a page is read: as of many rows, and as of few."""
    monkeypatch.setattr(numbered, "_FEW", request.param)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("ascending", [False, True])
@pytest.mark.parametrize("top", [1, 7, 100])
async def test_pages_equal_the_whole(reader: Reader, many: list[Call], top: int, ascending: bool) -> None:
    order = (Order(CALL["started_at"], descending=not ascending),)
    expected = [made.call_id for made in (many[::-1] if ascending else many)]
    for skip in (0, 1, 5, 99, 150, 199, 200, 1000):
        found = await page(reader, View("many"), CALLS, SELECTED, order=order, skip=skip, top=top)
        assert found.count == 200
        assert [row["call_id"] for row in found.rows] == expected[skip : skip + top]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("name", ["ended_at", "caller_number"])
@pytest.mark.parametrize("descending", [False, True])
async def test_pages_in_another_order(reader: Reader, many: list[Call], name: str, descending: bool) -> None:
    # `many` is newest first, and sorting keeps that order among equals
    expected = sorted(many, key=lambda made: getattr(made, name), reverse=descending)
    for source in (CALLS, CLOSED_CALLS):
        for skip in (0, 3, 99, 195, 200):
            order = (Order(CALL[name], descending=descending),)
            found = await page(reader, View("many"), source, SELECTED, order=order, skip=skip, top=7)
            assert found.count == 200
            assert [row["call_id"] for row in found.rows] == [made.call_id for made in expected[skip : skip + 7]]


@pytest.mark.usefixtures("way")
async def test_counts_follow_what_is_written(client: Any, reader: Reader) -> None:
    """A month is counted again when something was written to it, and only then."""
    tenant = f"counted by {numbered._FEW}"
    asked: list[str] = []

    async def look() -> tuple[int, list[str], list[str]]:
        asked.clear()
        found = await page(reader, View(tenant), CLOSED_CALLS, SELECTED, skip=0, top=10)
        return found.count, [row["call_id"] for row in found.rows], sorted(name for name in asked if "count" in name)

    old = NOON - 90 * 24 * 60 * MINUTE
    write(client, [stored_call(tenant, "old", old), stored_call(tenant, "new", NOON)])
    reader._observe = lambda name, _: asked.append(name)
    try:
        assert await look() == (2, ["new", "old"], ["closed_calls_count"])
        assert await look() == (2, ["new", "old"], [])
        late = stored_call(tenant, "late", old + MINUTE)
        write(client, [late])
        assert await look() == (3, ["new", "late", "old"], ["closed_calls_count"])
        write_calls(client, [retired_call(tenant, (late.started_at, late.id), "late", 99)])
        assert (await look())[:2] == (2, ["new", "old"])
        client.command("OPTIMIZE TABLE call_rows FINAL")
        assert (await look())[:2] == (2, ["new", "old"])
    finally:
        reader._observe = None


@pytest.mark.usefixtures("way")
async def test_pages_of_a_filter(reader: Reader, many: list[Call]) -> None:
    where = Compare("eq", CALL["caller_number"], Literal("103"))
    expected = [made.call_id for made in many if made.caller_number == "103"]
    found = await page(reader, View("many"), CLOSED_CALLS, SELECTED, where, skip=3, top=10)
    assert (found.count, [row["call_id"] for row in found.rows]) == (len(expected), expected[3:13])
    wrong = Compare("eq", CALL["caller_number"], Literal("wrong"))
    assert (await page(reader, View("many"), CALLS, SELECTED, wrong, skip=0, top=10)).count == 0


@pytest.mark.parametrize("limit", [9, 500])
async def test_keysets_equal_the_whole(reader: Reader, many: list[Call], limit: int) -> None:
    found: list[str] = []
    after: Place | None = None
    for _ in range(300):
        rows = await older(reader, View("many"), CALLS, SELECTED, first_ms=None, end_ms=None, after=after, limit=limit)
        if not rows:
            break
        found += [row["call_id"] for row in rows]
        last = next(made for made in many if made.id == rows[-1]["id"])
        after = Place(last.started_at, last.id)
    assert found == [made.call_id for made in many]


async def test_keysets_keep_to_their_time(reader: Reader, many: list[Call]) -> None:
    first, end = many[150].started_at, many[20].started_at
    rows = await older(reader, View("many"), CALLS, SELECTED, first_ms=first, end_ms=end, after=None, limit=500)
    assert [row["call_id"] for row in rows] == [made.call_id for made in many if first <= made.started_at < end]


async def test_a_call_comes_back_as_it_was_written(reader: Reader, many: list[Call]) -> None:
    for made in many[::20]:
        row = await call(reader, View("many"), made.id)
        assert row is not None
        assert as_call(row, await logs_of(reader, View("many"), row)) == made
        assert await call(reader, View("others"), made.id) is None
        log = await call_log(reader, View("many"), made.logs[0].id)
        assert log is not None
        assert (log["session_id"], log["started_at"]) == (made.id, rfc3339(made.logs[0].started_at))


async def test_retired_rows_are_gone(client: Any, reader: Reader) -> None:
    early = stored_call("moved", "moved", NOON)
    late = stored_call("moved", "moved", NOON + MINUTE, version=2)
    early = msgspec.structs.replace(early, version=9, logs=[msgspec.structs.replace(early.logs[0], version=9)])
    write(client, [late])
    key, log = (late.started_at, late.id), late.logs[0]
    write_call_logs(client, [*log_rows(early), retired_log("moved", (log.started_at, log.id), late.id, "moved", 9)])
    write_calls(client, [call_row(early), retired_call("moved", key, "moved", 9)])
    found = await page(reader, View("moved"), CLOSED_CALLS, SELECTED, skip=0, top=10)
    assert (found.count, [row["id"] for row in found.rows]) == (1, [early.id])
    assert await call(reader, View("moved"), late.id) is None
    assert await call_log(reader, View("moved"), log.id) is None
    logs = await page(reader, View("moved"), CALL_LOGS, [CALL_LOG["id"]], skip=0, top=10)
    assert [row["id"] for row in logs.rows] == [early.logs[0].id]


async def test_texts_of_any_kind_come_back(client: Any, reader: Reader) -> None:
    text = "tab\t line\n quote' \\ back {p0:String} \u2028 é 漢 \U0001f4de % _"
    write(client, [stored_call("texts", text, NOON, caller_name=text, user_data=text)])
    where = Compare("eq", CALL["call_id"], Literal(text))
    found = await page(reader, View("texts"), CALLS, [CALL["call_id"], CALL["user_data"]], where, skip=0, top=1)
    assert found.rows == [{"call_id": text, "user_data": text}]


async def test_a_query_that_needs_too_much_is_ended(reader: Reader, many: list[Call]) -> None:
    endless = (
        "SELECT count() FROM numbers(10000000000000) WHERE cityHash64(number) = 1 SETTINGS max_execution_time = 0.3"
    )
    with pytest.raises(TooCostly):
        await reader.rows("endless", endless, {})
    with pytest.raises(TooCostly):
        await reader.rows("large", "SELECT number FROM numbers(1000000)", {})


async def test_a_wrong_query_is_a_fault_of_ours(reader: Reader) -> None:
    with pytest.raises(QueryFailed):
        await reader.rows("wrong", "SELECT nothing FROM call_rows", {})
    with pytest.raises(QueryFailed):
        await page(reader, View("t"), Source("bad", "call_rows", "no_such"), SELECTED, skip=0, top=1)


async def test_reading_cannot_write(client: Any, reader: Reader, many: list[Call]) -> None:
    for statement in ("DROP TABLE call_rows", "ALTER TABLE call_rows DELETE WHERE 1"):
        with pytest.raises((QueryFailed, Unavailable)):
            await reader.rows("write", statement, {})
    assert int(client.command("SELECT count() FROM call_rows FINAL WHERE tenant = 'many'")) == 200


async def test_too_many_waiting_queries_are_refused(clickhouse_server: ClickHouseServer, client: Any) -> None:
    full = Reader(clickhouse_server.url, client.database, threads=1, waiting=-1)
    with pytest.raises(Unavailable, match="too many"):
        await full.ping()
    full.close()
