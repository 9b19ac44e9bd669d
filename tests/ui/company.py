"""A company whose calls the pages show: two days of simulated calls with their events, SIP messages, prices and a
directory, names that try to be markup, and a second tenant of which nothing may be seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from pipeline.calls.fold import fold
from pipeline.directory.model import Directory, Entry, Extension, Queue, RingGroup, Tenant, Trunk, build
from pipeline.instants import DAY_MS
from pipeline.rating.calls import price
from pipeline.rating.deck import Deck, Header, Scope
from pipeline.rating.deck_file import parse_csv
from pipeline.rating.tariffs import Tariffs
from pipeline.traffic import company, day
from pipeline.warehouse.reference import decks, directories
from pipeline.warehouse.storage.rows import escape_bytes, tab_separated
from pipeline.warehouse.storage.writer import archive
from schemas.call import Call, rfc3339
from schemas.event import Event
from tests.query.stored_calls import MINUTE, stored_call, write
from tests.sources import scenario
from tests.sources.test_scenarios import decode

TENANT: Final = "acme"
OTHER: Final = "other"
ZONE: Final = "Europe/Berlin"
TODAY: Final = 1_773_097_200_000  # Tuesday, 2026-03-10T00:00:00+01:00
NOON: Final = TODAY + 12 * 60 * MINUTE
# What a caller may call itself.
HOSTILE: Final = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>' {{ 7*7 }} %s ${7*7}",
    "\u202eevil\u202c \u2066abc",
    "👩‍👩‍👧‍👦 ☎️ Zoë",
    "long " * 2_000,
    "nobreak" * 1_500,
)
_DECK: Final = """prefix,destination,connect_fee,interval_1,price_1,interval_n,price_n,grace_period,currency
44,United Kingdom,0.01,60,0.06,6,0.03,3,EUR
1,United States,,60,0.04,60,0.04,,EUR
"""
_CARRIER: Final = """prefix,destination,interval_1,price_1,interval_n,price_n,currency
44,UK,1,0.02,1,0.02,EUR
1,US,60,0.05,60,0.05,EUR
"""


def directory() -> dict[tuple[str, str], Entry | None]:
    """The entries of the tenant's directory."""
    entries: dict[tuple[str, str], Entry | None] = {
        ("tenant", TENANT): Tenant(TENANT, name="Acme Telephones", zone=ZONE, country="GB", billed_account="acme")
    }
    for number in company.EXTENSIONS:
        entries["extension", number] = Extension(number, name=company.extension(number).name)
    entries["queue", company.QUEUE] = Queue(company.QUEUE, name="Support", sla_s=20, members=company.SUPPORT)
    entries["ring_group", company.RING_GROUP] = RingGroup(company.RING_GROUP, name="Sales", members=company.SALES)
    for trunk in company.TRUNKS:
        entries["trunk", trunk] = Trunk(trunk, carrier="Carrier A", channels=30)
    return entries


def simulated(midnight: int, number: int, tenant: str = TENANT) -> list[list[Event]]:
    """The events of the calls of a day."""
    return day.day(3, midnight, number, tenant=tenant)


def seen_by_sip(midnight: int) -> list[list[Event]]:
    """Calls of which the SIP messages are known."""
    found = []
    for place, name in enumerate(("attended_transfer", "retransmissions", "carrier_failover", "busy")):
        told = scenario.load("sip", name)
        events = decode("sip", told, told["values"]).events
        shift = midnight + 10 * 60 * MINUTE + place * 7 * MINUTE - min(event.at for event in events)
        moved = [msgspec.structs.replace(each, at=each.at + shift, tenant=TENANT) for each in events]
        found.append([msgspec.structs.replace(each, call_id=f"{name}-{each.call_id}") for each in moved])
    return found


def hostile(tenant: str = TENANT) -> list[Call]:
    """Calls with names that try everything, wherever a name may stand."""
    return [
        stored_call(
            tenant,
            f"hostile-{place}",
            NOON + place * MINUTE,
            logs=[{"name": name, "caller_name": name}],
            direction="inbound",
            caller_number="+441632960999",
            caller_name=name,
            caller_extension="",
            callee_name=name,
            callee_number="999",
            callee_extension="",
            user_data=name[:500],
            reroutes=[
                {"at": NOON + place * MINUTE + 9_000, "kind": "blind_transfer", "reason": "transfer", "from": name[:80],
                 "to": name[:80], "by": name[:80], "result": "answered"}
            ],
            queue_visits=[{"number": "800", "queue": name[:200], "joined_at": NOON, "wait_ms": 1000}],
        )
        for place, name in enumerate(HOSTILE)
    ]  # fmt: skip


