from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from pipeline.directory.model import Tenant
from pipeline.query.app import create_app
from pipeline.rating.deck import Header, Scope
from pipeline.rating.deck_file import parse_csv
from pipeline.settings import Settings
from pipeline.warehouse.identity.access import RATE, READ
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.reference import decks
from pipeline.warehouse.reference.directories import save
from tests.query.stored_calls import stored_call, write
from tests.query.vendors.conftest import LEAK, PASSWORD, Company
from tests.query.vendors.vendor_calls import day

pytestmark = pytest.mark.embedded

MONTH = {"year": 2024, "month": 8}
NOON = 1724155200
COOKIE = "Red60urne"


@pytest.fixture
def pabx(http: httpx.AsyncClient, company: Company) -> httpx.AsyncClient:
    http.headers["Authorization"] = f"Bearer {company.token}"
    return http


async def report(pabx: httpx.AsyncClient, command: str, **scope: Any) -> dict[str, Any]:
    answer = await pabx.post(f"/rest/call/{command}", json={"type": "cdr", "scope": MONTH | scope})
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    assert list(body) == ["result", "values"], body
    assert body["result"] == "success"
    values: dict[str, Any] = body["values"]
    return values


def dates(lines: dict[str, Any]) -> dict[str, list[int]]:
    """Minutes after noon of the calls of each extension or device."""
    return {key: [(call["calldate"] - NOON) // 60 for call in line["calls"]] for key, line in lines.items()}


async def test_received_calls(pabx: httpx.AsyncClient) -> None:
    found = await report(pabx, "incalls")
    assert dates(found) == {"202": [1, 11], "203": [11, 12]}  # of the default company
    assert found["202"]["name"] == "Cid"
    busy, queued = found["202"]["calls"]
    assert list(busy) == [
        *("acctid", "calldate", "caller", "type", "ringtime", "billsecs", "detail", "qtime", "qstatus"),
    ]
    del busy["acctid"], queued["acctid"]
    assert busy == {
        "calldate": NOON + 60,
        "caller": "101",
        "type": "Internal",
        "ringtime": 35,
        "billsecs": 0,
        "detail": "Busy",
        "qtime": "",
        "qstatus": "",
    }
    assert queued == {
        "calldate": NOON + 669,
        "caller": "+33612345678",
        "type": "External",
        "ringtime": 3,
        "billsecs": 60,
        "detail": "Answered",
        "qtime": "12",
        "qstatus": "Answered",
    }
    polled, abandoned = found["203"]["calls"]
    assert (polled["detail"], polled["billsecs"], polled["qtime"], polled["qstatus"]) == (
        *("Not answered", 0),
        *("12", "Answered"),
    )
    assert (abandoned["qtime"], abandoned["qstatus"]) == ("20", "Abandoned")
    north = await report(pabx, "incalls", company="north")
    assert dates(north) == {"201": [0, 9, 10, 13, 14, 16]}
    assert north["201"]["name"] == "Bob Frost"
    assert [call["detail"] for call in north["201"]["calls"]] == [
        *("Answered", "Answered", "Not answered", "Voicemail", "Answered", "Answered"),
    ]
    assert north["201"]["calls"][2]["caller"] == "+33612345678"


async def test_company_as_text_and_as_list(pabx: httpx.AsyncClient) -> None:
    north = await report(pabx, "incalls", company="north")
    assert await report(pabx, "incalls", company=["north"]) == north
    both = await report(pabx, "incalls", company=["north", "default"])
    assert dates(both) == dates(north) | dates(await report(pabx, "incalls"))
    assert await report(pabx, "incalls", company="acme") == await report(pabx, "incalls", company="default")
    assert await report(pabx, "incalls", company="nowhere") == {}
    for field in ("company", "extensions"):  # what is empty widens nothing
        for empty in ("", [], [""]):
            answer = await pabx.post("/rest/call/incalls", json={"type": "cdr", "scope": MONTH | {field: empty}})
            assert answer.json()["result"] == "fail", (field, empty)
            assert "is empty" in answer.json()["message"]
    answer = await pabx.post("/rest/call/incalls", json={"type": "cdr", "scope": MONTH | {"day": ""}})
    assert answer.json()["result"] == "fail"


async def test_received_calls_of_a_plain_producer(http: httpx.AsyncClient, company: Company) -> None:
    """No diversion is told of, only that the box was reached; a code of the PBX is nobody's extension."""
    tenant, at = "plain-box", NOON * 1000
    missed = {"answered_at": None, "talk_ms": 0, "outcome": "no_answer", "direction": "inbound"}
    box = {"kind": "voicemail", "number": "201", "outcome": "answered", "direction": "inbound"}
    calls = [
        stored_call(tenant, "box", at, logs=[missed | {"caller_number": "anonymous"}, box], direction="inbound"),
        stored_call(tenant, "group", at + 60_000, logs=[missed | {"number": "202"}, box], direction="inbound"),
        stored_call(tenant, "code", at + 120_000, logs=[{"number": "*600"}], callee_number="*600"),
    ]
    write(company.client, calls)
    http.headers["Authorization"] = f"Bearer {create_token(company.client, tenant, 't')}"
    found = await report(http, "incalls")
    told = {key: [(call["caller"], call["detail"]) for call in line["calls"]] for key, line in found.items()}
    assert told == {"201": [("Anonymous", "Voicemail")], "202": [("101", "Not answered")]}


@pytest.mark.parametrize("spelling", ["0c383e0000011", "0C383E0000011", "0c:38:3e:00:00:01:1"])
async def test_a_device_in_several_spellings(pabx: httpx.AsyncClient, spelling: str) -> None:
    assert list(await report(pabx, "outcalls", deviceids=[spelling])) == ["0c383e0000011"]


async def test_some_extensions(pabx: httpx.AsyncClient) -> None:
    assert dates(await report(pabx, "incalls", extensions=["203", 999])) == {"203": [11, 12]}
    assert dates(await report(pabx, "incalls", extensions=203)) == {"203": [11, 12]}
    assert await report(pabx, "incalls", extensions=["201"]) == {}


async def test_dialled_calls(pabx: httpx.AsyncClient) -> None:
    found = await report(pabx, "outcalls")
    assert dates(found) == {"0c383e0000011": [0, 1, 3, 4, 5, 6]}
    line = found["0c383e0000011"]
    assert (list(line), line["name"], line["device"]) == (["name", "device", "calls"], "Ada Byron", "ada-desk")
    out = line["calls"][3]
    assert list(out) == [
        *("acctid", "calldate", "type", "called_info", "called", "dialled"),
        *("billsecs", "ringtime", "cost", "trunk", "cid"),
    ]
    del out["acctid"], out["type"]
    assert out == {
        "calldate": NOON + 240,
        "called_info": "",
        "called": "01632960123",
        "dialled": "+441632960123",
        "billsecs": 30,
        "ringtime": 5,
        "cost": 0.01,
        "trunk": "carrier-a",
        "cid": "+441632960000",
    }
    plain = line["calls"][0]
    assert (plain["type"], plain["called_info"], plain["cid"], plain["cost"]) == ("Internal", "Bob", "101", 0)


async def test_a_softphone_and_its_handset(pabx: httpx.AsyncClient) -> None:
    apart = await report(pabx, "outcalls", company="north")
    assert dates(apart) == {"0200000000070": [2, 7, 8, 16], "201": [14]}
    merged = await report(pabx, "outcalls", company="north", keeviomerge=True)
    assert dates(merged) == {"0c383e0000090": [2, 7, 8, 16], "201": [14]}
    assert merged["0c383e0000090"]["device"] == "ben-desk"
    feature = apart["0200000000070"]["calls"][0]
    del feature["acctid"]
    assert feature == {
        "calldate": NOON + 120,
        "type": "Test Number",
        "called_info": "",
        "called": "*600",
        "dialled": "*600",
        "billsecs": 61,
        "ringtime": 0,
        "cost": 0,
        "trunk": "",
        "cid": "102",
    }
    (handed,) = apart["201"]["calls"]
    assert (handed["called"], handed["trunk"], handed["cost"]) == ("01632960777", "carrier-a", 0.5)
    only = await report(pabx, "outcalls", company="north", deviceids=["201"])
    assert list(only) == ["201"]


async def test_costs_by_company(pabx: httpx.AsyncClient) -> None:
    found = await report(pabx, "outsummary")
    assert found == {
        "default": {"name": "Acme Ltd", "cost": 0.01, "seconds": 180, "unknown": 0},
        "north": {"name": "Acme North", "cost": 0.5, "seconds": 191, "unknown": 1},
    }
    detailed = await report(pabx, "outsummary", detail=True, company="north")
    assert list(detailed) == ["north"]
    assert detailed["north"] == found["north"] | {
        "0200000000070": {"name": "Ben Okoro", "device": "ben-soft", "cost": None, "seconds": 121, "unknown": 1},
        "201": {"name": "Bob Frost", "device": "201", "cost": 0.5, "seconds": 70, "unknown": 0},
    }
    for company in ("default", "north"):
        calls = [call for line in (await report(pabx, "outcalls", company=company)).values() for call in line["calls"]]
        assert sum(call["billsecs"] for call in calls) == found[company]["seconds"]
    merged = await report(pabx, "outsummary", detail=True, keeviomerge="true", company="north")
    assert list(merged["north"]) == ["name", "cost", "seconds", "unknown", "0c383e0000090", "201"]


async def test_all_calls(pabx: httpx.AsyncClient) -> None:
    found = await report(pabx, "allcalls")
    assert list(found) == ["default", "north"]
    assert [list(company) for company in found.values()] == [["name", "in", "out"]] * 2
    for name, company in found.items():
        inward = await report(pabx, "incalls", company=name)
        assert dates(company["in"]) == dates(inward)
        outward = await report(pabx, "outcalls", company=name)
        assert dates(company["out"]) == dates(outward)
        assert {call["cost"] for line in company["out"].values() for call in line["calls"]} == {0}
        assert all("ddi" in call for line in company["in"].values() for call in line["calls"])
    assert found["north"]["in"]["201"]["calls"][1]["ddi"] == "+441632960001"
    assert found["north"]["in"]["201"]["calls"][0]["ddi"] == ""


@pytest.mark.parametrize(
    ("scope", "minutes"),
    [
        ({"day": 20}, [0, 1, 3, 4, 5, 6]),
        ({"day": "20", "month": "8", "year": "2024"}, [0, 1, 3, 4, 5, 6]),
        ({"day": 19}, []),
        ({"day": 19, "days": 2}, [0, 1, 3, 4, 5, 6]),
        ({"day": 21, "days": 2}, []),
        ({"month": 7}, []),
        ({"year": 2023}, []),
    ],
)
async def test_days(pabx: httpx.AsyncClient, scope: dict[str, Any], minutes: list[int]) -> None:
    found = await report(pabx, "outcalls", **scope)
    assert dates(found).get("0c383e0000011", []) == minutes


async def test_days_are_the_tenants_own(pabx: httpx.AsyncClient, company: Company) -> None:
    """Berlin: the last day of March 2024 has 23 hours, the 27th of October 25."""
    moments = [1711839599, 1711839600, 1711922399, 1711922400, 1729979999, 1729980000, 1730069999, 1730070000]
    write(company.client, [stored_call("acme", f"edge{at}", at * 1000) for at in moments])

    async def found(month: int, day: int) -> list[int]:
        lines = await report(pabx, "outcalls", month=month, day=day)
        return [call["calldate"] for line in lines.values() for call in line["calls"]]

    assert await found(3, 31) == moments[1:3]
    assert await found(3, 30) == moments[:1]
    assert await found(10, 27) == moments[5:7]
    assert await found(10, 28) == moments[7:]


FAULTS: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "scope"),
    ({"scope": []}, "scope"),
    ({"scope": {}}, "year"),
    ({"scope": {"year": 2024}}, "month"),
    ({"scope": {"month": 8}}, "year"),
    ({"scope": {"year": 2024, "month": 13}}, "month"),
    ({"scope": {"year": 2024, "month": True}}, "month"),
    ({"scope": {"year": "twenty", "month": 1}}, "year"),
    ({"scope": MONTH | {"company": {"a": 1}}}, "company"),
    ({"scope": MONTH | {"company": [None]}}, "company"),
    ({"scope": MONTH | {"extensions": 1.5}}, "extensions"),
    ({"scope": MONTH | {"deviceids": ["a\0"]}}, "deviceids"),
    ({"scope": MONTH | {"keeviomerge": "perhaps"}}, "keeviomerge"),
    ({"scope": MONTH | {"detail": 7}}, "detail"),
    ({"type": "chat", "scope": MONTH}, "type"),
)
FAULTS_OF_DAYS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"scope": {"year": 2024, "month": 2, "day": 30}}, "day"),
    ({"scope": {"year": 2024, "month": 2, "day": 1, "days": 0}}, "days"),
)


