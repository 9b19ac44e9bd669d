"""FreeSWITCH events and mod_json_cdr documents, one thing at a time. Whole calls: the scenario files."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.calls.fold import fold
from pipeline.sources.contract import LATEST_MS, Options
from pipeline.sources.freeswitch.decoder import decode, general
from pipeline.sources.freeswitch.fast_path import plain
from schemas.event import Event, Party
from tests.sources import mutation, scenario

AT = 1_773_136_800_000_000  # 2026-03-10T10:00:00Z, microseconds
LEG = "b54cf6a0-3e0c-4f0e-9d3a-5a4f0a3f7b11"
PHONE = "c65df7b1-4f1d-4a1f-8e4b-6b5a1b4a8c22"


def told(name: str, **headers: Any) -> bytes:
    event = {
        "Event-Name": name,
        "Core-UUID": scenario.CORE,
        "FreeSWITCH-Switchname": "fs1",
        "Event-Date-Timestamp": str(AT),
        "Event-Sequence": "42",
        "Unique-ID": LEG,
        "Channel-Call-UUID": LEG,
        "Call-Direction": "inbound",
    }
    return json.dumps(event | {key.replace("_dash_", "-"): value for key, value in headers.items()}).encode()


def one(value: bytes) -> Event:
    decoded = decode([value])
    assert not decoded.rejected
    assert len(decoded.events) == 1
    return decoded.events[0]


def document(**changes: Any) -> dict[str, Any]:
    """A document of mod_json_cdr as it is posted for the caller's leg of an answered call."""
    times = {"created_time": str(AT), "answered_time": str(AT + 4_000_000), "hangup_time": str(AT + 64_500_000)}
    variables = {
        "uuid": LEG,
        "direction": "inbound",
        "call_uuid": LEG,
        "sip_call_id": "k3@phone",
        "start_uepoch": str(AT),
        "answer_uepoch": str(AT + 4_000_000),
        "progress_uepoch": "0",
        "end_uepoch": str(AT + 64_500_000),
        "hangup_cause": "NORMAL_CLEARING",
        "hangup_cause_q850": "16",
        "sip_hangup_disposition": "recv_bye",
        "originated_legs": f"ARRAY::{PHONE};Outbound Call;1002|:{PHONE};Outbound Call;1002",
        "hold_events": f"{{{{{AT + 10_000_000},{AT + 15_000_000}}}}}",
    }
    first = {
        "profile_index": "1",
        "caller_profile": {"caller_id_number": "1001", "destination_number": "+441632960001"},
    }
    last = {"profile_index": "2", "caller_profile": {"caller_id_number": "1001", "destination_number": "1002"}}
    return {
        "core-uuid": scenario.CORE,
        "switchname": "fs1",
        "variables": variables,
        "callflow": [last | {"times": times}, first | {"times": times}],
    } | changes


