"""A day of calls that shows every shape a vendor dialect has words for, and the directory they belong to."""

from __future__ import annotations

from typing import Any

from pipeline.directory.model import Company, Device, Display, Entry, Extension, ExtensionGroup, Tenant
from schemas.call import Call
from tests.query.stored_calls import MINUTE, NOON, stored_call

ZONE = "Europe/Berlin"  # UTC+2 in August
UNANSWERED: dict[str, Any] = {
    "answered_at": None,
    "talk_started_at": None,
    "answered_by": "",
    "talk_ms": 0,
    "billable_ms": 0,
    "setup_ms": None,
}
_MISSED: dict[str, Any] = {"answered_at": None, "talk_ms": 0, "outcome": "no_answer", "end_reason": ""}


def directory(tenant: str) -> dict[tuple[str, str], Entry | None]:
    """Two companies; 101 has a handset and a softphone, 102 a softphone, 103 the handset of the same user."""
    entries: list[tuple[str, str, Entry]] = [
        ("tenant", tenant, Tenant(tenant, "Acme Ltd", zone=ZONE, country="GB", display=Display("DD/MM/YYYY", "24h"))),
        ("company", "north", Company("north", "Acme North")),
        (
            "extension",
            "101",
            Extension("101", "Ada Byron", devices=(Device("0C:38:3E:00:00:01", "ada-desk", "1"),)),
        ),
        (
            "extension",
            "102",
            Extension("102", "Ben Okoro", "ben", company="north", devices=(Device("02:00:00:00:00:07", "ben-soft"),)),
        ),
        (
            "extension",
            "103",
            Extension("103", "Ben Okoro", "ben", company="north", devices=(Device("0C383E000009", "ben-desk"),)),
        ),
        ("extension", "201", Extension("201", "Bob Frost", company="north")),
        ("group", "Sales", ExtensionGroup("Sales", ("102", "202"), "7")),
        ("group", "Support", ExtensionGroup("Support", ("203",))),
    ]
    return {(kind, key): entry for kind, key, entry in entries}


def _at(minute: int) -> int:
    return NOON + minute * MINUTE


def _reroute(minute: int, seconds: int, kind: str, source: str, to: str) -> dict[str, Any]:
    return {
        "at": _at(minute) + seconds * 1000,
        "kind": kind,
        "reason": "transfer",
        "from": source,
        "to": to,
        "by": source,
        "result": "answered",
    }


def _outbound(tenant: str, name: str, minute: int, **changes: Any) -> Call:
    log = {"kind": "outside", "number": "+441632960123", "trunk": "carrier-a", "direction": "outbound"}
    log |= changes.pop("log", {})
    values: dict[str, Any] = {
        "direction": "outbound",
        "callee_number": "+441632960123",
        "callee_name": "",
        "callee_extension": "",
        "requested": "+441632960123",
        "destination": "+441632960123",
        "answered_by": "+441632960123",
        "trunk": "carrier-a",
        "outbound_caller_id": "+441632960000",
    }
    return stored_call(tenant, name, _at(minute), logs=[log], **(values | changes))


def _inbound(tenant: str, name: str, minute: int, logs: list[dict[str, Any]], **changes: Any) -> Call:
    values: dict[str, Any] = {
        "direction": "inbound",
        "caller_number": "+33612345678",
        "caller_name": "Zoë Café",
        "caller_extension": "",
        "did": "+441632960001",
        "trunk": "carrier-b",
    }
    logs = [{"direction": "inbound", "caller_number": "+33612345678", "did": "+441632960001"} | log for log in logs]
    return stored_call(tenant, name, _at(minute), logs=logs, **(values | changes))


def day(tenant: str) -> list[Call]:
    """Seventeen finished calls and an open one, a minute apart; `call_id` says what each is."""
    return [*_internal(tenant), *_out(tenant), *_in(tenant)]


def _internal(tenant: str) -> list[Call]:
    return [
        stored_call(
            tenant,
            "plain",
            _at(0),
            recordings=[{"at": _at(0) + 5_000, "recording": "s3://tapes/2024/plain%20call.wav?v=1", "leg_id": None}],
            legs=[{"leg_id": "a", "from": "101", "address": "192.0.2.25", "started_at": _at(0)}],
        ),
        stored_call(
            tenant,
            "busy",
            _at(1),
            logs=[{"number": "202", "name": "Cid", **_MISSED, "outcome": "busy", "sip_status": 486}],
            status="busy",
            end_reason="",
            hung_up_by="callee",
            sip_status=486,
            q850_cause=17,
            callee_number="202",
            callee_name="Cid",
            callee_extension="202",
            ended_at=_at(1) + 3_000,
            **UNANSWERED,
        ),
        stored_call(
            tenant,
            "feature",
            _at(2),
            logs=[],
            caller_number="102",
            caller_name="Ben",
            caller_extension="102",
            callee_number="*600",
            callee_name="",
            callee_extension="",
            requested="*600",
            destination="*600",
            answered_by="",
            answered_at=_at(2),
            talk_started_at=None,
            talk_ms=0,
            rang_at=None,
            ended_at=_at(2) + 61_000,
            hung_up_by="caller",
        ),
        stored_call(
            tenant,
            "conference",
            _at(3),
            logs=[
                {
                    "kind": "conference",
                    "number": "3000",
                    "name": "",
                    "answered_at": _at(3) + 1_000,
                    "ended_at": _at(3) + 121_000,
                }
            ],
            callee_number="3000",
            callee_name="",
            callee_extension="",
            requested="3000",
            destination="3000",
            answered_by="3000",
            answered_at=_at(3) + 1_000,
            talk_started_at=_at(3) + 1_000,
            ended_at=_at(3) + 121_000,
            talk_ms=120_000,
        ),
    ]


