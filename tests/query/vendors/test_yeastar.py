from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from pipeline.calls.fold import fold
from pipeline.directory.model import Display, Tenant
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.reference.directories import save
from schemas.call import snowflake_ms
from schemas.event import Event, Facts
from tests.query.stored_calls import stored_call, write
from tests.query.vendors.conftest import LEAK, PASSWORD, Company
from tests.query.vendors.vendor_calls import UNANSWERED

pytestmark = pytest.mark.embedded

BASE = "/openapi/v1.0"


@pytest.fixture
async def tokens(http: httpx.AsyncClient, company: Company) -> dict[str, Any]:
    answer = await http.post(f"{BASE}/get_token", json={"username": "acme", "password": company.token})
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
async def pbx(http: httpx.AsyncClient, tokens: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    http.params = httpx.QueryParams({"access_token": tokens["access_token"]})
    yield http


async def search(pbx: httpx.AsyncClient, **parameters: Any) -> dict[str, Any]:
    answer = await pbx.get(f"{BASE}/cdr/search", params=parameters)
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    assert body["errcode"] == 0, body
    assert body["total_number"] == len(body["data"]) or "page_size" in parameters
    return body


async def times(pbx: httpx.AsyncClient, **parameters: Any) -> list[str]:
    return [row["time"][11:16] for row in (await search(pbx, **parameters))["data"]]


def test_tokens(tokens: dict[str, Any]) -> None:
    assert (tokens["errcode"], tokens["errmsg"]) == (0, "SUCCESS")
    assert list(tokens) == [
        *("errcode", "errmsg", "access_token_expire_time", "access_token"),
        *("refresh_token_expire_time", "refresh_token"),
    ]
    assert (tokens["access_token_expire_time"], tokens["refresh_token_expire_time"]) == (1800, 86400)


async def test_a_token_is_refreshed_once_and_ended(http: httpx.AsyncClient, tokens: dict[str, Any]) -> None:
    async def listed(token: str) -> int:
        answer = await http.get(f"{BASE}/cdr/list", params={"access_token": token})
        assert answer.status_code == 200
        return int(answer.json()["errcode"])

    refreshing = {"refresh_token": tokens["refresh_token"]}
    fresh = (await http.post(f"{BASE}/refresh_token", json=refreshing)).json()
    assert fresh["errcode"] == 0
    assert fresh["access_token"] != tokens["access_token"]
    assert await listed(fresh["access_token"]) == 0
    ended = await http.get(f"{BASE}/del_token", params={"access_token": fresh["access_token"]})
    assert ended.json() == {"errcode": 0, "errmsg": "SUCCESS"}
    assert await listed(fresh["access_token"]) == 10004
    again = {"refresh_token": fresh["refresh_token"]}
    assert (await http.post(f"{BASE}/refresh_token", json=again)).json()["errcode"] == 10004


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"username": "boss", "password": "wrong"}, 10005),
        ({"username": "acme", "password": "cdr_" + "x" * 43}, 10005),
        ({"username": "boss"}, 40002),
        ({"username": 7, "password": True}, 40002),
        ({"username": "a\0b", "password": "c"}, 40002),
    ],
)
async def test_who_gets_no_token(http: httpx.AsyncClient, body: dict[str, Any], errcode: int) -> None:
    answer = await http.post(f"{BASE}/get_token", json=body)
    assert (answer.status_code, answer.json()["errcode"]) == (200, errcode)
    assert "access_token" not in answer.json()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'"x"'])
