"""What is absent equals nothing and differs from nothing under /v1; under PortSIP's surface it is OData's null.

The expected calls are worked out here, from the documents as they are shown, never by the code that makes conditions.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from pipeline.query.questions.fields import CALL_FIELDS, LOG_FIELDS
from pipeline.warehouse.identity.tokens import create_token
from tests.query.conftest import Warehouse
from tests.query.stored_calls import MINUTE, NOON, stored_call, write

pytestmark = pytest.mark.embedded

NEVER = {"progress_at": None, "rang_at": None, "answered_at": None, "talk_started_at": None}
SPARSE: dict[str, Any] = NEVER | {
    **dict.fromkeys(("setup_ms", "ring_ms", "wait_ms"), None),
    **dict.fromkeys(
        ("status", "end_reason", "hung_up_by", "cause_from", "requested", "destination", "answered_by"), ""
    ),
    **dict.fromkeys(("caller_number", "caller_name", "caller_domain", "caller_extension"), ""),
    **dict.fromkeys(("callee_number", "callee_name", "callee_domain", "callee_extension"), ""),
    **dict.fromkeys(("did", "trunk", "outbound_caller_id", "user_data", "service_number"), ""),
    **dict.fromkeys(("sip_status", "q850_cause"), 0),
}
FULL: dict[str, Any] = {
    **{"progress_at": NOON + 100, "wait_ms": 1000, "did": "+441632960001", "trunk": "carrier-a"},
    **{"outbound_caller_id": "+441632960000", "user_data": "order=7", "service_number": "800"},
    **{"cost": "9.5", "currency": "GBP", "billed_account": "acme", "rate": "9.25"},
    "reroutes": [{"at": NOON, "kind": "redirect", "reason": "redirect", "from": None, "to": None, "by": None}],
}
TIMES = [f"{name}_at" for name in ("progress", "rang", "answered", "talk_started", "ended")]
NUMBERS = [*(f"{name}_ms" for name in ("setup", "ring", "wait")), "sip_status", "q850_cause"]
TEXTS = [
    *(f"{side}.{part}" for side in ("caller", "callee") for part in ("number", "name", "domain", "extension")),
    *("requested", "destination", "answered_by", "did", "trunk", "outbound_caller_id", "user_data"),
    *("currency", "billed_account", "service_number"),
]
WORDS = {"end_reason": "redirected", "hung_up_by": "system", "cause_from": "mapped", "status": "busy"}
SPARSE_LOG: dict[str, Any] = {
    **dict.fromkeys(("rang_at", "answered_at", "ring_ms"), None),
    **dict.fromkeys(("number", "name", "leg_id", "outcome", "end_reason", "caller_number", "caller_name"), ""),
    **dict.fromkeys(("caller_domain", "user_data", "reroute_reason"), ""),
    **dict.fromkeys(("sip_status", "q850_cause"), 0),
}
# A value that no field of the calls has, on either side of all that they have.
LATE, EARLY = "2099-01-01T00:00:00Z", "1999-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def headers(warehouse: Warehouse) -> dict[str, str]:
    calls = [
        stored_call("absent", "sparse", NOON, logs=[SPARSE_LOG], **SPARSE),
        stored_call("absent", "full", NOON + MINUTE, **FULL),
    ]
    write(warehouse.client, calls)
    return {"Authorization": f"Bearer {create_token(warehouse.client, 'absent', 't')}"}


Ask = Callable[[Any], Any]


@pytest.fixture
def ask(client: httpx.AsyncClient, headers: dict[str, str]) -> Ask:
    async def found(filter_: dict[str, Any]) -> list[str]:
        answer = await client.post("/v1/calls/search", json={"filter": filter_}, headers=headers)
        assert answer.status_code == 200, answer.text
        shown = [row["call_id"] for row in answer.json()["data"]]
        asked = await client.get("/v1/calls", params={"filter": json.dumps(filter_)}, headers=headers)
        assert [row["call_id"] for row in asked.json()["data"]] == shown
        return shown

    return found


def test_every_nullable_field_is_tried() -> None:
    tried = {*TIMES, *NUMBERS, *TEXTS, *WORDS, "cost", "rate", "duration_ms", "reroute_reason"}
    assert {path for path, field in CALL_FIELDS.items() if field.absent} - tried <= {
        "carrier_cost",
        "carrier_currency",
        "rate_class",
        "rate_prefix",
    }


@pytest.mark.parametrize("field", [*TIMES[:-1], *NUMBERS, *TEXTS, *WORDS, "cost", "rate", "reroute_reason"])
async def test_a_comparison_with_something_absent_never_holds(ask: Ask, field: str) -> None:
    """Whatever is compared: the sparse call, which lacks the field, is not found; the full one, of which each
    comparison holds, is."""
    if field in TIMES:
        holding: list[Any] = [{"ne": LATE}, {"lt": LATE}, {"lte": LATE}, {"gt": EARLY}, {"gte": EARLY}]
        holding += [{"not_between": ["2098-01-01T00:00:00Z", LATE]}, {"between": [EARLY, LATE]}]
        opposite: list[Any] = [LATE, {"gt": LATE}, {"gte": LATE}, {"lt": EARLY}, {"lte": EARLY}]
    elif field in NUMBERS or field in ("cost", "rate"):
        holding = [{"ne": 123456789}, {"lt": 123456789}, {"lte": 123456789}, {"gt": 0}, {"not_in": [1, 123456789]}]
        holding += [{"not_between": [100000, 200000]}, {"between": [0, 100000]}]
        opposite = [123456789, {"in": [123456789, 5]}, {"gt": 123456789}, {"lt": 0}, {"lte": 0}]
    elif field in WORDS or field == "reroute_reason":
        word = WORDS.get(field, "overflow")
        holding, opposite = [{"ne": word}, {"not_in": [word]}], [word, {"in": [word]}]
    else:
        holding = [{"ne": "~"}, {"not_in": ["~", "!"]}, {"not_contains": "~"}, {"not_startswith": "~"}]
        holding += [{"not_endswith": "~"}, {"lt": "~"}, {"lte": "~"}, {"gt": "!"}, {"gte": "!"}]
        holding += [{"not_between": ["~", "~~"]}, {"between": ["!", "~"]}]
        opposite = ["~", ["~", "!"], {"contains": "~"}, {"gt": "~"}, {"lt": "!"}]
    for value in holding:
        assert await ask({field: value}) == ["full"], value
        assert await ask({"not": {field: value}}) == [], value
    for value in opposite:
        assert await ask({field: value}) == [], value
        assert await ask({"not": {field: value}}) == ["full"], value
        assert await ask({"not": {"not": {field: value}}}) == [], value
    assert await ask({field: None}) == ["sparse"]
    assert await ask({field: {"exists": False}}) == ["sparse"]
    assert await ask({"not": {field: None}}) == await ask({field: {"ne": None}}) == ["full"]


async def test_not_goes_down_through_and_and_or(ask: Ask) -> None:
    # sparse: trunk and did absent; full: carrier-a and +441632960001
    a, other = {"trunk": "carrier-a"}, {"did": "+441632960002"}
    assert await ask({"not": {"and": [a, other]}}) == ["full"]
    assert await ask({"not": {"or": [a, other]}}) == []
    assert await ask({"not": {**other, "trunk": "carrier-b"}}) == ["full"]
    assert await ask({"not": {"and": [a, {"state": "open"}]}}) == ["full", "sparse"]  # both have a state
    assert await ask({"not": {"trunk": {"gte": "a", "lt": "b"}}}) == ["full"]


async def test_lists_are_never_absent(ask: Ask) -> None:
    assert await ask({"flags": {"ne": "clock_skew"}}) == ["full", "sparse"]
    assert await ask({"missed_by": {"not_in": ["201"]}}) == ["full", "sparse"]


async def test_of_several_fields_those_count_that_are_there(ask: Ask) -> None:
    assert await ask({"any_number": {"ne": "999"}}) == ["full"]
    assert await ask({"any_number": {"ne": "201"}}) == []
    assert await ask({"any_name": {"not_contains": "zz"}}) == ["full"]


async def test_rate_compares_as_a_number(ask: Ask) -> None:
    """As texts, 10 is less than 9.25."""
    assert Decimal("9.25") < 10
    assert await ask({"rate": {"lt": 10}}) == ["full"]
    assert await ask({"rate": {"gt": "10"}}) == []
    assert await ask({"rate": "9.250"}) == ["full"]
    assert await ask({"rate": ["9.25", 3]}) == ["full"]


@pytest.mark.parametrize(
    "field", [path for path, each in LOG_FIELDS.items() if each.absent in ("text", "null", "zero")]
)
async def test_call_logs_do_the_same(client: httpx.AsyncClient, headers: dict[str, str], field: str) -> None:
    """Those with the field and those without are all that there are; ne finds only the former."""

    async def count(filter_: Any) -> int:
        body = {"filter": filter_, "count": True}
        answer = await client.post("/v1/call-logs/search", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["count"])

    kind = LOG_FIELDS[field].kind
    value = {"time": LATE, "number": 4711, "word": next(iter(LOG_FIELDS[field].words), ""), "text": "~"}[kind]
    there = await count({field: {"exists": True}})
    assert there + await count({field: {"exists": False}}) == 2
    assert await count({field: value}) + await count({field: {"ne": value}}) == there
    assert await count({"not": {field: value}}) == await count({field: {"ne": value}})


@pytest.mark.parametrize(
    ("filter_", "expected"),
    [  # OData 4.01 part 2, 5.1.1.1: null equals null only; gt, ge, lt, le with null are false, so that not is true
        ("rang_at eq null", ["sparse"]),
        ("rang_at ne null", ["full"]),
        (f"rang_at ne {LATE}", ["full", "sparse"]),
        (f"not (rang_at eq {LATE})", ["full", "sparse"]),
        (f"rang_at lt {LATE}", ["full"]),
        (f"not (rang_at lt {LATE})", ["sparse"]),
        (f"not (rang_at gt {LATE})", ["full", "sparse"]),
        (f"not (rang_at gt {LATE} or caller eq '101')", ["sparse"]),
        (f"rang_at in ({LATE}, null)", ["sparse"]),
        (f"not rang_at in ({LATE})", ["full", "sparse"]),
        ("rang_at eq answered_at", ["sparse"]),
        ("rang_at ne answered_at", ["full"]),
        ("rang_at ne ended_at", ["full", "sparse"]),
        ("hour(rang_at) ne 3", ["full", "sparse"]),
        ("trunk ne 'carrier-b'", ["full", "sparse"]),  # an empty text is a text
        ("status_code ne 486", ["full", "sparse"]),
    ],
)
async def test_portsip_has_odatas_null(
    client: httpx.AsyncClient, headers: dict[str, str], filter_: str, expected: list[str]
) -> None:
    answer = await client.get("/api/cdrs", params={"filter": filter_}, headers=headers)
    assert answer.status_code == 200, answer.text
    assert [item["call_id"] for item in answer.json()["items"]] == expected


ZONE = "America/New_York"  # 2024-08-20T12:00Z is 08:00 there; 2024-08-21T03:30Z is 23:30 of the 20th


@pytest.fixture(scope="module")
def dated(warehouse: Warehouse) -> dict[str, str]:
    hour = 60 * MINUTE
    calls = [
        stored_call("dated", "before", NOON - 9 * hour),  # 03:00Z: 23:00 of the 19th in New York
        stored_call("dated", "morning", NOON),
        stored_call("dated", "night", NOON + 15 * hour + 30 * MINUTE),
    ]
    write(warehouse.client, calls)
    return {"Authorization": f"Bearer {create_token(warehouse.client, 'dated', 't')}"}


@pytest.mark.parametrize(
    ("query", "utc", "new_york"),
    [
        ("from=2024-08-20&to=2024-08-20", ["morning", "before"], ["night", "morning"]),
        ("to=2024-08-19", [], ["before"]),
        ("from=2024-08-21", ["night"], []),
        ("started_at=2024-08-20", ["morning", "before"], ["night", "morning"]),
        ("started_at[ne]=2024-08-20", ["night"], ["before"]),
        ("started_at[gt]=2024-08-20", ["night"], []),
        ("started_at[gte]=2024-08-20", ["night", "morning", "before"], ["night", "morning"]),
        ("started_at[lt]=2024-08-20", [], ["before"]),
        ("started_at[lte]=2024-08-20", ["morning", "before"], ["night", "morning", "before"]),
        ("started_at[between]=2024-08-20,2024-08-20", ["morning", "before"], ["night", "morning"]),
    ],
)
async def test_dates_alone_are_days_of_the_zone(
    client: httpx.AsyncClient, dated: dict[str, str], query: str, utc: list[str], new_york: list[str]
) -> None:
    for zone, expected in (("", utc), (f"&zone={ZONE}", new_york)):
        answer = await client.get(f"/v1/calls?{query}{zone}", headers=dated)
        assert [row["call_id"] for row in answer.json()["data"]] == expected, zone
        counted = await client.get(f"/v1/aggregate?measures=calls&{query}{zone}", headers=dated)
        assert counted.json()["total"]["calls"] == len(expected)


async def test_cut_off_buckets_say_so(client: httpx.AsyncClient, dated: dict[str, str]) -> None:
    query = "/v1/aggregate?measures=calls&bucket=day&zone=UTC&from=2024-08-19T06:00:00Z&to=2024-08-21T12:00:00Z"
    rows = (await client.get(query, headers=dated)).json()["data"]
    assert [(row["calls"], row["partial"]) for row in rows] == [(0, True), (2, False), (1, True)]
    whole = (
        await client.get("/v1/aggregate?measures=calls&bucket=day&from=2024-08-20&to=2024-08-21", headers=dated)
    ).json()
    assert [(row["calls"], row["partial"]) for row in whole["data"]] == [(2, False), (1, False)]
    assert "bucket,bucket_end,partial,calls" in (await client.get(f"{query}&format=csv", headers=dated)).text


@pytest.mark.parametrize(
    "query",
    [
        "status=",
        "from=",
        "to=",
        "filter=",
        "fields=",
        "sort=",
        "trunk[in]=",
        "trunk[in]=a,",
        "caller.number[contains]=",
        "zone=",
        "limit=",
        "format=",
    ],
)
async def test_an_empty_value_widens_nothing(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/v1/calls?{query}")
    assert answer.status_code == 400
    assert "empty" in answer.text


@pytest.mark.parametrize("name", ["measures", "by", "order"])
@pytest.mark.parametrize(
    "value", [",", "", "calls,", ",calls", "calls,,asr", " ", "%20,calls", "calls;asr", "caLLs", "%00", "-"]
)
async def test_lists_of_names_are_names(client: httpx.AsyncClient, name: str, value: str) -> None:
    answer = await client.get(f"/v1/aggregate?{name}={value}")
    assert answer.status_code == 400, answer.text
