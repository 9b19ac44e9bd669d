"""Figures on every surface over calls of known truth: each expected value is worked out by hand beside its calls."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from pipeline.directory.model import DialPlan, Entry, Extension, Tenant, key_of, kind_of
from pipeline.query.same_number import all_spellings, spellings
from pipeline.rating.numbers import Numbering
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.reference.directories import save
from tests.query.stored_calls import MINUTE, NOON, stored_call, write
from tests.query.vendors.conftest import Company

pytestmark = pytest.mark.embedded

DAY = {"start_at": "2024-08-20", "end_at": "2024-08-20"}  # a date alone as an end is its end
# One number in all the ways that PBXs and carriers of the United Kingdom write it.
SAME = ("+441632460123", "00441632460123", "441632460123", "01632460123", "1632460123", "901632460123", "460123")
ABROAD = ("+33612345678", "0033612345678", "33612345678", "90033612345678")
PLAN = DialPlan(country="GB", area_code="1632", trunk_prefixes=("9",))
OUT: dict[str, Any] = {"direction": "outbound", "trunk": "carrier-a", "callee_extension": "", "callee_name": ""}
NOBODY: dict[str, Any] = {
    **{"answered_at": None, "talk_started_at": None, "setup_ms": None, "answered_by": "", "end_reason": ""},
    **{"talk_ms": 0, "billable_ms": 0},
}


def outside(number: str, **more: Any) -> list[dict[str, Any]]:
    return [{"kind": "outside", "number": number, "direction": "outbound", "trunk": "carrier-a"} | more]


@pytest.fixture(scope="module")
def headers(company: Company) -> dict[str, str]:
    """Tenant written: a call to and a call from each way of writing the two numbers, half an hour apart."""
    calls = []
    for place, number in enumerate((*SAME, *ABROAD)):
        at = NOON + place * MINUTE
        calls.append(
            stored_call(
                "written", f"to {number}", at, logs=outside(number), callee_number=number, answered_by=number, **OUT
            )
        )
        calls.append(
            stored_call(
                "written", f"from {number}", at + 1000, direction="inbound", caller_number=number, caller_extension=""
            )
        )
    write(company.client, calls)
    directory: list[Entry] = [Tenant("written", country="GB", dial_plan=PLAN), Extension("101"), Extension("201")]
    save(company.client, "written", {(kind_of(one), key_of(one)): one for one in directory}, "tests")
    return {"Authorization": f"Bearer {create_token(company.client, 'written', 't')}", "User-Agent": "OpenAPI"}


@pytest.fixture
async def http_of(service: FastAPI, headers: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=service)
    async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers) as client:
        yield client


async def aggregate(client: httpx.AsyncClient, **filter_: Any) -> int:
    """How many calls CommPeak's aggregation counts."""
    body = {"group": "hangup", "fields": "total calls", "filter": DAY | filter_}
    answer = await client.post("/api/cdrs/cdrs-aggregate", json=body)
    assert answer.status_code == 200, answer.text
    return sum(int(row["total"]) for row in answer.json())


async def yeastar(client: httpx.AsyncClient, **options: Any) -> int:
    answer = (await client.get("/openapi/v1.0/cdr/search", params=options)).json()
    assert answer["errcode"] == 0, answer
    return int(answer["total_number"])


@pytest.mark.parametrize("written", [SAME, ABROAD])
async def test_numbers_compare_by_their_digits(http_of: httpx.AsyncClient, written: tuple[str, ...]) -> None:
    every = len(written)
    for number in written:
        assert await aggregate(http_of, destination=number) == every, number
        assert await aggregate(http_of, caller_id=[number]) == every, number
        assert await yeastar(http_of, call_to=number) == every, number
        assert await yeastar(http_of, call_from=number) == every, number
        listed = await http_of.get(f"/api/cdrs/limit/100;0/dst/{number};=")
        assert len(listed.json()["cdrs"]) == every, number
        others = await http_of.get(f"/api/cdrs/limit/100;0/dst/{number};!=")
        assert len(others.json()["cdrs"]) == 2 * len((*SAME, *ABROAD)) - every, number
    assert await aggregate(http_of, destination=list(written)) == every
    assert await aggregate(http_of, destination="+441632460124") == 0
    assert await yeastar(http_of, call_to=written[0], enable_fuzzy_search=1) >= every - 1  # not those without area