async def test_a_body_that_is_no_object(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await http.post(f"{BASE}/get_token", content=body)
    assert (answer.status_code, answer.json()["errcode"]) == (200, 40001)


async def test_a_token_of_another_tenant_does_not_log_in(http: httpx.AsyncClient, company: Company) -> None:
    answer = await http.post(f"{BASE}/get_token", json={"username": "acme", "password": company.other_token})
    assert answer.json()["errcode"] == 10005


async def test_without_a_user_agent_nobody_is_answered(http: httpx.AsyncClient, company: Company) -> None:
    for agent, errcode in (("", 10005), ("OpenAPI", 0)):
        answer = await http.get(
            f"{BASE}/cdr/list", params={"access_token": company.token}, headers={"User-Agent": agent}
        )
        assert (answer.status_code, answer.json()["errcode"]) == (200, errcode)


async def test_paths_and_versions_that_are_not_there(http: httpx.AsyncClient) -> None:
    for path, errcode in (
        (f"{BASE}/cdr/lists", 10001),
        ("/openapi/v9.0/cdr/list", 10003),
        (f"{BASE}/get_token", 10001),  # by GET
        (f"{BASE}/cdr/list", 10005),  # without a token
    ):
        answer = await http.get(path)
        assert (answer.status_code, answer.json()["errcode"]) == (200, errcode), path


async def test_rows(pbx: httpx.AsyncClient, company: Company) -> None:
    body = await search(pbx)
    assert list(body) == ["errcode", "errmsg", "total_number", "data"]
    assert body["total_number"] == 17  # the open one is no record yet
    rows = body["data"]
    assert [row["id"] for row in rows] == sorted(row["id"] for row in rows)
    plain = rows[0]
    uid = plain.pop("uid")
    assert re.fullmatch(r"20240820140000[0-9A-F]{5}", uid)
    assert plain.pop("id") < 2**53
    assert plain == {
        "time": "20/08/2024 14:00:00",
        "call_from": "Ada Byron<101>",
        "call_to": "Bob Frost<201>",
        "timestamp": 1724155200,
        "src_addr": "192.0.2.25",
        "duration": 35,
        "ring_duration": 5,
        "talk_duration": 30,
        "disposition": "ANSWERED",
        "call_type": "Internal",
        "record_file": "plain call.wav",
        "reason": "src hangup ",
    }
    assert list(plain)[:3] == ["time", "call_from", "call_to"]
    out = rows[4]
    assert (out["dst_trunk"], out["dod_number"], out["call_type"], out["reason"]) == (
        *("carrier-a", "+441632960000"),
        *("Outbound", "dst hangup "),
    )
    assert "src_trunk" not in out
    for row in rows:
        assert row.get("ring_duration", 0) + row.get("talk_duration", 0) == row.get("duration", 0)
        assert row["reason"].endswith(" ")
        assert not [name for name, value in row.items() if value in ("", 0, None)]


async def test_what_was_refused_at_once_has_no_durations(pbx: httpx.AsyncClient) -> None:
    (row,) = (await search(pbx, start_time="20/08/2024 14:05:00", end_time="20/08/2024 14:05:59"))["data"]
    del row["id"], row["uid"]
    assert row == {
        "time": "20/08/2024 14:05:00",
        "call_from": "Ada Byron<101>",
        "call_to": "+441632960123",
        "timestamp": 1724155500,
        "dst_trunk": "carrier-a",
        "disposition": "NO ANSWER",
        "call_type": "Outbound",
        "dod_number": "+441632960000",
        "reason": "dst extension_busy_no_forward ",
    }


async def test_dispositions_are_a_partition(pbx: httpx.AsyncClient) -> None:
    found = {
        "ANSWERED": ["14:00", "14:03", "14:04", "14:08", "14:09", "14:11", "14:14", "14:16"],
        "NO ANSWER": ["14:02", "14:05", "14:06", "14:10", "14:12", "14:15"],
        "BUSY": ["14:01"],
        "FAILED": ["14:07"],
        "VOICEMAIL": ["14:13"],
    }
    for status, expected in found.items():
        rows = (await search(pbx, status=status))["data"]
        assert [row["time"][11:16] for row in rows] == expected
        assert {row["disposition"] for row in rows} == {status}
    assert sum(map(len, found.values())) == 17


async def test_a_call_that_came_in_and_went_out_has_both_trunks(pbx: httpx.AsyncClient) -> None:
    (row,) = (await search(pbx, start_time="20/08/2024 14:14:00", end_time="20/08/2024 14:14:00"))["data"]
    assert (row["src_trunk"], row["dst_trunk"], row["call_type"]) == ("carrier-b", "carrier-a", "Inbound")
    assert (row["did_number"], row["dod_number"]) == ("+441632960001", "+441632960001")


async def test_voicemail_is_heard_not_answered(pbx: httpx.AsyncClient) -> None:
    (row,) = (await search(pbx, status="VOICEMAIL"))["data"]
    assert (row["duration"], row["ring_duration"], row["talk_duration"]) == (50, 20, 30)


async def test_numbers(pbx: httpx.AsyncClient) -> None:
    assert await times(pbx, call_from="102") == ["14:02", "14:07", "14:08", "14:16"]
    assert await times(pbx, call_to="201") == ["14:00", "14:09", "14:10", "14:13", "14:14", "14:16"]
    assert await times(pbx, call_to="800") == ["14:12"]  # the other one was answered by 202
    assert await times(pbx, call_to="202") == ["14:01", "14:11"]
    assert await times(pbx, call_from="336") == []
    fuzzy = {"enable_fuzzy_search": 1}
    assert await times(pbx, call_from="336", **fuzzy) == ["14:09", "14:11", "14:12", "14:13", "14:14", "14:15"]
    assert await times(pbx, call_from="(336) 12-34", **fuzzy) == await times(pbx, call_from="3361234", **fuzzy)
    assert await times(pbx, call_from="+33612345678") == await times(pbx, call_from="33612345678", **fuzzy)
    token, pbx.params = pbx.params["access_token"], httpx.QueryParams()
    unencoded = await pbx.get(f"{BASE}/cdr/search?access_token={token}&call_from=+33612345678")
    pbx.params = httpx.QueryParams({"access_token": token})
    assert unencoded.json()["total_number"] == 6
    assert await times(pbx, call_from="%") == await times(pbx, call_from="%", **fuzzy) == []
    assert await times(pbx, call_to="600", **fuzzy) == ["14:02"]


async def test_the_number_dialled_from_outside(pbx: httpx.AsyncClient) -> None:
    all_in = await times(pbx, did="+441632960001")
    assert all_in == ["14:09", "14:10", "14:11", "14:12", "14:13", "14:14", "14:15"]
    assert await times(pbx, did="+441632960001:carrier-b") == all_in
    assert await times(pbx, did="441632960001:") == all_in
    for nothing in ("+441632960001:carrier-a", "+44163296000", ":carrier-b"):
        assert await times(pbx, did=nothing) == [], nothing


async def test_groups(pbx: httpx.AsyncClient) -> None:
    groups = (await pbx.get(f"{BASE}/extension_group/list")).json()
    assert groups["total_number"] == 2
    sales, support = groups["data"]
    assert sales == {"id": 7, "name": "Sales"}
    assert await times(pbx, extension_group=7) == ["14:01", "14:02", "14:07", "14:08", "14:11", "14:16"]
    assert await times(pbx, extension_group=support["id"]) == []  # 203 was called and never reached
    assert await times(pbx, extension_group=99) == []


async def test_times_are_the_tenants_and_inclusive(pbx: httpx.AsyncClient) -> None:
    both = {"start_time": "20/08/2024 14:03:00", "end_time": "20/08/2024 14:05:00"}
    assert await times(pbx, **both) == ["14:03", "14:04", "14:05"]
    assert await times(pbx, start_time="20/08/2024 14:15:01") == ["14:16"]
    assert await times(pbx, end_time="20/08/2024 14:00:59") == ["14:00"]
    assert await times(pbx, start_time="20/08/2024 14:05:00", end_time="20/08/2024 14:03:00") == []


@pytest.mark.parametrize(
    "text",
    [
        *("08/20/2024 14:00:00", "2024-08-20 14:00:00", "20/08/2024", "20/08/2024 14:00", "2024-08-20T12:00:00Z"),
        *("20/08/2024 02:00:00 PM", "31/02/2024 00:00:00", "1/8/2024 00:00:00", "yesterday", "20/08/2024 24:00:00"),
        *("00/00/0000 00:00:00", "٢٠/٠٨/٢٠٢٤ 00:00:00"),
    ],
)
async def test_a_time_in_another_format_finds_nothing(pbx: httpx.AsyncClient, text: str) -> None:
    for name in ("start_time", "end_time"):
        answer = await pbx.get(f"{BASE}/cdr/search", params={name: text})
        assert answer.json() == {"errcode": 0, "errmsg": "SUCCESS", "total_number": 0, "data": []}


async def test_every_moment_of_the_calendar_is_answered(pbx: httpx.AsyncClient) -> None:
    ends = {"start_time": "01/01/0001 00:00:00", "end_time": "31/12/9999 23:59:59"}
    for given in ends.items():
        answer = await pbx.get(f"{BASE}/cdr/search", params=dict([given]))
        assert answer.json()["errcode"] == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("page", value) for value in ("0", "-1", "x", "1.5", "99999999999999999999")),
        *(("page_size", value) for value in ("0", "10001", "ten")),
        *(("sort_by", value) for value in ("caller", "started_at; DROP TABLE call_rows")),
        ("order_by", "up"),
        *(("status", value) for value in ("answered?", "ABANDONED", "1")),
        *(("extension_group", value) for value in ("Sales", "-1", "7.0")),
        *(("enable_fuzzy_search", value) for value in ("2", "yes")),
        ("call_from", "a\0b"),
    ],
)
async def test_parameters_of_the_wrong_type(pbx: httpx.AsyncClient, name: str, value: str) -> None:
    answer = await pbx.get(f"{BASE}/cdr/search", params={name: value})
    assert answer.status_code == 200
    assert (answer.json()["errcode"], answer.json()["errmsg"]) == (40002, "PARAMETER ERROR")
    assert name in answer.json()["detail"]


