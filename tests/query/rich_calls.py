"""Calls with a phone number wherever there is a text, each another one, so that whatever shows one is found out."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pipeline.directory.model import Company, Device, Did, Entry, Extension, Queue, RingGroup, Tenant, Trunk
from schemas.call import Call
from tests.query.stored_calls import MINUTE, NOON, stored_call

NUMBER: Final = "+441632960123"
# Enough of each number to be one: nine digits, as all spellings of it have them.
MARKS: Final = ("632960123", *(f"632960{last}" for last in range(770, 800)), "960-789", "1632 960")


def rich_call(tenant: str, call_id: str = "rich", at: int = NOON, **changes: Any) -> Any:
    """A call with numbers wherever there is a text."""
    made = stored_call(
        tenant, call_id, at, direction="inbound", caller_number=NUMBER, caller_name=f"Ann {NUMBER}",
        caller_extension="", callee_number="201", did="+441632960777", outbound_caller_id="+441632960778",
        requested="+441632960779", destination="sip:+441632960780@pbx.example.com", trunk="carrier 441632960781",
        user_data=f'{{"order":"{NUMBER}"}}', missed_by=["+441632960782", "201"], service_number="800",
        billed_account="441632960783", rate_prefix="441632960",
        legs=[{"leg_id": "1651057476123", "started_at": at, "address": "10.20.30.40", "to": NUMBER}],
        reroutes=[{"at": at + 1, "kind": "blind_transfer", "reason": "blind_transfer", "from": "201",
                   "to": "+441632960784", "by": "201", "result": "answered"}],
        queue_visits=[{"queue": "Sales +441632960785", "number": "800", "joined_at": at, "left_at": at + 2,
                       "wait_ms": 2, "reason": "answered", "answered_by": "+441632960786", "agents": []}],
        recordings=[{"recording": "/rec/20240820-+441632960787.wav", "leg_id": "a"}],
        logs=[{"number": "+441632960788", "name": "Bob +44 1632 960-789", "caller_number": NUMBER,
               "caller_name": f"Ann {NUMBER}", "user_data": NUMBER, "trunk": "t 441632960790", "kind": "outside"},
              {"number": "201", "caller_number": NUMBER, "direction": "inbound"}],
    )  # fmt: skip
    return msgspec.structs.replace(made, **changes)


def rich_calls(tenant: str, at: int = NOON, suffix: str = "") -> list[Call]:
    """Received, dialled, transferred, missed and open calls."""
    dialled = {"direction": "outbound", "caller_number": "101", "caller_extension": "101", "callee_number": NUMBER}
    return [
        rich_call(tenant, f"received{suffix}", at),
        rich_call(tenant, f"dialled{suffix}", at + MINUTE, **dialled, cost="0.5", currency="GBP"),
        rich_call(tenant, f"through{suffix}", at + 2 * MINUTE, direction="inbound_outbound"),
        rich_call(
            tenant, f"missed-call{suffix}", at + 3 * MINUTE, status="abandoned", answered_at=None,
            talk_started_at=None, talk_ms=0, answered_by="", billable_ms=0, setup_ms=None,
        ),
        rich_call(
            tenant, f"open{suffix}", at + 4 * MINUTE, state="open", status="", ended_at=None, duration_ms=None,
            end_reason="", hung_up_by="",
        ),
    ]  # fmt: skip


def rich_directory(tenant: str) -> dict[tuple[str, str], Entry | None]:
    """A directory with numbers in keys, lists and names."""
    return {
        ("tenant", tenant): Tenant(tenant, name="Acme", zone="UTC", country="GB"),
        ("company", "default"): Company("default", name="Acme +441632960791"),
        ("extension", "101"): Extension(
            "101", name="Ann 01632960792", company="default", devices=(Device("001565aabbcc", "441632960793", "1"),)
        ),
        ("extension", "201"): Extension("201", name="Bob", company="default", account="441632960794"),
        ("trunk", "t"): Trunk("t", numbers=("+441632960795",)),
        ("queue", "800"): Queue("800", name="Sales +441632960796", members=("201",)),
        ("ring_group", "900"): RingGroup("900", name="Ring +441632960797", members=("201",)),
        ("did", "+441632960798"): Did("+441632960798", name="Line 01632960799", target="800"),
    }
