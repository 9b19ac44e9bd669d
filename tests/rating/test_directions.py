"""Which way a call went, by the tenant's directory and dial plan, in every dialect; and who pays for what it led to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import pytest

from pipeline.calls.fold import fold
from pipeline.calls.grouping import group
from pipeline.directory.model import Device, DialPlan, Did, Directory, Extension, Queue, Tenant, Trunk
from pipeline.rating.calls import price
from pipeline.rating.carrier_legs import carrier_legs
from pipeline.rating.deck import Deck, Header
from pipeline.rating.deck_file import parse_csv
from pipeline.rating.directions import direct
from pipeline.rating.tariffs import Tariffs
from pipeline.sources.contract import Options
from pipeline.sources.registry import source
from schemas.call import Call

_DIRECTORY: Final = Directory(
    Tenant("acme", country="GB", dial_plan=DialPlan(trunk_prefixes=("9",))),
    extensions={
        "1001": Extension("1001", account="acc-1001"),
        "1002": Extension("1002", account="acc-1002", devices=(Device("mac-1", "workshop"),)),
        "5551234567": Extension("5551234567"),
    },
    queues={"8000": Queue("8000")},
    dids={"+442079460000": Did("+442079460000", target="1001")},
    trunks={"carrier-a": Trunk("carrier-a")},
)
_DECK: Final = Deck(Header("out"), parse_csv("prefix,price_n,currency\n44,0.06,GBP\n", "out"))
_TARIFFS: Final = Tariffs([_DECK], {"acme": _DIRECTORY}, country="GB")
_MOBILE: Final = "07700900123"


def folded(dialect: str, values: Sequence[dict[str, Any]]) -> Call:
    told = source(dialect, Options(tenant="acme", zone="UTC"))([json.dumps(value).encode() for value in values])
    assert not told.rejected, told.rejected
    (events,) = group(told.events)
    call = fold(events)
    direct(call, _TARIFFS)
    return call


def acc(caller: str, callee: str, status: str = "200") -> list[dict[str, Any]]:
    """Rows of Kamailio's acc: an INVITE and a BYE, with the users of From and of the Request-URI."""
    row = {"callid": "k-1@pbx", "from_tag": "a", "to_tag": "b", "src_user": caller, "dst_user": callee}
    invite = row | {"method": "INVITE", "sip_code": status, "sip_reason": "", "time": 1773144000}
    return [invite] if status != "200" else [invite, row | {"method": "BYE", "sip_code": "200", "time": 1773144060}]


def canonical(caller: Any, callee: Any, **more: Any) -> list[dict[str, Any]]:
    """One leg, as simple producers tell a call."""
    common = {"call_id": "c-1", "leg_id": "a", "tenant": "acme"}
    return [
        common | {"type": "started", "at": 1773144000000, "caller": caller, "callee": callee} | more,
        common | {"type": "answered", "at": 1773144005000},
        common | {"type": "ended", "at": 1773144065000, "q850_cause": 16},
    ]


NUMBERS: Final = [
    ("1001", "1002", "internal"),
    ("1001", "8000", "internal"),
    ("1001", _MOBILE, "outbound"),
    ("1001", "9" + _MOBILE, "outbound"),
    ("1001", "999", "outbound"),
    ("1001", "*98", "internal"),
    ("1001", "+442079460000", "internal"),
    ("1001", "02079460000", "internal"),
    ("5551234567", "1002", "internal"),
    ("1002", "5551234567", "internal"),
    ("+447700900123", "1001", "inbound"),
    ("07700900123", "02079460000", "inbound"),
    ("+447700900123", "+442079460000", "inbound"),
    ("anonymous", "+442079460000", "inbound"),
    ("+442079460000", _MOBILE, "outbound"),
    ("workshop", _MOBILE, "outbound"),
]


@pytest.mark.parametrize(("caller", "callee", "direction"), NUMBERS)
def test_rows_of_acc(caller: str, callee: str, direction: str) -> None:
    assert folded("kamailio", acc(caller, callee)).direction == direction
    assert folded("kamailio", acc(caller, callee, "486")).direction == direction


@pytest.mark.parametrize(("caller", "callee", "direction"), NUMBERS)
def test_canonical_events(caller: str, callee: str, direction: str) -> None:
    call = folded("canonical", canonical(caller, callee))
    assert {call.direction, *(log.direction for log in call.logs)} == {direction}
    assert [log.kind for log in call.logs] == ["outside" if direction == "outbound" else "extension"]


def test_what_left_the_house_is_billed() -> None:
    for caller, callee, cost in (("1001", _MOBILE, "0.06"), ("1001", "1002", ""), (_MOBILE, "+442079460000", "")):
        call = folded("canonical", canonical(caller, callee))
        price(call, _TARIFFS)
        assert call.cost.rstrip("0") == cost


def test_what_came_over_a_trunk_came_from_outside() -> None:
    """The carrier may show a number of three or four digits that an extension has."""
    call = folded("canonical", canonical("1001", "1002", trunk="carrier-a", did="+442079460000"))
    assert call.direction == "inbound"


def test_a_pbx_that_answers_itself_lets_nobody_out() -> None:
    events = canonical("1001", _MOBILE)
    events[1] |= {"answered_by": "pbx"}
    call = folded("canonical", events)
    price(call, _TARIFFS)
    assert (call.direction, call.cost) == ("internal", "")


