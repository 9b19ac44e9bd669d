"""The call document that is made is the call document that is promised."""

from __future__ import annotations

import json

import jsonschema
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calls.fold import fold
from schemas.call import Call, CallLog, document
from schemas.call_model import CallDocument, CallLogDocument, call_json_schema
from schemas.event import Event
from schemas.words import EVENT_TYPES

_MS = 1_773_144_000_000


def a_call(**changes: object) -> Call:
    """A blind transfer with one log; `changes` replace fields of the call."""
    log = CallLog(
        tenant="default", id=7, session_id=5, call_id="c-1", version=3, position=0, kind="extension", number="1001",
        name="Ada", leg_id="b", started_at=_MS, rang_at=_MS + 400, answered_at=_MS + 6450, ended_at=_MS + 66500,
        ring_ms=6050, talk_ms=60050, outcome="answered", end_reason="caller_disconnected", reroute_reason="transfer",
        sip_status=0, q850_cause=16, trunk="", direction="inbound", caller_number="+441632960123", caller_name="",
        caller_domain="", callee_domain="", did="", outbound_caller_id="", service_number="", user_data="",
    )  # fmt: skip
    call = Call(
        tenant="default", id=5, call_id="c-1", version=3, state="closed", direction="inbound", status="answered",
        end_reason="caller_disconnected", hung_up_by="caller", caller_number="+441632960123", caller_name="",
        caller_domain="", caller_extension="", callee_number="1001", callee_name="Ada", callee_domain="",
        callee_extension="1001", requested="1001", destination="1001", answered_by="1001", started_at=_MS,
        progress_at=None, rang_at=_MS + 400, answered_at=_MS + 6450, talk_started_at=_MS + 6450, ended_at=_MS + 66500,
        setup_ms=6450, ring_ms=6050, wait_ms=None, talk_ms=60050, hold_ms=0, billable_ms=60050, duration_ms=66500,
        sip_status=0, q850_cause=16, cause_from="native", did="", trunk="", outbound_caller_id="", service_number="",
        user_data="", missed_by=[], merged_call_ids=[], flags=[], events=8, last_event_at=_MS + 66500,
        legs=[{"leg_id": "b", "started_at": _MS, "rang_at": None, "answered_at": _MS + 1, "ended_at": None}],
        reroutes=[{"at": _MS, "kind": "blind_transfer", "reason": "transfer", "from": "1001", "to": "1002", "by": "",
                   "result": "answered"}],
        queue_visits=[], recordings=[], quality=None, logs=[log],
    )  # fmt: skip
    return msgspec.structs.replace(call, **changes)


def _matches(call: Call) -> None:
    made = json.loads(json.dumps(document(call)))
    CallDocument.model_validate(made)
    jsonschema.Draft202012Validator(call_json_schema()).validate(made)
    assert list(made) == [field.alias or name for name, field in CallDocument.model_fields.items()]
    for log in made["logs"]:
        assert list(log) == list(CallLogDocument.model_fields)


def test_a_whole_call_matches_its_model() -> None:
    _matches(a_call())


def test_a_call_of_which_little_is_known_matches_its_model() -> None:
    _matches(
        a_call(
            state="open", status="", end_reason="", hung_up_by="", requested="", destination="", answered_by="",
            rang_at=None, answered_at=None, talk_started_at=None, ended_at=None, setup_ms=None, ring_ms=None,
            duration_ms=None,
            q850_cause=0, cause_from="", logs=[], legs=[], reroutes=[],
        )
    )  # fmt: skip


@settings(deadline=None)
@given(started_at=st.integers(1_514_764_800_000, 4_102_444_800_000), cost=st.decimals(0, 10**6, places=4))
def test_any_time_and_price_match(started_at: int, cost: object) -> None:
    _matches(a_call(started_at=started_at, cost=str(cost), currency="EUR"))


_EVENTS = st.builds(
    Event,
    type=st.sampled_from(sorted(EVENT_TYPES)),
    at=st.integers(_MS, _MS + 100_000),
    call_id=st.just("c-1"),
    event_id=st.uuids().map(str),
    leg_id=st.sampled_from(["a", "b", "c"]),
    caller=st.sampled_from([None, "1001"]),
    callee=st.sampled_from([None, "1002", "+441632960123"]),
    reason=st.sampled_from(["", "forward_busy", "blind", "abandoned", "a new word"]),
    to=st.sampled_from(["", "1003"]),
    from_=st.sampled_from(["", "1002"]),
    queue=st.sampled_from(["", "8000"]),
    conference=st.sampled_from(["", "3000"]),
    peer_leg_id=st.sampled_from(["", "a", "b"]),
    sip_status=st.sampled_from([0, 200, 404, 486, 487]),
    q850_cause=st.sampled_from([0, 16, 17]),
)


@settings(deadline=None)
@given(st.lists(_EVENTS, min_size=1, max_size=12), st.booleans())
def test_whatever_is_folded_matches(events: list[Event], expired: bool) -> None:
    _matches(fold(events, expired=expired))


def test_every_field_of_a_call_has_a_meaning() -> None:
    for model in (CallDocument, CallLogDocument):
        for name, field in model.model_fields.items():
            assert field.description, name
