"""One answered SIP call as a capture node mirrors it: HEP version 3 packets."""

from __future__ import annotations

from pipeline.sources.sip import hep

_SDP = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n"
)
# (ms after the start, first line, CSeq, from the caller?, To tag?, SDP?)
_STEPS = (
    (0, "INVITE sip:1002@example.net SIP/2.0", "1 INVITE", True, False, True),
    (5, "SIP/2.0 100 Trying", "1 INVITE", False, False, False),
    (200, "SIP/2.0 180 Ringing", "1 INVITE", False, True, False),
    (6200, "SIP/2.0 200 OK", "1 INVITE", False, True, True),
    (6220, "ACK sip:1002@192.0.2.30 SIP/2.0", "1 ACK", True, True, False),
    (66_000, "BYE sip:1002@192.0.2.30 SIP/2.0", "2 BYE", True, True, False),
    (66_010, "SIP/2.0 200 OK", "2 BYE", False, True, False),
)


def packets(number: int, at_ms: int) -> list[bytes]:
    """The packets of call `number`, which starts at `at_ms`."""
    found = []
    for after, first, cseq, outgoing, tagged, has_sdp in _STEPS:
        body = _SDP if has_sdp else ""
        head = [
            first,
            f"Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK{number:x}{cseq.replace(' ', '')};rport",
            "Max-Forwards: 70",
            f'From: "Caller {number}" <sip:1001@example.net>;tag=f{number:x}',
            "To: <sip:1002@example.net>" + (f";tag=t{number:x}" if tagged else ""),
            f"Call-ID: {number:032x}@192.0.2.10",
            f"CSeq: {cseq}",
            "Contact: <sip:1001@192.0.2.10:5060;transport=udp>",
            "User-Agent: Desk phone 1.2.3",
            "Allow: INVITE, ACK, CANCEL, BYE, REFER, NOTIFY, UPDATE, OPTIONS",
        ]
        if has_sdp:
            head.append("Content-Type: application/sdp")
        payload = "\r\n".join([*head, f"Content-Length: {len(body)}", "", body]).encode()
        seconds, rest = divmod(at_ms + after, 1000)
        ends = ("192.0.2.10", "192.0.2.20") if outgoing else ("192.0.2.20", "192.0.2.10")
        captured = hep.Packet(
            payload=payload, seconds=seconds, micros=rest * 1000, src=ends[0], dst=ends[1], src_port=5060, dst_port=5060
        )
        found.append(hep.encode(captured))
    return found
