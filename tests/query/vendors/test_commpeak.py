from __future__ import annotations

from typing import Any

import httpx
import pytest

from pipeline.directory.model import Display, Tenant
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.reference.directories import save
from tests.query.stored_calls import stored_call, write
from tests.query.vendors.conftest import LEAK, PASSWORD, Company

pytestmark = pytest.mark.embedded

PATH = "/api/cdrs/cdrs-aggregate"
DAY = {"start_at": "2024-08-20 00:00:00", "end_at": "2024-08-21 00:00:00"}
GROUPS = (
    "user;call status;duration;hangup;destination;caller_id;q850;sip termination status;extension number;"
    "transfer to;conference to;trunk"
)
METRICS = (
    "total calls;successful calls;total duration;total bill duration;ACD;ASR;cost;transfer duration;"
    "conference duration;transfer cost;conference cost;total transfer;call agent duration"
)


@pytest.fixture
def dialer(http: httpx.AsyncClient) -> httpx.AsyncClient:
    http.auth = httpx.BasicAuth("boss", PASSWORD)
    return http


async def rows(dialer: httpx.AsyncClient, group: str, filter_: dict[str, Any] | None = None, **more: Any) -> list[Any]:
    body = {"group": group, "filter": DAY | (filter_ or {})} | more
    answer = await dialer.post(PATH, json=body)
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()
    return found


async def test_everything_at_once(dialer: httpx.AsyncClient) -> None:
    found = await rows(
        dialer, GROUPS, fields=f"{GROUPS};{METRICS}", period="year;month;day;hour", order="total duration;desc"
    )
    assert len(found) == 17
    by_number = {(row["dst"], row["src"], row["status"]): row for row in found}
    assert by_number["+441632960123", "101", "CALL_REJECTED"] == {
        "caller_user_id": 101,
        "status": "CALL_REJECTED",
        "client_hangup_disposition": "system",
        "dst": "+441632960123",
        "client_callerid_number": "+441632960000",
        "q850": "Call rejected",
        "sip_term_status": 603,
        "src": "101",
        "transfer_to": "",
        "conference_to": "",
        "trunk": "carrier-a",
        "period": "2024 08 20 12",
        "total": "1",
        "successful": "0",
        "call_duration": "00:00:00",
        "call_bill_duration": "00:00:00",
        "acd": "0 (in 0 calls)",
        "asr": "0% (in 0 of 1 calls)",
        "cost": 0,
        "transfer_duration": "0",
        "conference_duration": "0",
        "transfer_cost": None,
        "conference_cost": None,
        "total_transfer": "0",
        "call_agent_duration": "0",
    }
    assert list(by_number["+441632960123", "101", "CALL_REJECTED"])[-1] == "call_agent_duration"
    out = by_number["+441632960123", "101", "NORMAL_CLEARING"]
    assert (out["cost"], out["transfer_cost"], out["client_hangup_disposition"]) == (0.0125, 0, "client")
    assert (out["acd"], out["asr"]) == ("30 (in 1 calls)", "100% (in 1 of 1 calls)")
    unanswered = by_number["+441632960123", "101", "NO_ANSWER"]
    assert (unanswered["call_duration"], unanswered["q850"]) == ("00:00:25", "No answer from user")
    assert (unanswered["cost"], unanswered["transfer_cost"]) == (0, 0)
    conference = by_number["3000", "101", "NORMAL_CLEARING"]
    assert (conference["conference_to"], conference["conference_duration"]) == ("3000", "120")
    handed = next(row for row in found if row["transfer_to"])
    assert (handed["transfer_to"], handed["total_transfer"]) == ("+441632960777", "1")
    assert (handed["transfer_duration"], handed["transfer_cost"]) == ("60", 0.5)
    cancelled = next(row for row in found if row["status"] == "ORIGINATOR_CANCEL")
    assert (cancelled["sip_term_status"], cancelled["client_hangup_disposition"]) == (487, "client")


async def test_metrics_of_a_status(dialer: httpx.AsyncClient) -> None:
    found = await rows(dialer, "call status", order="total calls;desc")
    first = found[0]
    assert first["status"] == "NORMAL_CLEARING"
    assert (first["total"], first["successful"]) == ("12", "8")
    assert first["asr"] == "66.67% (in 8 of 12 calls)"
    assert sum(int(row["total"]) for row in found) == 17
    assert list(first) == [
        *("status", "total", "successful", "call_duration", "call_bill_duration", "acd", "asr", "cost"),
        *("transfer_duration", "conference_duration", "transfer_cost", "conference_cost", "total_transfer"),
        "call_agent_duration",
    ]