def test_a_document_tells_the_whole_leg() -> None:
    decoded = decode([json.dumps(document()).encode()])
    call = fold(decoded.events)
    assert call.requested == "+441632960001"
    assert (call.caller_number, call.status, call.end_reason) == ("1001", "answered", "caller_disconnected")
    assert (call.answered_at, call.talk_ms, call.hold_ms) == (AT // 1000 + 4000, 60_500, 5_000)
    assert call.rang_at is None
    assert not any(event.linked_ids for event in decoded.events)
    in_a_row = decode([json.dumps(document()).encode()], Options(sip_ids=True))
    assert in_a_row.events[0].linked_ids == ["k3@phone"]


def test_a_document_of_before_2017_has_an_object_for_its_call_flow() -> None:
    flow = document()["callflow"][1]
    call = fold(decode([json.dumps(document(callflow=flow)).encode()]).events)
    assert (call.requested, call.talk_ms) == ("+441632960001", 60_500)


def test_url_encoded_values_say_the_same() -> None:
    plain = document()
    encoded = document(variables={key: url_encoded(value) for key, value in plain["variables"].items()})
    assert decode([json.dumps(encoded).encode()]) == decode([json.dumps(plain).encode()])


def url_encoded(text: str) -> str:
    """As switch_url_encode (switch_utils.c): what looks like an escape stays as it is."""
    made = ""
    for place, each in enumerate(text):
        is_escape = each == "%" and re.match("[0-9A-F]{2}", text[place + 1 :]) is not None
        plain = " " <= each <= "~" and each not in '\r\n #%&+:;<=>?@[\\]^`{|}"'
        made += each if plain or is_escape else "".join(f"%{octet:02X}" for octet in each.encode())
    return made


@pytest.mark.parametrize("write", [url_encoded, str])
def test_what_was_never_encoded_is_not_decoded(write: Callable[[str], str]) -> None:
    """Caller profiles of mod_json_cdr are raw, whatever `encode-values` says; %41 in an id (a Call-ID) stays."""
    leg, name = "w%41lter%2Fx@example.net", "20%DEAL & 100%25"
    plain = document()
    variables = plain["variables"] | {"uuid": leg, "call_uuid": leg, "sip_from_uri": "1001@pbx.example"}
    flow = [item | {"caller_profile": item["caller_profile"] | {"caller_id_name": name}} for item in plain["callflow"]]
    told_ = document(variables={key: write(value) for key, value in variables.items()}, callflow=flow)
    call = fold(decode([json.dumps(told_).encode()]).events)
    assert (call.call_id, call.caller_name, call.requested) == (leg, name, "+441632960001")


def test_event_socket_json_is_never_decoded() -> None:
    """switch_event_serialize_json writes values as they are; mod_sofia has decoded what came in SIP."""
    value = told(
        "CHANNEL_CREATE", **{"Unique-ID": "a%41@x", "Channel-Call-UUID": "a%41@x", "Caller-Caller-ID-Name": "50%25 off"}
    )
    (event,) = decode([value]).events
    assert (event.leg_id, event.call_id) == ("a%41@x", "a%41@x")
    assert isinstance(event.caller, Party) and event.caller.name == "50%25 off"


@pytest.mark.parametrize("number", ["+441632960177\u202c", "\u202a+441632960177", "+44\u00a01632\u200b960177"])
def test_characters_that_nobody_sees_are_no_part_of_a_number(number: str) -> None:
    fields = {"Caller-Destination-Number": number, "Call-Direction": "inbound"}
    (event,) = decode([told("CHANNEL_CREATE", **fields)]).events
    assert isinstance(event.callee, Party) and event.callee.number == "+441632960177"


def test_a_record_and_a_document_of_one_leg_are_the_same_facts() -> None:
    record = told(
        "CHANNEL_HANGUP_COMPLETE",
        **{f"variable_{key}": value for key, value in document()["variables"].items()},
        **{"Event-Date-Timestamp": str(AT + 64_600_000)},
    )
    ids = {event.event_id for event in decode([record]).events}
    assert ids == {event.event_id for event in decode([json.dumps(document()).encode()]).events}
    assert all(LEG in id_ for id_ in ids)


def test_zero_is_never() -> None:
    value = told("CHANNEL_HANGUP_COMPLETE", **{"Caller-Channel-Answered-Time": "0", "variable_answer_uepoch": "0"})
    assert {event.type for event in decode([value]).events} == {"ended"}


def test_the_same_event_has_the_same_id_with_and_without_the_counter() -> None:
    assert one(told("CHANNEL_HOLD")).event_id == one(told("CHANNEL_HOLD")).event_id
    bare = {"Core-UUID": ""}
    first = one(told("CHANNEL_HOLD", **bare, **{"Event-Sequence": "1"}))
    again = one(told("CHANNEL_HOLD", **bare, **{"Event-Sequence": "2"}))
    other = one(told("CHANNEL_HOLD", **bare, **{"Event-Date-Timestamp": str(AT + 1000)}))
    assert first.event_id == again.event_id != other.event_id


def test_the_sequence_is_a_number() -> None:
    assert [one(told("CHANNEL_HOLD", **{"Event-Sequence": text})).seq for text in ("999", "1000", "x", "")] == [
        999,
        1000,
        0,
        0,
    ]


def bridge(**headers: str | list[str]) -> Event:
    return one(told("CHANNEL_BRIDGE", **{"Bridge-A-Unique-ID": LEG, "Bridge-B-Unique-ID": PHONE} | headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"Other-Type": "originatee", "Other-Leg-Unique-ID": PHONE},
        {"variable_originated_legs": ["x;Outbound Call;1", f"{PHONE};Outbound Call;2"]},
        {"variable_cc_side": "member", "variable_cc_agent_uuid": PHONE},
        {"Call-Direction": "outbound", "variable_originator": PHONE, "Channel-Call-UUID": PHONE},
    ],
)
def test_a_usual_call_needs_no_other_id(headers: dict[str, Any]) -> None:
    event = bridge(**headers)
    assert event.peer_leg_id == PHONE
    assert event.linked_ids is None


