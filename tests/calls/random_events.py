"""Events that say anything in any order, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from schemas.event import Event, Facts, Party
from schemas.words import EVENT_TYPES

T0 = 1_773_144_000_000


LEGS = ("", "a", "b", "c", "d")


NUMBERS = ("", "1001", "1002", "8000", "+441632960123")


REASONS = ("", "busy", "forward_no_answer", "pickup", "park", "blind", "attended", "hangup_record", "node_restart",
           "answered", "abandoned", "overflow", "exit", "originate", "carrier_failover", "forward", "renamed",
           "taken_over", "gibberish")  # fmt: skip


parties = st.one_of(st.none(), st.sampled_from(NUMBERS), st.builds(Party, number=st.sampled_from(NUMBERS)))


event = st.builds(
    Event,
    type=st.sampled_from([*sorted(EVENT_TYPES), "unheard_of"]),
    at=st.one_of(st.integers(T0, T0 + 40), st.integers(T0, T0 + 90_000), st.integers(T0 - 10**10, T0 + 10**10)),
    call_id=st.sampled_from(("c-1", "c-1", "c-1", "c-2")),
    event_id=st.one_of(st.integers(0, 10**9).map(str), st.integers(0, 5).map(str)),
    leg_id=st.sampled_from(LEGS),
    node=st.sampled_from(("", "pbx-1", "pbx-2")),
    seq=st.integers(0, 2),
    caller=parties,
    callee=parties,
    direction=st.sampled_from((None, None, "inbound", "outbound", "internal")),
    kind=st.sampled_from((None, None, None, "extension", "ivr", "queue", "voicemail", "conference", "outside")),
    role=st.sampled_from(("", "", "", "caller", "target")),
    peer_leg_id=st.sampled_from(LEGS),
    trunk=st.sampled_from(("", "", "t-1", "t-2")),
    answered_by=st.sampled_from(("", "party", "pbx")),
    sip_status=st.sampled_from((0, 0, 180, 200, 302, 404, 486, 487, 503, 99_999, -1)),
    q850_cause=st.sampled_from((0, 0, 16, 17, 19, 26, 487, 702, 10**6, -1)),
    cause=st.sampled_from(("", "", "ORIGINATOR_CANCEL", "USER_BUSY", "nonsense")),
    hung_up_by=st.sampled_from((None, "party", "peer", "caller", "callee", "system")),
    reason=st.sampled_from(REASONS),
    from_=st.sampled_from(NUMBERS),
    to=st.sampled_from((*NUMBERS, "vm:1001")),
    by=st.sampled_from((*NUMBERS, "a", "b")),
    second_leg_id=st.sampled_from(LEGS),
    transferee_leg_id=st.sampled_from(LEGS),
    target_leg_id=st.sampled_from(LEGS),
    queue=st.sampled_from(("", "8000", "support")),
    agent=st.sampled_from(("", "1001", "1002")),
    conference=st.sampled_from(("", "3000")),
    quality=st.sampled_from((None, None, {"mos": 4.1}, {"jitter_ms": 3.0})),
    data=st.sampled_from((None, None, None, Facts("b-1"), Facts(7))),
)


soups = st.lists(event, min_size=1, max_size=24)
