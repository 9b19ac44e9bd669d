"""SIPp scenarios of transfers. SIPp knows a call by its Call-ID: what comes before `///` is another dialog of the
same party."""

from __future__ import annotations

from tests.sip.scenarios import pause, scenario

PROXY = "proxy.invalid"  # put in place of it: the address of the exchange, which SIPp does not tell a callee


def _send(text: str, *, retransmit: bool = True) -> str:
    words = ' retrans="500"' if retransmit else ""
    return f"<send{words}><![CDATA[\n\n{text}\n\n]]></send>"


def _sdp(direction: str = "sendrecv") -> str:
    return f"""Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [media_port] RTP/AVP 8
a={direction}"""


def begin(me: str, to: str, call_id: str, tag: str, headers: str = "") -> str:
    """An INVITE that begins a dialog."""
    return _send(f"""INVITE sip:{to}@{PROXY} SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: <sip:{me}@{PROXY}>;tag={tag}
To: <sip:{to}@{PROXY}>
Call-ID: {call_id}
CSeq: 1 INVITE
Contact: <sip:{me}@[local_ip]:[local_port]>
Max-Forwards: 70
{headers}{_sdp()}""")


def ack(me: str, to: str, call_id: str, tag: str) -> str:
    """The ACK of its answer."""
    return _send(
        f"""ACK [$where] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Route: <sip:{PROXY};lr>
From: <sip:{me}@{PROXY}>;tag={tag}
To: <sip:{to}@{PROXY}>[peer_tag_param]
Call-ID: {call_id}
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0""",
        retransmit=False,
    )


def bye(me: str, to: str, call_id: str, tag: str) -> str:
    """The BYE of who began the dialog."""
    return _send(f"""BYE [$where] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Route: <sip:{PROXY};lr>
From: <sip:{me}@{PROXY}>;tag={tag}
To: <sip:{to}@{PROXY}>[peer_tag_param]
Call-ID: {call_id}
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0""")


def as_callee(method: str, cseq: int, headers: str = "", *, sdp: str = "") -> str:
    """A request of who was called, in the dialog whose From, Call-ID and target were kept (`keep`)."""
    return _send(f"""{method} [$target] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Route: <sip:{PROXY};lr>
From: <sip:1002@{PROXY}>;tag=kept
To:[$peer]
Call-ID:[$first]
CSeq: {cseq} {method}
Contact: <sip:1002@[local_ip]:[local_port]>
Max-Forwards: 70
{headers}{_sdp(sdp) if sdp else "Content-Length: 0"}""")


def keep() -> str:
    """Receive the INVITE, and keep what names its dialog."""

    def field(name: str, variable: str) -> str:
        return f'<ereg regexp=".*" search_in="hdr" header="{name}" assign_to="{variable}"/>'

    target = '<ereg regexp="sip:[^>]*" search_in="hdr" header="Contact:" assign_to="target"/>'
    return (
        f'<recv request="INVITE" rrs="true"><action>{field("From:", "peer")}{field("Call-ID:", "first")}{target}'
        "</action></recv>"
    )


def answer(status: int, reason: str, tag: str, *, sdp: bool = False) -> str:
    """A response to an INVITE that began a dialog."""
    return _send(
        f"""SIP/2.0 {status} {reason}
[last_Via:]
[last_From:]
[last_To:];tag={tag}
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]
Contact: <sip:phone@[local_ip]:[local_port]>
{_sdp() if sdp else "Content-Length: 0"}""",
        retransmit=sdp,
    )


def accept(status: int = 200, reason: str = "OK", *, sdp: bool = False) -> str:
    """A response to a request inside a dialog."""
    return _send(
        f"""SIP/2.0 {status} {reason}
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:phone@[local_ip]:[local_port]>
{_sdp("recvonly") if sdp else "Content-Length: 0"}""",
        retransmit=sdp,
    )


def answered() -> str:
    """The answer to an INVITE that began a dialog, after what may come before it; where it came from is kept."""
    where = '<ereg regexp="sip:[^>]*" search_in="hdr" header="Contact:" assign_to="where"/>'
    return expect(100, 180) + f'<recv response="200" rrs="true"><action>{where}</action></recv>'


def expect(*what: str | int) -> str:
    """Requests and responses, in order."""
    found = []
    for each in what:
        if isinstance(each, int):
            words = ' optional="true"' if each < 200 else ' rrs="true"'
            found.append(f'<recv response="{each}"{words}></recv>')
        else:
            found.append(f'<recv request="{each}" rrs="true"></recv>')
    return "".join(found)


