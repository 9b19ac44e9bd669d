"""Questions by which somebody who is shown masked numbers tries to find out their hidden digits: filters, order,
groups and searches with guessed numbers, on every surface.

Two worlds have the same calls and the same directory; only digits that masking hides differ. A caller who is shown
masked numbers gets the same answers in both, whatever is asked: then no answer tells of hidden digits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from pipeline.directory.model import KINDS, Did, Entry, key_of
from pipeline.query.commpeak.list import fields as commpeak_fields
from pipeline.query.portsip.rows import CALL_LOG_PROPERTIES, CDR_PROPERTIES
from pipeline.query.questions.filters import OPERATORS
from pipeline.query.questions.lists.tables import CALL_TABLE, LOG_TABLE
from schemas.call import Call
from tests.query.attack.surface import Call as Request
from tests.query.rich_calls import rich_calls, rich_directory
from tests.query.stored_calls import MINUTE, NOON

# The digits that differ, of several numbers that look alike. In the other world the same calls have other numbers of
# them, in another order: 01632960123 is 01632170123 there.
HERE: Final = ("96", "95", "94", "41")
THERE: Final = ("17", "58", "63", "70")
_SPAN: Final = {"from": "2024-08-01T00:00:00Z", "to": "2024-09-01T00:00:00Z"}
_DAY: Final = {"start_at": "2024-08-01 00:00:00", "end_at": "2024-09-01 00:00:00"}


def _moved(text: str, digits: str) -> str:
    for written in ("1632{}0", "1632 {}0", "{}0-7"):
        text = text.replace(written.format("96"), written.format(digits))
    return text


def calls_of(tenant: str, world: Sequence[str]) -> list[Call]:
    """Each of the rich calls with each of the numbers that look alike. Numbers too short to hide both digits are the
    same in all worlds."""
    found = []
    for place, digits in enumerate(world):
        for call in rich_calls(tenant, NOON + 10 * place * MINUTE, f"-{place}"):
            plain = msgspec.structs.replace(call, rate_prefix="44", rate_class="national")
            if call.status == "abandoned":  # whoever called a line directly, by a name that the directory has
                plain = msgspec.structs.replace(plain, callee_number="+441632960555", callee_extension="")
            moved = msgspec.json.decode(_moved(msgspec.json.encode(plain).decode(), digits), type=Call)
            assert [moved.id, *(log.id for log in moved.logs)] == [call.id, *(log.id for log in call.logs)]
            found.append(moved)
    return found


def directory_of(tenant: str, world: Sequence[str]) -> dict[tuple[str, str], Entry | None]:
    """The rich directory, and lines whose numbers look alike."""
    found: dict[tuple[str, str], Entry | None] = {}
    for (kind, _), entry in rich_directory(tenant).items():
        text = _moved(msgspec.json.encode(entry).decode(), world[0])
        moved = msgspec.json.decode(text, type=KINDS[kind], strict=False)
        found[kind, key_of(moved)] = moved
    for place, digits in enumerate(world):
        number = f"+441632{digits}0555"
        found["did", number] = Did(number, name=f"Line {place}", target="800")
    return found


def guesses() -> list[str]:
    """Numbers and parts of numbers of which one is right in one of the worlds."""
    whole = [f"+441632{digits}0123" for digits in (HERE[0], HERE[1], THERE[0])]
    spelled = ["01632960123", "00441632960123", "441632960123", "+44 1632 960 123"]
    return [*whole, *spelled, "+44163296", "+4416329", "016329", "63296", "2960123", "60123", "960"]


def questions(token: str) -> Iterator[Request]:
    """All of them: some hundreds."""
    tried = guesses()
    yield from _directory()
    yield from _lists(tried)
    yield from _aggregates()
    yield from _portsip(tried)
    yield from _commpeak(tried)
    yield from _others(tried, token)


def _lists(tried: Sequence[str]) -> Iterator[Request]:
    turn = 0
    for path, table in (("/v1/calls", CALL_TABLE), ("/v1/call-logs", LOG_TABLE)):
        names = [name for name, field in table.fields.items() if field.is_number or field.kind in ("text", "list")]
        for name in names:
            if name in ("tenant", "call_id", "leg_id", "currency", "carrier_currency", "rate_class", "flags"):
                continue
            for operator in OPERATORS:
                if table.fields[name].kind == "list" and operator not in ("eq", "ne", "in", "not_in"):
                    continue
                if operator in ("exists", "not_startswith", "not_endswith", "not_contains", "not_between"):
                    continue
                turn += 1
                guess = tried[turn % len(tried)]
                value = f"{guess},+441632999999" if operator in ("in", "not_in", "between") else guess
                yield Request("GET", path, ((f"{name}[{operator}]", value), ("fields", "id"), ("limit", "100")))
        for sort in table.orders:
            yield Request("GET", path, (("sort", sort), ("fields", "id"), ("limit", "100")))
    for guess in tried:
        yield Request("GET", "/v1/search", (("q", guess),))
        yield Request("GET", "/v1/calls", (("q", guess), ("count", "true")))
        yield Request("GET", "/v1/calls/active", (("any_number", guess),))
        yield Request("GET", "/ui/calls", (("from", "2024-08-01"), ("to", "2024-08-31"), ("q", guess)))
        yield Request("GET", "/ui/calls", (("from", "2024-08-01"), ("to", "2024-08-31"), ("caller.number", guess)))
        for form in ("csv", "ndjson"):
            yield Request("GET", "/v1/calls", (("any_number", guess), ("format", form)))
    month = (("from", "2024-08-01"), ("to", "2024-08-31"))
    yield Request("GET", "/ui/missed", (*month, ("all", "1")))
    for path in ("/ui/overview", "/ui/trunks"):
        yield Request("GET", path, month)
        yield Request("GET", path, (*month, ("caller.number", "+441632960123")))


def _aggregates() -> Iterator[Request]:
    for of, table in (("calls", CALL_TABLE), ("call-logs", LOG_TABLE)):
        for name, field in table.fields.items():
            if field.is_number or field.named_by:
                asked = {"of": of, "by": name, "measures": "calls", "order": f"-{name}", "open": "true"}
                yield Request("GET", "/v1/aggregate", tuple(asked.items()))
    yield Request("GET", "/v1/aggregate", (("measures", "calls,callers"), ("caller.number[lt]", "+44163296")))
    for by in ("queue_name", "queue_agent"):
        yield Request("GET", "/v1/aggregate", (("of", "queue-visits"), ("by", by), ("measures", "visits,calls")))


def _portsip(tried: Sequence[str]) -> Iterator[Request]:
    names = ["caller", "callee", "destination", "outbound_caller_id", "did_cid", "trunk", "user_data"]
    names += ["caller_display_name", "callee_display_name"]
    turn = 0
    for path, properties in (("/api/cdrs", CDR_PROPERTIES), ("/api/calllogs", CALL_LOG_PROPERTIES)):
        for name in names:
            assert name in properties
            for form in (
                *(f"{{0}} {sign} '{{1}}'" for sign in ("eq", "ne", "gt", "lt")),
                *(f"{each}({{0}},'{{1}}')" for each in ("contains", "startswith", "endswith")),
                *("{0} in ('{1}','x')", "tolower({0}) eq '{1}'", "not ({0} ge '{1}')", "{0} eq caller"),
            ):
                turn += 1
                text = form.format(name, tried[turn % len(tried)])
                yield Request("GET", path, (("filter", text),))
            yield Request("GET", path, (("orderby", f"{name} desc"),))
        for guess in tried:
            yield Request("GET", path, (("search", guess),))
    for guess in tried[:4]:
        yield Request("GET", "/api/user/cdrs", (("search", guess),))
        yield Request("GET", "/api/sessions", (("search", guess),))


def _commpeak(tried: Sequence[str]) -> Iterator[Request]:
    turn = 0
    for name in commpeak_fields():
        if name in ("start_at", "end_at"):
            continue
        yield Request("GET", f"/api/cdrs/order/{name};desc/limit/100")
        for sign in ("=", "!=", "<", ">="):
            turn += 1
            yield Request("GET", f"/api/cdrs/{name}/{quote(tried[turn % len(tried)] + ';' + sign)}")
    for guess in tried:
        for name in ("destination", "caller_id", "original_trunk_id"):
            body = {"group": "destination;caller_id;transfer to", "filter": {**_DAY, name: [guess, "1"]}}
            yield Request("POST", "/api/cdrs/cdrs-aggregate", body=body)
    for order in ("destination;desc", "caller_id;asc", "transfer to;desc"):
        yield Request(
            "POST",
            "/api/cdrs/cdrs-aggregate",
            body={"group": "destination;caller_id;transfer to", "order": order, "filter": _DAY},
        )


def _others(tried: Sequence[str], token: str) -> Iterator[Request]:
    month: dict[str, Any] = {"year": 2024, "month": 8}
    for guess in tried[:8]:
        for report in ("incalls", "outcalls"):
            for name in ("extensions", "deviceids", "company"):
                yield Request("POST", f"/rest/call/{report}", body={"scope": {**month, name: [guess]}})
    agent = (("User-Agent", "guess"),)
    for path in ("cdr/list", "cdr/search"):
        base = (("access_token", token), ("page_size", "100"))
        for guess in tried:
            for name in ("call_from", "call_to", "did"):
                yield Request("GET", f"/openapi/v1.0/{path}", (*base, (name, guess)), agent)
                fuzzy = (*base, (name, guess), ("enable_fuzzy_search", "1"))
                yield Request("GET", f"/openapi/v1.0/{path}", fuzzy, agent)
        for name in ("did_number", "dod_number", "src_trunk", "src_addr"):
            yield Request("GET", f"/openapi/v1.0/{path}", (*base, ("sort_by", name), ("order_by", "desc")), agent)
    for guess in tried:
        for which in ("NUMBER", "NUMBERS_START_WITH", "NUMBERS_CONTAIN"):
            filter_ = json.dumps({"from": which, "from_value": guess})
            yield Request("GET", "/v1/reports/NORMAL", (*_SPAN.items(), ("filter", filter_), ("format", "json")))
    for type_, given in (
        ("statements", {"accounts": ["441632960783"]}),
        ("trunks", {"trunks": ["carrier 441632960781"]}),
        ("extensions", {"extension": "EXTENSION_OR_EXTENSION_RANGE", "extension_value": "44163296-44163297"}),
        ("short_calls", {"seconds": 60}),
        ("missed", {}),
        ("destinations", {"limit": 100}),
        ("QUEUE_ABANDONED_CALLS", {"call_queues": ["800"]}),
        ("QUEUE_CALLBACKS", {}),
        ("QUEUE_FAILED_CALLBACKS", {}),
    ):
        for form in ("json", "csv"):
            asked = (*_SPAN.items(), ("filter", json.dumps(given)), ("format", form))
            yield Request("GET", f"/v1/reports/{type_}", asked)


def _directory() -> Iterator[Request]:
    for kind in ("extensions", "dids", "queues", "trunks", "companies", "ring_groups"):
        yield Request("GET", f"/v1/directory/{kind}")
    for digits in (*HERE, *THERE):
        yield Request("GET", f"/v1/directory/dids/{quote(f'+441632{digits}0555')}")
        yield Request("GET", f"/v1/directory/dids/{quote(f'+441632{digits}0798')}")
    for plural in ("did", "trunk", "extension", "queue"):
        yield Request("GET", "/ui/settings/directory", (("kind", plural),))
        yield Request("GET", "/ui/settings/directory", (("kind", plural), ("q", "441632960")))
        yield Request("GET", "/ui/settings/directory/change", (("kind", plural), ("key", "+441632960555")))
    yield Request("GET", "/ui/settings/directory/file")
    for key in ("101", "201", "800", "900"):
        for kind in ("extensions", "queues", "ring_groups"):
            yield Request("GET", f"/v1/directory/{kind}/{key}")