async def test_widths_of_hours(dialer: httpx.AsyncClient, company: Company) -> None:
    found = (await rows(dialer, "call status", order="total duration;desc"))[0]
    assert found["call_duration"] == "00:10:09"
    tenant = "narrow"
    entry = Tenant(tenant, display=Display(hour_width=1))
    save(company.client, tenant, {("tenant", tenant): entry}, "tests")
    at = 1_724_155_200_000
    write(
        company.client,
        [
            stored_call(tenant, "long", at, ended_at=at + 360_005_000),
            stored_call(tenant, "short", at, ended_at=at + 5_999, talk_started_at=None),
        ],
    )
    dialer.auth = httpx.BasicAuth(tenant, create_token(company.client, tenant, "t"))
    fields = "total duration;total bill duration"
    long, short = await rows(dialer, "duration", fields=fields, order="duration;desc")
    assert (long["call_duration"], long["call_bill_duration"]) == ("100:00:05", "100:00:00")
    assert (short["call_duration"], short["call_bill_duration"]) == ("0:00:05", "00:00:00")


async def test_extensions_of_a_plain_producer(dialer: httpx.AsyncClient, company: Company) -> None:
    """One that tells the caller's number alone: inside, it is the extension."""
    tenant = "plain-producer"
    changes: dict[str, Any] = {"caller_extension": "", "caller_number": "104"}
    calls = [
        stored_call(tenant, "internal", 1_724_155_200_000, **changes),
        stored_call(tenant, "outbound", 1_724_155_260_000, **changes | {"direction": "outbound"}),
        stored_call(tenant, "inbound", 1_724_155_320_000, **changes | {"direction": "inbound", "answered_by": "105"}),
        stored_call(
            tenant,
            "line",
            1_724_155_380_000,
            **changes | {"direction": "outbound", "caller_number": "+441632960000"},
        ),
    ]
    write(company.client, calls)
    dialer.auth = httpx.BasicAuth(tenant, create_token(company.client, tenant, "t"))
    found = await rows(dialer, "user;extension number", fields="total calls")
    assert [(row["caller_user_id"], row["src"], row["total"]) for row in found] == [
        *((0, "", "1"), (0, "105", "1"), (104, "104", "2")),
    ]
    assert [row["total"] for row in await rows(dialer, "user", {"user": [104]}, fields="total calls")] == ["2"]
    listed = (await dialer.get("/api/cdrs/limit/10;0/caller_user_id/104")).json()["cdrs"]
    assert {item["call_uuid"] for item in listed} == {"internal", "outbound"}


@pytest.mark.parametrize("limit", [2, 2.0, "2"])
async def test_a_limit_as_any_number(dialer: httpx.AsyncClient, limit: object) -> None:
    assert len(await rows(dialer, "destination", limit=limit)) == 2


async def test_types_of_calls(dialer: httpx.AsyncClient) -> None:
    async def total(filter_: dict[str, Any]) -> int:
        return sum(int(row["total"]) for row in await rows(dialer, "user", filter_))

    counted = {kind: await total({"callsType": [kind]}) for kind in (2, 3, 4, 7, 8)}
    assert counted == {2: 1, 3: 4, 4: 3, 7: 4, 8: 5}
    assert sum(counted.values()) == 17
    assert await total({"callsType": [6, 4]}) == 3
    assert await total({"callsType": [6]}) == 0
    assert await total({"user": [101, 102]}) == 10
    assert await total({"user": 102}) == 4
    assert await total({"destination": ["+441632960123", "3000"]}) == 6
    assert await total({"destination": "3000"}) == 1
    assert await total({"caller_id": ["+33612345678"]}) == 6
    assert await total({"original_trunk_id": ["carrier-b"]}) == 7
    assert await total({"original_trunk_id": [2]}) == 0
    assert await total({"callAttributes": ["Transfer"]}) == 1
    assert await total({"callAttributes": ["Conference", "Transfer"]}) == 2
    assert await total({"callAttributes": ["Recorded"]}) == 0


async def test_conditions_on_durations(dialer: httpx.AsyncClient) -> None:
    async def total(filter_: dict[str, Any]) -> int:
        return sum(int(row["total"]) for row in await rows(dialer, "hangup", filter_))

    assert await total({"duration": "5;>|9999;<"}) == 14  # both hold: those of 0, 1 and 3 seconds do not
    assert await total({"duration": "3;>"}) + await total({"duration": "3;<="}) == 17
    assert await total({"duration": "3;>="}) + await total({"duration": "3;<"}) == 17
    assert await total({"duration": "3;="}) + await total({"duration": "3;!="}) == 17
    assert await total({"duration": "3"}) == await total({"duration": 3}) == await total({"duration": "3;="}) == 1
    assert await total({"bill_duration": "3;>="}) == 8
    assert await total({"bill_duration": "30;=|30;!="}) == 0