def _built() -> Directory:
    return build(TENANT, {key: entry for key, entry in directory().items() if entry is not None})


def in_progress(now: int, tenant: str = TENANT) -> list[Call]:
    """Calls that have not ended: one in each state, and some that wait in the queue."""
    undecided: dict[str, Any] = {
        "state": "open", "status": "", "ended_at": None, "duration_ms": None, "end_reason": "", "hung_up_by": "",
        "talk_ms": 0, "billable_ms": 0, "answered_by": "", "talk_started_at": None, "answered_at": None,
        "rang_at": None, "caller_extension": "", "direction": "inbound", "trunk": "trunk-a",
    }  # fmt: skip
    log: dict[str, Any] = {"ended_at": None, "outcome": "", "end_reason": "", "answered_at": None, "talk_ms": 0}
    queue = {"callee_number": "800", "callee_name": "Support", "callee_extension": "", "service_number": "800"}
    agent = {"kind": "queue_agent", "number": "111", "name": "Kira Novak"}
    told: list[tuple[int, dict[str, Any], list[dict[str, Any]]]] = [
        (184, {"answered_at": 179, "talk_started_at": 179, "answered_by": "104", "callee_number": "104"}, [{}]),
        (96, {"direction": "outbound", "caller_number": "116", "callee_number": "+441632960942"}, [{}]),
        (9, {"rang_at": 7, "callee_number": "103"}, [{}]),
        (1, {"callee_number": "105"}, [{}]),
        (140, {**queue, "answered_at": 139, "talk_started_at": 90, "answered_by": "112"}, [{"kind": "queue"}]),
        (47, {**queue, "answered_at": 46}, [{"kind": "queue", "number": "800"}, agent]),
        (12, {**queue, "answered_at": 11}, [{"kind": "queue", "number": "800"}]),
    ]
    found = []
    for place, (ago, changes, logs) in enumerate(told):
        at = now - ago * 1000
        moments = {
            name: now - value * 1000 if name.endswith("_at") and value is not None else value
            for name, value in changes.items()
        }
        caller = {"caller_number": f"+4416329605{place:02}", "caller_name": ""}
        whole = undecided | caller | moments | {"last_event_at": at}
        found.append(stored_call(tenant, f"open-{at}-{place}", at, logs=[log | each for each in logs], **whole))
    return found


def _decks() -> tuple[tuple[Header, str], ...]:
    """What customers pay, and what the carrier takes."""
    return (Header("retail", Scope(), 4, version=1), _DECK), (
        Header("carrier", Scope("carrier"), 4, version=1),
        _CARRIER,
    )


def tariffs() -> Tariffs:
    """What prices calls by the decks."""
    made = [Deck(header, parse_csv(lines, f"{header.name}.csv")) for header, lines in _decks()]
    return Tariffs(made, {TENANT: _built()})


def fill(client: Any, midnight: int = TODAY, number: int = 300) -> list[Call]:
    """Write everything; the calls of the company, those of today last."""
    stories = [*simulated(midnight - DAY_MS, number), *simulated(midnight, number), *seen_by_sip(midnight)]
    priced = tariffs()
    calls = []
    for events in stories:
        call = fold(events)
        price(call, priced)
        calls.append(call)
    calls += hostile()
    write(client, calls)
    write(client, [fold(events) for events in simulated(midnight, 40, OTHER)])
    store(client, (event for events in stories for event in events))
    directories.save(client, TENANT, directory(), "tests")
    for header, lines in (*_decks(),):
        decks.save(client, header, parse_csv(lines, f"{header.name}.csv"), "tests")
    return calls


def store(client: Any, events: Iterable[Event]) -> None:
    """Archive events, as a worker does."""
    lines = []
    for offset, event in enumerate(events):
        fields = (
            event.tenant,
            event.call_id,
            event.event_id,
            str(rfc3339(event.at)).rstrip("Z"),
            event.type,
            event.node,
        )
        raw = escape_bytes(msgspec.json.encode(event))
        lines.append("\t".join((*fields, "call-events", "0", str(offset))).encode() + b"\t" + raw)
    archive(client, tab_separated(lines), "")