def test_what_is_no_telephone_number_is_itself() -> None:
    numbering = Numbering(PLAN, frozenset(("101", "460124")))
    for number in ("101", "*600", "999", "anonymous", "sip:ada@example.com", ""):
        assert spellings(number, numbering) == (number,)
    assert "460124" not in spellings("+441632460124", numbering)  # an extension of ours
    assert set(SAME) <= set(spellings("01632460123", numbering))
    assert all_spellings(SAME, numbering)[0] == SAME[0]
    assert set(all_spellings(SAME, numbering)) == set(spellings(SAME[0], numbering))


@pytest.mark.parametrize(
    ("plan", "written"),
    [
        (DialPlan("DE", ("0",), area_code="30"), ("+493098765432", "493098765432", "00493098765432", "03098765432")),
        (DialPlan("DE", ("0",)), ("+33123456789", "33123456789", "0033123456789", "00033123456789")),
        (DialPlan("AT"), ("+436641234567", "436641234567", "00436641234567", "06641234567")),
        (DialPlan("IT"), ("+390612345678", "390612345678", "00390612345678", "0612345678")),
        (DialPlan("US"), ("+493098765432", "493098765432", "00493098765432", "011493098765432")),
        (DialPlan("US", ("9",)), ("+14045551234", "14045551234", "4045551234", "94045551234")),
        (DialPlan(), ("+493098765432", "493098765432", "00493098765432")),
    ],
)
def test_one_number_in_every_country(plan: DialPlan, written: tuple[str, ...]) -> None:
    """Also where the length of a number does not tell whether it has its country code."""
    numbering = Numbering(plan)
    for number in written:
        assert set(written) <= set(spellings(number, numbering)), number


LONG = 10_000


async def test_lists_of_ten_thousand(http_of: httpx.AsyncClient) -> None:
    """Calls of extension 101 are all that went out; those from outside are of nobody, 0."""
    out = len((*SAME, *ABROAD))
    for users, count in (([101, *range(1000, 1000 + LONG - 1)], out), (list(range(5000, 5000 + LONG)), 0)):
        assert await aggregate(http_of, user=users) == count
    assert await aggregate(http_of, original_trunk_id=["carrier-a", *(f"t-{n}" for n in range(LONG - 1))]) == out
    assert await aggregate(http_of, original_trunk_id=[f"{n}" * 20 for n in range(LONG)]) == 0
    assert await aggregate(http_of, callsType=[*range(100, 100 + LONG - 2), 3, 4]) == 2 * out
    numbers = [f"+4420794{n:05d}" for n in range(LONG - 1)]
    assert await aggregate(http_of, destination=[*numbers, SAME[2]]) == len(SAME)
    assert await aggregate(http_of, caller_id=[*numbers, SAME[2]]) == len(SAME)
    assert await aggregate(http_of, destination=numbers) == 0
    # 35 s from start to end, each
    assert await aggregate(http_of, duration="|".join(f"{n};!=" for n in range(1000, 1000 + LONG))) == 2 * out
    assert await aggregate(http_of, duration="|".join(f"{n};!=" for n in range(LONG))) == 0
    assert await aggregate(http_of, duration="|".join(f"{n};<" for n in range(36, 36 + LONG))) == 2 * out
    assert await aggregate(http_of, duration="35;=|36;=") == 0
    assert await aggregate(http_of, duration="35;=|35;>=|34;>|36;<|35;<=") == 2 * out
    too_many = await http_of.post(
        "/api/cdrs/cdrs-aggregate", json={"group": "user", "filter": DAY | {"user": list(range(LONG + 1))}}
    )
    assert too_many.status_code == 400


async def test_long_questions_elsewhere_are_answered_too(http_of: httpx.AsyncClient) -> None:
    thousand = [f"+4420794{n:05d}" * 20 for n in range(1000)]
    for filter_ in ({"caller.number": thousand}, {"id": list(range(1000))}, {"talk_ms": {"not_in": list(range(1000))}}):
        answer = await http_of.post("/v1/calls/search", json={"filter": filter_, "count": True})
        assert answer.status_code == 200, answer.text
    scope = {"year": 2024, "month": 8, "extensions": [f"{n}" for n in range(9999)], "company": ["x"] * 9999}
    for path in ("incalls", "outcalls"):
        answer = await http_of.post(f"/rest/call/{path}", json={"type": "cdr", "scope": scope})
        assert answer.json()["result"] == "success", answer.text
    words = " or ".join(f"caller eq '{n}'" for n in range(240))
    assert (await http_of.get("/api/cdrs", params={"filter": words})).status_code == 200
    ids = ",".join(str(n) for n in range(450))
    assert (await http_of.get("/api/cdrs", params={"filter": f"id in ({ids})"})).status_code == 200


