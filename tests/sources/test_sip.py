"""The SIP parser, with the forms that RFC 3261 allows and those that equipment sends all the same."""

from __future__ import annotations

import pytest

from pipeline.sources.sip import message as sip
from pipeline.sources.sip.fields import (
    bounded,
    branch,
    media,
    party,
    reason,
    refer_to,
    replaces,
    session_id,
    sip_id,
    tag,
    user_domain,
    values,
)
from schemas.event import Party

INVITE = (
    b"INVITE sip:1002@example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKtwo, SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKone\r\n"
    b"v: SIP/2.0/TCP 10.0.0.0;branch=z9hG4bKzero\r\n"
    b'f: "Alice, of \\"Sales\\"" <sip:1001@example.com;user=phone>;tag=a1\r\n'
    b"T : <sip:1002@example.com>\r\n"
    b"i: call-1@10.0.0.1\r\n"
    b"cseq:\t7\tINVITE\r\n"
    b"Subject: folded\r\n over\r\n\tlines\r\n"
    b"X-CID: other-leg\r\n"
    b"P-Asserted-Identity: <tel:+33-1-40-00-00-01>\r\n"
    b"User-Agent: Phone/1\r\n"
    b"c: application/sdp\r\n"
    b"\r\n"
    b"v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 4000 RTP/AVP 8\r\na=sendonly\r\n"
)


def test_compact_folded_and_listed_fields() -> None:
    message = sip.parse(INVITE)
    found = message.sip
    assert (found.method, found.cseq, found.call_id, found.from_tag, found.to_tag) == (
        "INVITE",
        7,
        "call-1@10.0.0.1",
        "a1",
        "",
    )
    assert (found.via, found.branch, found.before) == (3, "z9hG4bKtwo", "z9hG4bKone")
    assert (found.ruri, found.media, found.agent) == ("1002", "sendonly", "Phone/1")
    assert message.correlation == "other-leg"
    assert party(message.from_) == Party("1001", 'Alice, of "Sales"', "example.com")


def test_bare_line_feeds_and_lower_case() -> None:
    found = sip.parse(
        b"sip/2.0 180 Ringing\nvia: SIP/2.0/UDP h;branch=b\ncall-id: x\ncseq: 1 invite\nto: <sip:b>;TAG=t\n\n"
    ).sip
    assert (found.status, found.method, found.to_tag, found.branch) == (180, "INVITE", "t", "b")


def test_invalid_utf8_and_nul_are_replaced() -> None:
    found = sip.parse(b"BYE sip:b SIP/2.0\r\nCall-ID: a\x00\xff\r\nCSeq: 2 BYE\r\n\r\n").sip
    assert found.call_id == "a��"


def test_huge_fields_are_bounded() -> None:
    payload = (
        b"BYE sip:b SIP/2.0\r\nCall-ID: " + b"x" * 5000 + b"\r\nCSeq: 2 BYE\r\nUser-Agent: " + b"y" * 9000 + b"\r\n\r\n"
    )
    found = sip.parse(payload).sip
    assert len(found.call_id) == 256
    assert len(found.agent) == 1024
    assert sip.parse(payload.replace(b"xxx\r", b"xxz\r")).sip.call_id != found.call_id


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"hello", "neither a SIP request nor a response"),
        (b"SIP/2.0 99 Low\r\n\r\n", "status must be 100 to 699"),
        (b"BYE sip:b SIP/2.0\r\nCSeq: 1 BYE\r\n\r\n", "Call-ID is missing"),
        (b"SIP/2.0 200 OK\r\nCall-ID: x\r\n\r\n", "CSeq is ''"),
        (b"BYE sip:b SIP/2.0\r\nCall-ID: x\r\nCSeq: 99999999999 BYE\r\n\r\n", "CSeq is '99999999999 BYE'"),
        ("BYE sip:b SIP/2.0\r\nCall-ID: x\r\nCSeq: ١ BYE\r\n\r\n".encode(), "CSeq is"),
    ],
)
def test_what_is_no_sip_message_says_why(payload: bytes, words: str) -> None:
    with pytest.raises(sip.MalformedMessage, match=words):
        sip.parse(payload)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ('"Bob" <sip:bob@example.com:5060;user=phone>;tag=x', ("bob", "example.com")),
        ("sip:+33%20140@[2001:db8::1]:5060", ("+33 140", "2001:db8::1")),
        ("<tel:+1-(212)-555.0100;phone-context=x>", ("+12125550100", "")),
        ("<sip:1001:secret@h>", ("1001", "h")),
        ("<sip:+1212;npdi@h>", ("+1212", "h")),
        ("<sips:example.com>", ("", "example.com")),
        ("<sip:bob@h?Replaces=a%40b>", ("bob", "h")),
        ("nonsense", ("", "")),
        ("", ("", "")),
        ("<sip:", ("", "")),
        ('"Helpdesk <sip:9999@evil.example>" <sip:1001@h>', ("1001", "h")),
        ('"a \\" <sip:9999@evil> \\\\" <sip:1001@h>;tag=x', ("1001", "h")),
        ('"never ends <sip:9999@evil> <sip:1001@h>', ("1001", "h")),
        ("<sip:%2B441632960177%E2%80%AC@h>", ("+441632960177", "h")),
        ("<tel:+44-1632-960177\u200e>", ("+441632960177", "")),
    ],
)
def test_addresses(address: str, expected: tuple[str, str]) -> None:
    assert user_domain(address) == expected