FIRST, SECOND, THIRD = "[call_id]", "consult///[call_id]", "onward///[call_id]"


def transferred(replaces: str = "") -> str:
    """1001 calls 1002, is transferred, talks to 1003 and hangs up."""
    held = (expect("INVITE"), accept(sdp=True), expect("ACK")) if replaces else ()
    return scenario(
        begin("1001", "1002", FIRST, "ta"),
        answered(),
        ack("1001", "1002", FIRST, "ta"),
        *held,
        expect("REFER"),
        accept(202, "Accepted"),
        begin("1001", "1003", THIRD, "tc", replaces or f"Referred-By: <sip:1002@{PROXY}>\n"),
        answered(),
        ack("1001", "1003", THIRD, "tc"),
        expect("BYE"),
        accept(),
        pause(1000),
        bye("1001", "1003", THIRD, "tc"),
        expect(200),
    )


def blind(proxy: str) -> tuple[str, ...]:
    """1001, 1002 and 1003: 1002 answers, sends 1001 on to 1003 by REFER, and hangs up."""
    refer = f"Refer-To: <sip:1003@{PROXY}>\nReferred-By: <sip:1002@{PROXY}>\n"
    by = scenario(
        keep(), answer(180, "Ringing", "kept"), pause(200), answer(200, "OK", "kept", sdp=True), expect("ACK"),
        pause(800), as_callee("REFER", 11, refer), expect(202), pause(300), as_callee("BYE", 12), expect(200),
    )  # fmt: skip
    return _at(proxy, transferred(), by, phone())


def phone() -> str:
    """1003 answers, and waits for the BYE."""
    return scenario(
        expect("INVITE"), answer(180, "Ringing", "tp"), pause(200), answer(200, "OK", "tp", sdp=True), expect("ACK"),
        expect("BYE"), accept(),
    )  # fmt: skip


def attended(proxy: str) -> tuple[str, ...]:
    """1002 answers, holds 1001, asks 1003, and joins the two by REFER with Replaces."""
    named = "to-tag%3Dtp%3Bfrom-tag%3Dtb"
    refer = f"Refer-To: <sip:1003@{PROXY}?Replaces=[$consulted]%3B{named}>\nReferred-By: <sip:1002@{PROXY}>\n"
    keeping = '<assignstr assign_to="consulted" value="consult%2F%2F%2F[call_id]"/>'
    by = scenario(
        keep(), answer(180, "Ringing", "kept"), pause(200), answer(200, "OK", "kept", sdp=True), expect("ACK"),
        f"<nop><action>{keeping}</action></nop>",
        pause(500), as_callee("INVITE", 10, sdp="sendonly"), expect(100, 200), as_callee_ack(10),
        begin("1002", "1003", SECOND, "tb"), answered(), ack("1002", "1003", SECOND, "tb"),
        pause(700), as_callee("REFER", 11, refer), expect(202),
        expect("BYE"), accept(), as_callee("BYE", 12), expect(200),
    )  # fmt: skip
    asked = scenario(
        keep(), answer(180, "Ringing", "tp"), pause(200), answer(200, "OK", "tp", sdp=True), expect("ACK"),
        expect("INVITE"), answer(200, "OK", "tq", sdp=True), expect("ACK"), consulted_bye(), expect(200),
        expect("BYE"), accept(),
    )  # fmt: skip
    replaces = f"Replaces: consult///[call_id];to-tag=tp;from-tag=tb\nReferred-By: <sip:1002@{PROXY}>\n"
    return _at(proxy, transferred(replaces), by, asked)


def _at(proxy: str, *scenarios: str) -> tuple[str, ...]:
    return tuple(each.replace(PROXY, proxy) for each in scenarios)


def as_callee_ack(cseq: int) -> str:
    """The ACK of the answer to the callee's re-INVITE."""
    return as_callee("ACK", cseq).replace(' retrans="500"', "")


def consulted_bye() -> str:
    """1003 leaves the consultation, which was replaced."""
    return _send(f"""BYE [$target] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
Route: <sip:{PROXY};lr>
From: <sip:1003@{PROXY}>;tag=tp
To:[$peer]
Call-ID:[$first]
CSeq: 21 BYE
Max-Forwards: 70
Content-Length: 0""")
