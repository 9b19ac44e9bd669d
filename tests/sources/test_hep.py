"""HEP packets in their three forms, and the decoder over them."""

from __future__ import annotations

import os
import random
import zlib
from typing import Any

import msgspec
import orjson
import pytest

from pipeline.calls.fold import fold
from pipeline.sources.registry import unfinished
from pipeline.sources.sip import hep, hep_json
from pipeline.sources.sip import message as sip
from pipeline.sources.sip.decoder import decode
from pipeline.sources.sip.hep import Packet
from schemas.event import Event
from tests.sip_wire import T0, Talk, Wire, sdp

PACKET = Packet(
    payload=b"BYE sip:b SIP/2.0\r\nCall-ID: x\r\nCSeq: 2 BYE\r\n\r\n",
    seconds=T0 // 1000,
    micros=123_456,
    src="10.0.0.1",
    dst="10.0.0.2",
    src_port=5060,
    dst_port=5062,
    capture_id=2001,
    node="edge1",
    password="secret",
    correlation="other",
)


def chunk(kind: int, value: bytes, vendor: int = 0) -> bytes:
    """One chunk."""
    return vendor.to_bytes(2, "big") + kind.to_bytes(2, "big") + (6 + len(value)).to_bytes(2, "big") + value


def packet(*chunks: bytes) -> bytes:
    """A packet of these chunks."""
    body = b"".join(chunks)
    return b"HEP3" + (6 + len(body)).to_bytes(2, "big") + body


def test_encoded_packets_come_back() -> None:
    for _ in range(3):  # the second time by the layout learnt from the first
        assert hep.parse(hep.encode(PACKET)) == PACKET
    ipv6 = msgspec.structs.replace(PACKET, src="2001:db8::1", dst="2001:db8::2")
    assert hep.parse(hep.encode(ipv6)) == ipv6


def test_a_packet_too_long_for_the_format() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        hep.encode(Packet(payload=b"x" * 65_530))


def test_vendor_chunks_are_passed_over_and_zlib_is_read() -> None:
    found = hep.parse(packet(chunk(15, b"no", vendor=9), chunk(16, zlib.compress(b"yes")), chunk(99, b"?")))
    assert found.payload == b"yes"


def test_a_zlib_bomb_is_refused() -> None:
    with pytest.raises(hep.MalformedHep, match="inflates to more than 65535 bytes"):
        hep.parse(packet(chunk(16, zlib.compress(b"\0" * 1_000_000))))


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "expected b'HEP3'"),
        (b"GARBAGE", "expected b'HEP3'"),
        (b"\x02\x10rest of it", "HEP version 2 is not read; set the capture agent to version 3"),
        (b"HEP3\x00\xff", "length field says 255 bytes, 6 came"),
        (packet(b"\0\0\0"), "3 bytes after the last chunk"),
        (packet(b"\0\0\0\x0f\0\x02"), "chunk 15 at byte 6 has length 2"),
        (packet(chunk(3, b"\x01")), "IP address of 1 bytes, expected 4"),
        (packet(chunk(16, b"plain")), "no zlib stream"),
        (packet(chunk(9, b"123456789")), "chunk 9 is a number of 9 bytes"),
    ],
)
def test_garbage_says_what_is_wrong(data: bytes, words: str) -> None:
    with pytest.raises(hep.MalformedHep, match=words):
        hep.parse(data)


def test_json_forms() -> None:
    rcinfo: dict[str, Any] = {
        "type": "HEP",
        "version": 3,
        "payloadType": 1,
        "captureId": "2001",
        "capturePass": "secret",
        "protocolFamily": 2,
        "protocol": 17,
        "srcIp": "10.0.0.1",
        "dstIp": "10.0.0.2",
        "srcPort": 5060,
        "dstPort": 5062,
        "timeSeconds": T0 // 1000,
        "timeUseconds": 123_456,
        "correlation_id": "other",
        "node_name": "edge1",
    }
    flat: dict[str, Any] = {
        "Version": 3,
        "Protocol": 17,
        "SrcIP": "10.0.0.1",
        "DstIP": "10.0.0.2",
        "SrcPort": 5060,
        "DstPort": 5062,
        "Tsec": T0 // 1000,
        "Tmsec": 123_456,
        "ProtoType": 1,
        "NodeID": 2001,
        "NodePW": "secret",
        "Payload": PACKET.payload.decode(),
        "CID": "other",
        "NodeName": "edge1",
    }
    assert hep_json.parse(orjson.dumps({"rcinfo": rcinfo, "payload": PACKET.payload.decode()})) == PACKET
    assert hep_json.parse(orjson.dumps(flat)) == PACKET


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"{", "neither HEP nor JSON"),
        (b"[]", "JSON list"),
        (b'{"a": 1}', "expected rcinfo and payload"),
        (b'{"Payload": 7}', "field Payload is int"),
        (b'{"Payload": "x", "Tsec": -1}', "field Tsec is '-1'"),
    ],
)
def test_json_that_is_no_packet(document: bytes, words: str) -> None:
    with pytest.raises(hep.MalformedHep, match=words):
        hep_json.parse(document)


