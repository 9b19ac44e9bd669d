"""The same calls, asked for in each dialect, count the same."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from pipeline.instants import instant
from schemas.call import snowflake_ms
from tests.query.vendors.conftest import Company

pytestmark = pytest.mark.embedded

DAY = {"start_at": "2024-08-20 00:00:00", "end_at": "2024-08-20 23:59:59"}
SCOPE = {"year": 2024, "month": 8, "day": 20}
INTERNAL = {"plain", "busy", "feature", "conference", "colleague"}


@pytest.fixture
def client(http: httpx.AsyncClient, company: Company) -> httpx.AsyncClient:
    http.headers["Authorization"] = f"Bearer {company.token}"
    return http


async def portsip(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get("/api/cdrs")).json()["items"]
    return found


async def commpeak(client: httpx.AsyncClient, **more: Any) -> list[dict[str, Any]]:
    body = {"group": "call status", "filter": DAY} | more
    found: list[dict[str, Any]] = (await client.post("/api/cdrs/cdrs-aggregate", json=body)).json()
    return found


async def ipcortex(client: httpx.AsyncClient, command: str, **scope: Any) -> dict[str, Any]:
    body = {"type": "cdr", "scope": SCOPE | scope}
    found: dict[str, Any] = (await client.post(f"/rest/call/{command}", json=body)).json()["values"]
    return found


async def yeastar(client: httpx.AsyncClient, **parameters: Any) -> list[dict[str, Any]]:
    answer = (await client.get("/openapi/v1.0/cdr/search", params=parameters)).json()
    assert answer["total_number"] == len(answer["data"])
    found: list[dict[str, Any]] = answer["data"]
    return found


def _calls(lines: dict[str, Any]) -> list[dict[str, Any]]:
    return [call for line in lines.values() for call in line["calls"]]


async def test_every_dialect_counts_the_same_calls(client: httpx.AsyncClient, company: Company) -> None:
    closed = {call_id: call for call_id, call in company.calls.items() if call.state == "closed"}
    assert {item["call_id"] for item in await portsip(client)} == set(closed)
    assert sum(int(row["total"]) for row in await commpeak(client)) == len(closed)
    assert len(await yeastar(client)) == len(closed)
    listed = (await client.get("/api/cdrs/limit/1000")).json()["cdrs"]
    assert {item["call_uuid"] for item in listed} == set(closed)
    seconds = {call.started_at // 1000 for call in closed.values()}
    assert {row["timestamp"] for row in await yeastar(client)} == seconds


async def test_answered_calls_are_the_same(client: httpx.AsyncClient) -> None:
    successful = sum(int(row["successful"]) for row in await commpeak(client))
    assert successful == len(await yeastar(client, status="ANSWERED")) == 8
    words = ("ANSWERED", "NO ANSWER", "BUSY", "FAILED", "VOICEMAIL")
    assert sum([len(await yeastar(client, status=word)) for word in words]) == len(await yeastar(client))


async def test_seconds_are_the_same(client: httpx.AsyncClient) -> None:
    rows = await yeastar(client)
    total = sum(row.get("duration", 0) for row in rows)
    talk = sum(row.get("talk_duration", 0) for row in rows if row["disposition"] == "ANSWERED")
    (sums,) = await commpeak(client, group="conference to", filter=DAY | {"callsType": [3]})
    outward = [row for row in rows if row["call_type"] == "Outbound"]
    manual = [row for row in outward if not row["call_from"].startswith("Ben") or row["disposition"] == "FAILED"]
    assert _seconds(sums["call_duration"]) == sum(row.get("duration", 0) for row in manual)
    assert _seconds(sums["call_bill_duration"]) == sum(row.get("talk_duration", 0) for row in manual)
    every = await commpeak(client, group="destination")
    assert sum(_seconds(row["call_duration"]) for row in every) == total
    assert sum(_seconds(row["call_bill_duration"]) for row in every) == talk


async def test_periods_add_up_to_the_whole(client: httpx.AsyncClient) -> None:
    whole = await commpeak(client, group="trunk")
    parts = await commpeak(client, group="trunk", period="year;month;day;hour")
    for name in ("total", "successful", "total_transfer"):
        assert sum(int(row[name]) for row in parts) == sum(int(row[name]) for row in whole)


async def test_the_summary_is_the_sum_of_the_calls(client: httpx.AsyncClient) -> None:
    summary = await ipcortex(client, "outsummary")
    for company in ("default", "north"):
        dialled = _calls(await ipcortex(client, "outcalls", company=company))
        assert summary[company]["seconds"] == sum(call["billsecs"] for call in dialled)
        assert summary[company]["cost"] == pytest.approx(sum(call["cost"] or 0 for call in dialled), abs=0.005 * 10)


async def test_internal_calls_stand_twice_only_where_they_are_received_and_dialled(
    client: httpx.AsyncClient, company: Company
) -> None:
    everything = await ipcortex(client, "allcalls")
    received = [call for one in everything.values() for call in _calls(one["in"])]
    dialled = [call for one in everything.values() for call in _calls(one["out"])]
    for call_id in INTERNAL & {"plain", "busy", "colleague"}:
        second = company.calls[call_id].started_at // 1000
        inward = [call for call in received if call["calldate"] == second]
        outward = [call for call in dialled if call["calldate"] == second]
        assert len(inward) == len(outward) == 1
        assert inward[0]["type"] == outward[0]["type"] == "Internal"
        assert inward[0]["acctid"] != outward[0]["acctid"]
        assert len([row for row in await yeastar(client) if row["timestamp"] == second]) == 1
    internal = await commpeak(client, filter=DAY | {"callsType": [8]})
    assert sum(int(row["total"]) for row in internal) == len(INTERNAL)
    assert len([row for row in await yeastar(client) if row["call_type"] == "Internal"]) == len(INTERNAL)
    assert len([item for item in await portsip(client) if item["direction"] == "EXTENSION_CALL"]) == len(INTERNAL)


async def test_ids_tell_when_their_call_began(client: httpx.AsyncClient) -> None:
    for row in await yeastar(client):
        assert ((row["id"] >> 13) + 1_514_764_800_000) // 1000 == row["timestamp"]
    for item in await portsip(client):
        assert snowflake_ms(int(item["id"])) == instant(item["started_at"])


def _seconds(clock: str) -> int:
    hours, minutes, seconds = map(int, clock.split(":"))
    return hours * 3600 + minutes * 60 + seconds
