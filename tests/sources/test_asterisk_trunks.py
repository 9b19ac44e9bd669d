"""Which devices of Asterisk are trunks, and who gave up, where neither contexts nor causes say so."""

from __future__ import annotations

import functools
import json

import pytest

from pipeline.calls.fold import fold
from pipeline.sources.asterisk.decoder import decode
from pipeline.sources.asterisk.fields import outside
from tests.pbx.folded import documents
from tests.pbx.stories import ALL
from tests.pbx.tellers import tell


@pytest.mark.parametrize(
    ("device", "number", "context", "is_trunk"),
    [
        ("carrier-a", "", "default", True),
        ("sip-provider", "101", "default", True),
        ("reception", "", "default", False),
        ("reception", "+442079460000", "default", True),
        ("reception", "+442079460000", "phones", False),
        ("carrier-room", "1005", "internal", False),
        ("1001", "+442079460000", "from-trunk", False),
    ],
)
def test_trunks(device: str, number: str, context: str, is_trunk: bool) -> None:
    assert outside(device, number, context) is is_trunk


@pytest.mark.parametrize("name", ["withheld", "inbound-short-number", "inbound", "outbound"])
def test_contexts_that_say_nothing(name: str) -> None:
    """Everything is in one context, as in small installations."""
    story = next(story for story in ALL if story.name == name)
    dialect, values = tell(story, "asterisk both")
    plain = [value.replace(b"from-trunk", b"default").replace(b"from-internal", b"default") for value in values]
    compared = ("direction", "trunk", "did", "caller", "status", "talk_ms")
    assert [{key: call[key] for key in compared} for call in documents(dialect, plain)] == [
        {key: call[key] for key in compared} for call in documents(dialect, values)
    ]


@pytest.mark.parametrize("mode", ["asterisk cel", "asterisk manager", "asterisk both"])
@pytest.mark.parametrize("name", ["inbound", "withheld-no-answer", "menu-times-out"])
def test_lines_that_tell_no_number(name: str, mode: str) -> None:
    """An analog line: its calls begin at `s` (chan_dahdi.c, dahdi_new)."""
    story = next(story for story in ALL if story.name == name)
    dialect, values = tell(story, mode)
    changes = (b"PJSIP/carrier-a-00000001", b"DAHDI/3-1"), (b'"+442079460000"', b'"s"')
    line = [functools.reduce(lambda value, pair: value.replace(*pair), changes, value) for value in values]
    (call,) = documents(dialect, line)
    assert (call["direction"], call["trunk"], call["did"]) == ("inbound", "DAHDI/3", None)
    assert (call["caller"]["number"] or None) == story.expect["caller"]
    assert call["status"] == story.expect.get("status", "answered")


@pytest.mark.parametrize("cause", ["0", "16", "26", "127"])
def test_a_channel_that_was_never_up_was_cancelled(cause: str) -> None:
    """HangupRequest tells the channel's state (main/manager_channels.c, ast_manager_build_channel_state_string)."""
    channel = {"Channel": "SIP/1001-00000001", "Uniqueid": "1773144000.1", "Linkedid": "1773144000.1"}
    channel |= {"CallerIDNum": "1001", "Context": "internal", "Exten": "1002"}
    told = [
        {"Event": "Newchannel", "Timestamp": "1773144000.0", "ChannelState": "4"},
        {"Event": "HangupRequest", "Timestamp": "1773144006.0", "ChannelState": "4"},
        {"Event": "Hangup", "Timestamp": "1773144006.1", "ChannelState": "4", "Cause": cause},
    ]
    call = fold(decode([json.dumps(event | channel).encode() for event in told]).events)
    assert (call.status, call.hung_up_by, call.answered_at) == ("cancelled", "caller", None)


def test_a_phone_whose_digits_come_one_by_one_begins_at_its_own_number() -> None:
    """chan_sccp (chan-sccp/chan-sccp issue 599): the number that it dialled is in later rows."""
    row = {"channame": "SCCP/202-00000001", "uniqueid": "1773144000.1", "linkedid": "1773144000.1", "cid_num": "202"}
    rows = [
        {"eventtype": "CHAN_START", "eventtime": "1773144000.0", "exten": "202", "cid_dnid": ""},
        {"eventtype": "HANGUP", "eventtime": "1773144006.0", "exten": "07700900123", "cid_dnid": "07700900123"},
    ]
    call = fold(decode([json.dumps(told | row).encode() for told in rows]).events)
    assert (call.caller_number, call.requested) == ("202", "07700900123")


@pytest.mark.parametrize(
    "channel", ["Snoop/1773144000.1-00000001", "UnicastRTP/127.0.0.1:22000-0x7f2104", "DAHDI/pseudo-7"]
)
def test_taps_on_calls_are_no_calls(channel: str) -> None:
    """Channels by which ARI listens to a call and hands on what it hears (NethServer/dev issue 8019)."""
    row = {
        "channame": channel,
        "uniqueid": "1773144000.9",
        "linkedid": "1773144000.9",
        "appname": "Stasis",
        "exten": "s",
    }
    names = ("CHAN_START", "ANSWER", "BRIDGE_ENTER", "BRIDGE_EXIT", "HANGUP", "CHAN_END")
    rows = [{"eventtype": name, "eventtime": f"177314400{place}.0"} for place, name in enumerate(names)]
    assert not decode([json.dumps(told | row).encode() for told in rows]).events


@pytest.mark.parametrize(
    "name", ["echo", "music", "fax", "closed", "greeting-then-caller-gives-up", "busy-then-announcement"]
)
def test_the_manager_without_what_channels_execute(name: str) -> None:
    """A manager user that may not read `dialplan` gets no Newexten: that nobody else answered says that the PBX did."""
    story = next(story for story in ALL if story.name == name)
    dialect, values = tell(story, "asterisk manager")
    left = [value for value in values if json.loads(value)["Event"] != "Newexten"]
    (call,) = documents(dialect, left)
    whole = documents(dialect, values)[0]
    compared = ("status", "answered_by", "talk_ms", "billable_ms", "hung_up_by", "missed_by")
    assert {key: call[key] for key in compared} == {key: whole[key] for key in compared}