@pytest.mark.parametrize(
    ("command", "body", "says"),
    [("incalls", *fault) for fault in (*FAULTS, *FAULTS_OF_DAYS)] + [("outsummary", *fault) for fault in FAULTS],
)
async def test_what_fails(pabx: httpx.AsyncClient, command: str, body: dict[str, Any], says: str) -> None:
    answer = await pabx.post(f"/rest/call/{command}", json=body)
    assert answer.status_code == 200
    assert answer.json()["result"] == "fail"
    assert says in answer.json()["message"]


async def test_a_session(http: httpx.AsyncClient) -> None:
    auth = {"type": "auth", "username": "boss", "password": PASSWORD}
    answer = await http.post("/rest/auth/", json={"auth": auth})
    body = answer.json()
    assert (answer.status_code, body["result"]) == (200, "success")
    assert list(body["user"]) == ["id", "login", "name", "company", "home", "session", "perms"]
    assert http.cookies[COOKIE] == body["user"]["session"]
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert await report(http, "outsummary")
    assert (await http.post("/rest/auth/logout", json={})).json() == {"result": "success"}
    http.cookies.set(COOKIE, body["user"]["session"])
    answer = await http.post("/rest/call/outsummary", json={"scope": MONTH})
    assert (answer.status_code, answer.json()["result"]) == (200, "fail")
    assert (await http.post("/rest/auth", json={"auth": auth})).json()["result"] == "success"
    assert (await http.get("/rest/auth/logout")).json() == {"result": "success"}