async def test_pages_and_order(pbx: httpx.AsyncClient) -> None:
    everything = (await pbx.get(f"{BASE}/cdr/list")).json()
    ids = [row["id"] for row in everything["data"]]
    paged: list[int] = []
    for number in range(1, 5):
        page = (await pbx.get(f"{BASE}/cdr/list", params={"page": number, "page_size": 5})).json()
        assert page["total_number"] == 17
        paged += [row["id"] for row in page["data"]]
    assert paged == ids
    for name in ("id", "uid", "time"):
        reverse = await pbx.get(f"{BASE}/cdr/list", params={"sort_by": name, "order_by": "desc"})
        assert [row["id"] for row in reverse.json()["data"]] == ids[::-1]
    longest = (await pbx.get(f"{BASE}/cdr/list", params={"sort_by": "duration", "order_by": "desc"})).json()["data"]
    durations = [row.get("duration", 0) for row in longest]
    assert durations == sorted(durations, reverse=True)
    for name in ("src_trunk", "dst_trunk", "did_number", "disposition", "src_addr", "talk_duration", "call_type"):
        rows = (await pbx.get(f"{BASE}/cdr/list", params={"sort_by": name})).json()["data"]
        values = [row.get(name, 0 if name == "talk_duration" else "") for row in rows]
        assert values == sorted(values)