@pytest.mark.parametrize(
    "field", ["destination", "caller_id", "user", "original_trunk_id", "callsType", "callAttributes"]
)
@pytest.mark.parametrize("empty", ["", [], [""]])
async def test_commpeak_refuses_what_is_empty(http_of: httpx.AsyncClient, field: str, empty: Any) -> None:
    body = {"group": "user", "filter": DAY | {field: empty}}
    answer = await http_of.post("/api/cdrs/cdrs-aggregate", json=body)
    assert answer.status_code == 400
    assert "is empty" in answer.json()["error"]


@pytest.mark.parametrize("name", ["group", "fields", "period"])
@pytest.mark.parametrize("value", [";", "user;", ";user", "user;;trunk", " ; ", "usr", "user,trunk", "%"])
async def test_commpeak_lists_of_names_are_names(http_of: httpx.AsyncClient, name: str, value: str) -> None:
    body = {"group": "user", "filter": DAY} | {name: value}
    assert (await http_of.post("/api/cdrs/cdrs-aggregate", json=body)).status_code == 400


async def test_portsip_refuses_what_is_empty(http_of: httpx.AsyncClient) -> None:
    for path in ("cdrs", "calllogs", "sessions", "call_reports", "completed_call_reports"):
        for option in ("filter", "search", "$filter"):
            assert (await http_of.get(f"/api/{path}?{option}=")).status_code == 400, (path, option)


async def test_days_of_commpeak_are_whole(http_of: httpx.AsyncClient) -> None:
    every = 2 * len((*SAME, *ABROAD))
    assert await aggregate(http_of) == every
    listed = [
        ("start_at/2024-08-20;=", every),
        ("start_at/2024-08-20;!=", 0),
        ("start_at/2024-08-20;<=", every),
        ("start_at/2024-08-20;>", 0),
        ("start_at/2024-08-19;>", every),
        ("start_at/2024-08-20;<", 0),
        ("start_at/2024-08-20%2012:00:00;=", 1),
    ]
    for path, count in listed:
        answer = await http_of.get(f"/api/cdrs/limit/100;0/{path}")
        assert len(answer.json()["cdrs"]) == count, path


@pytest.fixture(scope="module")
def money(company: Company) -> dict[str, str]:
    """Tenant money: two calls with a price, a free one, one without a price, one that nobody took, one inside."""
    day = [
        ("a", {"cost": "1.25", "currency": "GBP", "rate_class": "NATIONAL", "caller_number": "101"}),
        ("b", {"cost": "0.75", "currency": "GBP", "rate_class": "NATIONAL", "caller_number": "101"}),
        ("free", {"cost": "0", "currency": "", "rate_class": "EMERGENCY", "caller_number": "101"}),
        ("unknown", {"cost": "", "caller_number": "102", "caller_extension": "102"}),
    ]
    calls = [
        stored_call("money", name, NOON + place * MINUTE, logs=outside("+441632960123"), **(OUT | change))
        for place, (name, change) in enumerate(day)
    ]
    nobody = OUT | NOBODY | {"status": "no_answer", "caller_number": "103", "caller_extension": "103"}
    calls += [
        stored_call("money", "untaken", NOON + 9 * MINUTE, logs=[], **nobody),
        stored_call("money", "inside", NOON + 10 * MINUTE, caller_number="104", caller_extension="104"),
    ]
    write(company.client, calls)
    return {"Authorization": f"Bearer {create_token(company.client, 'money', 't', scopes=('admin',))}"}


async def test_v1_sums_money(http: httpx.AsyncClient, money: dict[str, str]) -> None:
    async def cost(query: str) -> Any:
        answer = await http.get(f"/v1/aggregate?measures=cost,rated,unrated&{query}", headers=money)
        return answer.json()["total"]

    assert await cost("") == {"cost": "2", "rated": 3, "unrated": 1}
    assert await cost("call_id=free") == {"cost": "0", "rated": 1, "unrated": 0}
    for nothing in ("unknown", "untaken", "inside"):
        assert (await cost(f"call_id={nothing}"))["cost"] is None
    assert (await cost("call_id=there is none"))["cost"] is None