def events(payload: bytes, **fields: Any) -> list[Event]:
    """The events of one message."""
    return decode([hep.encode(msgspec.structs.replace(PACKET, payload=payload, correlation="", **fields))]).events


def message(first: str, cseq: str, headers: str = "", to: str = "<sip:1002@h>", body: str = "") -> bytes:
    """A message as bytes."""
    head = f"{first}\r\nVia: SIP/2.0/UDP h;branch=z1\r\nFrom: <sip:1001@h>;tag=a\r\nTo: {to}\r\n"
    head += f"Call-ID: k\r\nCSeq: {cseq}\r\n"
    return (head + headers + "\r\n" + body).encode()


@pytest.mark.parametrize(
    ("payload", "type_"),
    [
        (message("INVITE sip:1002@h SIP/2.0", "1 INVITE"), "started"),
        (message("SIP/2.0 100 Trying", "1 INVITE"), "data"),
        (message("SIP/2.0 180 Ringing", "1 INVITE"), "rang"),
        (message("SIP/2.0 183 Progress", "1 INVITE"), "progress"),
        (message("SIP/2.0 200 OK", "1 INVITE"), "answered"),
        (message("SIP/2.0 486 Busy", "1 INVITE"), "ended"),
        (message("CANCEL sip:1002@h SIP/2.0", "1 CANCEL"), "ended"),
        (message("BYE sip:1002@h SIP/2.0", "2 BYE"), "ended"),
        (message("REFER sip:1002@h SIP/2.0", "3 REFER"), "transferred"),
        (message("INVITE sip:1002@h SIP/2.0", "4 INVITE", to="<sip:b>;tag=t", body=sdp("inactive")), "held"),
        (message("INVITE sip:1002@h SIP/2.0", "5 INVITE", to="<sip:b>;tag=t", body=sdp()), "resumed"),
        (message("UPDATE sip:1002@h SIP/2.0", "6 UPDATE"), "data"),
    ],
)
def test_what_a_message_alone_looks_like(payload: bytes, type_: str) -> None:
    (event,) = events(payload)
    assert event.type == type_
    assert event.sip is not None
    assert (event.call_id, event.at, event.node, event.sip.src) == ("k", T0 + 123, "edge1", "10.0.0.1:5060")


@pytest.mark.parametrize("method", ["REGISTER", "OPTIONS", "SUBSCRIBE", "PUBLISH", "MESSAGE", "NOTIFY"])
def test_what_is_no_part_of_a_call_is_ignored(method: str) -> None:
    decoded = decode(
        [hep.encode(msgspec.structs.replace(PACKET, payload=message(f"{method} sip:h SIP/2.0", f"1 {method}")))]
    )
    assert (decoded.events, decoded.rejected) == ([], [])


def test_other_payloads_and_keep_alives_are_ignored() -> None:
    quiet = [
        msgspec.structs.replace(PACKET, payload=b"\r\n\r\n"),
        msgspec.structs.replace(PACKET, kind=5, payload=b"\x81"),
    ]
    decoded = decode([hep.encode(each) for each in quiet])
    assert (decoded.events, decoded.rejected) == ([], [])


def test_retransmissions_and_second_captures_are_one_fact() -> None:
    payload = message("INVITE sip:1002@h SIP/2.0", "1 INVITE")
    ids = {
        event.event_id
        for node in ("e1", "e2")
        for micros in (0, 500_000)
        for event in events(payload, node=node, micros=micros)
    }
    assert len(ids) == 1
    assert events(payload.replace(b"z1", b"z2"))[0].event_id not in ids


def test_correlation_and_links() -> None:
    (event,) = events(
        message("INVITE sip:1002@h SIP/2.0", "1 INVITE", "X-CID: aleg\r\nReplaces: r;to-tag=1;from-tag=2\r\n")
    )
    assert (event.call_id, event.linked_ids) == ("aleg", ["k", "r"])
    with_chunk = hep.encode(msgspec.structs.replace(PACKET, payload=message("BYE sip:h SIP/2.0", "2 BYE")))
    (event,) = decode([with_chunk]).events
    assert (event.call_id, event.linked_ids) == ("other", ["k"])


def test_withheld_caller_is_the_asserted_one() -> None:
    payload = message("INVITE sip:1002@h SIP/2.0", "1 INVITE", "P-Asserted-Identity: <sip:+331400@carrier>\r\n")
    (event,) = events(payload.replace(b"<sip:1001@h>", b'"Anonymous" <sip:anonymous@anonymous.invalid>'))
    assert event.caller is not None and not isinstance(event.caller, str)
    assert event.caller.number == "+331400"


