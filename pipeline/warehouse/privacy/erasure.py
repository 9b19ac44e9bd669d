"""Erasing the calls of one person's number, and keeping them erased.

What is erased is noted first, by call id: what a worker still had in memory, or reads again from Kafka, is erased again
(`erase_again`) for as long as Kafka may bring it back. Every step may be repeated.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import secrets
import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from pipeline import clock
from pipeline.errors import USAGE, Problem
from pipeline.instants import DAY_MS
from pipeline.warehouse.query.conditions import TERMS
from pipeline.warehouse.storage.archive import CallKey, slices
from schemas.call import rfc3339

# Table → the figure of the record that its rows count in.
TABLES: Final = {
    "call_rows": "call_rows",
    "call_log_rows": "log_rows",
    "event_rows": "event_rows",
    "webhook_message_rows": "push_rows",
    "webhook_delivery_rows": "push_rows",
    "webhook_call_rows": "push_rows",
}
_FIGURES: Final = ("call_rows", "log_rows", "event_rows", "push_rows", "files")
_IDS: Final = "(tenant, call_id) IN {ids:Array(Tuple(String, String))}"
_MOST_ROUNDS: Final = 5
_TERMS_A_QUERY: Final = 1000
_CALL_NUMBERS: Final = (
    *("caller_number", "callee_number", "requested", "destination", "answered_by", "did", "outbound_caller_id"),
    *("caller_extension", "callee_extension"),
)
_LOG_NUMBERS: Final = ("number", "caller_number", "did", "outbound_caller_id")
_FOR_ALL: Final = "({tenant:String} = '' OR tenant = {tenant:String}) AND "
# As long as a topic of ours keeps what could bring a call back, and a day.
_WATCHED_MS: Final = 8 * DAY_MS


@dataclass(slots=True)
class Erasure:
    """What was erased, or would be."""

    calls: set[CallKey] = field(default_factory=set)
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES.values(), 0))
    id: str = ""


def forms_of(number: str) -> list[str]:
    """How a number may be written in what PBXs send. Raises `Problem` when it is none."""
    plain = number.strip()
    digits = plain.translate(str.maketrans("", "", " -./()"))
    if not plain or len(plain) > 128 or not plain.isprintable() or len(digits.strip("+0")) < 2:
        raise Problem(f"--number {number[:40]!r} is no number.", hint="Write it like +441632960123.", code=USAGE)
    if not digits.lstrip("+").isdigit():
        return [plain]
    bare = digits[1:] if digits.startswith("+") else digits[2:] if digits.startswith("00") else digits
    found = [plain, digits, bare]
    if len(bare) > 6:  # a short one is an extension, and has no country code
        found += [f"+{bare}", f"00{bare}"]
    return list(dict.fromkeys(found))


def find(client: Client, number: str, tenant: str = "", before_ms: int | None = None) -> set[CallKey]:
    """The calls that have the number anywhere: in any version of a row, or in an event. With those they went into."""
    forms = forms_of(number)
    before = before_ms if before_ms is not None else 4_102_444_800_000
    parameters: dict[str, Any] = {
        "tenant": tenant,
        "before": before,
        "forms": forms,
        "spoken": [mark for form in forms for mark in (f'"{form}"', f"sip:{form}@", f"tel:{form}")],
    }
    time_ = " < fromUnixTimestamp64Milli({before:Int64}, 'UTC')"
    calls = " OR ".join(f"{column} IN {{forms:Array(String)}}" for column in _CALL_NUMBERS)
    logs = " OR ".join(f"{column} IN {{forms:Array(String)}}" for column in _LOG_NUMBERS)
    questions = (
        f"call_rows WHERE {_FOR_ALL} started_at{time_} AND ({calls} OR hasAny(missed_by, {{forms:Array(String)}})"
        " OR multiSearchAny(detail, {spoken:Array(String)}))",
        f"call_log_rows WHERE {_FOR_ALL} started_at{time_} AND ({logs})",
        f"event_rows WHERE {_FOR_ALL} at{time_} AND multiSearchAny(raw, {{spoken:Array(String)}})",
    )
    found: set[CallKey] = set()
    for question in questions:
        rows = client.query(f"SELECT DISTINCT tenant, call_id FROM {question}", parameters=parameters).result_rows
        found.update((row[0], row[1]) for row in rows)
    for ids in slices(sorted(found)):
        rows = client.query(
            f"SELECT DISTINCT tenant, arrayJoin(merged_call_ids) FROM call_rows WHERE {_IDS}", parameters={"ids": ids}
        ).result_rows
        found.update((row[0], row[1]) for row in rows)
        rows = client.query(
            "SELECT DISTINCT tenant, call_id FROM call_rows"
            " WHERE arrayExists(other -> (tenant, other) IN {ids:Array(Tuple(String, String))}, merged_call_ids)",
            parameters={"ids": ids},
        ).result_rows
        found.update((row[0], row[1]) for row in rows)
    return found


def erase(
    client: Client,
    number: str,
    *,
    tenant: str = "",
    before_ms: int | None = None,
    who: str = "",
    key: str = "",
    dry_run: bool = False,
    files: Callable[[list[str]], int] = lambda _: 0,
) -> Erasure:
    """Erase the calls of a number, look again until nothing is left, and keep a record of it.

    Parameters:
        number: in any spelling
        tenant: whose calls; "" for all tenants
        before_ms: only calls that started before; None for all
        who: asked for it, for the record
        key: of the hash of the number in the record; without one it is random, and nobody can tell whose number it was
        dry_run: count, erase nothing
        files: called with the forms of the number when the calls are gone; deletes what was made of them, says how many

    Raises `Problem` when something is left in the end.
    """
    done = Erasure()
    for _ in range(_MOST_ROUNDS):
        calls = find(client, number, tenant, before_ms)
        if dry_run or not calls:
            break
        done.calls |= calls
        _note(client, calls)
        _count(client, calls, done.rows, delete=True)
    if dry_run:
        done.calls = calls
        _count(client, calls, done.rows, delete=False)
        done.rows["files"] = files(forms_of(number))
        return done
    if calls:
        raise Problem(
            f"{len(calls)} calls of the number come again and again: somebody writes them.",
            hint="Run the command again; a worker that runs erases them too, every half minute.",
        )
    done.rows["files"] = files(forms_of(number))
    done.id = uuid.uuid4().hex
    secret = key.encode() or secrets.token_bytes(32)
    digits = forms_of(number)
    client.insert(
        "erasure_rows",
        [
            [
                done.id,
                tenant,
                hmac.new(secret, min(digits, key=len).encode(), hashlib.sha256).hexdigest(),
                None if before_ms is None else dt.datetime.fromtimestamp(before_ms / 1000, dt.UTC),
                who,
                dt.datetime.now(dt.UTC),
                len(done.calls),
                *(done.rows[name] for name in _FIGURES),
            ]
        ],
        column_names=[
            *("id", "tenant", "number_hash", "before", "who", "done_at", "calls"),
            *_FIGURES,
        ],
    )
    return done


def erase_again(client: Client) -> int:
    """Erase what has come back of calls that were erased; returns how many rows."""
    since = clock.now_ms() - _WATCHED_MS
    found = client.query(
        "SELECT tenant, call_id FROM erased_call_rows FINAL"
        " WHERE erased_at > fromUnixTimestamp64Milli({since:Int64}, 'UTC')",
        parameters={"since": since},
    ).result_rows
    rows = dict.fromkeys(TABLES.values(), 0)
    _count(client, {(row[0], row[1]) for row in found}, rows, delete=True)
    return sum(rows.values())


def erasures(client: Client) -> list[dict[str, Any]]:
    """The records, newest first."""
    found = client.query("SELECT * FROM erasure_rows ORDER BY done_at DESC LIMIT 1000")
    return [dict(zip(found.column_names, row, strict=True)) for row in found.result_rows]


def _note(client: Client, calls: Collection[CallKey]) -> None:
    """Say that they are erased, to the workers and to those who follow the changes of calls."""
    now = rfc3339(clock.now_ms())
    for ids in slices(sorted(calls)):
        client.command(
            "INSERT INTO erased_call_rows SELECT each.1, each.2, parseDateTime64BestEffort({now:String}, 3, 'UTC')"
            " FROM (SELECT arrayJoin({ids:Array(Tuple(String, String))}) AS each)",
            parameters={"ids": ids, "now": now},
        )
        client.command(
            "INSERT INTO call_change_rows SELECT tenant, id, max(version), 1, now64(3, 'UTC') FROM call_rows"
            f" WHERE {_IDS} GROUP BY tenant, id",
            parameters={"ids": ids},
        )


def _count(client: Client, calls: Collection[CallKey], rows: dict[str, int], *, delete: bool) -> None:
    """Count the rows of these calls, and delete them if asked. Returns when they are gone."""
    for ids in slices(sorted(calls)):
        terms = _terms(client, _IDS, {"ids": ids}) if delete else set()
        for table, figure in TABLES.items():
            number = int(
                client.query(f"SELECT count() FROM {table} WHERE {_IDS}", parameters={"ids": ids}).result_rows[0][0]
            )
            rows[figure] += number
            if number and delete:
                client.command(
                    f"ALTER TABLE {table} DELETE WHERE {_IDS}", parameters={"ids": ids}, settings={"mutations_sync": 2}
                )
        _forget(client, terms)


_Term = tuple[str, str, dt.date]


def _terms(client: Client, which: str, parameters: dict[str, Any]) -> set[_Term]:
    """What these calls are searched by: tenant, number or name, last day of the month."""
    rows = client.query(
        f"SELECT DISTINCT tenant, arrayJoin({TERMS}) AS term, toLastDayOfMonth(started_at, 'UTC') AS until"
        f" FROM call_rows WHERE {which}",
        parameters=parameters,
    ).result_rows
    return {(row[0], row[1], row[2]) for row in rows if row[1]}


def _forget(client: Client, terms: set[_Term]) -> None:
    """Take those out of `call_term_rows` that no call has any more."""
    ordered = sorted(terms)
    for start in range(0, len(ordered), _TERMS_A_QUERY):
        part = set(ordered[start : start + _TERMS_A_QUERY])
        texts = sorted({term for _, term, _ in part})
        still = _terms(client, f"hasAny({TERMS}, {{texts:Array(String)}})", {"texts": texts})
        gone = [(tenant, term, until.isoformat()) for tenant, term, until in sorted(part - still)]
        if gone:
            client.command(
                "ALTER TABLE call_term_rows DELETE WHERE (tenant, term, toString(until))"
                " IN {gone:Array(Tuple(String, String, String))}",
                parameters={"gone": gone},
                settings={"mutations_sync": 2},
            )