async def test_unknown_parameters_are_ignored_and_later_ones_find_nothing(pbx: httpx.AsyncClient) -> None:
    assert (await search(pbx, lang="en"))["total_number"] == 17
    empty = dict.fromkeys(("page", "page_size", "sort_by", "order_by"), "")
    assert (await search(pbx, **empty))["total_number"] == 17
    for name in ("start_time", "end_time", "call_from", "call_to", "did", "extension_group", "status"):
        answer = (await pbx.get(f"{BASE}/cdr/search", params={name: ""})).json()
        assert (answer["errcode"], "is empty" in answer["detail"]) == (40002, True), name
    assert (await search(pbx, pin_code="1234"))["total_number"] == 0


async def test_an_ordinary_user_sees_own_calls(http: httpx.AsyncClient) -> None:
    body = (await http.post(f"{BASE}/get_token", json={"username": "ben", "password": PASSWORD})).json()
    http.params = httpx.QueryParams({"access_token": body["access_token"]})
    assert await times(http) == ["14:02", "14:07", "14:08", "14:16"]
    assert await times(http, call_from="101") == []


async def test_each_tenant_sees_its_own(http: httpx.AsyncClient, pbx: httpx.AsyncClient, company: Company) -> None:
    own = await pbx.get(f"{BASE}/cdr/list")
    assert LEAK not in own.text
    http.params = httpx.QueryParams({"access_token": company.other_token})
    others = await http.get(f"{BASE}/cdr/list")
    assert LEAK in others.text
    assert (await http.get(f"{BASE}/extension_group/list")).json()["data"] == []


@pytest.mark.parametrize("text", ["' OR 1=1 --", "{p0:String}", "\\' OR 1=1 --", "=2+5", "𝟙01", "%00x"])
async def test_values_stay_values(pbx: httpx.AsyncClient, text: str) -> None:
    for name in ("call_from", "call_to", "status", "extension_group", "start_time", "sort_by", "page"):
        for fuzzy in "01":
            answer = await pbx.get(f"{BASE}/cdr/search", params={name: text, "enable_fuzzy_search": fuzzy})
            assert answer.status_code == 200
            assert not answer.json().get("data")