@pytest.mark.parametrize(
    ("headers", "call_id", "linked"),
    [
        ({"variable_originated_legs": "x;Outbound Call;1"}, LEG, [PHONE]),  # it hears a leg of another call
        ({"Call-Direction": "outbound", "Channel-Call-UUID": "w", "variable_originator": PHONE}, "w", [PHONE]),
        ({"Call-Direction": "outbound", "variable_originator": "x", "Channel-Call-UUID": "x"}, "x", [LEG, PHONE]),
        ({"Channel-Call-UUID": "w", "Other-Type": "originatee", "Other-Leg-Unique-ID": PHONE}, "w", [LEG]),
    ],
)
def test_an_event_that_tells_of_two_calls_joins_them(headers: dict[str, Any], call_id: str, linked: list[str]) -> None:
    event = bridge(**headers)
    assert (event.call_id, event.linked_ids) == (call_id, sorted(linked))


def test_nodes_in_a_row_are_joined_where_that_is_asked_for() -> None:
    headers = {"variable_sip_call_id": "k1@carrier_b2b-1", "variable_sip_h_X-CID": "k0", "Caller-Channel-Name": "x"}
    created = told("CHANNEL_CREATE", **headers)
    assert decode([created]).events[0].linked_ids is None
    assert decode([created], Options(sip_ids=True)).events[0].linked_ids == ["k0", "k1@carrier"]


@pytest.mark.parametrize(
    ("direction", "disposition", "cause", "by"),
    [
        ("inbound", "recv_bye", "NORMAL_CLEARING", "party"),
        ("inbound", "send_bye", "NORMAL_CLEARING", "peer"),
        ("outbound", "recv_bye", "NORMAL_CLEARING", "party"),
        ("outbound", "send_cancel", "LOSE_RACE", "peer"),
        ("inbound", "send_bye", "ALLOTTED_TIMEOUT", "system"),
        ("inbound", "", "NORMAL_CLEARING", None),
    ],
)
def test_who_hung_up(direction: str, disposition: str, cause: str, by: str | None) -> None:
    headers = {"Call-Direction": direction, "variable_sip_hangup_disposition": disposition, "Hangup-Cause": cause}
    assert one(told("CHANNEL_HANGUP", **headers)).hung_up_by == by


def test_causes_are_taken_by_name_where_the_number_says_nothing() -> None:
    headers = {"Hangup-Cause": "LOSE_RACE", "variable_hangup_cause_q850": "16"}
    lost = one(told("CHANNEL_HANGUP", **headers))
    assert (lost.cause, lost.q850_cause) == ("LOSE_RACE", 0)
    headers = {"Hangup-Cause": "USER_BUSY", "variable_hangup_cause_q850": "17", "variable_sip_term_status": "486"}
    busy = one(told("CHANNEL_HANGUP", **headers))
    assert (busy.cause, busy.q850_cause, busy.sip_status) == ("USER_BUSY", 17, 486)


def test_a_phone_that_signed_in_is_an_extension() -> None:
    headers = {"Caller-Caller-ID-Number": "1001", "Caller-Caller-ID-Name": "Ann", "variable_user_name": "1001"}
    event = one(told("CHANNEL_CREATE", **headers, **{"variable_domain_name": "pbx.example"}))
    assert event.caller == Party(number="1001", name="Ann", domain="pbx.example", extension="1001")
    assert event.direction is None


def test_variables_may_stay_unread() -> None:
    plain = one(told("CHANNEL_PROGRESS"))
    assert one(told("CHANNEL_PROGRESS", variable_uuid="other", variable_x='"variable_y"')) == plain
    first = json.loads(told("CHANNEL_PROGRESS"))
    name = {"Event-Name": first.pop("Event-Name")}
    assert one(json.dumps(name | {"variable_uuid": "other"} | first).encode()) == plain


def test_latin_1_names_are_read() -> None:
    value = told("CHANNEL_CREATE", **{"Caller-Caller-ID-Number": "1001", "Caller-Caller-ID-Name": "J?rg"})
    event = one(value.replace(b"J?rg", b"J\xf6rg"))
    assert isinstance(event.caller, Party)
    assert event.caller.name == "J\ufffdrg"