def _out(tenant: str) -> list[Call]:
    return [
        _outbound(
            tenant, "out", 4, cost="0.0125", currency="GBP", hung_up_by="callee", end_reason="callee_disconnected"
        ),
        _outbound(
            tenant,
            "refused",
            5,
            log=_MISSED | {"outcome": "rejected", "sip_status": 603},
            status="failed",
            end_reason="",
            hung_up_by="callee",
            sip_status=603,
            q850_cause=21,
            rang_at=None,
            ended_at=_at(5) + 400,
            **UNANSWERED,
        ),
        _outbound(
            tenant,
            "unanswered",
            6,
            log=_MISSED,
            status="no_answer",
            end_reason="",
            hung_up_by="system",
            sip_status=480,
            q850_cause=19,
            ended_at=_at(6) + 25_999,
            cost="0",
            currency="GBP",
            **UNANSWERED,
        ),
        _outbound(
            tenant,
            "unallocated",
            7,
            log=_MISSED | {"outcome": "failed", "sip_status": 404},
            status="failed",
            end_reason="",
            hung_up_by="callee",
            sip_status=404,
            q850_cause=1,
            rang_at=None,
            ended_at=_at(7) + 1_200,
            caller_number="102",
            caller_extension="102",
            **UNANSWERED,
        ),
        _outbound(tenant, "unpriced", 8, caller_number="102", caller_extension="102", user_data="source=phonebook"),
    ]


def _in(tenant: str) -> list[Call]:
    queue = {
        "queue": "support",
        "number": "800",
        "joined_at": _at(11),
        "left_at": _at(11) + 12_000,
        "wait_ms": 12_000,
        "reason": "answered",
        "answered_by": "202",
        "agents": [],
    }
    abandoned = queue | {
        "joined_at": _at(12),
        "left_at": _at(12) + 20_000,
        "wait_ms": 20_000,
        "reason": "abandoned",
        "answered_by": None,
    }
    to_queue = {"callee_number": "800", "callee_name": "", "callee_extension": "", "requested": "800"}
    return [
        _inbound(tenant, "in", 9, [{}]),
        _inbound(
            tenant,
            "gave_up",
            10,
            [_MISSED | {"outcome": "cancelled"}],
            status="cancelled",
            end_reason="cancelled",
            sip_status=487,
            caller_number="",
            caller_name="",
            **UNANSWERED,
        ),
        _inbound(
            tenant,
            "queued",
            11,
            [
                {"kind": "queue", "number": "800", "name": "support", "answered_at": _at(11)},
                {"kind": "queue_agent", "number": "203", "name": "Eve", **_MISSED, "ended_at": _at(11) + 9_000},
                {
                    "kind": "queue_agent",
                    "number": "202",
                    "name": "Cid",
                    "started_at": _at(11) + 9_000,
                    "answered_at": _at(11) + 12_000,
                    "ended_at": _at(11) + 72_000,
                },
            ],
            **to_queue,
            destination="202",
            answered_by="202",
            answered_at=_at(11),
            talk_started_at=_at(11) + 12_000,
            ended_at=_at(11) + 72_000,
            talk_ms=60_000,
            wait_ms=12_000,
            service_number="800",
            queue_visits=[queue],
        ),
        _inbound(
            tenant,
            "abandoned",
            12,
            [
                {"kind": "queue", "number": "800", "name": "support", "answered_at": _at(12), "outcome": "cancelled"},
                {"kind": "queue_agent", "number": "203", "name": "Eve", **_MISSED, "ended_at": _at(12) + 20_000},
            ],
            **to_queue,
            status="abandoned",
            **(UNANSWERED | {"answered_at": _at(12)}),
            ended_at=_at(12) + 20_000,
            wait_ms=20_000,
            service_number="800",
            queue_visits=[abandoned],
        ),
        _inbound(
            tenant,
            "voicemail",
            13,
            [
                _MISSED | {"reroute_reason": "forwarding_no_answer", "ended_at": _at(13) + 20_000},
                {"kind": "voicemail", "number": "201", "name": "", "answered_at": _at(13) + 20_000},
            ],
            status="voicemail",
            **(UNANSWERED | {"answered_at": _at(13) + 20_000}),
            ended_at=_at(13) + 50_000,
        ),
        _inbound(
            tenant,
            "handed_out",
            14,
            [
                {"reroute_reason": "transfer", "ended_at": _at(14) + 15_000},
                {"kind": "outside", "number": "+441632960777", "name": "", "trunk": "carrier-a"},
            ],
            direction="inbound_outbound",
            destination="+441632960777",
            outbound_caller_id="+441632960001",
            reroutes=[_reroute(14, 15, "blind_transfer", "201", "+441632960777")],
            cost="0.5",
            currency="GBP",
            ended_at=_at(14) + 75_000,
        ),
        _inbound(
            tenant,
            "menu",
            15,
            [{"kind": "ivr", "number": "700", "name": "", "answered_at": _at(15)}],
            callee_number="700",
            callee_name="",
            callee_extension="",
            requested="700",
            destination="700",
            **(UNANSWERED | {"answered_at": _at(15)}),
        ),
        stored_call(
            tenant,
            "colleague",
            _at(16),
            logs=[{"caller_number": "102"}],
            caller_number="102",
            caller_name="Ben",
            caller_extension="102",
        ),
        stored_call(
            tenant,
            "open",
            _at(17),
            logs=[{"ended_at": None, "outcome": "", "end_reason": ""}],
            state="open",
            status="",
            ended_at=None,
            duration_ms=None,
            end_reason="",
            hung_up_by="",
        ),
    ]
