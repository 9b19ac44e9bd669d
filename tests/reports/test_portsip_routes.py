"""PortSIP's report resources over HTTP: shapes, refusals, links."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from pipeline.files import files_of
from pipeline.reports.runs import Runner
from pipeline.reports.store import run_id
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.query.reader import Reader
from tests.reports import week
from tests.reports.conftest import Warehouse

GOOD: dict[str, Any] = {
    "name": "Calls of the week",
    "type": "QUEUE_PERFORMANCE",
    "email": "",
    "format": "CSV",
    "range": "CUSTOM",
    "started_at": "2024-08-19T00:00:00+08:00",
    "ended_at": "2024-08-25T23:59:59+08:00",
    "filter": {"call_queues": ["800"]},
}


async def create(client: httpx.AsyncClient, **changes: Any) -> str:
    answer = await client.post("/api/call_reports", json=GOOD | changes)
    assert answer.status_code == 201, answer.text
    assert list(answer.json()) == ["id"]
    id_: str = answer.json()["id"]
    return id_


async def perform(warehouse: Warehouse, reader: Reader, id_: str) -> int:
    """Run a report as a worker would; gives the run's id."""
    runner = Runner(warehouse.settings, reader, files_of(warehouse.settings))
    found = await runner.store.definition(week.TENANT, int(id_))
    assert found is not None
    due = found[0].requested_at
    await runner.perform(week.TENANT, int(id_), due, lambda: True)
    return run_id(int(id_), due)


async def test_a_report_from_its_creation_to_its_end(
    client: httpx.AsyncClient, warehouse: Warehouse, reader: Reader, service: FastAPI
) -> None:
    id_ = await create(client, name="Whole life")
    got = (await client.get(f"/api/call_reports/{id_}")).json()
    assert got == GOOD | {
        "id": id_,
        "name": "Whole life",
        "cron_expr": "",
        "status": "RUNNING",
        "started_at": "2024-08-18T16:00:00.000Z",
        "ended_at": "2024-08-25T15:59:59.000Z",
    }
    run = await perform(warehouse, reader, id_)
    assert (await client.get(f"/api/call_reports/{id_}")).json()["status"] == "SCHEDULED"
    listed = (await client.get("/api/completed_call_reports", params={"filter": "name eq 'Whole life'"})).json()
    assert listed["count"] == 1
    (item,) = listed["items"]
    assert item == (await client.get(f"/api/completed_call_reports/{run}")).json() | {"file_url": item["file_url"]}
    assert item["id"] == str(run)
    assert (item["type"], item["format"], item["name"]) == ("QUEUE_PERFORMANCE", "CSV", "Whole life")
    assert item["file_name"] == "Whole_life_2024-08-19_2024-08-25.csv"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", item["completed_at"])
    assert item["file_url"].startswith("/api/blobs/")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=service), base_url="http://service") as anybody:
        file = await anybody.get(item["file_url"])
        assert file.status_code == 200
        assert len(file.content) == item["file_size"] == int(file.headers["content-length"])
        assert file.headers["content-type"] == "text/csv; charset=utf-8"
        assert item["file_name"] in file.headers["content-disposition"]
        assert file.text.startswith("Queue,Received,Agent,Serviced,Unanswered")
        broken = item["file_url"][:-3] + ("AAA" if not item["file_url"].endswith("AAA") else "BBB")
        for url in (broken, "/api/blobs/x", "/api/blobs/" + "A" * 40):
            assert (await anybody.get(url)).status_code == 404

        assert (await client.post(f"/api/completed_call_reports/{run}/destroy")).status_code == 204
        assert (await anybody.get(item["file_url"])).status_code == 404
    assert (await client.get(f"/api/completed_call_reports/{run}")).status_code == 404
    assert (await client.post(f"/api/completed_call_reports/{run}/destroy")).status_code == 400
    await perform(warehouse, reader, id_)  # a job that comes again brings nothing back
    assert (await client.get(f"/api/completed_call_reports/{run}")).status_code == 404

    gone = await client.post(f"/api/call_reports/{id_}/destroy")
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await client.get(f"/api/call_reports/{id_}")).status_code == 404
    again = await client.post(f"/api/call_reports/{id_}/destroy")
    assert again.status_code == 400
    assert again.json()["errors"][0]["code"] == "VALIDATE_FAILED"


