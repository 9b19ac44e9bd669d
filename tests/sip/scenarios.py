"""SIPp scenarios, put together from the steps of a call."""

from __future__ import annotations

_SDP = """v=0
o=- 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio [media_port] RTP/AVP 8
a=rtpmap:8 PCMA/8000
a={direction}
"""


def scenario(*steps: str) -> str:
    """A scenario of these steps."""
    body = "\n".join(steps)
    return f'<?xml version="1.0" encoding="UTF-8" ?>\n<scenario name="call">\n{body}\n</scenario>\n'


def pause(ms: int) -> str:
    """Wait."""
    return f'<pause milliseconds="{ms}"/>'


def _send(text: str, attributes: str = 'retrans="500"') -> str:
    return f"<send {attributes}><![CDATA[\n\n{text}\n\n]]></send>"


def _with_sdp(direction: str) -> str:
    return "Content-Type: application/sdp\nContent-Length: [len]\n\n" + _SDP.format(direction=direction)


# -- the caller ------------------------------------------------------------------------------------


def invite(user: str = "1001", *, cseq: int = 1, extra: str = "") -> str:
    """The INVITE that begins a call."""
    return _send(
        f"""INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: "Caller" <sip:{user}@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: {cseq} INVITE
Contact: <sip:{user}@[local_ip]:[local_port]>
Max-Forwards: 70
{extra}{_with_sdp("sendrecv")}"""
    )


def in_dialog(method: str, cseq: int, *, direction: str = "", user: str = "1001", own: bool = False) -> str:
    """A request of the caller inside the dialog."""
    body = _with_sdp(direction) if direction else "Content-Length: 0\n"
    attributes = "" if method == "ACK" else 'retrans="500"'
    return _send(
        f"""{method} [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: "Caller" <sip:{user}@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]
Call-ID: [call_id]
CSeq: {cseq} {method}
Contact: <sip:{user}@[local_ip]:[local_port]>
Max-Forwards: 70
{body}""",
        attributes,
    )


def same_hop(method: str, cseq: int = 1, *, user: str = "1001") -> str:
    """CANCEL, or the ACK of a refusal: on the INVITE's own branch."""
    tag = "" if method == "CANCEL" else "[peer_tag_param]"
    attributes = 'retrans="500"' if method == "CANCEL" else ""
    return _send(
        f"""{method} sip:[service]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
From: "Caller" <sip:{user}@[local_ip]:[local_port]>;tag=[pid]c[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>{tag}
Call-ID: [call_id]
CSeq: {cseq} {method}
Max-Forwards: 70
Content-Length: 0
""",
        attributes,
    )


def receive(status: int, *, optional: bool = False, routes: bool = False, auth: bool = False) -> str:
    """A response."""
    words = ' optional="true"' if optional else ""
    words += ' rrs="true"' if routes else ""
    words += ' auth="true"' if auth else ""
    return f'<recv response="{status}"{words}></recv>'


# -- the callee ------------------------------------------------------------------------------------


def wait_for(method: str, *, routes: bool = False, optional: bool = False) -> str:
    """A request."""
    words = (' rrs="true"' if routes else "") + (' optional="true"' if optional else "")
    return f'<recv request="{method}"{words}></recv>'


def respond(
    status: int, reason: str, *, sdp: str = "", headers: str = "", retransmit: bool = False, tag: bool = True
) -> str:
    """A response to the last request."""
    to = "[last_To:];tag=[pid]s[call_number]" if tag else "[last_To:]"
    body = _with_sdp(sdp) if sdp else "Content-Length: 0\n"
    return _send(
        f"""SIP/2.0 {status} {reason}
[last_Via:]
[last_From:]
{to}
[last_Call-ID:]
[last_CSeq:]
[last_Record-Route:]
Contact: <sip:callee@[local_ip]:[local_port]>
{headers}{body}""",
        'retrans="500"' if retransmit else "",
    )


def wait_to_be_cancelled() -> str:
    """The INVITE whose Via fields are needed again when it is refused after its CANCEL."""
    return _keeping(("Via:", 1, "via1"), ("Via:", 2, "via2"))


def wait_to_hang_up() -> str:
    """The INVITE whose From field the callee's BYE sends back as its To."""
    return _keeping(("From:", 1, "peer"))


def _keeping(*fields: tuple[str, int, str]) -> str:
    keep = "".join(
        f'<ereg regexp=".*" search_in="hdr" header="{name}" occurrence="{place}" assign_to="{variable}"/>'
        for name, place, variable in fields
    )
    return f'<recv request="INVITE" rrs="true"><action>{keep}</action></recv>'


def refuse_cancelled() -> str:
    """487 to the INVITE after its CANCEL was answered."""
    return _send(
        """SIP/2.0 487 Request Terminated
Via:[$via1]
Via:[$via2]
[last_From:]
[last_To:];tag=[pid]s[call_number]
[last_Call-ID:]
CSeq: 1 INVITE
Content-Length: 0
""",
        'retrans="500"',
    )


def callee_bye() -> str:
    """A BYE of the callee."""
    return _send(
        """BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
[routes]
From: <sip:[service]@[local_ip]:[local_port]>;tag=[pid]s[call_number]
To:[$peer]
Call-ID: [call_id]
CSeq: 1 BYE
Max-Forwards: 70
Content-Length: 0
"""
    )