def test_times_out_of_bounds_are_rejected() -> None:
    past = hep.encode(msgspec.structs.replace(PACKET, seconds=0))
    future = hep.encode(msgspec.structs.replace(PACKET, seconds=T0 // 1000 + 90_000))
    good = hep.encode(PACKET)
    decoded = decode([past, future, good], now_ms=T0)
    assert [rejected.index for rejected in decoded.rejected] == [0, 1]
    assert "before 2000" in decoded.rejected[0].reason
    assert "more than a day ahead" in decoded.rejected[1].reason
    assert decoded.origin == [2]


def mutated(data: bytes, dice: random.Random) -> bytes:
    """The bytes with a few accidents."""
    out = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        place = dice.randrange(len(out)) if out else 0
        match dice.randrange(6):
            case 0:
                out[place : place + 1] = bytes([dice.randrange(256)])
            case 1:
                del out[place : place + dice.randint(1, 40)]
            case 2:
                out[place:place] = dice.choice([b"\r\n", b"\0", b";", b"<", b'"', b",", b"\xff\xfe", b"=" * 300, b":"])
            case 3:
                out[place:place] = out[: dice.randint(1, 60)]
            case 4:
                del out[place:]
            case _:
                end = min(len(out), place + 30)
                out[place:end] = bytes(out[place:end]).swapcase()
    return bytes(out)


def test_mutations_never_raise_and_events_survive_json() -> None:
    """CDR_FUZZ sets how many; the suite's own number takes some seconds."""
    dice = random.Random(7)
    wire, talk = Wire(), Talk("k1")
    wire.invite(0, talk, headers="Reason: Q.850;cause=16\nX-CID: a\nDiversion: <sip:1@h>;reason=no-answer")
    wire.reply(1, 302, talk, headers="Contact: <sip:3@h>")
    wire.request(3, "REFER", talk, ["r"], headers="Refer-To: <sip:1003@h?Replaces=a%3Bto-tag%3Dx%3Bfrom-tag%3Dy>")
    wire.request(4, "NOTIFY", talk, ["n"], body="SIP/2.0 200 OK", content_type="message/sipfrag")
    wire.bye(9, talk, headers='Reason: SIP;cause=200;text="a"')
    seeds = list(wire.packets)
    payloads = [hep.parse(seed).payload for seed in seeds]
    document = orjson.dumps({"rcinfo": {"timeSeconds": 1}, "payload": payloads[0].decode()})
    for turn in range(int(os.environ.get("CDR_FUZZ", "50000"))):
        seed = turn % (len(seeds) + 1)
        if seed == len(seeds):
            value = mutated(document, dice)
        elif turn & 1:
            value = mutated(seeds[seed], dice)
        else:
            value = hep.encode(msgspec.structs.replace(PACKET, payload=mutated(payloads[seed], dice)[:60_000]))
        decoded = decode([value])
        assert len(decoded.events) + len(decoded.rejected) <= 1
        for event in decoded.events:
            encoded = msgspec.json.encode(event)
            assert msgspec.json.decode(encoded, type=Event) == event
        for rejected in decoded.rejected:
            assert rejected.reason


def test_parser_says_malformed_for_any_bytes() -> None:
    dice = random.Random(3)
    for _ in range(2000):
        data = dice.randbytes(dice.randint(0, 200))
        with pytest.raises(sip.MalformedMessage):
            sip.parse(data)


TALK = b"From: <sip:1001@h>;tag=ta\r\nCall-ID: piece@h\r\n"
INVITE = (
    b"INVITE sip:1002@h SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z1\r\nTo: <sip:1002@h>\r\n" + TALK + b"CSeq: 7 INVITE\r\n"
    b"Content-Type: application/sdp\r\nContent-Length: 20\r\n\r\nm=audio 1 RTP/AVP 0\r\n"
)
OK = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP a;branch=z1\r\nTo: <sip:1002@h>;tag=tb\r\n" + TALK


def sent(payload: bytes, ms: int = 0, *, src: str = "10.0.0.1", dst: str = "10.0.0.2") -> bytes:
    at = PACKET.micros + ms * 1000
    changed = msgspec.structs.replace(
        PACKET,
        payload=payload,
        src=src,
        dst=dst,
        correlation="",
        seconds=PACKET.seconds + at // 10**6,
        micros=at % 10**6,
    )
    return hep.encode(changed)


@pytest.mark.parametrize("cut", [10, 40, 130, 170, 240, len(INVITE) - 5])
def test_a_message_that_came_in_pieces_is_one(cut: int) -> None:
    """heplify sends what it sees: TCP segments and IP fragments that it does not put together."""
    other = sent(b"OPTIONS sip:x SIP/2.0\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\n\r\n", src="10.0.0.9")
    decoded = decode([sent(INVITE[:cut]), other, sent(INVITE[cut:], 1)])
    assert not decoded.rejected
    assert decoded.events == decode([sent(INVITE)]).events
    assert decoded.origin == [0]


@pytest.mark.parametrize("cut", [10, 40, 170, len(INVITE) - 5])
def test_pieces_that_two_batches_would_part_are_decoded_together(cut: int) -> None:
    """A reader of batches holds the beginning back for the batch that has the rest."""
    other = sent(b"OPTIONS sip:x SIP/2.0\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\n\r\n", src="10.0.0.9")
    head, tail = sent(INVITE[:cut]), sent(INVITE[cut:], 1)
    assert unfinished("sip", [sent(INVITE), head]) == 1
    assert unfinished("sip", [head, other]) == 2
    assert unfinished("sip", [head, other, tail]) == 0
    assert unfinished("sip", [sent(INVITE[:50]), sent(INVITE[50:100], 1)]) == 2
    assert unfinished("asterisk", [b"{}"]) == 0


def test_two_messages_of_one_tcp_segment() -> None:
    """RFC 3261, section 18.3: over a stream Content-Length says where a message ends."""
    ack = (
        b"ACK sip:1002@h SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z3\r\n"
        + TALK
        + b"CSeq: 7 ACK\r\nContent-Length: 0\r\n\r\n"
    )
    segment = hep.encode(msgspec.structs.replace(hep.parse(sent(INVITE + ack)), protocol=6))
    apart = decode([hep.encode(msgspec.structs.replace(hep.parse(sent(each)), protocol=6)) for each in (INVITE, ack)])
    together = decode([segment])
    assert not together.rejected
    assert sorted(event.event_id for event in together.events) == sorted(event.event_id for event in apart.events)
    assert len(together.events) == 2


@pytest.mark.parametrize("cut", [60, len(INVITE) - 30, len(INVITE) + 20, len(INVITE) + 90])
def test_segments_that_cut_a_stream_of_messages_anywhere(cut: int) -> None:
    """A segment may end one message and begin the next, which goes on in another."""
    ack = (
        b"ACK sip:1002@h SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z3\r\n"
        + TALK
        + b"CSeq: 7 ACK\r\nContent-Length: 0\r\n\r\n"
    )
    bye = (
        b"BYE sip:1002@h SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z4\r\n"
        + TALK
        + b"CSeq: 8 BYE\r\nContent-Length: 0\r\n\r\n"
    )
    stream = INVITE + ack + bye

    def over_tcp(payload: bytes, ms: int = 0) -> bytes:
        return hep.encode(msgspec.structs.replace(hep.parse(sent(payload, ms)), protocol=6))

    decoded = decode([over_tcp(stream[:cut]), over_tcp(stream[cut:], 1)])
    assert not decoded.rejected
    apart = decode([over_tcp(each) for each in (INVITE, ack, bye)])
    assert sorted(event.event_id for event in decoded.events) == sorted(event.event_id for event in apart.events)


def test_three_pieces() -> None:
    decoded = decode([sent(INVITE[:50]), sent(INVITE[50:150], 1), sent(INVITE[150:], 2)])
    assert not decoded.rejected
    assert decoded.events == decode([sent(INVITE)]).events


def test_only_what_cannot_be_used_is_rejected() -> None:
    whole, stranger = sent(INVITE), sent(b"v=0\r\no=x", 1)
    decoded = decode([whole, stranger])  # nothing was left open
    assert decoded.events == decode([whole]).events
    assert [each.index for each in decoded.rejected] == [1]
    decoded = decode([sent(INVITE[:40]), sent(b"v=0", 3_000)])  # long after: another connection's
    assert [each.index for each in decoded.rejected] == [0, 1]


@pytest.mark.parametrize("cut", [INVITE.index(b"CSeq"), INVITE.index(b"CSeq") + 6])
def test_a_request_that_was_cut_before_its_cseq_is_understood(cut: int) -> None:
    """Its first line names the method, its Via the transaction that the answer belongs to."""
    bye = b"BYE sip:1002@h SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z2\r\nTo: <sip:1002@h>;tag=tb\r\n" + TALK + b"\r\n"
    answer = sent(OK + b"CSeq: 7 INVITE\r\nContent-Length: 0\r\n\r\n", 6_000, src="10.0.0.2", dst="10.0.0.1")
    for values in ([sent(INVITE[:cut]), answer, sent(bye, 66_000)], [sent(bye, 66_000), answer, sent(INVITE[:cut])]):
        decoded = decode(values)
        assert not decoded.rejected
        call = fold(decoded.events)
        assert (call.caller_number, call.requested, call.status) == ("1001", "1002", "answered")
        assert (call.talk_ms, call.setup_ms, len(call.logs)) == (60_000, 6_000, 1)