async def test_commpeak_sums_money(http: httpx.AsyncClient, money: dict[str, str]) -> None:
    body = {"group": "user", "fields": "user;cost", "filter": DAY, "order": "user;asc"}
    found = (await http.post("/api/cdrs/cdrs-aggregate", json=body, headers=money)).json()
    assert [(row["caller_user_id"], row["cost"]) for row in found] == [(101, 2), (102, None), (103, 0), (104, 0)]


async def test_ipcortex_sums_money(http: httpx.AsyncClient, money: dict[str, str]) -> None:
    async def report(name: str, **scope: Any) -> Any:
        body = {"type": "cdr", "scope": {"year": 2024, "month": 8} | scope}
        return (await http.post(f"/rest/call/{name}", json=body, headers=money)).json()["values"]

    devices = await report("outcalls")
    costs = {key: [call["cost"] for call in device["calls"]] for key, device in devices.items()}
    assert costs == {"101": [1.25, 0.75, 0], "102": [None], "103": [0], "104": [0]}
    # 30 s are billed of each answered call outside; one inside lasts 30 s, too
    summary = (await report("outsummary", detail=True))["default"]
    assert (summary["cost"], summary["seconds"], summary["unknown"]) == (2, 150, 1)
    assert (summary["102"]["cost"], summary["102"]["unknown"]) == (None, 1)
    assert [call["type"] for call in devices["101"]["calls"]] == ["National", "National", "Emergency"]


async def test_portsip_has_no_cost_without_a_price(http: httpx.AsyncClient, money: dict[str, str]) -> None:
    rows = (await http.get("/v1/calls?fields=id,call_id", headers=money)).json()["data"]
    shown = {}
    for row in rows:
        detail = (await http.get(f"/api/cdrs/{row['id']}", headers=money)).json()["items"]
        shown[row["call_id"]] = [item.get("cost") for item in detail]
    assert shown == {"a": [1.25], "b": [0.75], "free": [0], "unknown": [None], "untaken": [], "inside": [None]}


async def test_reports_sum_money(http: httpx.AsyncClient, money: dict[str, str]) -> None:
    window = "from=2024-08-20&to=2024-08-20"
    trunks = (await http.get(f"/v1/reports/trunks?{window}", headers=money)).json()["tables"][0]
    place = [column["name"] for column in trunks["columns"]].index("Cost")
    assert [row["cells"][place] for row in trunks["rows"]] == ["2", "2"]
    table = (await http.get(f"/v1/reports/statements?{window}", headers=money)).json()["tables"][0]
    names = [column["name"] for column in table["columns"]]
    total = dict(zip(names, table["rows"][-1]["cells"], strict=True))
    assert (total["Calls"], total["Rated"], total["Unrated"], total["Cost"], total["Currency"]) == (4, 3, 1, "2", "GBP")
    text = (await http.get(f"/v1/reports/NORMAL?{window}&format=csv", headers=money)).text
    head, *lines = [line.split(",") for line in text.splitlines()]
    assert [line[head.index("Cost")] for line in lines if line[0]] == ["1.25", "0.75", "0", "", "", ""]


@pytest.fixture(scope="module")
def handed(company: Company) -> dict[str, str]:
    """Tenant handed: 101 called outside and handed the call to 201; X was handed out, billed for 20 s there."""
    moved = {"at": NOON + 15_000, "kind": "blind_transfer", "reason": "transfer", "from": "+441632960123", "to": "201"}
    legs = [{"log_id": None, "leg_id": "b", "direction": "inbound_outbound", "billed_s": 20, "cost": "0.5"}]
    calls = [
        stored_call(
            "handed", "to a colleague", NOON,
            logs=[
                {"kind": "outside", "number": "+441632960123", "direction": "outbound"},
                {"number": "201", "direction": "outbound"},
            ],
            callee_number="+441632960123", reroutes=[moved], **OUT,
        ),
        stored_call(
            "handed", "out again", NOON + MINUTE, direction="inbound_outbound", caller_number="+441632960777",
            caller_extension="", cost="0.5", currency="GBP", rating=json.dumps({"legs": legs}),
            logs=[{"direction": "inbound_outbound"}, {"kind": "outside", "number": "+33612345678", "leg_id": "b"}],
        ),
        stored_call(
            "handed", "not taken", NOON + 2 * MINUTE, logs=outside("+441632960123", answered_at=None, outcome="busy"),
            callee_number="01632960123",
            **(OUT | NOBODY | {"status": "busy"}),
        ),
    ]  # fmt: skip
    write(company.client, calls)
    directory: list[Entry] = [Tenant("handed", country="GB"), Extension("101"), Extension("201")]
    save(company.client, "handed", {(kind_of(one), key_of(one)): one for one in directory}, "tests")
    return {"Authorization": f"Bearer {create_token(company.client, 'handed', 't')}"}


