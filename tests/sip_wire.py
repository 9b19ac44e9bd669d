"""SIP as it is seen on the wire, for tests: write down who sent what and when, get HEP packets or events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.sources.sip import hep
from pipeline.sources.sip.decoder import decode
from schemas.event import Event

T0 = 1_750_000_000_000  # ms; all times of a test are seconds after it
HOSTS = {"a": "10.0.0.1", "p": "10.0.0.2", "b": "10.0.0.3", "c": "10.0.0.4", "d": "10.0.0.5", "pbx": "10.0.0.9"}

SDP = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    "m=audio 40000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na={direction}\r\n"
)


def sdp(direction: str = "sendrecv", host: str = "10.0.0.1") -> str:
    """An SDP body with one audio stream."""
    return SDP.format(direction=direction, host=host)


@dataclass(frozen=True)
class Talk:
    """The parties of a dialog: what From, To and Call-ID say."""

    call_id: str
    caller: str = "1001"
    callee: str = "1002"
    tag: str = "ta"
    to_tag: str = "tb"


@dataclass
class Wire:
    """What a capture node mirrors."""

    node: str = "edge1"
    packets: list[bytes] = field(default_factory=list)

    def request(
        self,
        t: float,
        method: str,
        talk: Talk,
        vias: Sequence[str],
        *,
        cseq: int = 1,
        path: str = "ap",
        ruri: str = "",
        tagged: bool | None = None,
        by_callee: bool = False,
        headers: str = "",
        body: str = "",
        content_type: str = "application/sdp",
    ) -> None:
        """A request; `vias` are branches, top first; `path` the letters of sender and receiver."""
        in_dialog = method not in ("INVITE", "CANCEL") if tagged is None else tagged
        from_, to = f"<sip:{talk.caller}@example.com>;tag={talk.tag}", f"<sip:{talk.callee}@example.com>"
        if in_dialog:
            to += f";tag={talk.to_tag}"
        if by_callee:
            from_, to = to, from_
        first = f"{method} sip:{ruri or talk.callee}@example.com SIP/2.0"
        self._send(t, first, vias, from_, to, talk, f"{cseq} {method}", path, headers, body, content_type)

    def response(
        self,
        t: float,
        status: int,
        talk: Talk,
        vias: Sequence[str],
        *,
        method: str = "INVITE",
        cseq: int = 1,
        path: str = "pa",
        by_caller: bool = False,
        headers: str = "",
        to_tag: str | None = None,
        body: str = "",
    ) -> None:
        """A response, along `path`; `by_caller` when the callee's request is answered."""
        tag = talk.to_tag if to_tag is None else to_tag
        from_, to = f"<sip:{talk.caller}@example.com>;tag={talk.tag}", f"<sip:{talk.callee}@example.com>"
        if tag and status != 100:
            to += f";tag={tag}"
        if by_caller:
            from_, to = to, from_
        self._send(
            t, f"SIP/2.0 {status} X", vias, from_, to, talk, f"{cseq} {method}", path, headers, body, "application/sdp"
        )

    def _send(
        self,
        t: float,
        first: str,
        vias: Sequence[str],
        from_: str,
        to: str,
        talk: Talk,
        cseq: str,
        path: str,
        headers: str,
        body: str,
        content_type: str,
    ) -> None:
        sender, receiver = ("p", "pbx") if path == "px" else ("pbx", "p") if path == "xp" else tuple(path)
        sender, receiver = ("pbx" if host == "x" else host for host in (sender, receiver))
        lines = [first, *(f"Via: SIP/2.0/UDP 10.1.1.1:5060;branch=z9hG4bK{via}" for via in vias)]
        lines += [f"From: {from_}", f"To: {to}", f"Call-ID: {talk.call_id}", f"CSeq: {cseq}"]
        lines += [line for line in headers.split("\n") if line]
        if body:
            lines.append(f"Content-Type: {content_type}")
        lines.append(f"Content-Length: {len(body)}")
        at = T0 * 1000 + round(t * 1_000_000)
        packet = hep.Packet(
            payload=("\r\n".join(lines) + "\r\n\r\n" + body).encode(),
            seconds=at // 1_000_000,
            micros=at % 1_000_000,
            src=HOSTS[sender],
            dst=HOSTS[receiver],
            src_port=5060,
            dst_port=5060,
            node=self.node,
        )
        self.packets.append(hep.encode(packet))

    def events(self) -> list[Event]:
        """The events of everything captured."""
        decoded = decode(self.packets)
        assert not decoded.rejected, decoded.rejected
        return decoded.events

    # -- whole stretches of a call through a proxy: hop 1 from a to p, hop 2 from p to the target --------------

    def invite(
        self, t: float, talk: Talk, *, cseq: int = 1, fork: str = "2", to: str = "b", ruri: str = "", headers: str = ""
    ) -> None:
        """The INVITE on both hops."""
        self.request(t, "INVITE", talk, [f"{talk.call_id}.{cseq}.1"], cseq=cseq, headers=headers, body=sdp())
        self.forward(t + 0.01, talk, cseq=cseq, fork=fork, to=to, ruri=ruri, headers=headers)

    def forward(
        self, t: float, talk: Talk, *, cseq: int = 1, fork: str = "2", to: str = "b", ruri: str = "", headers: str = ""
    ) -> None:
        """The INVITE on the second hop: a branch."""
        vias = [f"{talk.call_id}.{cseq}.{fork}", f"{talk.call_id}.{cseq}.1"]
        self.request(t, "INVITE", talk, vias, cseq=cseq, path=f"p{to}", ruri=ruri, headers=headers, body=sdp())

    def reply(
        self,
        t: float,
        status: int,
        talk: Talk,
        *,
        cseq: int = 1,
        fork: str = "2",
        to: str = "b",
        back: bool = True,
        headers: str = "",
        to_tag: str | None = None,
    ) -> None:
        """A response to the INVITE on the second hop and, `back`, on the first."""
        near = f"{talk.call_id}.{cseq}.1"
        far = [f"{talk.call_id}.{cseq}.{fork}", near]
        self.response(t, status, talk, far, cseq=cseq, path=f"{to}p", headers=headers, to_tag=to_tag)
        if back:
            self.response(t + 0.01, status, talk, [near], cseq=cseq, headers=headers, to_tag=to_tag)

    def ack(self, t: float, talk: Talk, *, cseq: int = 1) -> None:
        """The ACK of a 2xx on both hops."""
        self.request(t, "ACK", talk, [f"{talk.call_id}.{cseq}.ack"], cseq=cseq)
        self.request(
            t + 0.01, "ACK", talk, [f"{talk.call_id}.{cseq}.ack2", f"{talk.call_id}.{cseq}.ack"], cseq=cseq, path="pb"
        )

    def bye(self, t: float, talk: Talk, *, cseq: int = 2, by_callee: bool = False, headers: str = "") -> None:
        """A BYE and its 200 on both hops."""
        near, far = ("b", "a") if by_callee else ("a", "b")
        vias = [f"{talk.call_id}.bye{cseq}"]
        both = [f"{talk.call_id}.bye{cseq}.2", *vias]
        self.request(t, "BYE", talk, vias, cseq=cseq, path=near + "p", by_callee=by_callee, headers=headers)
        self.request(t + 0.01, "BYE", talk, both, cseq=cseq, path="p" + far, by_callee=by_callee, headers=headers)
        self.response(t + 0.02, 200, talk, both, method="BYE", cseq=cseq, path=far + "p", by_caller=by_callee)
        self.response(t + 0.03, 200, talk, vias, method="BYE", cseq=cseq, path="p" + near, by_caller=by_callee)

    def cancel(
        self, t: float, talk: Talk, *, cseq: int = 1, fork: str = "2", headers: str = "", near: bool = True
    ) -> None:
        """A CANCEL, and the 487 that follows, on both hops; on the second only unless `near`."""
        first, second = f"{talk.call_id}.{cseq}.1", f"{talk.call_id}.{cseq}.{fork}"
        if near:
            self.request(t, "CANCEL", talk, [first], cseq=cseq, headers=headers)
        self.request(t + 0.01, "CANCEL", talk, [second], cseq=cseq, path="pb", headers=headers)
        self.response(t + 0.02, 487, talk, [second, first], cseq=cseq, path="bp")
        if near:
            self.response(t + 0.03, 487, talk, [first], cseq=cseq)