def test_a_dialplan_transfer_is_none() -> None:
    history = {"variable_transfer_history": "1:x:bl_xfer:1002/default/XML", "Hangup-Cause": "NORMAL_CLEARING"}
    assert {event.type for event in decode([told("CHANNEL_HANGUP", **history)]).events} == {"ended"}


def test_what_is_no_call_gives_nothing() -> None:
    values = [b'{"Event-Name": "HEARTBEAT"}', b'{"Event-Name": "CUSTOM", "Event-Subclass": "sofia::register"}']
    assert decode(values) == decode([])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "is no JSON"),
        (b"[]", "is no object"),
        (b"{}", "/Event-Name: is missing; send"),
        (b'{"Event-Name": 7}', "/Event-Name: '7' is no text"),
        (b'{"Event-Name": "CHANNEL_ANSWER"}', "/Unique-ID: is missing; send"),
        (told("CHANNEL_ANSWER", **{"Event-Date-Timestamp": "0"}), "/Event-Date-Timestamp: '0' is no time"),
        (told("CHANNEL_ANSWER", **{"Event-Date-Timestamp": ""}), "/Event-Date-Timestamp: is missing; send micro"),
        (told("CHANNEL_ANSWER", **{"Unique-ID": "a\nb"}), "/Unique-ID: 'a\\nb' has control characters"),
        (told("CHANNEL_ANSWER", **{"Unique-ID": "x" * 300}), "has 300 characters; at most 256 are allowed"),
        (b'{"variables": 1}', "/variables: is no object"),
        (b'{"variables": {"uuid": "u"}}', "/variables/end_uepoch: '' is no time"),
    ],
)
def test_what_is_wrong_is_said(value: bytes, reason: str) -> None:
    decoded = decode([told("CHANNEL_HOLD"), value, told("CHANNEL_UNHOLD")])
    assert [rejected.index for rejected in decoded.rejected] == [1]
    assert reason in decoded.rejected[0].reason
    assert decoded.origin == [0, 2]


def test_the_future_is_rejected() -> None:
    assert decode([told("CHANNEL_HOLD")], now_ms=AT // 1000 - 90_000_000).rejected
    assert not decode([told("CHANNEL_HOLD")], now_ms=AT // 1000).rejected


def test_nothing_breaks_it() -> None:
    values = [value for name in scenario.names("freeswitch") for value in scenario.load("freeswitch", name)["values"]]
    mutation.check(decode, [*values, json.dumps(document()).encode()], seed=1)


def test_the_straight_way_is_the_general_way() -> None:
    """Events that are read straight are, field for field, what the general rules make of them."""
    straight = 0
    values = [value for name in scenario.names("freeswitch") for value in scenario.load("freeswitch", name)["values"]]
    usual = [value for value in values if b'"CHANNEL_' in value]
    chance = random.Random(7)
    for value in values + [mutation.mutated(usual, chance) for _ in range(4_000)]:
        found = plain(value, Options(), LATEST_MS)
        try:
            json.loads(value)
        except ValueError:
            continue  # broken in a part that the straight way does not look at
        if found is not None:
            straight += 1
            events = [found] if isinstance(found, Event) else list(found)
            assert events == general(value, Options(), LATEST_MS)
    assert straight > len(usual) // 2


def test_the_address_of_a_leg_is_that_of_its_device() -> None:
    """Of the caller's leg the one that the packets came from; of a leg that is called none until it has answered, as
    FreeSWITCH copies the caller's address to it."""
    caller = told("CHANNEL_CREATE", **{"Caller-Network-Addr": "192.0.2.7"})
    callee = told("CHANNEL_CREATE", **{"Caller-Network-Addr": "192.0.2.7", "Unique-ID": PHONE, "Call-Direction": "outbound", "variable_originator": LEG})  # fmt: skip  # noqa: E501
    gone = {"Caller-Channel-Created-Time": str(AT), "Caller-Channel-Hangup-Time": str(AT + 9_000_000)}
    over = told("CHANNEL_HANGUP_COMPLETE", **gone, **{"Caller-Network-Addr": "192.0.2.7", "variable_sip_network_ip": "198.51.100.4", "Unique-ID": PHONE, "Call-Direction": "outbound", "variable_originator": LEG})  # fmt: skip  # noqa: E501
    values = [caller, callee, over]
    call = fold(decode(values).events)
    assert [leg.get("address") for leg in call.legs] == ["198.51.100.4", "192.0.2.7"]
    for value in values:
        assert general(value, Options(), LATEST_MS) == decode([value]).events