async def test_periods_add_up(dialer: httpx.AsyncClient) -> None:
    (whole,) = await rows(dialer, "conference to", {"callsType": [3]})
    for period, shown in {"year": "2024", "month;day": "08 20", "hour;year": "2024 12", "day": "20"}.items():
        found = await rows(dialer, "conference to", {"callsType": [3]}, period=period)
        assert [row["period"] for row in found] == [shown]
        assert {name: value for name, value in found[0].items() if name != "period"} == whole


async def test_order_limit_and_offset(dialer: httpx.AsyncClient) -> None:
    everything = await rows(dialer, "destination;duration", order="duration;desc", fields="duration;total calls")
    assert [row["call_duration"] for row in everything] == sorted(row["call_duration"] for row in everything)[::-1]
    assert list(everything[0]) == ["dst", "call_duration", "total"]
    paged = [
        row
        for offset in range(0, len(everything) + 3, 3)
        for row in await rows(
            *(dialer, "destination;duration"),
            order="duration;desc",
            fields="duration;total calls",
            limit=3,
            offset=offset,
        )
    ]
    assert paged == everything
    for order in ("ACD;asc", "ASR;desc", "cost;desc", "user", "total bill duration;asc"):
        assert await rows(dialer, "user", order=order)
    costs = [row["cost"] for row in await rows(dialer, "destination", order="cost;desc")]
    assert costs == sorted(costs, reverse=True)


async def test_a_field_that_is_no_group_is_shown_where_all_agree(dialer: httpx.AsyncClient) -> None:
    found = await rows(dialer, "call status", fields="sip termination status;destination;total calls")
    by_status = {row["status"]: row for row in found}
    assert by_status["USER_BUSY"] == {"status": "USER_BUSY", "sip_term_status": 486, "dst": "202", "total": "1"}
    assert by_status["NORMAL_CLEARING"]["dst"] is None


async def test_end_is_inclusive(dialer: httpx.AsyncClient) -> None:
    async def total(start: str, end: str) -> int:
        found = await rows(dialer, "conference to", {"start_at": start, "end_at": end})
        return sum(int(row["total"]) for row in found)

    assert await total("2024-08-20 12:00:00", "2024-08-20 12:00:00") == 1
    assert await total("2024-08-20 12:00:01", "2024-08-20 12:00:59") == 0
    assert await total("2024-08-20", "2024-08-21") == 17


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "group: is missing"),
        ({"group": "user"}, "filter"),
        ({"group": "user", "filter": {}}, "start_at"),
        ({"group": "user", "filter": {"strat_at": "2024-08-20 00:00:00", "end_at": "x"}}, "spelled start_at"),
        ({"group": "user", "filter": {"start_at": "2024-08-20 00:00:00"}}, "end_at"),
        ({"group": "user", "filter": {"start_at": "20.08.2024", "end_at": "2024-08-21 00:00:00"}}, "start_at"),
        ({"group": "user", "filter": {"start_at": 1, "end_at": 2}}, "start_at"),
        ({"group": "user", "filter": {"start_at": "2024-08-22 00:00:00", "end_at": "2024-08-21 00:00:00"}}, "swap"),
        ({"group": "user", "filter": []}, "filter"),
        ({"group": 7, "filter": DAY}, "group"),
        ({"group": "colour", "filter": DAY}, "colour"),
        ({"group": ";", "filter": DAY}, "group"),
        ({"group": "user", "fields": "total", "filter": DAY}, "total"),
        ({"group": "user", "fields": ["total calls"], "filter": DAY}, "fields"),
        ({"group": "user", "period": "week", "filter": DAY}, "week"),
        ({"group": "user", "order": "trunk;desc", "filter": DAY}, "order"),
        ({"group": "user", "order": "user;up", "filter": DAY}, "order"),
        ({"group": "user", "limit": "many", "filter": DAY}, "limit"),
        ({"group": "user", "limit": 0, "filter": DAY}, "limit"),
        ({"group": "user", "limit": True, "filter": DAY}, "limit"),
        ({"group": "user", "offset": -1, "filter": DAY}, "offset"),
        ({"group": "user", "offset": 1.5, "filter": DAY}, "offset"),
        ({"group": "user", "filter": DAY | {"duration": "5;~"}}, "duration"),
        ({"group": "user", "filter": DAY | {"duration": "five"}}, "duration"),
        ({"group": "user", "filter": DAY | {"duration": [5]}}, "duration"),
        ({"group": "user", "filter": DAY | {"destination": "12;>"}}, "operator"),
        ({"group": "user", "filter": DAY | {"destination": {"a": 1}}}, "destination"),
        ({"group": "user", "filter": DAY | {"user": ["ada"]}}, "user"),
        ({"group": "user", "filter": DAY | {"callsType": [1.5]}}, "callsType"),
        ({"group": "user", "filter": DAY | {"colour": "red"}}, "colour"),
        ({"group": "user", "colour": "red", "filter": DAY}, "colour"),
    ],
)
async def test_what_is_refused(dialer: httpx.AsyncClient, body: dict[str, Any], says: str) -> None:
    answer = await dialer.post(PATH, json=body)
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["error"]