def test_tags_and_branches_with_spaces() -> None:
    assert tag('"a;tag=no" <sip:a@b;tag=no> ; Tag = yes ;x=1') == "yes"
    assert tag("<sip:a@b>") == ""
    assert branch("SIP / 2.0 / UDP h ; Branch = z1 ; rport") == "z1"
    assert branch("SIP/2.0/UDP h") == ""


def test_what_stands_in_quotes_is_a_name() -> None:
    """RFC 3261, section 25.1: a quoted display name is text; none of it is an address, a tag or another value."""
    assert party('"x <sip:9999@evil>" <sip:1001@h>;tag=t') == Party("1001", "x <sip:9999@evil>", "h")
    assert party('"a;tag=no, \\"b\\"" <sip:1001@h>') == Party("1001", 'a;tag=no, "b"', "h")
    assert tag('"a;tag=no" <sip:1001@h>') == ""
    assert values('"a \\", b" <sip:x@y>, <sip:z@y>') == ['"a \\", b" <sip:x@y>', " <sip:z@y>"]


@pytest.mark.parametrize("call_id", ["k1@h_b2b-1", "k1@h_pbx-1", "k1@h_xfer-1", "k1@h_b2b-1_pbx-1", "k1@h_PBX-2"])
def test_the_other_side_of_a_known_b2bua(call_id: str) -> None:
    assert sip_id(call_id) == "k1@h"


def test_suffixes_of_a_call_id_by_setting() -> None:
    assert sip_id("k1@h-leg12", ("-leg#", ".b")) == "k1@h"
    assert sip_id("k1@h.b", ("-leg#", ".b")) == "k1@h"
    assert sip_id("k1@h-leg12") == "k1@h-leg12"
    assert sip_id("-leg1", ("-leg#",)) == "-leg1"  # never nothing


def test_session_ids() -> None:
    assert session_id("AB30317f1a784dc48ff824d0d3715d86;remote=47755a9de7794ba387653f2099600ef2")[:4] == "ab30"
    assert session_id("00000000000000000000000000000000") == session_id("mine") == ""


def test_values_keep_quoted_commas() -> None:
    assert values('"a,b" <sip:x@y>, <sip:c,d@e>') == ['"a,b" <sip:x@y>', " <sip:c,d@e>"]


def test_reason_prefers_q850_and_masks_the_location_bit() -> None:
    assert reason('SIP;cause=200;text="Call completed elsewhere"') == ("sip", 200, "Call completed elsewhere")
    assert reason('SIP ;cause=503, q.850 ; cause = 145 ; text="Busy, sorry"') == ("q.850", 17, "Busy, sorry")
    assert reason("preemption;cause=1") == ("", 0, "")


def test_replaces_and_refer_to() -> None:
    assert replaces("a@b;from-tag=f;to-tag=t;early-only") == "a@b;t;f"
    assert replaces(";to-tag=t") == ""
    assert refer_to("<sip:1003@h?Replaces=a%40b%3Bto-tag%3Dt%3Bfrom-tag%3Df>") == ("1003", "a@b;t;f")
    assert refer_to("sip:1003@h") == ("1003", "")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("v=0\r\n", ""),
        ("c=IN IP4 1.2.3.4\r\nm=audio 1 RTP/AVP 0\r\n", "sendrecv"),
        ("c=IN IP4 0.0.0.0\r\nm=audio 1 RTP/AVP 0\r\n", "inactive"),
        ("a=sendonly\r\nm=audio 1 RTP/AVP 0\r\n", "sendonly"),
        ("a=sendonly\r\nm=audio 1 RTP/AVP 0\r\na=recvonly\r\n", "recvonly"),
        ("m=audio 1 RTP/AVP 0\r\nm=video 2 RTP/AVP 9\r\na=inactive\r\n", "sendrecv"),
    ],
)
def test_direction_of_the_audio(body: str, expected: str) -> None:
    assert media(body) == expected


def test_bounded_ids_stay_distinct() -> None:
    assert bounded("x" * 256) == "x" * 256
    assert len({bounded("x" * 300 + end) for end in "abc"}) == 3
