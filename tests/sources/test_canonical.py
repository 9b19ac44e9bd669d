"""The canonical dialect: what is an event, and why the rest is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import Problem
from pipeline.sources.canonical import MAX_BYTES, decode
from pipeline.sources.registry import SOURCES, source

AT = "2026-03-10T12:00:00.250Z"
AT_MS = 1_773_144_000_250


def value(**fields: object) -> bytes:
    return json.dumps({"type": "rang", "at": AT, "call_id": "c-1", "event_id": "e-1"} | fields).encode()


def reason(raw: bytes, now_ms: int | None = None) -> str:
    """Why `raw` is rejected. Its neighbours must not be."""
    decoded = decode([value(event_id="before"), raw, value(event_id="after")], now_ms=now_ms)
    assert [event.event_id for event in decoded.events] == ["before", "after"]
    assert decoded.origin == [0, 2]
    (rejected,) = decoded.rejected
    assert rejected.index == 1
    return rejected.reason


@pytest.mark.parametrize(
    ("at", "ms"),
    [
        (AT, AT_MS),
        ("2026-03-10T13:00:00.250+01:00", AT_MS),
        ("2026-03-10T12:00:00.250999Z", AT_MS),
        ("2026-03-10T12:00:00Z", AT_MS - 250),
        (AT_MS, AT_MS),
    ],
)
def test_time_becomes_milliseconds_never_rounded_up(at: object, ms: int) -> None:
    assert [event.at for event in decode([value(at=at)]).events] == [ms]


def test_event_without_id_gets_one_from_its_bytes() -> None:
    first, again, other = decode([value(event_id=""), value(event_id=""), value(event_id="", seq=2)]).events
    assert first.event_id == again.event_id != other.event_id
    assert first.event_id.startswith("h-")


def test_unknown_types_and_fields_are_kept_as_events() -> None:
    (event,) = decode([value(type="lunar_phase", phase={"full": True})]).events
    assert event.type == "lunar_phase"


def test_confluent_framing_is_no_part_of_the_event() -> None:
    bare, framed = decode([value(event_id=""), b"\0\0\0\0\x07" + value(event_id="")]).events
    assert bare == framed


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "empty"),
        (b"\0", "not JSON"),
        (b"hello", "not JSON"),
        (b"[]", "not an object"),
        (value()[:-1], "not JSON"),
        (value() + b"," + value(), "not JSON"),
        (value() + b"\n" + value(), "not JSON"),
        (b'{"type":"rang","at":1,"call_id":"\xff"}', "UTF-8"),
        (value(call_id=""), "/call_id"),
        (value(tenant=""), "/tenant"),
        (value(at="2026-03-10 12:00:00"), "time zone"),
        (value(at=0), "0 means never"),
        (value(at=1_773_144_000), "multiply by 1000"),
        (value(at=4_102_444_800_001), "future"),
        (value(at=10**30), "future"),
        (value(at="9999-12-31T23:59:59.999999-12:00"), "future"),
        (value(at="0001-01-01T00:00:00+14:00"), "/at"),
        (value(direction="sideways"), "/direction"),
        (value(call_id="a\0b"), "/call_id"),
        (value(leg_id="a\nb"), "/leg_id"),
        (value(call_id="x" * 257), "/call_id"),
        (value(note="x" * MAX_BYTES), "bytes"),
        (b'{"data":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", "nested"),
        (value(note="\ud800"), "not JSON"),
    ],
)
def test_what_is_no_event_says_why_and_costs_only_itself(raw: bytes, said: str) -> None:
    assert said in reason(raw)


def test_clock_more_than_a_day_ahead_is_rejected() -> None:
    assert "future" in reason(value(at=AT_MS + 86_400_001), now_ms=AT_MS)
    assert decode([value(at=AT_MS + 86_400_000)], now_ms=AT_MS).events


def test_backslash_in_plain_text_is_no_control_character() -> None:
    assert decode([value(user_data='say "hi"\n', leg_id="a\\b")]).events


@given(st.lists(st.one_of(st.binary(max_size=40), st.just(value()), st.text(max_size=20).map(str.encode)), max_size=8))
def test_any_batch_is_accounted_for_value_by_value(values: list[bytes]) -> None:
    decoded = decode(values)
    places = sorted(decoded.origin + [rejected.index for rejected in decoded.rejected])
    assert places == list(range(len(values)))
    assert len(decoded.events) == len(decoded.origin)
    assert all(rejected.reason for rejected in decoded.rejected)


def test_sources_are_known_by_name() -> None:
    assert source("canonical")([value()]).events
    assert {"canonical", "sip"} <= set(SOURCES)
    with pytest.raises(Problem, match="canonical"):
        source("carrier pigeon")


@pytest.mark.parametrize("seq", [b'"7"', b'"007"', b'"-1"'])
def test_a_sequence_number_as_text_is_taken(seq: bytes) -> None:
    value = b'{"type": "started", "at": 1773144000000, "call_id": "c-1", "seq" : %s, "leg_id": "a"}' % seq
    decoded = decode([value])
    assert not decoded.rejected
    assert decoded.events[0].seq == int(seq.strip(b'"'))