async def test_credentials(http: httpx.AsyncClient, company: Company) -> None:
    body = {"group": "caller_id", "filter": DAY}
    for auth in (("boss", PASSWORD), ("acme", company.token)):
        assert LEAK not in (answer := await http.post(PATH, json=body, auth=auth)).text
        assert answer.status_code == 200
    for auth in (("boss", "wrong"), ("acme", company.other_token), ("", ""), ("other", company.token)):
        answer = await http.post(PATH, json=body, auth=auth)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert answer.json()["error"]
    assert (await http.post(PATH, json=body)).status_code == 401
    others = await http.post(PATH, json=body, auth=("boss2", PASSWORD))
    assert LEAK in others.text


async def test_an_ordinary_user_sees_own_calls(http: httpx.AsyncClient) -> None:
    (row,) = await rows_of(http, "ben")
    assert row["total"] == "4"
    assert row["caller_user_id"] == 102


async def rows_of(http: httpx.AsyncClient, user: str) -> list[Any]:
    http.auth = httpx.BasicAuth(user, PASSWORD)
    return await rows(http, "user")


async def test_the_list(dialer: httpx.AsyncClient) -> None:
    body = (await dialer.get("/api/cdrs/limit/2;1/order/start_at;asc/start_at/2024-08-20 12:03:00;>")).json()
    first, second = body["cdrs"]
    assert second["start_at"] == "2024-08-20 12:06:00"
    assert {name: value for name, value in first.items() if name not in ("object_id", "call_id")} == {
        "object_type_id": 3,
        "caller_user_id": 101,
        "caller_user": "Ada Byron",
        "start_at": "2024-08-20 12:05:00",
        "end_at": "2024-08-20 12:05:00",
        "src": "101",
        "dst": "+441632960123",
        "dst_country": "GB",
        "call_uuid": "refused",
        "agent_callerid_name": "Ada Byron",
        "agent_callerid_number": "101",
        "client_callerid_name": "",
        "client_callerid_number": "+441632960000",
        "client_hangup_disposition": "system",
        "agent_hangup_disposition": "system",
        "call_duration": 0,
        "bill_duration": 0,
        "status": "CALL_REJECTED",
        "trunk": "carrier-a",
        "public_recording_url": "",
    }
    everything = (await dialer.get("/api/cdrs/limit/100")).json()["cdrs"]
    assert len(everything) == 17
    assert [item["start_at"] for item in everything] == sorted((item["start_at"] for item in everything), reverse=True)


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("start_at/2024-08-20 12:03:00;>=/start_at/2024-08-20 12:05:00;<=", 3),
        ("start_at/2024-08-20 12:03:00;>/start_at/2024-08-20 12:05:00;<", 1),
        ("start_at/2024-08-20 12:03:00", 1),
        ("start_at/2024-08-20 12:03:00;!=", 16),
        ("status/USER_BUSY;=", 1),
        ("dst/%2B441632960123;=/call_duration/5;>", 3),
        ("client_callerid_number/=2+5;=", 0),
        ("object_type_id/8", 5),
        ("call_uuid/plain", 1),
        ("order/call_duration;desc", 17),
    ],
)
async def test_conditions_in_the_path(dialer: httpx.AsyncClient, path: str, count: int) -> None:
    answer = await dialer.get(f"/api/cdrs/{path}")
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["cdrs"]) == count


@pytest.mark.parametrize(
    "path",
    [
        *("limit/0", "limit/x", "limit/1;-1", "limit/10001", "limit/5/order/colour;asc", "limit/5/order/start_at;up"),
        *("limit/5/colour/red", "limit/5/start_at", "start_at/yesterday;>", "call_duration/x;>", "limit/5/dst/%00"),
        *("limit/5/dst/%ff", "limit/5/call_id/1 OR 1;=", "status/A;~"),
    ],
)
async def test_paths_that_are_refused(dialer: httpx.AsyncClient, path: str) -> None:
    answer = await dialer.get(f"/api/cdrs/{path}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]


async def test_portsips_paths_stay_portsips(dialer: httpx.AsyncClient, company: Company) -> None:
    header = {"Authorization": f"Bearer {company.token}"}
    call = company.calls["plain"]
    for path, status in ((f"/api/cdrs/{call.id}", 200), ("/api/cdrs/limit", 404), ("/api/cdrs", 200)):
        answer = await dialer.get(path, headers=header, auth=None)
        assert answer.status_code == status
        assert "error" not in answer.json()
