"""Asterisk events, one thing at a time. Whole calls: the scenario files."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from pipeline.calls.fold import fold
from pipeline.calls.grouping import group
from pipeline.errors import Problem
from pipeline.sources.asterisk.decoder import decode, general
from pipeline.sources.asterisk.fast_path import plain
from pipeline.sources.asterisk.fields import dialled
from pipeline.sources.contract import LATEST_MS, Options
from pipeline.sources.instants import born, instant
from pipeline.sources.registry import source
from schemas.event import Event
from tests.sources import mutation, scenario

AT = "1773136800.250000"
MS = 1_773_136_800_250
CHANNEL = {"Channel": "PJSIP/1001-00000001", "Uniqueid": "1773136800.1", "Linkedid": "1773136800.1"}


def told(event: str, **fields: Any) -> bytes:
    return json.dumps({"Event": event, "Timestamp": AT} | CHANNEL | fields).encode()


def one(value: bytes) -> Event:
    decoded = decode([value])
    assert not decoded.rejected
    assert len(decoded.events) == 1
    return decoded.events[0]


def test_ids_of_two_servers_stay_apart() -> None:
    first, second = (one(told("Hold", SystemName=name)) for name in ("pbx1", "pbx2"))
    assert (first.call_id, first.leg_id, first.node) == ("pbx1-1773136800.1", "pbx1-1773136800.1", "pbx1")
    assert second.call_id == "pbx2-1773136800.1"
    assert first.event_id != second.event_id
    assert decode([told("Hold")], Options(node="pbx3")).events[0].call_id == "pbx3-1773136800.1"


def test_the_same_event_has_the_same_id() -> None:
    assert one(told("Hold", Privilege="call,all")).event_id == one(told("Hold", SequenceNumber="7")).event_id
    assert one(told("Hold")).event_id != one(told("Hold", Timestamp="1773136801.0")).event_id


@pytest.mark.parametrize(
    ("text", "zone", "began", "at"),
    [
        ("1773136800.25", "UTC", 0, 1_773_136_800_250),
        ("1773136800", "UTC", 0, 1_773_136_800_000),
        ("1773136800250", "UTC", 0, 1_773_136_800_250),
        ("2026-03-10 10:00:00", "UTC", 0, 1_773_136_800_000),
        ("2026-03-10 11:00:00", "Europe/Paris", 0, 1_773_136_800_000),
        ("2026-03-10 11:00:00.125", "Europe/Paris", 0, 1_773_136_800_125),
        ("2026-03-10T05:00:00.000-0500", "UTC", 0, 1_773_136_800_000),
        # the hour from 02:00 to 03:00 comes twice on 2025-10-26 in Paris
        ("2025-10-26 02:30:00", "Europe/Paris", 0, 1_761_438_600_000),
        ("2025-10-26 02:30:00", "Europe/Paris", 1_761_438_599_000, 1_761_438_600_000),
        ("2025-10-26 02:30:00", "Europe/Paris", 1_761_440_000_000, 1_761_442_200_000),
        ("2025-11-02 01:30:00", "America/New_York", 1_762_063_000_000, 1_762_065_000_000),
        ("soon", "UTC", 0, 0),
        ("", "UTC", 0, 0),
    ],
)
def test_times(text: str, zone: str, began: int, at: int) -> None:
    assert instant(text, zone, f"{began // 1000}.7") == at


def test_a_unique_id_says_when_its_channel_began() -> None:
    assert [born(id_) for id_ in ("1773136800.1", "pbx-1-1773136800.1", "abc", "")] == [MS - 250, MS - 250, 0, 0]


def test_linkedid_end_ends_nothing() -> None:
    row = {"EventName": "LINKEDID_END", "UniqueID": "1773136800.1", "LinkedID": "1773136800.1", "EventTime": AT}
    assert decode([json.dumps(row).encode()]) == decode([])


@pytest.mark.parametrize("name", ["PJSIP/1001-00000001<ZOMBIE>", "AsyncGoto/PJSIP/1-01", "Surrogate/1001-1"])
def test_inner_channels_are_no_legs(name: str) -> None:
    assert decode([told("Newchannel", Channel=name)]) == decode([])


def test_a_local_channel_is_a_wire() -> None:
    event = one(told("Newchannel", Channel="Local/1001@x-00000001;2", CallerIDNum="1001", Exten="1001"))
    assert (event.role, event.caller, event.callee, event.direction) == ("wire", None, None, None)
    assert event.data is not None
    assert event.data.device == "Local/1001@x-00000001;2"


def test_numbers_for_the_kinds_of_rows() -> None:
    row = {"eventtype": "3", "eventtime": AT, "uniqueid": "1773136800.1", "channame": "PJSIP/1001-00000001"}
    event = one(json.dumps(row | {"extra": '{"hangupcause":17}'}).encode())
    assert (event.type, event.q850_cause, event.at) == ("ended", 17, MS)


@pytest.mark.parametrize(
    ("string", "number", "trunk"),
    [
        ("PJSIP/07700900123@carrier-a", "07700900123", "carrier-a"),
        ("07700900123@carrier-a", "07700900123", "carrier-a"),  # as the manager's DialBegin has it
        ("SIP/carrier-a/07700900123", "07700900123", "carrier-a"),
        ("PJSIP/carrier-a/sip:07700900123@203.0.113.5", "07700900123", "carrier-a"),
        ("DAHDI/i1/999", "999", "DAHDI/i1"),
        ("DAHDI/3/999", "999", "DAHDI/3"),
        ("DAHDI/g1/999", "999", ""),  # any line of a group
        ("PJSIP/1001", "", ""),
        ("PJSIP/workshop", "", ""),
        ("PJSIP/1001/sip:1001@10.0.0.5:5060", "", ""),
        ("Local/1003@from-internal/n", "", ""),
    ],
)
def test_what_dial_calls_over_a_trunk(string: str, number: str, trunk: str) -> None:
    assert dialled(string) == (number, trunk)


def test_numbers_of_rows_are_those_of_cel_h() -> None:
    row = {"eventtime": AT, "uniqueid": "1773136800.1", "linkedid": "1773136800.1", "channame": "PJSIP/1001-00000001"}
    types = {"1": "started", "4": "answered", "7": "bridged", "8": "unbridged", "9": "rerouted", "11": "transferred"}
    for number, type_ in types.items():
        assert one(json.dumps(row | {"eventtype": number}).encode()).type == type_


def test_cel_over_the_manager_has_the_exact_time() -> None:
    row = {"Event": "CEL", "EventName": "CHAN_END", "UniqueID": "1773136800.1", "EventTime": "2026-03-10 11:00:00"}
    value = json.dumps(row | {"Timestamp": AT, "Channel": "PJSIP/1001-00000001"}).encode()
    assert one(value).at == MS
    assert decode([value], Options(zone="Europe/Paris")).events[0].at == MS


def test_two_legs_that_name_each_other_give_nobody() -> None:
    channels = [("PJSIP/1001-00000001", "1773136800.1"), ("PJSIP/1002-00000002", "1773136800.2")]
    rows = []
    for (name, id_), (other, _) in zip(channels, reversed(channels), strict=True):
        row = {"eventtime": AT, "uniqueid": id_, "linkedid": "1773136800.1", "channame": name, "exten": "1002"}
        row["appname"] = "AppDial" if id_.endswith("2") else "Dial"
        rows += [row | {"eventtype": "CHAN_START"}, row | {"eventtype": "ANSWER", "eventtime": "1773136801.0"}]
        extra = json.dumps({"hangupcause": 16, "hangupsource": other, "dialstatus": ""})
        rows.append(row | {"eventtype": "HANGUP", "eventtime": "1773136809.0", "extra": extra})
    (call,) = (fold(events) for events in group(decode([json.dumps(row).encode() for row in rows]).events))
    assert (call.status, call.hung_up_by, call.end_reason) == ("answered", "", "")


def test_a_trunk_is_told_from_a_phone() -> None:
    trunk = one(told("Newchannel", Channel="PJSIP/carrier-00000001", CallerIDNum="+441632960101", Exten="1001"))
    assert (trunk.direction, trunk.trunk, trunk.did) == ("inbound", "carrier", "1001")
    phone = one(told("Newchannel", CallerIDNum="1001", Exten="+441632960101"))
    assert (phone.direction, phone.trunk) == (None, "")


def test_a_value_may_name_its_own_zone() -> None:
    row = {"EventName": "CHAN_END", "UniqueID": "1773136800.1", "EventTime": "2026-03-10 11:00:00"}
    assert one(json.dumps(row | {"zone": "Europe/Paris"}).encode()).at == MS - 250
    assert decode([json.dumps(row).encode()], Options(zone="Europe/Paris")).events[0].at == MS - 250
    decoded = decode([json.dumps(row | {"zone": "Mars/Olympus"}).encode()])
    assert decoded.rejected[0].reason.startswith("/zone: 'Mars/Olympus' is no IANA time zone; write one")


def test_a_zone_of_a_node() -> None:
    row = {"EventName": "CHAN_START", "EventTime": "2026-03-10 11:00:00", "UniqueID": "9.1", "SystemName": "paris"}
    options = Options(zone="UTC", zones={"paris": "Europe/Paris"})
    away = decode([json.dumps(row).encode(), json.dumps(row | {"SystemName": "rome"}).encode()], options)
    assert [event.at for event in away.events] == [1_773_136_800_000, 1_773_140_400_000]


def test_a_zone_that_does_not_exist_is_an_error_of_the_setting() -> None:
    with pytest.raises(Problem, match="Unknown time zone 'Mars/Olympus'"):
        source("asterisk", Options(zones={"pbx": "Mars/Olympus"}))


def test_ari_events_make_a_call() -> None:
    def channel(number: str, state: str, exten: str = "") -> dict[str, Any]:
        return {
            "id": f"1773136800.{number}",
            "name": f"PJSIP/100{number}-0000000{number}",
            "state": state,
            "caller": {"name": "", "number": f"100{number}"},
            "dialplan": {"context": "internal", "exten": exten, "priority": 1},
            "creationtime": "2026-03-10T10:00:00.250+0000",
        }

    events: list[tuple[str, dict[str, Any]]] = [
        ("00.250", {"type": "StasisStart", "channel": channel("1", "Ring", "1002")}),
        ("00.500", {"type": "ChannelCreated", "channel": channel("2", "Down")}),
        (
            "00.600",
            {"type": "Dial", "caller": channel("1", "Ring"), "peer": channel("2", "Down"), "dialstring": "1002"},
        ),
        ("01.000", {"type": "ChannelStateChange", "channel": channel("2", "Ringing")}),
        ("05.000", {"type": "ChannelStateChange", "channel": channel("2", "Up")}),
        ("05.000", {"type": "ChannelStateChange", "channel": channel("1", "Up")}),
        ("35.000", {"type": "ChannelDestroyed", "channel": channel("2", "Up"), "cause": 16}),
        ("35.100", {"type": "ChannelDestroyed", "channel": channel("1", "Up"), "cause": 16}),
    ]
    values = [json.dumps({"timestamp": f"2026-03-10T11:00:{at}+0100", **told_}).encode() for at, told_ in events]
    decoded = decode(values)
    assert not decoded.rejected
    (call_events,) = group(decoded.events)
    call = fold(call_events)
    assert (call.caller_number, call.requested, call.answered_by, call.status) == ("1001", "1002", "1002", "answered")
    assert (call.started_at, call.ring_ms, call.talk_ms) == (MS, 4000, 30_100)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "is no JSON"),
        (b"[]", "is no object"),
        (b"{}", "/Event: is missing; send AMI events"),
        (b'{"Event": "Hangup", "Uniqueid": "1.1"}', "/timestamp: is missing; set timestampevents = yes"),
        (told("Hangup", Uniqueid=""), "/uniqueid: is missing; send"),
        (told("Hangup", Uniqueid="a\nb", Linkedid="a"), "/uniqueid: 'a\\nb' is no unique id"),
        (told("Hangup", Timestamp="yesterday"), "/timestamp: 'yesterday' is no time since 2000"),
        (b'{"EventName": "ANSWER", "UniqueID": "1.1"}', "/eventtime: is missing; send the whole event"),
        (b'{"type": "ChannelDestroyed"}', "/channel: is missing; send"),
    ],
)
def test_what_is_wrong_is_said(value: bytes, reason: str) -> None:
    decoded = decode([told("Hold"), value, told("Unhold")])
    assert [rejected.index for rejected in decoded.rejected] == [1]
    assert reason in decoded.rejected[0].reason
    assert decoded.origin == [0, 2]


def test_nothing_breaks_it() -> None:
    values = [value for name in scenario.names("asterisk") for value in scenario.load("asterisk", name)["values"]]
    mutation.check(decode, values, seed=2)


def test_the_straight_way_is_the_general_way() -> None:
    """Events that are read straight are, field for field, what the general rules make of them."""
    straight = 0
    options = Options(node="pbx")
    values = [value for name in scenario.names("asterisk") for value in scenario.load("asterisk", name)["values"]]
    chance = random.Random(7)
    for value in values + [mutation.mutated(values, chance) for _ in range(4_000)]:
        found = plain(value, options, LATEST_MS)
        if found is not None:
            straight += 1
            assert ([found] if isinstance(found, Event) else []) == general(value, options, LATEST_MS)
    assert straight > len(values) // 2
