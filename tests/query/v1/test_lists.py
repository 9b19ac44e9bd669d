"""The filter language, fields, forms and cursors of lists."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import chdb
import httpx
import pytest

from pipeline.query.v1.call_rows import CallLogPage
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.query.masking import masked_text
from schemas.call import document
from tests.query.conftest import LEAK, Warehouse
from tests.query.stored_calls import MINUTE, NOON, stored_call, write

pytestmark = pytest.mark.embedded

ALL = ["open", "cancelled", "forwarded", "in", "out", "busy", "plain"]

TALKED = ["forwarded", "in", "out", "plain"]

# Each question as a query string and as JSON, and what it finds.
QUESTIONS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("status=busy", {"status": "busy"}, ["busy"]),
    ("status=busy&status=cancelled", {"status": ["busy", "cancelled"]}, ["cancelled", "busy"]),
    ("status[in]=busy,cancelled", {"status": {"in": ["busy", "cancelled"]}}, ["cancelled", "busy"]),
    ("status[not_in]=answered,busy", {"status": {"not_in": ["answered", "busy"]}}, ["cancelled"]),
    ("status[ne]=answered", {"status": {"ne": "answered"}}, ["cancelled", "busy"]),
    ("status[exists]=false", {"status": None}, ["open"]),
    ("caller.number[contains]=1234", {"caller.number": {"contains": "1234"}}, ["in"]),
    ("caller.number=%2B336*", {"caller.number": {"startswith": "+336"}}, ["in"]),
    ("callee.number[startswith]=%2B44", {"callee.number": {"startswith": "+44"}}, ["out"]),
    ("callee.number[endswith]=123", {"callee.number": {"endswith": "123"}}, ["out"]),
    ("caller.name[contains]=ZO%C3%8B", {"caller.name": {"contains": "ZOË"}}, ["in"]),
    ("caller.name[startswith]=zo%C3%AB", {"caller.name": {"startswith": "zoë"}}, ["in"]),
    ("caller.name[not_startswith]=ali", {"not": {"caller.name": {"startswith": "ali"}}}, ["in"]),
    ("caller.name[contains]=100%25", {"caller.name": {"contains": "100%"}}, ["in"]),
    ("any_number[ne]=201", {"any_number": {"ne": "201"}}, []),
    ("any_number=202", {"any_number": "202"}, ["forwarded", "busy"]),
    ("any_name[contains]=o'n", {"any_name": {"contains": "o'n"}}, ["out"]),
    ("talk_ms[gte]=30000&state=closed", {"talk_ms": {"gte": 30000}, "state": "closed"}, TALKED),
    ("talk_ms[lt]=1", {"talk_ms": {"lt": 1}}, ["cancelled", "busy"]),
    ("duration_ms[between]=1,35000&talk_ms=30000", {"duration_ms": {"between": [1, 35000]}, "talk_ms": 30000}, TALKED),
    ("duration_ms[not_between]=1,35000", {"duration_ms": {"not_between": [1, 35000]}}, []),
    ("answered_at[exists]=false", {"answered_at": {"exists": False}}, ["cancelled", "busy"]),
    ("started_at[gte]=2024-08-20T12:05:00Z", {"started_at": {"gte": "2024-08-20T12:05:00Z"}}, ["open", "cancelled"]),
    ("started_at[gt]=2024-08-20T12:05:00Z", {"started_at": {"gt": "2024-08-20T12:05:00Z"}}, ["open"]),
    (
        "started_at=2024-08-20T12:00:00Z&started_at=2024-08-20T12:01:00Z",
        {"started_at": ["2024-08-20T12:00:00Z", "2024-08-20T12:01:00Z"]},
        ["busy", "plain"],
    ),
    (
        "started_at[in]=2024-08-19,2024-08-20&status=busy",
        {"started_at": {"in": ["2024-08-19", "2024-08-20"]}, "status": "busy"},
        ["busy"],
    ),
    ("started_at[not_in]=2024-08-19,2024-08-20", {"started_at": {"not_in": ["2024-08-19", "2024-08-20"]}}, []),
    ("ended_at[not_in]=2024-08-19&state=open", {"not": {"ended_at": ["2024-08-19"]}, "state": "open"}, []),
    ("started_at=2024-08-20T14:00:00%2B02:00", {"started_at": "2024-08-20T14:00:00+02:00"}, ["plain"]),
    (
        "started_at[between]=2024-08-20T12:01:00Z,2024-08-20T12:02:00Z",
        {"started_at": {"between": ["2024-08-20T12:01:00Z", "2024-08-20T12:02:00Z"]}},
        ["out", "busy"],
    ),
    ("sip_status=486", {"sip_status": 486}, ["busy"]),
    ("q850_cause[in]=17,18", {"q850_cause": [17, 18]}, ["busy"]),
    ("cost[gt]=1", {"cost": {"gt": 1}}, ["forwarded"]),
    ("cost=0.0125", {"cost": 0.0125}, ["out"]),
    ("cost[exists]=true&currency=GBP", {"cost": {"exists": True}, "currency": "GBP"}, ["forwarded", "out"]),
    ("flags=clock_skew", {"flags": "clock_skew"}, ["forwarded"]),
    ("flags[ne]=clock_skew&state=open", {"flags": {"ne": "clock_skew"}, "state": "open"}, ["open"]),
    ("flags[exists]=true", {"flags": {"exists": True}}, ["forwarded"]),
    ("missed_by=201", {"missed_by": ["201", "999"]}, ["forwarded"]),
    ("reroute_reason=forwarding_no_answer", {"reroute_reason": "forwarding_no_answer"}, ["forwarded"]),
    ("user_data[contains]=a_b", {"user_data": {"contains": "a_b"}}, ["in"]),
    ("trunk[in]=carrier-a,carrier-b", {"or": [{"trunk": "carrier-a"}, {"trunk": "carrier-b"}]}, ["in", "out"]),
    ("state=open&status=busy", {"and": [{"state": "open"}, {"status": "busy"}]}, []),
    ("rang_at[exists]=false", {"not": {"or": [{"rang_at": {"exists": True}}, {"status": "busy"}]}}, ["cancelled"]),
]  # fmt: skip


def found(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["call_id"] for item in answer.json()["data"]]


@pytest.mark.parametrize(("query", "filter_", "expected"), QUESTIONS, ids=lambda value: str(value)[:60])
async def test_every_way_to_ask(
    client: httpx.AsyncClient, query: str, filter_: dict[str, Any], expected: list[str]
) -> None:
    assert found(await client.get(f"/v1/calls?{query}")) == expected
    assert found(await client.get("/v1/calls", params={"filter": json.dumps(filter_)})) == expected
    assert found(await client.post("/v1/calls/search", json={"filter": filter_})) == expected


@pytest.mark.parametrize(
    ("filter_", "field"),
    [
        ({"nothing": 1}, "filter.nothing"),
        ({"tenant": "other"}, "filter.tenant"),
        ({"status": "paused"}, "filter.status"),
        ({"status": {"gt": "busy"}}, "filter.status.gt"),
        ({"talk_ms": {"gte": "long"}}, "filter.talk_ms.gte"),
        ({"talk_ms": {"contains": 1}}, "filter.talk_ms.contains"),
        ({"talk_ms": {"between": [1]}}, "filter.talk_ms.between"),
        ({"talk_ms": {"near": 1}}, "filter.talk_ms"),
        ({"talk_ms": True}, "filter.talk_ms"),
        ({"started_at": {"gte": "yesterday"}}, "filter.started_at.gte"),
        ({"started_at": {"gte": ""}}, "filter.started_at.gte"),
        ({"started_at": {"gte": "2024-02-30"}}, "filter.started_at.gte"),
        ({"status": ""}, "filter.status"),
        ({"trunk": ""}, "filter.trunk"),
        ({"trunk": {"contains": ""}}, "filter.trunk.contains"),
        ({"trunk": []}, "filter.trunk"),
        ({"trunk": ["carrier-a", ""]}, "filter.trunk"),
        ({"trunk": {}}, "filter.trunk"),
        ({"flags": ""}, "filter.flags"),
        ({"id": {"exists": True}}, "filter.id.exists"),
        ({"id": "abc"}, "filter.id"),
        ({"id": 10**30}, "filter.id"),
        ({"caller.number": {"in": []}}, "filter.caller.number.in"),
        ({"caller.number": {"in": ["1"] * 1001}}, "filter.caller.number.in"),
        ({"caller.number": [[]]}, "filter.caller.number"),
        ({"caller.number": "a\0b"}, "filter.caller.number"),
        ({"answered_at": {"exists": 3}}, "filter.answered_at.exists"),
        ({"or": []}, "filter.or"),
        ({"and": [1]}, "filter.and.0"),
        ([1], "filter"),
        ("busy", "filter"),
    ],
)
async def test_what_is_no_filter_is_said(client: httpx.AsyncClient, filter_: Any, field: str) -> None:
    for answer in (
        await client.post("/v1/calls/search", json={"filter": filter_}),
        await client.get("/v1/calls", params={"filter": json.dumps(filter_)}),
    ):
        assert answer.status_code == 400, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"][0]["field"] == field


async def test_a_filter_may_not_be_endless(client: httpx.AsyncClient) -> None:
    deep: Any = {"status": "busy"}
    for _ in range(300):
        deep = {"not": deep}
    wide = {"or": [{"status": "busy"}] * 600}
    for filter_ in (deep, wide):
        assert (await client.post("/v1/calls/search", json={"filter": filter_})).status_code == 400
    assert (await client.post("/v1/calls/search", content=b"[" * 100_000)).status_code == 400
    assert (await client.post("/v1/calls/search", content=b" " * 2_000_000)).status_code == 413
    assert (await client.post("/v1/calls/search", json={"nothing": 1})).status_code == 400


@pytest.mark.parametrize("limit", [1, 2, 3, 10])
@pytest.mark.parametrize("sort", ["started_at", "-started_at"])
async def test_cursors_go_both_ways_and_by_both_doors(client: httpx.AsyncClient, limit: int, sort: str) -> None:
    seen: list[str] = []
    cursor = None
    for turn in range(20):
        body = {"limit": limit, "sort": sort, "filter": {"direction": ["internal", "inbound"]}}
        if turn % 2:
            answer = await client.post("/v1/calls/search", json=body | ({"cursor": cursor} if cursor else {}))
        else:
            options: dict[str, Any] = {"limit": limit, "sort": sort, "filter": json.dumps(body["filter"])}
            answer = await client.get("/v1/calls", params=options | ({"cursor": cursor} if cursor else {}))
        seen += found(answer)
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
    wanted = [name for name in ALL if name != "out"]
    assert seen == (wanted if sort.startswith("-") else wanted[::-1])


ORDERED: dict[str, tuple[int | None, str | None]] = {  # call_id: (talk_ms, cost)
    "a": (1_000, None),
    "b": (90_000, "0.0125"),
    "c": (1_000, "10"),
    "d": (5_000, "2.5"),
    "e": (0, None),
}


@pytest.fixture(scope="module")
def ordered(warehouse: Warehouse) -> dict[str, str]:
    days = [
        stored_call("ordered", name, NOON + place * 40 * 24 * 60 * MINUTE, talk_ms=talk, cost=cost or "")
        for place, (name, (talk, cost)) in enumerate(ORDERED.items())
    ]
    write(warehouse.client, days)
    return {"Authorization": f"Bearer {create_token(warehouse.client, 'ordered', 't')}"}


@pytest.mark.parametrize(
    ("sort", "wanted"),
    [
        ("talk_ms", ["eac", "d", "b"]),
        ("-talk_ms", ["b", "d", "ca", "e"]),
        ("cost", ["ae", "b", "d", "c"]),
        ("-cost", ["c", "d", "b", "ea"]),
        ("ended_at", ["abcde"]),
        ("-duration_ms", ["edcba"]),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 10])
async def test_other_orders_page_by_page(
    client: httpx.AsyncClient, ordered: dict[str, str], sort: str, wanted: list[str], limit: int
) -> None:
    """Equal ones are in the order of their ids, which is that of time."""
    names = list("".join(wanted))
    url, seen = f"/v1/calls?limit={limit}&fields=call_id&sort={sort}", list[str]()
    for _ in range(10):
        answer = await client.get(url, headers=ordered)
        seen += found(answer)
        if "next" not in answer.links:
            break
        url = answer.links["next"]["url"]
    assert seen == names
    rows = await client.get(f"/v1/calls?format=ndjson&limit={limit}&fields=call_id&sort={sort}", headers=ordered)
    assert [json.loads(line)["call_id"] for line in rows.text.splitlines()] == names[:limit]


async def test_other_orders_have_their_bounds(client: httpx.AsyncClient, ordered: dict[str, str]) -> None:
    url = "/v1/calls?sort=-talk_ms&fields=call_id"
    assert (await client.get(f"{url}&talk_ms[lt]=5000&count=true", headers=ordered)).json()["count"] == 3
    assert (await client.get(f"{url}&from=2030-01-01T00:00:00Z", headers=ordered)).json()["data"] == []
    assert (await client.get(f"{url}&format=csv&limit=5&from=2030-01-01T00:00:00Z", headers=ordered)).text == (
        '"call_id"\n'
    )
    for more in ("&format=csv", "&format=csv&limit=1001"):
        assert (await client.get(url + more, headers=ordered)).status_code == 400
    assert (await client.get("/v1/calls?sort=-user_data", headers=ordered)).status_code == 400
    page = (await client.get(f"{url}&limit=2", headers=ordered)).json()
    other = await client.get(f"/v1/calls?sort=talk_ms&cursor={page['next_cursor']}", headers=ordered)
    assert other.status_code == 400  # a place in another list
    logs = (await client.get("/v1/call-logs?sort=-talk_ms&limit=3", headers=ordered)).json()
    assert len(logs["data"]) == 3


async def test_an_old_first_list_stays_while_calls_arrive(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    header = {"Authorization": f"Bearer {create_token(warehouse.client, 'upwards', 't')}"}
    day = 24 * 60 * MINUTE
    write(warehouse.client, [stored_call("upwards", f"c{n}", NOON + n * 3 * day) for n in range(9)])
    seen: list[str] = []
    url = "/v1/calls?sort=started_at&limit=2"
    for page in range(9):
        answer = await client.get(url, headers=header)
        seen += found(answer)
        write(warehouse.client, [stored_call("upwards", f"early{page}", NOON - (page + 1) * day)])
        if "next" not in answer.links:
            break
        url = answer.links["next"]["url"]
    assert seen == [f"c{n}" for n in range(9)]


async def test_only_the_fields_that_are_wanted(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    answer = await client.get("/v1/calls?fields=caller.number,id,callee&limit=1&call_id=in")
    call = document(warehouse.calls["in"])
    assert answer.json()["data"] == [{"caller": {"number": "+33612345678"}, "id": call["id"], "callee": call["callee"]}]
    assert (await client.get("/v1/calls?fields=nothing")).status_code == 400
    assert (await client.get("/v1/calls?fields=")).status_code == 400
    more = (await client.get("/v1/calls?fields=service_number,missed_by,version&call_id=forwarded")).json()["data"]
    assert more == [{"service_number": None, "missed_by": ["201"], "version": 4}]


async def test_the_count_is_of_all_pages(client: httpx.AsyncClient) -> None:
    first = (await client.get("/v1/calls?limit=2&count=true&state=closed")).json()
    assert first["count"] == 6
    after = await client.get(
        "/v1/calls", params={"limit": 2, "count": "true", "state": "closed", "cursor": first["next_cursor"]}
    )
    assert after.json()["count"] == 6


async def test_rows_in_every_form_are_the_same(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    whole = (await client.get("/v1/calls")).json()["data"]
    lines = await client.get("/v1/calls", headers={"Accept": "application/x-ndjson"})
    assert [json.loads(line) for line in lines.text.splitlines()] == whole
    assert lines.headers["content-type"] == "application/x-ndjson"
    table = await client.get("/v1/calls?format=csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert "attachment" in table.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["id"] for row in rows] == [item["id"] for item in whole]
    for row, item in zip(rows, whole, strict=True):
        assert row["caller_number"] == item["caller"]["number"]
        assert row["answered_at"] == (item["answered_at"] or "")
        assert row["talk_ms"] == str(item["talk_ms"])
        assert row["status"] == (item["status"] or "")
        assert row["flags"] == " ".join(item["flags"])
    file = await client.get("/v1/calls", headers={"Accept": "text/html, application/vnd.apache.parquet;q=0.5"})
    assert file.content[:4] == b"PAR1" == file.content[-4:]
    assert LEAK not in lines.text + table.text


async def test_parquet_is_read_by_others(client: httpx.AsyncClient, tmp_path: Any) -> None:
    (tmp_path / "calls.parquet").write_bytes((await client.get("/v1/calls?format=parquet&sort=started_at")).content)
    answer = chdb.query(f"SELECT call_id, talk_ms, started_at FROM file('{tmp_path}/calls.parquet')", "JSONCompact")
    rows = json.loads(answer.bytes())["data"]
    assert [row[0] for row in rows] == ALL[::-1]


async def test_a_limit_holds_in_files(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    header = {"Authorization": f"Bearer {create_token(warehouse.client, 'files', 't')}"}
    day = 24 * 60 * MINUTE
    write(warehouse.client, [stored_call("files", f"c{n:03}", NOON + n * day // 3) for n in range(60)])
    for limit in (1, 4, 59, 60, 100):
        for sort in ("started_at", "-started_at"):
            answer = await client.get(f"/v1/calls?format=csv&fields=call_id&limit={limit}&sort={sort}", headers=header)
            names = [f"c{n:03}" for n in range(60)]
            assert answer.text.splitlines() == [
                '"call_id"',
                *(f'"{n}"' for n in (names if sort == "started_at" else names[::-1])[:limit]),
            ]
    nothing = await client.get("/v1/calls?format=csv&fields=call_id&call_id=none", headers=header)
    assert nothing.text == '"call_id"\n'
    assert (await client.get("/v1/calls?format=ndjson&call_id=none", headers=header)).text == ""


# Masked, in each form that people write them in.
NUMBERS = ["+441632960123", "+44 1632 960-123", "+1.212.555.0123", "01632960123"]


async def test_texts_are_no_formulas(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    header = {"Authorization": f"Bearer {create_token(warehouse.client, 'sheets', 't')}"}
    evil = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", " =1", "\r=1", '=HYPERLINK("x")']
    evil += ["+1+cmd|' /C calc'!A0", "-5\n=1", " -1", "+5*6", "+4416****0123+A1"]
    plain = ["+441632960123", "-5", "-0.25", "+", "O'Neil", "a=b", "", "1+1", *map(masked_text, NUMBERS)]
    calls = [
        stored_call("sheets", f"s{n:02}", NOON + n, caller_name=text, user_data=text)
        for n, text in enumerate(evil + plain)
    ]
    write(warehouse.client, calls)
    answer = await client.get("/v1/calls?format=csv&sort=started_at&fields=caller.name,user_data", headers=header)
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    for row, text in zip(rows, evil + plain, strict=True):
        assert row["user_data"] == row["caller_name"] == ("'" + text if text in evil else text)


@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=1, text/csv;q=0", "nonsense"])
async def test_an_unknown_form_is_refused(client: httpx.AsyncClient, accept: str) -> None:
    assert (await client.get("/v1/calls", headers={"Accept": accept})).status_code == 406


async def test_an_unchanged_page_is_not_sent_again(client: httpx.AsyncClient) -> None:
    first = await client.get("/v1/calls?limit=3")
    again = await client.get("/v1/calls?limit=3", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await client.get("/v1/calls?limit=2", headers={"If-None-Match": first.headers["etag"]})).status_code == 200


async def test_call_logs(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    body = (await client.get("/v1/call-logs")).json()
    CallLogPage.model_validate(body)
    logs = [log for call in warehouse.calls.values() for log in call.logs if log.ended_at is not None]
    assert sorted(item["id"] for item in body["data"]) == sorted(str(log.id) for log in logs)
    one = (await client.get("/v1/call-logs?outcome=no_answer&fields=number,caller,session_id")).json()["data"]
    forwarded = warehouse.calls["forwarded"]
    assert one == [
        {
            "number": "201",
            "caller": {"number": "101", "name": "Alice", "domain": "pbx.example.com"},
            "session_id": str(forwarded.id),
        }
    ]
    same = await client.post("/v1/call-logs/search", json={"filter": {"session_id": str(forwarded.id)}, "count": True})
    assert same.json()["count"] == 2
    table = await client.get("/v1/call-logs?format=csv&fields=number&kind=outside")
    assert table.text == '"number"\n"+441632960123"\n'


async def test_calls_in_progress(client: httpx.AsyncClient) -> None:
    body = (await client.get("/v1/calls/active")).json()
    assert [item["call_id"] for item in body["data"]] == ["open"]
    assert body["as_of"].endswith("Z")


async def test_a_call_as_a_story(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    call = warehouse.calls["forwarded"]
    steps = (await client.get(f"/v1/calls/{call.id}/timeline")).json()["data"]
    assert [step["at"] for step in steps] == sorted(step["at"] for step in steps)
    assert (steps[0]["what"], steps[0]["who"]) == ("started", "101")
    assert steps[-1]["what"] in ("ended", "left")
    assert {"tried", "rang", "answered", "rerouted", "ended"} <= {step["what"] for step in steps}
    assert (await client.get("/v1/calls/17/timeline")).status_code == 404


async def test_the_events_of_a_call(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    call = warehouse.calls["plain"]
    rows = [
        ["acme", "plain", "e1", NOON / 1000, "started", "pbx1", "call-events", 0, 1, '{"type":"started"}'],
        ["acme", "plain", "e1", NOON / 1000, "started", "pbx1", "call-events", 0, 1, '{"type":"started"}'],
        ["acme", "plain", "e2", NOON / 1000 + 1, "", "pbx1", "call-events", 0, 2, "no json"],
        ["other", "plain", "e9", NOON / 1000, LEAK, "pbx1", "call-events", 0, 3, LEAK],
    ]
    columns = ("tenant", "call_id", "event_id", "at", "type", "node", "topic", "partition", "offset", "raw")
    body = "\n".join(json.dumps(row) for row in rows)
    warehouse.client.raw_insert("event_rows", columns, body, fmt="JSONCompactEachRow")
    answer = await client.get(f"/v1/calls/{call.id}/events")
    events = answer.json()["data"]
    assert [(event["event_id"], event["event"]) for event in events] == [("e1", {"type": "started"}), ("e2", None)]
    assert events[1]["raw"] == "no json"
    assert LEAK not in answer.text
    lines = await client.get(f"/v1/calls/{call.id}/events?format=ndjson")
    assert [json.loads(line) for line in lines.text.splitlines()] == events
    assert (await client.get("/v1/calls/17/events")).status_code == 404


async def test_numbers_are_masked_for_tokens_that_ask(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    token = create_token(warehouse.client, "acme", "masked", scopes=("cdr:read", "numbers:masked"))
    header = {"Authorization": f"Bearer {token}"}
    for path in ("/v1/calls", "/v1/calls?format=csv", "/v1/calls?format=ndjson", "/v1/call-logs",
                 f"/v1/calls/{warehouse.calls['out'].id}", f"/v1/calls/{warehouse.calls['out'].id}/timeline",
                 f"/v1/calls/{warehouse.calls['in'].id}"):  # fmt: skip
        text = (await client.get(path, headers=header)).text
        assert "1632960123" not in text and "33612345678" not in text, path
    call = (await client.get(f"/v1/calls/{warehouse.calls['out'].id}", headers=header)).json()
    assert call["callee"]["number"] == call["logs"][0]["number"] == "+4416****0123" == masked_text("+441632960123")
    row = (await client.get("/v1/calls?call_id=out&fields=callee.number,caller.number", headers=header)).json()["data"]
    assert row == [{"callee": {"number": "+4416****0123"}, "caller": {"number": "101"}}]
    assert (await client.get(f"/v1/calls/{call['id']}/events", headers=header)).status_code == 403


async def test_a_user_sees_own_calls(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    token = create_token(warehouse.client, "acme", "carol", role="user", extension="202")
    header = {"Authorization": f"Bearer {token}"}
    assert found(await client.get("/v1/calls", headers=header)) == ["forwarded"]
    assert found(
        await client.post(
            "/v1/calls/search", headers=header, json={"filter": {"or": [{"status": "busy"}, {"status": "answered"}]}}
        )
    ) == ["forwarded"]
    for name in ("plain", "busy"):
        for rest in ("", "/timeline", "/events"):
            assert (await client.get(f"/v1/calls/{warehouse.calls[name].id}{rest}", headers=header)).status_code == 404
    assert (await client.get(f"/v1/calls/{warehouse.calls['forwarded'].id}", headers=header)).status_code == 200
    logs = (await client.get("/v1/call-logs", headers=header)).json()["data"]
    assert {item["call_id"] for item in logs} == {"forwarded"}
    assert (await client.get("/v1/calls/active", headers=header)).json()["data"] == []


async def test_every_list_has_the_calls_of_before_1970(client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    header = {"Authorization": f"Bearer {create_token(warehouse.client, 'old', 't')}"}
    hour = 60 * MINUTE
    write(warehouse.client, [stored_call("old", f"c{n:02}", -n * 7 * hour + 1) for n in range(30)])
    wanted = [f"c{n:02}" for n in range(30)]
    assert found(await client.get("/v1/calls", headers=header)) == wanted
    for form in ("csv", "ndjson"):
        answer = await client.get(f"/v1/calls?format={form}&fields=call_id", headers=header)
        lines = answer.text.split()
        assert [
            line[1:-1] if form == "csv" else json.loads(line)["call_id"] for line in lines[form == "csv" :]
        ] == wanted
    answer = await client.get("/api/cdrs?skip=2&top=100", headers=header)
    assert (answer.json()["count"], [item["call_id"] for item in answer.json()["items"]]) == (30, wanted[2:])