async def test_credentials_in_the_body(http: httpx.AsyncClient, company: Company) -> None:
    async def asked(auth: Any) -> dict[str, Any]:
        answer = await http.post("/rest/call/incalls", json={"auth": auth, "type": "cdr", "scope": MONTH})
        assert answer.status_code == 200
        body: dict[str, Any] = answer.json()
        return body

    good = [
        {"type": "auth", "username": "boss", "password": PASSWORD},
        {"type": "auth", "username": "acme", "password": company.token},
        {"type": "key", "key": company.token},
    ]
    for auth in good:
        assert (await asked(auth))["result"] == "success"
    bad: list[Any] = [
        {"type": "auth", "username": "boss", "password": "wrong"},
        {"type": "auth", "username": "acme", "password": company.other_token},
        {"username": "boss"},
        {"username": 7, "password": []},
        *("boss", [], 7, {"key": "cdr_nobody"}, {"key": ""}),
    ]
    for auth in bad:
        body = await asked(auth)
        assert body["result"] == "fail"
        assert "values" not in body
    assert "set-cookie" not in (await http.post("/rest/auth/", json={"auth": bad[0]})).headers


async def test_nobody(http: httpx.AsyncClient) -> None:
    for command in ("incalls", "outcalls", "outsummary", "allcalls"):
        answer = await http.post(f"/rest/call/{command}", json={"type": "cdr", "scope": MONTH})
        assert (answer.status_code, answer.json()["result"]) == (200, "fail")
    assert (await http.post("/rest/call/nothing", json={})).json()["result"] == "fail"
    assert (await http.get("/rest/call/incalls")).json()["result"] == "fail"
    assert (await http.post("/rest/call/incalls", content=b"{")).json()["result"] == "fail"