async def test_ipcortex_knows_hand_overs(http: httpx.AsyncClient, handed: dict[str, str]) -> None:
    async def report(name: str) -> Any:
        body = {"type": "cdr", "scope": {"year": 2024, "month": 8}}
        return (await http.post(f"/rest/call/{name}", json=body, headers=handed)).json()["values"]

    received = await report("incalls")
    assert [(call["calldate"], call["type"], call["billsecs"]) for call in received["201"]["calls"]] == [
        (NOON // 1000, "External", 30),
        (NOON // 1000 + 60, "External", 30),
    ]
    assert "101" not in received
    devices = await report("outcalls")
    (out_again,) = devices["201"]["calls"]
    assert (out_again["billsecs"], out_again["cost"]) == (20, 0.5)
    taken, not_taken = devices["101"]["calls"]
    assert (taken["type"], taken["billsecs"]) == ("National", 30)
    assert (not_taken["type"], not_taken["billsecs"], not_taken["ringtime"]) == ("National", 0, 35)


async def test_a_call_that_was_sent_out_again_is_that_extensions_which_sent_it(
    http: httpx.AsyncClient, company: Company
) -> None:
    """It came to a DID; the last extension that moved it pays, and so its company."""

    def moved(kind: str, by: str | None, source: str) -> dict[str, Any]:
        return {"at": NOON, "kind": kind, "reason": "", "from": source, "to": "+33612345678", "by": by, "result": ""}

    moves = {"handed": [moved("ring_group", "201", "700"), moved("blind_transfer", "201", "+44163296")]}
    moves |= {"twice": [moved("blind_transfer", "101", "101"), moved("attended_transfer", "201", "201")]}
    moves |= {"forwarded": [moved("forward_busy", None, "201")], "by nobody": [moved("queue_overflow", None, "600")]}
    calls = [
        stored_call(
            "senders", name, NOON + place * MINUTE, direction="inbound_outbound", caller_number="+441632960777",
            caller_extension="", callee_extension="", callee_number="+441632960500", reroutes=reroutes,
            logs=[{"direction": "inbound_outbound", "kind": "outside", "number": "+33612345678"}],
        )
        for place, (name, reroutes) in enumerate(moves.items())
    ]  # fmt: skip
    write(company.client, calls)
    entries: list[Entry] = [Tenant("senders", country="GB"), Extension("101"), Extension("201")]
    save(company.client, "senders", {(kind_of(one), key_of(one)): one for one in entries}, "tests")
    header = {"Authorization": f"Bearer {create_token(company.client, 'senders', 't')}"}
    body = {"type": "cdr", "scope": {"year": 2024, "month": 8}}
    found = (await http.post("/rest/call/outcalls", json=body, headers=header)).json()["values"]
    starts = {device: [(call["calldate"] - NOON // 1000) // 60 for call in of["calls"]] for device, of in found.items()}
    assert starts == {"201": [0, 1, 2], "+441632960500": [3]}


# status, who hung up, SIP status, Q.850 cause → disposition, reason
UNTAKEN = [
    ("busy", "callee", 486, 17, "BUSY", "dst busy "),
    ("busy", "caller", 600, 19, "BUSY", "dst busy "),
    ("cancelled", "caller", 487, 0, "NO ANSWER", "src hangup "),
    ("abandoned", "", 0, 0, "NO ANSWER", "src hangup "),
    ("no_answer", "system", 0, 17, "NO ANSWER", "dst no_answer "),
    ("no_answer", "system", 0, 34, "NO ANSWER", "dst no_answer "),
    ("failed", "callee", 603, 21, "NO ANSWER", "dst extension_busy_no_forward "),
    ("failed", "caller", 503, 34, "FAILED", "dst congestion "),
    ("failed", "system", 404, 1, "FAILED", "dst unallocated_number "),
    ("failed", "", 500, 19, "FAILED", "dst failed "),
]
STORIES: list[tuple[dict[str, Any], str, str]] = [
    ({"hung_up_by": "caller"}, "ANSWERED", "src hangup "),
    ({"hung_up_by": "callee"}, "ANSWERED", "dst hangup "),
    ({"hung_up_by": "system"}, "ANSWERED", "dst system_hangup "),
    *(
        (NOBODY | {"status": status, "hung_up_by": by, "sip_status": sip, "q850_cause": cause}, disposition, reason)
        for status, by, sip, cause, disposition, reason in UNTAKEN
    ),
]


async def test_yeastars_disposition_and_reason_agree(company: Company, http: httpx.AsyncClient) -> None:
    calls = [stored_call("told", f"{n:02d}", NOON + n * MINUTE, **story) for n, (story, _, _) in enumerate(STORIES)]
    write(company.client, calls)
    token = create_token(company.client, "told", "t")
    answer = (await http.get(f"/openapi/v1.0/cdr/list?access_token={token}", headers={"User-Agent": "x"})).json()
    assert [(row["disposition"], row["reason"]) for row in answer["data"]] == [(d, r) for _, d, r in STORIES]


async def test_del_token_ends_what_it_says(company: Company, http: httpx.AsyncClient) -> None:
    head = {"User-Agent": "OpenAPI"}
    token = create_token(company.client, "told", "stays")
    login = {"username": "told", "password": token}
    got = (await http.post("/openapi/v1.0/get_token", json=login, headers=head)).json()
    refused = (await http.get(f"/openapi/v1.0/del_token?access_token={token}", headers=head)).json()
    assert (refused["errcode"], "cdr token revoke" in refused["detail"]) == (40002, True)
    by_header = {**head, "Authorization": f"Bearer {token}"}
    assert (await http.get("/openapi/v1.0/del_token", headers=by_header)).json()["errcode"] == 40002
    assert (await http.get(f"/openapi/v1.0/cdr/list?access_token={token}", headers=head)).json()["errcode"] == 0
    ended = await http.get(f"/openapi/v1.0/del_token?access_token={got['access_token']}", headers=head)
    assert ended.json()["errcode"] == 0
    for path in ("del_token", "cdr/list"):
        again = await http.get(f"/openapi/v1.0/{path}?access_token={got['access_token']}", headers=head)
        assert again.json()["errcode"] == 10004
    body = {"refresh_token": got["refresh_token"]}
    assert (await http.post("/openapi/v1.0/refresh_token", json=body, headers=head)).json()["errcode"] == 10004


async def test_service_levels_by_hand(company: Company, http: httpx.AsyncClient) -> None:
    """Six calls queue: served after 10 s and 30 s, hung up after 5 s and 40 s, sent on after 60 s, still waiting."""
    stories: list[tuple[str, int, str, dict[str, Any]]] = [
        ("served soon", 10_000, "answered", {}),
        ("served late", 30_000, "answered", {}),
        ("gone soon", 5_000, "abandoned", NOBODY),
        ("gone late", 40_000, "abandoned", NOBODY),
        ("sent on", 60_000, "no_answer", NOBODY),
    ]
    calls = [
        stored_call("levels", name, NOON + n * MINUTE, wait_ms=wait, status=status, **more)
        for n, (name, wait, status, more) in enumerate(stories)
    ]
    served_but_open: dict[str, Any] = {
        "state": "open",
        "status": "",
        "ended_at": None,
        "duration_ms": None,
        "wait_ms": 1_000,
    }
    calls.append(stored_call("levels", "open", NOON + 9 * MINUTE, **served_but_open))
    write(company.client, calls)
    names = "service_level_20,service_level_20_patient,service_level_20_answered"
    header = {"Authorization": f"Bearer {create_token(company.client, 'levels', 't')}"}
    for more in ("", "&open=true"):
        total = (await http.get(f"/v1/aggregate?measures={names}{more}", headers=header)).json()["total"]
        # 1 of 5; 1 of 4 without the one who hung up at once; 1 of 2 served
        assert [total[name] for name in names.split(",")] == [20, 25, 50]


async def test_destinations_are_numbers_outside(company: Company, http: httpx.AsyncClient) -> None:
    def move(to: str) -> dict[str, Any]:
        return {"at": NOON, "kind": "blind_transfer", "reason": "transfer", "from": "201", "to": to, "by": None}

    did: dict[str, Any] = {"direction": "inbound_outbound", "did": "+441632960500", "callee_number": "+441632960500"}
    calls = [
        stored_call("called", "out", NOON, logs=[], **(OUT | {"callee_number": "+33612345678"})),
        stored_call("called", "sent", NOON + 1, reroutes=[move("+33612345678")], destination="+33612345678", **did),
        stored_call("called", "not reached", NOON + 2, reroutes=[move("+33612345678")], destination="", **did),
        stored_call("called", "then a box", NOON + 3, reroutes=[move("+4930123456"), move("voicemail:201")], **did),
        stored_call("called", "in", NOON + 4, direction="inbound", did="+441632960500"),
    ]
    write(company.client, calls)
    header = {"Authorization": f"Bearer {create_token(company.client, 'called', 't', scopes=('admin',))}"}
    report = await http.get("/v1/reports/destinations?from=2024-08-20&to=2024-08-20", headers=header)
    rows = [row["cells"] for row in report.json()["tables"][0]["rows"]]
    assert [(row[0], row[1], row[2]) for row in rows[:-1]] == [("+33612345678", "FR", 3), ("+4930123456", "DE", 1)]


async def test_call_logs_of_portsip_are_of_finished_calls(company: Company, http: httpx.AsyncClient) -> None:
    now = int(time.time() * 1000) - 5 * MINUTE
    left = {"answered_at": None, "outcome": "no_answer", "talk_ms": 0}
    open_: dict[str, Any] = {"state": "open", "status": "", "ended_at": None, "duration_ms": None}
    calls = [
        stored_call("going", "done", now, logs=[left, {"number": "202"}]),
        stored_call("going", "on", now + 1, logs=[left, {"number": "203", "ended_at": None}], **open_),
    ]
    write(company.client, calls)
    header = {"Authorization": f"Bearer {create_token(company.client, 'going', 't')}"}
    listed = (await http.get("/api/calllogs", headers=header)).json()
    assert listed["count"] == 2
    assert {item["session_id"] for item in listed["items"]} == {str(calls[0].id)}
    for call, status in zip(calls, (200, 404), strict=True):
        assert (await http.get(f"/api/calllogs/{call.logs[0].id}", headers=header)).status_code == status


def billed(*legs: tuple[str, str]) -> str:
    """A rating of several billed legs: their directions and costs."""
    return json.dumps({"legs": [{"direction": way, "billed_s": 60, "cost": cost} for way, cost in legs]})


async def test_costs_of_transfers_by_hand(company: Company, http: httpx.AsyncClient) -> None:
    moved = {"at": NOON, "kind": "blind_transfer", "reason": "transfer", "from": "a", "to": "b", "result": "answered"}
    priced: dict[str, Any] = {"currency": "GBP", "reroutes": [moved]}
    again: dict[str, Any] = {"direction": "inbound_outbound", "caller_extension": ""}
    legs = ("inbound_outbound", "0.5"), ("inbound", "0.2")
    out = ("outbound", "1"), ("outbound", "0.25")
    calls = [
        # out again: 0.5 of the transfer, 0.2 of what came in
        stored_call("moved", "a", NOON, cost="0.7", rating=billed(*legs), **priced, **again),
        stored_call("moved", "b", NOON + 1, cost="0.3", **priced, **again),  # one leg only
        stored_call("moved", "c", NOON + 2, logs=[], cost="1.25", rating=billed(*out), **priced, **OUT),  # A, then B
        stored_call("moved", "d", NOON + 3, logs=[], cost="1", **priced, **OUT),  # to a colleague: nothing
        stored_call("moved", "e", NOON + 4, logs=[], cost="2", currency="GBP", **OUT),  # not transferred
    ]
    write(company.client, calls)
    header = {"Authorization": f"Bearer {create_token(company.client, 'moved', 't')}"}
    body = {"group": "call status", "fields": "cost;transfer cost;total transfer", "filter": DAY}
    (row,) = (await http.post("/api/cdrs/cdrs-aggregate", json=body, headers=header)).json()
    assert (row["cost"], row["transfer_cost"], row["total_transfer"]) == (5.25, 1.05, "4")
