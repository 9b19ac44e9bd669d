"""Calls to fill tables with, made of the contract's own structs."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
from clickhouse_connect.driver.client import Client

from pipeline.warehouse.storage.rows import call_row, log_rows
from pipeline.warehouse.storage.writer import write_call_logs, write_calls
from schemas.call import Call, CallLog, snowflake

NOON = 1_724_155_200_000  # 2024-08-20T12:00:00Z
MINUTE = 60_000


def stored_log(tenant: str, call_id: str, session_id: int, position: int, at: int, **changes: Any) -> CallLog:
    """An extension that answered after 5 s and talked for 30 s, unless changed."""
    log = CallLog(
        tenant=tenant,
        id=snowflake(at, session_id + position + 1),
        session_id=session_id,
        call_id=call_id,
        version=4,
        position=position,
        kind="extension",
        number="201",
        name="Bob",
        leg_id=f"{call_id}-{position}",
        started_at=at,
        rang_at=at + 500,
        answered_at=at + 5_000,
        ended_at=at + 35_000,
        ring_ms=4_500,
        talk_ms=30_000,
        outcome="answered",
        end_reason="caller_disconnected",
        reroute_reason="",
        sip_status=200,
        q850_cause=16,
        trunk="",
        direction="internal",
        caller_number="101",
        caller_name="Alice",
        caller_domain="pbx.example.com",
        callee_domain="pbx.example.com",
        did="",
        outbound_caller_id="",
        service_number="",
        user_data="",
    )
    return msgspec.structs.replace(log, **changes)


def stored_call(tenant: str, call_id: str, at: int, *, logs: Sequence[dict[str, Any]] = ({},), **changes: Any) -> Call:
    """A call from 101 to 201, answered after 5 s and ended after 35 s, unless changed. One log for each
    of `logs`, with those changes."""
    id_ = snowflake(at, zlib.crc32(call_id.encode()) << 4)
    call = Call(
        tenant=tenant,
        id=id_,
        call_id=call_id,
        version=4,
        state="closed",
        direction="internal",
        status="answered",
        end_reason="caller_disconnected",
        hung_up_by="caller",
        caller_number="101",
        caller_name="Alice",
        caller_domain="pbx.example.com",
        caller_extension="101",
        callee_number="201",
        callee_name="Bob",
        callee_domain="pbx.example.com",
        callee_extension="201",
        requested="201",
        destination="201",
        answered_by="201",
        started_at=at,
        progress_at=None,
        rang_at=at + 500,
        answered_at=at + 5_000,
        talk_started_at=at + 5_000,
        ended_at=at + 35_000,
        setup_ms=5_000,
        ring_ms=4_500,
        wait_ms=None,
        talk_ms=30_000,
        hold_ms=0,
        billable_ms=30_000,
        duration_ms=35_000,
        sip_status=200,
        q850_cause=16,
        cause_from="native",
        did="",
        trunk="",
        outbound_caller_id="",
        service_number="",
        user_data="",
        missed_by=[],
        merged_call_ids=[],
        flags=[],
        events=4,
        last_event_at=at + 35_000,
        legs=[{"leg_id": "a", "started_at": at}],
        reroutes=[],
        queue_visits=[],
        recordings=[],
        quality=None,
        logs=[stored_log(tenant, call_id, id_, place, at + place, **log) for place, log in enumerate(logs)],
    )
    return msgspec.structs.replace(call, **changes)


def write(client: Client, calls: Sequence[Call]) -> None:
    """Write the calls and their logs."""
    write_call_logs(client, [row for call in calls for row in log_rows(call)])
    write_calls(client, [call_row(call) for call in calls])


_UNANSWERED = {
    "answered_at": None,
    "talk_started_at": None,
    "answered_by": "",
    "talk_ms": 0,
    "billable_ms": 0,
    "setup_ms": None,
}


def example_calls(tenant: str) -> list[Call]:
    """Six finished calls and an open one, a minute apart; `call_id` says what each is."""
    reroute = {
        "at": NOON + 4 * MINUTE + 9_000,
        "kind": "forward_no_answer",
        "reason": "forwarding_no_answer",
        "from": "201",
        "to": "202",
        "by": None,
        "result": "answered",
    }
    return [
        stored_call(tenant, "plain", NOON),
        stored_call(
            tenant,
            "busy",
            NOON + MINUTE,
            logs=[{"answered_at": None, "talk_ms": 0, "outcome": "busy", "end_reason": "", "sip_status": 486}],
            status="busy",
            end_reason="",
            sip_status=486,
            q850_cause=17,
            callee_number="202",
            **_UNANSWERED,
        ),
        stored_call(
            tenant,
            "out",
            NOON + 2 * MINUTE,
            logs=[{"kind": "outside", "number": "+441632960123", "trunk": "carrier-a", "direction": "outbound"}],
            direction="outbound",
            callee_number="+441632960123",
            callee_name="O'Neil",
            destination="+441632960123",
            trunk="carrier-a",
            outbound_caller_id="+441632960000",
            end_reason="callee_disconnected",
            cost="0.0125",
            currency="GBP",
            billed_account="acme",
        ),
        stored_call(
            tenant,
            "in",
            NOON + 3 * MINUTE,
            direction="inbound",
            caller_number="+33612345678",
            caller_name="Zoë 100% \\ done",
            caller_extension="",
            did="+441632960001",
            trunk="carrier-b",
            user_data="order=7;a_b",
        ),
        stored_call(
            tenant,
            "forwarded",
            NOON + 4 * MINUTE,
            logs=[
                {
                    "answered_at": None,
                    "talk_ms": 0,
                    "outcome": "no_answer",
                    "end_reason": "",
                    "reroute_reason": "forwarding_no_answer",
                    "sip_status": 0,
                },
                {"number": "202", "name": "Carol"},
            ],
            destination="202",
            answered_by="202",
            missed_by=["201"],
            reroutes=[reroute],
            quality={"mos": 4.1},
            flags=["clock_skew"],
            cost="1.5",
            currency="GBP",
            billed_account="acme",
        ),
        stored_call(
            tenant,
            "cancelled",
            NOON + 5 * MINUTE,
            logs=[{"answered_at": None, "talk_ms": 0, "rang_at": None, "outcome": "cancelled", "sip_status": 487}],
            rang_at=None,
            ring_ms=None,
            status="cancelled",
            end_reason="cancelled",
            sip_status=487,
            **_UNANSWERED,
        ),
        stored_call(
            tenant,
            "open",
            NOON + 6 * MINUTE,
            logs=[{"ended_at": None, "outcome": "", "end_reason": ""}],
            state="open",
            status="",
            ended_at=None,
            duration_ms=None,
            end_reason="",
            hung_up_by="",
            last_event_at=NOON + 6 * MINUTE + 5_000,
        ),
    ]
