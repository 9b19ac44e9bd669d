from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from pipeline.query.portsip import models
from schemas.call import rfc3339
from tests.query.conftest import Warehouse
from tests.query.stored_calls import MINUTE, NOON, stored_call, write

pytestmark = pytest.mark.embedded

CLOSED = ["cancelled", "forwarded", "in", "out", "busy", "plain"]  # newest first


async def names(client: httpx.AsyncClient, path: str = "/api/cdrs", **options: Any) -> list[str]:
    answer = await client.get(path, params=options)
    assert answer.status_code == 200, answer.text
    return [item["call_id"] for item in answer.json()["items"]]


async def test_list_holds_finished_calls_newest_first(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/cdrs")
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    models.CdrPage.model_validate(body)
    assert body["count"] == 6
    assert [item["call_id"] for item in body["items"]] == CLOSED


async def test_row_of_an_answered_call(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    call = warehouse.calls["out"]
    answer = await client.get("/api/cdrs", params={"filter": "call_id eq 'out'"})
    assert answer.json()["items"] == [
        {
            "id": str(call.id),
            "caller": "101",
            "caller_domain": "pbx.example.com",
            "caller_display_name": "Alice",
            "callee": "+441632960123",
            "callee_domain": "pbx.example.com",
            "callee_display_name": "O'Neil",
            "started_at": "2024-08-20T12:02:00.000Z",
            "rang_at": "2024-08-20T12:02:00.500Z",
            "answered_at": "2024-08-20T12:02:05.000Z",
            "ended_at": "2024-08-20T12:02:35.000Z",
            "call_id": "out",
            "direction": "OUTBOUND_CALL",
            "end_reason": "CALLEE_DISCONNECTED",
            "status_code": 0,
            "destination": "+441632960123",
            "outbound_caller_id": "+441632960000",
            "did_cid": "",
            "trunk": "carrier-a",
            "duration": 30,
            "service_number": "",
            "user_data": "",
        }
    ]


async def test_row_of_a_call_that_failed(client: httpx.AsyncClient) -> None:
    items = (await client.get("/api/cdrs", params={"filter": "call_id eq 'busy'"})).json()["items"]
    shown = {name: items[0][name] for name in ("answered_at", "status_code", "duration", "direction")}
    assert not {"end_reason", "reroute_reason", "outbound_caller_id"} & set(items[0])
    assert shown == {
        "answered_at": "",
        "status_code": 486,
        "duration": 0,
        "direction": "EXTENSION_CALL",
    }


async def test_duration_counts_whole_seconds_of_the_clock(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    at = NOON - 60 * MINUTE
    changes = {"answered_at": at + 61_965, "ended_at": at + 96_159}  # 34.194 s, from second 61 to second 96
    write(warehouse.client, [stored_call("seconds", "seconds", at, logs=[changes], **changes)])
    from pipeline.warehouse.identity.tokens import create_token

    header = {"Authorization": f"Bearer {create_token(warehouse.client, 'seconds', 't')}"}
    for path in ("/api/cdrs", "/api/calllogs"):
        items = (await client.get(path, headers=header)).json()["items"]
        assert [item["duration"] for item in items] == [35]


async def test_the_last_reroute_names_the_reason(client: httpx.AsyncClient) -> None:
    items = (await client.get("/api/cdrs", params={"filter": "call_id eq 'forwarded'"})).json()["items"]
    assert items[0]["reroute_reason"] == "FORWARDING_NO_ANSWER"
    assert (items[0]["callee"], items[0]["destination"]) == ("201", "202")


@pytest.mark.parametrize("top", [1, 2, 4, 100])
@pytest.mark.parametrize("orderby", ["", "started_at", "caller asc, started_at desc", "duration desc", "rang_at"])
async def test_pages_hold_every_call_once(client: httpx.AsyncClient, top: int, orderby: str) -> None:
    options = {"orderby": orderby} if orderby else {}
    whole = await names(client, **options)
    assert sorted(whole) == sorted(CLOSED)
    paged = []
    for skip in range(0, 8, top):
        answer = (await client.get("/api/cdrs", params={"top": top, "skip": skip, **options})).json()
        assert answer["count"] == 6
        paged += [item["call_id"] for item in answer["items"]]
    assert paged == whole


async def test_orderby(client: httpx.AsyncClient) -> None:
    assert await names(client, orderby="started_at asc") == CLOSED[::-1]
    assert (await names(client, orderby="caller asc, started_at desc"))[0] == "in"  # '+' before digits
    assert (await names(client, orderby="rang_at"))[0] == "cancelled"  # what never happened comes first
    assert (await names(client, orderby="rang_at desc"))[-1] == "cancelled"


FILTERS = [
    ("caller eq '101'", {"plain", "busy", "out", "forwarded", "cancelled"}),
    ("caller eq '101' and direction eq 'OUTBOUND_CALL'", {"out"}),
    ("direction eq 'extension_call' and status_code ne 0", {"busy", "cancelled"}),
    ("caller ne '101'", {"in"}),
    ("'101' ne caller", {"in"}),
    ("caller eq 101 and callee eq 202", {"busy"}),
    ("callee_display_name eq 'O''Neil'", {"out"}),
    ("caller_display_name eq 'Zoë 100% \\ done'", {"in"}),
    ("started_at gt '2024-08-20T12:03:00Z'", {"forwarded", "cancelled"}),
    ("started_at ge 2024-08-20T12:03:00.000Z and started_at lt 2024-08-20T14:04:00+02:00", {"in"}),
    ("started_at ge 2024-08-20 and started_at lt 2024-08-21", set(CLOSED)),
    ("end_reason eq 'CANCELLED' or end_reason eq 'CALLEE_DISCONNECTED'", {"cancelled", "out"}),
    ("end_reason eq ''", {"busy"}),
    ("answered_at eq ''", {"busy", "cancelled"}),
    ("rang_at eq null", {"cancelled"}),
    ("rang_at ne null and answered_at eq null", {"busy"}),
    ("not (answered_at gt 2000-01-01)", {"busy", "cancelled"}),  # OData: gt with null is false
    ("not caller eq '101'", {"in"}),
    ("call_id eq 'in' or caller eq '101' and status_code eq 486", {"in", "busy"}),
    ("(call_id eq 'in' or caller eq '101') and status_code eq 486", {"busy"}),
    ("call_id in ('in', 'out', 'open', 'none')", {"in", "out"}),
    ("status_code in (486, 487)", {"busy", "cancelled"}),
    ("direction in ('INBOUND_CALL','OUTBOUND_CALL')", {"in", "out"}),
    ("startswith(callee,'+44')", {"out"}),
    ("startswith(callee,'+44') eq true", {"out"}),
    ("not startswith(caller,'1')", {"in"}),
    ("endswith(call_id,'d')", {"forwarded", "cancelled"}),
    ("contains(caller_display_name,'100%')", {"in"}),
    ("contains(user_data,'a_b')", {"in"}),
    ("contains(direction,'OUT')", {"out"}),
    ("tolower(callee_display_name) eq 'o''neil'", {"out"}),
    ("length(caller) gt 3", {"in"}),
    ("year(started_at) eq 2024 and month(started_at) eq 8 and day(started_at) eq 20", set(CLOSED)),
    ("hour(answered_at) eq 12", {"plain", "out", "in", "forwarded"}),
    ("duration ge 30", {"plain", "out", "in", "forwarded"}),
    ("duration gt 29.5 and trunk ne ''", {"out", "in"}),
    ("reroute_reason eq 'FORWARDING_NO_ANSWER'", {"forwarded"}),
    ("caller eq destination", set()),
    ("caller GT '1' AND NOT call_id EQ 'plain'", {"busy", "out", "forwarded", "cancelled"}),
    ("tenant eq 'other'", None),
    ("caller", None),
    ("caller eq", None),
    ("caller like '1'", None),
    ("caller eq '101", None),
    ("caller eq '101' and", None),
    ("(caller eq '101'", None),
    ("caller eq '101')", None),
    ("'a' eq 'a'", None),
    ("soundex(caller) eq 'x'", None),
    ("length(caller)", None),
    ("startswith(caller)", None),
    ("startswith(started_at,'2')", None),
    ("year(caller) eq 1", None),
    ("direction eq 'SIDEWAYS'", None),
    ("started_at gt 'yesterday'", None),
    ("started_at gt 2024-13-01T00:00:00Z", None),
    ("started_at gt 2024-08-20T12:00:00", None),
    ("duration eq 'long'", None),
    ("duration eq 99999999999999999999", None),
    ("caller eq started_at", None),
    ("caller eq nobody", None),
]


@pytest.mark.parametrize(("text", "expected"), FILTERS)
async def test_filter(client: httpx.AsyncClient, text: str, expected: set[str] | None) -> None:
    answer = await client.get("/api/cdrs", params={"filter": text})
    if expected is None:
        assert answer.status_code == 400
        (error,) = answer.json()["errors"]
        assert (error["code"], error["message"]) == ("VALIDATE_FAILED", "field validation failed")
        assert error["detail"].startswith("filter")
    else:
        assert answer.status_code == 200, answer.text
        assert {item["call_id"] for item in answer.json()["items"]} == expected
        assert answer.json()["count"] == len(expected)


async def test_a_filter_may_name_the_id(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    assert await names(client, filter=f"id eq '{warehouse.calls['in'].id}'") == ["in"]
    assert await names(client, "/api/calllogs", filter=f"session_id eq '{warehouse.calls['forwarded'].id}'") == [
        "forwarded",
        "forwarded",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("zoë", ["in"]),
        ("+44163", ["in", "out"]),
        ("o'neil or zoë", ["in", "out"]),
        ("alice plain", ["plain"]),
        ('"100% \\ done"', ["in"]),
        ("nobody", []),
    ],
)
async def test_search(client: httpx.AsyncClient, text: str, expected: list[str]) -> None:
    assert await names(client, search=text) == expected


async def test_search_and_filter_both_hold(client: httpx.AsyncClient) -> None:
    assert await names(client, search="+44163", filter="direction eq 'INBOUND_CALL'") == ["in"]


async def test_dollar_spellings(client: httpx.AsyncClient) -> None:
    options = {
        "$top": "1",
        "$skip": "1",
        "$orderby": "started_at desc",
        "$count": "false",
        "$filter": "caller eq '101'",
    }
    answer = (await client.get("/api/cdrs", params=options)).json()
    assert (answer["count"], [item["call_id"] for item in answer["items"]]) == (5, ["forwarded"])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("top=0", "top '0'"),
        ("top=101", "top '101'"),
        ("top=1.5", "top '1.5'"),
        ("top=", "top ''"),
        ("skip=-1", "skip '-1'"),
        ("skip=99999999999999999999", "skip"),
        ("skip=%D9%A1", "skip"),
        ("count=maybe", "count 'maybe'"),
        ("top=1&top=2", "top"),
        ("top=1&$top=2", "top"),
        ("fliter=caller%20eq%20'101'", "fliter"),
        ("$expand=x", "expand"),
        ("orderby=caller%20up", "orderby 'caller up'"),
        ("orderby=nobody", "orderby 'nobody'"),
        ("orderby=caller,caller", "orderby 'caller'"),
        ("orderby=,", "orderby"),
        ("orderby=started_at;drop%20table%20call_rows", "orderby"),
        ("filter=caller%20eq%20'%00'", "filter"),
        ("filter=caller%20eq%20'%FF'", "filter"),
        ("filter=" + "x" * 60_000, "filter"),
        ("filter=" + "(" * 3_000, "filter"),
        ("filter=" + "not%20" * 1_500, "filter"),
        ("search=101%20or", "search"),
        ("search=" + "x%20" * 51, "search"),
        ("&".join(f"a{n}=1" for n in range(200)), "query string"),
    ],
)
@pytest.mark.parametrize("path", ["/api/cdrs", "/api/calllogs"])
async def test_what_cannot_be_understood_is_refused(
    client: httpx.AsyncClient, path: str, query: str, field: str
) -> None:
    answer = await client.get(f"{path}?{query}")
    assert answer.status_code == 400
    models.PortsipErrors.model_validate(answer.json())
    assert answer.json()["errors"][0]["detail"].startswith(field)
    assert len(answer.content) < 2_000


async def test_detail_is_the_targets_with_their_price(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    call = warehouse.calls["forwarded"]
    body = (await client.get(f"/api/cdrs/{call.id}")).json()
    models.CdrDetail.model_validate(body)
    items = body["items"]
    assert [(item["callee"], item["destination"]) for item in items] == [("201", "201"), ("202", "202")]
    assert [item.get("reroute_reason") for item in items] == ["FORWARDING_NO_ANSWER", None]
    assert [item["cost"] for item in items] == [0, 1.5]  # the target that answered; they add up to the call's
    assert [item["billed_account"] for item in items] == ["acme", "acme"]
    assert not {"id", "session_id"} & set(items[0])


async def test_detail_of_a_call_log(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    call = warehouse.calls["forwarded"]
    for log, cost in zip(call.logs, (0, 1.5), strict=True):
        body = (await client.get(f"/api/calllogs/{log.id}")).json()
        models.CallLogDetail.model_validate(body)
        assert (body["id"], body["session_id"], body["cost"]) == (str(log.id), str(call.id), cost)
        assert body["started_at"] == rfc3339(log.started_at)


async def test_list_of_call_logs(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    body = (await client.get("/api/calllogs")).json()
    models.CallLogPage.model_validate(body)
    assert body["count"] == 7  # the target of the open call is not history yet
    sessions = {str(call.id) for call in warehouse.calls.values() if call.state == "closed"}
    assert {item["session_id"] for item in body["items"]} == sessions


@pytest.mark.parametrize("path", ["/api/cdrs/", "/api/calllogs/"])
async def test_ids_are_understood_in_base64_too(client: httpx.AsyncClient, warehouse: Warehouse, path: str) -> None:
    call = warehouse.calls["out"]
    id_ = call.id if path == "/api/cdrs/" else call.logs[0].id
    encoded = base64.b64encode(str(id_).encode()).decode()
    plain, other = await client.get(f"{path}{id_}"), await client.get(f"{path}{encoded}")
    assert plain.status_code == other.status_code == 200
    assert plain.json() == other.json()
    asked = (f"id eq '{encoded}'", f"'{encoded}' eq id", f"id in ('1', '{encoded}')", f"id eq {id_}")
    for filter_ in asked:
        items = (await client.get(path.rstrip("/"), params={"filter": filter_})).json()["items"]
        assert [item["id"] for item in items] == [str(id_)], filter_


@pytest.mark.parametrize(
    "id_", ["1", "0", "9" * 19, "9" * 40, "abc", "'", "%00", "%FF", "1%20or%201", "MQ", "x" * 5_000]
)
@pytest.mark.parametrize("path", ["/api/cdrs/", "/api/calllogs/"])
async def test_unknown_ids(client: httpx.AsyncClient, path: str, id_: str) -> None:
    answer = await client.get(path + id_)
    assert answer.status_code == 404
    assert answer.json()["errors"][0]["code"] == "NOT_FOUND"


async def test_open_calls_have_no_cdr_yet(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    assert (await client.get(f"/api/cdrs/{warehouse.calls['open'].id}")).status_code == 404


async def test_unknown_paths_and_methods_answer_in_portsips_form(client: httpx.AsyncClient) -> None:
    for answer, status in ((await client.get("/api/nothing"), 404), (await client.post("/api/cdrs"), 405)):
        assert answer.status_code == status
        models.PortsipErrors.model_validate(answer.json())


async def test_words_are_ordered_as_they_are_shown(client: httpx.AsyncClient) -> None:
    """EXTENSION_CALL comes before INBOUND_CALL, though internal comes after inbound."""
    for way in ("asc", "desc"):
        items = (await client.get("/api/cdrs", params={"orderby": f"direction {way}, started_at asc"})).json()["items"]
        words = [item["direction"] for item in items]
        assert words == sorted(words, reverse=way == "desc")
        assert len(set(words)) == 3


async def test_long_answers_come_in_gzip(client: httpx.AsyncClient) -> None:
    plain = await client.get("/api/cdrs", headers={"Accept-Encoding": "identity"})
    small = await client.get("/api/cdrs", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert small.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in small.headers["vary"]
    assert small.json() == plain.json()