async def test_an_ordinary_user_sees_own_calls(http: httpx.AsyncClient) -> None:
    http.auth = httpx.BasicAuth("ben", PASSWORD)
    found = await report(http, "allcalls")
    assert dates(found["north"]["out"]) == {"0200000000070": [2, 7, 8, 16]}
    assert dates(found["north"]["in"]) == {"201": [16]}
    assert list(found) == ["north"]
    assert (await report(http, "outsummary"))["north"]["seconds"] == 121


async def test_each_tenant_sees_its_own(http: httpx.AsyncClient, pabx: httpx.AsyncClient, company: Company) -> None:
    assert LEAK not in str(await report(pabx, "allcalls"))
    http.headers["Authorization"] = f"Bearer {company.other_token}"
    others = await report(http, "allcalls", company="north")
    assert LEAK in str(others)
    assert list(others) == ["default"]
    assert others["default"]["name"] == "Default Company"
    http.headers["Authorization"] = f"Bearer {create_token(company.client, 'nobody', 't')}"
    for command in ("incalls", "outcalls", "outsummary", "allcalls"):
        assert await report(http, command) == {}


async def test_record_numbers_stay(pabx: httpx.AsyncClient, company: Company) -> None:
    before = await report(pabx, "allcalls")
    write(company.client, list(company.calls.values()))  # emitted again
    assert await report(pabx, "allcalls") == before
    numbers = [
        call["acctid"]
        for one in before.values()
        for way in ("in", "out")
        for line in one[way].values()
        for call in line["calls"]
    ]
    assert len(set(numbers)) == len(numbers)
    assert max(numbers) < 2**53