async def test_formats_of_the_display(http: httpx.AsyncClient, company: Company) -> None:
    """Each tenant's own format, both ways; numbers and ids the same whatever it is."""
    at = 1_653_893_621_000
    for place, (display, shown) in enumerate(
        {
            Display("MM/DD/YYYY", "24h"): "05/30/2022 14:53:41",
            Display("DD/MM/YYYY", "12h"): "30/05/2022 02:53:41 PM",
            Display("YYYY/MM/DD", "12h"): "2022/05/30 02:53:41 PM",
            Display("YYYY-MM-DD", "24h"): "2022-05-30 14:53:41",
        }.items()
    ):
        tenant = f"display{place}"
        save(
            company.client, tenant, {("tenant", tenant): Tenant(tenant, zone="Asia/Singapore", display=display)}, "test"
        )
        write(company.client, [stored_call(tenant, "one", at)])
        http.params = httpx.QueryParams({"access_token": create_token(company.client, tenant, "t")})
        (row,) = (await search(http, start_time=shown, end_time=shown.lower()))["data"]
        assert row["time"] == shown
        assert row["uid"].startswith("20220530145341")
        assert row["timestamp"] == 1653893621


async def test_where_clocks_change(http: httpx.AsyncClient, company: Company) -> None:
    """Berlin, 27 October 2024: 02:30 comes twice; 31 March 2024: 02:30 does not come."""
    first, second = 1_729_989_000_000, 1_729_992_600_000  # 00:30Z and 01:30Z
    before, after = 1_711_846_799_000, 1_711_846_800_000  # 00:59:59Z and 01:00:00Z, a second apart
    tenant = "clocks"
    entry = Tenant(tenant, zone="Europe/Berlin", display=Display("YYYY-MM-DD", "24h"))
    save(company.client, tenant, {("tenant", tenant): entry}, "test")
    write(company.client, [stored_call(tenant, f"c{at}", at) for at in (first, second, before, after)])
    http.params = httpx.QueryParams({"access_token": create_token(company.client, tenant, "t")})
    twice = await search(http, start_time="2024-10-27 02:30:00", end_time="2024-10-27 02:30:00")
    assert [row["time"] for row in twice["data"]] == ["2024-10-27 02:30:00"] * 2
    late = await search(http, start_time="2024-03-31 02:30:00", end_time="2024-03-31 03:00:00")
    assert [row["time"] for row in late["data"]] == ["2024-03-31 03:00:00"]
    early = await search(http, start_time="2024-03-31 00:00:00", end_time="2024-03-31 02:30:00")
    assert [row["time"] for row in early["data"]] == ["2024-03-31 01:59:59"]


async def test_ids_are_of_the_call_alone(pbx: httpx.AsyncClient, company: Company) -> None:
    before = (await search(pbx, call_from="101"))["data"]
    call = company.calls["plain"]
    write(company.client, [call])  # emitted again
    after = (await search(pbx, call_from="101"))["data"]
    assert after == before
    assert before[0]["id"] >> 13 == snowflake_ms(call.id) - 1_514_764_800_000


async def test_unanswered_calls_that_the_pbx_answered(pbx: httpx.AsyncClient) -> None:
    """A menu or an echo test answers the call; nobody does."""
    (row,) = (await search(pbx, call_to="*600"))["data"]
    assert row["disposition"] == "NO ANSWER"
    assert row["duration"] == row["ring_duration"] == 61
    assert "talk_duration" not in row
    assert UNANSWERED["answered_by"] == ""


async def test_the_address_of_the_callers_device(http: httpx.AsyncClient, company: Company) -> None:
    """From the event that began the caller's leg to the row."""
    events = [
        Event("started", 1_724_155_200_000, "c-1", "1", leg_id="a", tenant="told", caller="101", callee="201"),
        Event("ended", 1_724_155_209_000, "c-1", "2", leg_id="a", tenant="told", q850_cause=19),
    ]
    events[0].data = Facts(address="192.0.2.77")
    write(company.client, [fold(events)])
    http.params = httpx.QueryParams({"access_token": create_token(company.client, "told", "t")})
    (row,) = (await search(http))["data"]
    assert row["src_addr"] == "192.0.2.77"