async def test_links_end(service: FastAPI, client: httpx.AsyncClient, warehouse: Warehouse, reader: Reader) -> None:
    from pipeline.reports.blobs import blob_token
    from pipeline.reports.store import ReportStore

    id_ = await create(client, name="Ends")
    run = await perform(warehouse, reader, id_)
    found = await ReportStore(reader).run(week.TENANT, run)
    assert found is not None
    for expires, status in ((2_000_000_000, 200), (1_000_000_000, 404)):
        token = blob_token(run, found[0].secret, expires)
        assert (await client.get(f"/api/blobs/{token}")).status_code == status


async def test_a_change_keeps_what_it_does_not_name(client: httpx.AsyncClient) -> None:
    id_ = await create(client, cron_expr="0 6 * * 1", range="LAST_WEEK")
    before = (await client.get(f"/api/call_reports/{id_}")).json()
    assert before["status"] == "SCHEDULED"
    answer = await client.post(f"/api/call_reports/{id_}", json={"name": "Other", "filter": {}})
    assert answer.status_code == 200
    after = (await client.get(f"/api/call_reports/{id_}")).json()
    assert after == before | {"name": "Other", "filter": {}}
    assert (await client.post(f"/api/call_reports/{id_}", json=after | {"format": "HTML"})).status_code == 200
    assert (await client.get(f"/api/call_reports/{id_}")).json()["format"] == "HTML"
    for wrong in ({"type": "NORMAL"}, {"filter": {"ring_groups": ["600"]}}, {"cron_expr": "x"}):
        assert (await client.post(f"/api/call_reports/{id_}", json=wrong)).status_code == 400
    assert (await client.post("/api/call_reports/1", json={})).status_code == 404


async def test_lists_filter_search_order_and_page(client: httpx.AsyncClient) -> None:
    for name in ("list c", "list a", "list b"):
        await create(client, name=name, cron_expr="@daily", type="QUEUE_CALLBACKS")

    async def names(**options: str) -> tuple[int, list[str]]:
        answer = await client.get("/api/call_reports", params=options)
        assert answer.status_code == 200, answer.text
        for item in answer.json()["items"]:
            assert list(item) == ["id", "name", "type", "cron_expr", "status"]
        return answer.json()["count"], [item["name"] for item in answer.json()["items"]]

    kind = "type eq 'QUEUE_CALLBACKS'"
    assert await names(filter=kind) == (3, ["list b", "list a", "list c"])
    assert await names(filter=kind, orderby="name") == (3, ["list a", "list b", "list c"])
    assert await names(filter=kind, orderby="name desc", top="1", skip="1") == (3, ["list b"])
    assert await names(search='"list a" or "list b"', orderby="name") == (2, ["list a", "list b"])
    assert await names(filter=f"{kind} and status eq 'RUNNING'") == (0, [])
    assert await names(filter=f"{kind} and cron_expr eq '@daily' and contains(name,'a')") == (1, ["list a"])
    assert (await client.get("/api/call_reports", params={"top": "101"})).status_code == 400
    assert (await client.get("/api/completed_call_reports", params={"orderby": "nothing"})).status_code == 400


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("type", {"type": "NONSENSE"}),
        ("type", {"type": "EXTENSION_STATISTICS"}),
        ("type", {"type": 7}),
        ("filter.ring_groups", {"filter": {"ring_groups": ["600"]}}),
        ("filter.from", {"filter": {"from": "ANY"}}),
        ("filter.extension", {"type": "NORMAL", "filter": {"extension": "ANY"}}),
        ("filter.call_queues", {"type": "NORMAL", "filter": {"call_queues": ["800"]}}),
        ("filter.type", {"type": "EXTENSION_GROUP_CALL_COST", "filter": {"type": "INTERNAL"}}),
        (
            "filter.exclude_calls_dropped_before_seconds",
            {"type": "QUEUE_FAILED_CALLBACKS", "filter": {"exclude_calls_dropped_before_seconds": 5}},
        ),
        ("filter.call_queues", {"filter": {"call_queues": ["12"]}}),
        ("filter.call_queues", {"filter": {"call_queues": "800"}}),
        ("filter.from_value", {"type": "NORMAL", "filter": {"from": "NUMBER"}}),
        (
            "filter.to_value",
            {"type": "NORMAL", "filter": {"to": "EXTENSION_OR_EXTENSION_RANGE", "to_value": "110-101"}},
        ),
        (
            "filter.duration_to",
            {"type": "NORMAL", "filter": {"duration": "TALK_DURATION", "duration_from": 9, "duration_to": 1}},
        ),
        ("filter.duration_from", {"type": "NORMAL", "filter": {"duration_from": -1}}),
        ("filter.duration_from", {"type": "NORMAL", "filter": {"duration_from": True}}),
        ("filter", {"filter": []}),
        ("filter", {"filter": None}),
        ("started_at", {"started_at": None}),
        ("ended_at", {"ended_at": ""}),
        ("ended_at", {"ended_at": "2024-08-19T00:00:00+08:00"}),
        ("started_at", {"started_at": "yesterday"}),
        ("cron_expr", {"cron_expr": "every monday"}),
        ("cron_expr", {"cron_expr": "0 6 * *"}),
        ("cron_expr", {"cron_expr": "61 6 * * *"}),
        ("cron_expr", {"cron_expr": "0 0 0 6 * *"}),
        ("cron_expr", {"cron_expr": "0 0 31 2 *"}),
        ("email", {"email": "a" * 120 + "@example.com"}),
        ("email", {"email": "nobody"}),
        ("email", {"email": "a@b.com\r\nBcc: c@d.com"}),
        ("format", {"format": "PDF"}),
        ("range", {"range": "NEXT_WEEK"}),
        ("name", {"name": ""}),
        ("name", {"name": None}),
        ("colour", {"colour": "red"}),
    ],
)
async def test_a_bad_definition_is_refused_by_its_field(
    client: httpx.AsyncClient, field: str, changes: dict[str, Any]
) -> None:
    answer = await client.post("/api/call_reports", json=GOOD | changes)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["code"], error["message"]) == ("VALIDATE_FAILED", "field validation failed")
    assert re.match(rf"{re.escape(field)}[ :]", error["detail"]), error["detail"]