@pytest.fixture
async def pricing(company: Company) -> AsyncIterator[httpx.AsyncClient]:
    """A service whose Kafka is away, and a tenant with an unpriced call and a tariff."""
    tenant = "tariffed"
    call = next(call for call in day(tenant) if call.call_id == "unpriced")
    write(company.client, [call])
    entry = Tenant(tenant, country="GB")
    save(company.client, tenant, {("tenant", tenant): entry}, "tests")
    deck = (
        "prefix,destination,connect_fee,interval_1,price_1,interval_n,price_n,currency\n44,UK,0,60,0.06,60,0.06,GBP\n"
    )
    decks.save(company.client, Header("retail", Scope(tenant=tenant)), parse_csv(deck, "retail"), "tests")
    app = create_app(company.settings.model_copy(update={"kafka": "127.0.0.1:1"}))
    transport = httpx.ASGITransport(app=app)
    token = create_token(company.client, tenant, "t", scopes=(READ, RATE))
    header = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=header) as client:
        yield client
    app.state.gate.close()
    app.state.reader.close()


async def test_calls_are_priced_again(pricing: httpx.AsyncClient) -> None:
    (before,) = (await report(pricing, "outsummary")).values()
    assert (before["cost"], before["unknown"], before["seconds"]) == (None, 1, 30)
    asked = {"type": "cdr", "scope": MONTH | {"recalc": True}}
    first, second = await asyncio.gather(*(pricing.post("/rest/call/outsummary", json=asked) for _ in range(2)))
    assert sorted(answer.json()["result"] for answer in (first, second)) == ["retry", "success"]
    (after,) = (await report(pricing, "outsummary")).values()
    assert (after["cost"], after["unknown"], after["seconds"]) == (0.06, 0, 30)
    (line,) = (await report(pricing, "outcalls", recalc=True)).values()
    (call,) = line["calls"]
    assert (call["cost"], call["type"], call["called"]) == (0.06, "National", "01632960123")


async def test_reading_calls_is_no_leave_to_price_them(http: httpx.AsyncClient, company: Company) -> None:
    token = create_token(company.client, "acme", "reader", scopes=(READ,))
    http.headers["Authorization"] = f"Bearer {token}"
    answer = await http.post("/rest/call/outsummary", json={"scope": MONTH | {"recalc": True}})
    assert answer.json()["result"] == "fail"
    assert RATE in answer.json()["message"]


async def test_an_ordinary_user_has_nothing_priced_again(http: httpx.AsyncClient) -> None:
    http.auth = httpx.BasicAuth("ben", PASSWORD)
    answer = await http.post("/rest/call/outcalls", json={"scope": MONTH | {"recalc": True}})
    assert answer.json()["result"] == "fail"
    assert "recalc" in answer.json()["message"]


@pytest.mark.parametrize("lock", [True, False])
async def test_a_second_report_is_told_to_retry(company: Company, lock: bool) -> None:
    app = create_app(company.settings.model_copy(update={"ipcortex_lock": lock}))
    header = {"Authorization": f"Bearer {company.token}"}
    try:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=header) as client:
            asked = [client.post("/rest/call/allcalls", json={"scope": MONTH}) for _ in range(3)]
            answers = [answer.json() for answer in await asyncio.gather(*asked)]
            results = sorted(answer["result"] for answer in answers)
            assert results == (["retry", "retry", "success"] if lock else ["success"] * 3)
            # word for word what the vendor's page says
            locked = {
                "result": "retry",
                "message": "Another user has billing locked. Please try again in a moment.",
            }
            assert [answer for answer in answers if answer["result"] == "retry"] == [locked] * results.count("retry")
            last = await client.post("/rest/call/allcalls", json={"scope": MONTH})
            assert last.json()["result"] == "success"
    finally:
        app.state.gate.close()
        app.state.reader.close()


async def test_days_may_look_back(company: Company) -> None:
    settings: Settings = company.settings.model_copy(update={"ipcortex_days": "back"})
    app = create_app(settings)
    try:
        transport = httpx.ASGITransport(app=app)
        header = {"Authorization": f"Bearer {company.token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=header) as client:
            for day, days, count in ((21, 2, 1), (19, 2, 0), (26, 7, 1), (27, 7, 0)):
                found = await report(client, "outcalls", day=day, days=days)
                assert len(found) == count
    finally:
        app.state.gate.close()
        app.state.reader.close()
