"""Every parameter that takes a list, given odd ones: the answer is right or says what is wrong, and never fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.query.commpeak.fields import GROUPS, METRICS
from pipeline.query.portsip.rows import CALL_LOG_PROPERTIES, CDR_PROPERTIES
from pipeline.query.questions.aggregates import VISIT_DIMENSIONS
from pipeline.query.questions.lists.tables import CALL_TABLE, LOG_TABLE
from pipeline.warehouse.analytics.measures import names
from pipeline.warehouse.query.clauses import CALLS
from tests.query.conftest import Warehouse

pytestmark = pytest.mark.embedded

_DAY: Final = {"start_at": "2024-08-20 00:00:00", "end_at": "2024-08-21 00:00:00"}
_ODD: Final = (
    *(
        "",
        " ",
        ",",
        ";",
        "-",
        "--calls",
        "*",
        "'",
        '"',
        "\\",
        "a,b",
        "é",
        "\u2028",
        "null",
        "0",
        "-1",
        "9" * 30,
        "x" * 300,
    ),
    *("caller", "caller.", ".number", "tenant", "by[]", "${x}", "%", "{}", "[]", "()", "asc"),
)


def _in_query(path: str, name: str, join: str = ",", **more: str) -> Callable[[list[str]], tuple[str, str, Any]]:
    def request(items: list[str]) -> tuple[str, str, Any]:
        pairs = {**more, name: join.join(items)}
        return "GET", f"{path}?" + "&".join(f"{quote(key)}={quote(value)}" for key, value in pairs.items()), None

    return request


def _in_body(path: str, name: str, join: str = "", **more: Any) -> Callable[[list[str]], tuple[str, str, Any]]:
    def request(items: list[str]) -> tuple[str, str, Any]:
        body = json.loads(json.dumps(more))
        *route, last = name.split(".")
        inside = body
        for part in route:
            inside = inside.setdefault(part, {})
        inside[last] = join.join(items) if join else items
        return "POST", path, body

    return request


_MEASURES: Final = [*names(CALLS)][:30]
_FIELDS: Final = list(CALL_TABLE.fields)
# Request made of a list → good items of it.
LISTS: Final[dict[str, tuple[Callable[[list[str]], tuple[str, str, Any]], list[str]]]] = {
    "/v1/calls fields": (_in_query("/v1/calls", "fields"), _FIELDS),
    "/v1/call-logs fields": (_in_query("/v1/call-logs", "fields"), list(LOG_TABLE.fields)),
    "/v1/calls/search fields": (_in_body("/v1/calls/search", "fields"), _FIELDS),
    "/v1/calls in": (_in_query("/v1/calls", "status[in]"), ["busy", "answered"]),
    "/v1/calls not_in": (_in_query("/v1/calls", "caller.number[not_in]"), ["101", "102"]),
    "/v1/calls between": (_in_query("/v1/calls", "talk_ms[between]"), ["1", "2"]),
    "/v1/calls/search filter": (_in_body("/v1/calls/search", "filter.status"), ["busy", "answered"]),
    "/v1/calls/search ids": (_in_body("/v1/calls/search", "filter.id"), ["1", "2"]),
    "/v1/aggregate measures": (_in_query("/v1/aggregate", "measures"), _MEASURES),
    "/v1/aggregate by": (_in_query("/v1/aggregate", "by"), ["trunk", "status", "hour_of_day"]),
    "/v1/aggregate order": (_in_query("/v1/aggregate", "order", by="trunk"), ["-calls", "trunk"]),
    "/v1/aggregate visits": (_in_query("/v1/aggregate", "by", of="queue-visits"), list(VISIT_DIMENSIONS)),
    "POST /v1/aggregate measures": (_in_body("/v1/aggregate", "measures"), _MEASURES),
    "POST /v1/aggregate by": (_in_body("/v1/aggregate", "by"), ["trunk", "status"]),
    "POST /v1/aggregate order": (_in_body("/v1/aggregate", "order", by=["trunk"]), ["-calls", "trunk"]),
    "/v1/exports fields": (_in_body("/v1/exports", "fields", format="nonsense"), _FIELDS),
    "/v1/webhooks events": (_in_body("/v1/webhooks", "events", url="nonsense"), ["call.ended"]),
    "/api/cdrs orderby": (_in_query("/api/cdrs", "orderby"), list(CDR_PROPERTIES)),
    "/api/calllogs orderby": (_in_query("/api/calllogs", "orderby"), list(CALL_LOG_PROPERTIES)),
    "/api/cdrs search": (_in_query("/api/cdrs", "search", join=" or "), ["101", "alice"]),
    "CommPeak group": (_in_body("/api/cdrs/cdrs-aggregate", "group", join=";", filter=_DAY), list(GROUPS)),
    "CommPeak fields": (
        _in_body("/api/cdrs/cdrs-aggregate", "fields", join=";", filter=_DAY, group="user"), [*GROUPS, *METRICS],
    ),
    "CommPeak period": (
        _in_body("/api/cdrs/cdrs-aggregate", "period", join=";", filter=_DAY, group="user"), ["year", "month"],
    ),
    "CommPeak order": (
        _in_body("/api/cdrs/cdrs-aggregate", "order", join=";", filter=_DAY, group="user"), ["user", "desc"],
    ),
    **{
        f"CommPeak {name}": (_in_body("/api/cdrs/cdrs-aggregate", f"filter.{name}", filter=_DAY, group="user"), good)
        for name, good in {
            "destination": ["201"], "caller_id": ["101"], "user": ["101"], "original_trunk_id": ["t"],
            "callsType": ["4"], "callAttributes": ["Transfer"], "duration": ["5;>"],
        }.items()
    },
    **{
        f"ipcortex {name}": (_in_body("/rest/call/incalls", f"scope.{name}", scope={"year": 2024, "month": 8}), ["201"])
        for name in ("company", "extensions", "deviceids")
    },
    "Yeastar sort_by": (_in_query("/openapi/v1.0/cdr/list", "sort_by"), ["id", "time"]),
    "reports queues": (_in_query("/v1/reports/QUEUE_PERFORMANCE", "call_queues", range="LAST_WEEK"), ["800", "801"]),
}  # fmt: skip
# Names between commas: an empty one is a slip, and is said to be one.
_STRICT: Final = tuple(
    name for name in LISTS if name.startswith(("/v1/aggregate", "/v1/calls fields", "/v1/call-logs"))
)


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_odd_lists_answer_or_say_what_is_wrong(
    client: httpx.AsyncClient, warehouse: Warehouse, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(LISTS)))
    make, good = LISTS[name]
    item = st.sampled_from(good) | st.sampled_from(good) | st.sampled_from(_ODD) | st.text(max_size=5)
    items = data.draw(st.lists(item, max_size=8) | st.lists(st.sampled_from(good), min_size=40, max_size=60))
    try:
        method, url, body = make(items)
        content = None if body is None else json.dumps(body).encode()
    except UnicodeEncodeError:  # halves of characters cannot be sent
        return
    answer = await client.request(method, url, content=content, headers={"User-Agent": "fuzz"})
    assert answer.status_code < 500, (name, items, answer.text)
    if answer.status_code == 400:
        said = answer.json()
        detail = said.get("detail") or said.get("error") or said["errors"][0]["detail"]
        assert len(detail) > 10, (name, items, answer.text)
    if name in _STRICT and items and not all(each.strip() for each in ",".join(items).split(",")):
        assert answer.status_code == 400, (name, items, answer.text)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/v1/aggregate?measures=,", "measures"), ("/v1/aggregate?measures=", "measures"),
        ("/v1/aggregate?by=,trunk", "by"), ("/v1/aggregate?order=,", "order"), ("/v1/calls?fields=,", "fields"),
        ("/v1/calls?fields=", "fields"), ("/v1/calls?status[in]=,", "status[in]"),
        ("/v1/calls?talk_ms[between]=,", "talk_ms[between]"), ("/v1/calls/stream?fields=,", "fields"),
    ],
)  # fmt: skip
async def test_lists_of_nothing(client: httpx.AsyncClient, path: str, field: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 400
    assert field in answer.json()["detail"]