@pytest.mark.parametrize("field", ["name", "type", "email", "format", "range", "filter"])
async def test_what_is_required_is_required(client: httpx.AsyncClient, field: str) -> None:
    body = {name: value for name, value in GOOD.items() if name != field}
    answer = await client.post("/api/call_reports", json=body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["detail"].startswith(f"{field}: is missing")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b'"x"', b"null", b"\xff"])
async def test_bodies_that_are_no_object(client: httpx.AsyncClient, body: bytes) -> None:
    answer = await client.post("/api/call_reports", content=body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["detail"].startswith("body")


async def test_the_vendors_example_is_taken(client: httpx.AsyncClient) -> None:
    """Times with a range that needs none, a value for ANY, a duration for ANY: all in the vendor's own example."""
    await create(
        client,
        type="NORMAL",
        range="TODAY",
        cron_expr="0 0 1 * *",
        filter={
            "from": "ANY",
            "from_value": "text",
            "to": "ANY",
            "to_value": "text",
            "answer_state": "ANY",
            "duration": "ANY",
            "duration_from": 1,
            "duration_to": 1,
        },
    )


async def test_who_may(service: FastAPI, client: httpx.AsyncClient, warehouse: Warehouse) -> None:
    id_ = await create(client)
    tokens = {
        "other": warehouse.other_token,
        "reader": create_token(warehouse.client, week.TENANT, "reader"),
        "user": create_token(warehouse.client, week.TENANT, "user", role="user", extension="101"),
    }
    transport = httpx.ASGITransport(app=service)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as anyone:

        async def status(who: str, method: str, path: str) -> int:
            headers = {"Authorization": f"Bearer {tokens[who]}"} if who else {}
            return (
                await anyone.request(method, path, headers=headers, json=GOOD if method == "POST" else None)
            ).status_code

        assert await status("", "GET", "/api/call_reports") == 401
        assert await status("other", "GET", f"/api/call_reports/{id_}") == 404
        assert await status("other", "POST", f"/api/call_reports/{id_}/destroy") == 400
        assert await status("reader", "GET", f"/api/call_reports/{id_}") == 200
        assert await status("reader", "POST", "/api/call_reports") == 403
        assert await status("user", "GET", "/api/completed_call_reports") == 403
    assert (await client.get(f"/api/call_reports/{id_}")).status_code == 200


async def test_a_report_that_fails_says_why(client: httpx.AsyncClient, warehouse: Warehouse, reader: Reader) -> None:
    from pipeline.settings import Settings

    id_ = await create(client, name="No room")
    settings: Settings = warehouse.settings.model_copy(update={"files": "/proc/nowhere"})
    await perform(Warehouse(warehouse.client, settings, [], "", ""), reader, id_)
    body = (await client.get(f"/api/call_reports/{id_}")).json()
    assert body["status"] == "ABORTED"
    assert "/proc/nowhere" in body["reason"]
    assert (await client.post(f"/api/call_reports/{id_}", json={})).status_code == 200
    assert (await client.get(f"/api/call_reports/{id_}")).json()["status"] == "RUNNING"
    await perform(warehouse, reader, id_)
    assert (await client.get(f"/api/call_reports/{id_}")).json()["status"] == "SCHEDULED"


async def test_without_a_mail_server_the_report_is_made_and_says_so(
    client: httpx.AsyncClient, warehouse: Warehouse, reader: Reader
) -> None:
    """Made, completed, listed; no mail went. What GET gives may be changed and sent back."""
    id_ = await create(client, name="Für den Chef", email="boss@example.com")
    run = await perform(warehouse, reader, id_)
    got = (await client.get(f"/api/call_reports/{id_}")).json()
    assert got["status"] == "SCHEDULED"
    assert got["reason"].startswith("The report was made, but not mailed: no mail server is set")
    listed = (await client.get("/api/call_reports", params={"filter": f"id eq {id_}"})).json()["items"]
    assert [item["status"] for item in listed] == ["SCHEDULED"]
    done = (await client.get(f"/api/completed_call_reports/{run}")).json()
    assert done["file_name"] == "Für_den_Chef_2024-08-19_2024-08-25.csv"
    back = await client.post(f"/api/call_reports/{id_}", json=got | {"name": "Changed"})
    assert back.status_code == 200, back.text
    again = (await client.get(f"/api/call_reports/{id_}")).json()
    assert {name: value for name, value in again.items() if name not in ("name", "status")} == {
        name: value for name, value in got.items() if name not in ("name", "status", "reason")
    }
    assert (again["name"], again["status"]) == ("Changed", "RUNNING")


async def test_files_in_parts_and_under_names_of_any_language(
    client: httpx.AsyncClient, warehouse: Warehouse, reader: Reader
) -> None:
    id_ = await create(client, name='Größe "1"')
    run = await perform(warehouse, reader, id_)
    url = (await client.get(f"/api/completed_call_reports/{run}")).json()["file_url"]
    whole = await client.get(url)
    size = len(whole.content)
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["content-disposition"] == (  # RFC 6266, RFC 8187
        'attachment; filename="Gr__e_1_2024-08-19_2024-08-25.csv"'
        "; filename*=UTF-8''Gr%C3%B6%C3%9Fe_1_2024-08-19_2024-08-25.csv"
    )
    tag = whole.headers["etag"]
    for asked, begin, end in (("0-9", 0, 10), ("10-", 10, size), ("-7", size - 7, size), (f"5-{size + 99}", 5, size)):
        part = await client.get(url, headers={"Range": f"bytes={asked}", "If-Range": tag})
        assert (part.status_code, part.content) == (206, whole.content[begin:end]), asked
        assert part.headers["content-range"] == f"bytes {begin}-{end - 1}/{size}"
    assert (await client.get(url, headers={"Range": "bytes=0-9", "If-Range": '"other"'})).status_code == 200
    beyond = await client.get(url, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert (await client.get(url, headers={"If-None-Match": tag})).status_code == 304


async def test_dates_alone_are_days_of_the_tenant(client: httpx.AsyncClient) -> None:
    """The tenant is 8 hours east of Greenwich."""
    id_ = await create(client, name="Days", started_at="2024-08-19", ended_at="2024-08-25")
    got = (await client.get(f"/api/call_reports/{id_}")).json()
    assert (got["started_at"], got["ended_at"]) == ("2024-08-18T16:00:00.000Z", "2024-08-25T16:00:00.000Z")
    days = (await client.get("/v1/reports/traffic?from=2024-08-19&to=2024-08-25")).json()["range"]
    assert days["from"].startswith("2024-08-19T00:00:00+08:00")
    assert days["to"].startswith("2024-08-25T23:59:59+08:00")


@pytest.mark.parametrize("filter_", [{"call_queues": []}, {"call_queues": [""]}])
async def test_an_empty_filter_is_refused(client: httpx.AsyncClient, filter_: dict[str, Any]) -> None:
    answer = await client.post("/api/call_reports", json=GOOD | {"filter": filter_})
    assert (answer.status_code, "is empty" in answer.text) == (400, True)
    for query in ("queues=", "from=", "call_queues=", "filter=", "tz=", "range=", "name="):
        assert (await client.get(f"/v1/reports/QUEUE_PERFORMANCE?{query}")).status_code == 400, query