def test_a_device_of_an_extension_is_no_trunk() -> None:
    """Asterisk: the endpoint of 1002 is called workshop, and its context begins like that of a trunk."""
    channel = {
        "Channel": "PJSIP/workshop-00000001", "Uniqueid": "1773144000.1", "Linkedid": "1773144000.1",
        "CallerIDNum": "1002", "Context": "from-trunk-room", "Exten": _MOBILE,
    }  # fmt: skip
    out = {
        "Channel": "PJSIP/carrier-a-00000002", "Uniqueid": "1773144000.2", "Linkedid": "1773144000.1",
        "Context": "from-trunk", "Exten": "s",
    }  # fmt: skip
    dial = {f"Dest{name}": value for name, value in out.items()}
    told = [
        {"Event": "Newchannel", "Timestamp": "1773144000.1", "ChannelState": "4"} | channel,
        {"Event": "Newchannel", "Timestamp": "1773144000.2", "ChannelState": "0"} | out,
        {"Event": "DialBegin", "Timestamp": "1773144000.3", "DialString": f"{_MOBILE}@carrier-a"} | channel | dial,
        {"Event": "Newstate", "Timestamp": "1773144005.0", "ChannelState": "6"} | out,
        {"Event": "Newstate", "Timestamp": "1773144005.1", "ChannelState": "6"} | channel,
        {"Event": "Hangup", "Timestamp": "1773144065.0", "Cause": "16"} | out,
        {"Event": "Hangup", "Timestamp": "1773144065.0", "Cause": "16"} | channel,
    ]
    call = folded("asterisk", told)
    assert (call.direction, call.caller_extension, call.did) == ("outbound", "1002", "")
    assert [(log.kind, log.number, log.trunk) for log in call.logs] == [("outside", _MOBILE, "carrier-a")]


def forwarded(kind: str, caller: dict[str, Any], **move: Any) -> list[dict[str, Any]]:
    """A call to 1002 that goes on to a mobile phone, which answers."""
    common = {"call_id": "f-1", "tenant": "acme"}
    onward = {"callee": "+447700900123", "kind": "outside", "trunk": "carrier-a", "peer_leg_id": "a"}
    return [
        common | {"type": "started", "at": 1773144000000, "leg_id": "a"} | caller,
        common | {"type": "started", "at": 1773144000100, "leg_id": "b", "peer_leg_id": "a", "callee": "1002"},
        common | {"type": kind, "at": 1773144001000, "leg_id": "b", "to": "+447700900123"} | move,
        common | {"type": "ended", "at": 1773144001000, "leg_id": "b", "sip_status": 302},
        common | {"type": "started", "at": 1773144001100, "leg_id": "c"} | onward,
        common | {"type": "answered", "at": 1773144005000, "leg_id": "c"},
        common | {"type": "answered", "at": 1773144005000, "leg_id": "a"},
        common | {"type": "ended", "at": 1773144065000, "leg_id": "c"},
        common | {"type": "ended", "at": 1773144065000, "leg_id": "a"},
    ]


@pytest.mark.parametrize(
    "caller",
    [
        {"caller": "1001", "callee": "1002"},
        {"caller": "+441632960123", "callee": "+442079460000", "did": "+442079460000", "trunk": "carrier-a"},
    ],
)
def test_who_forwards_pays_for_the_leg_onward(caller: dict[str, Any]) -> None:
    call = folded("canonical", forwarded("rerouted", caller, reason="forward_unconditional", **{"from": "1002"}))
    assert [leg.subject.extension for leg in carrier_legs(call, _TARIFFS) if leg.subject.direction != "inbound"] == [
        "1002"
    ]
    price(call, _TARIFFS)
    assert (call.billed_account, call.cost.rstrip("0")) == ("acc-1002", "0.06")


def test_who_transfers_pays_for_the_leg_onward() -> None:
    told = forwarded("transferred", {"caller": "1001", "callee": "1002"}, reason="blind", by="1002")
    call = folded("canonical", told)
    price(call, _TARIFFS)
    assert call.billed_account == "acc-1002"


def test_who_consults_somebody_outside_pays_for_it() -> None:
    common = {"call_id": "s-1", "tenant": "acme"}
    consulted = {"callee": "+447700900123", "trunk": "carrier-a", "kind": "outside"}
    told = [
        common | {"type": "started", "at": 1773144000000, "leg_id": "a", "caller": "1001", "callee": "1002"},
        common | {"type": "started", "at": 1773144000100, "leg_id": "b", "peer_leg_id": "a", "callee": "1002"},
        common | {"type": "answered", "at": 1773144002000, "leg_id": "b"},
        common | {"type": "answered", "at": 1773144002000, "leg_id": "a"},
        common | {"type": "started", "at": 1773144010000, "leg_id": "b2", "caller": "1002", "callee": "+447700900123"},
        common | {"type": "started", "at": 1773144010100, "leg_id": "c", "peer_leg_id": "b2"} | consulted,
        common | {"type": "answered", "at": 1773144015000, "leg_id": "c"},
        common | {"type": "answered", "at": 1773144015000, "leg_id": "b2"},
        common | {"type": "ended", "at": 1773144045000, "leg_id": "c"},
        common | {"type": "ended", "at": 1773144045000, "leg_id": "b2"},
        common | {"type": "ended", "at": 1773144065000, "leg_id": "b"},
        common | {"type": "ended", "at": 1773144065000, "leg_id": "a"},
    ]
    call = folded("canonical", told)
    price(call, _TARIFFS)
    assert (call.direction, call.billed_account, call.cost.rstrip("0")) == ("internal", "acc-1002", "0.03")
