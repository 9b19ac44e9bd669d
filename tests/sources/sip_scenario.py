"""The SIP messages that a scenario file tells, as a capture agent sends them: JSON of HEP, whole messages inside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

HOSTS = ("alice", "proxy", "bob", "carol", "dave", "carrier1", "carrier2", "pbx", "edge", "erin", "frank")
_HOP = re.compile(r"([a-z0-9]+)(>|\s|$)")
_SDP = (
    "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8\r\n"
    "a=rtpmap:8 PCMA/8000\r\na={}\r\n"
)
_HOP_BY_HOP = ("CANCEL",)
_STEP_MS = 5  # from one hop to the next


def write(scenario: dict[str, Any], _name: str) -> list[dict[str, Any]]:
    """One JSON object for each message and each capture of it."""
    captured: list[dict[str, Any]] = []
    for line in scenario["events"]:
        at, dialog, what, path, *rest = line
        options = {key: value for item in rest if isinstance(item, dict) for key, value in item.items()}
        told = {"call": dialog, **scenario["dialogs"][dialog]}
        for late, (message, sender, receiver) in enumerate(_messages(told, str(what), path, options)):
            if "lost" in rest:
                continue
            for place, node in enumerate(options.get("seen_by", ["edge1"])):
                ahead = scenario.get("clocks", {}).get(node, 0)
                ms = scenario["t0_ms"] + round((at + ahead) * 1000) + late * _STEP_MS + place
                captured.append(_packet(ms, node, sender, receiver, message))
    return captured


def _hops(path: str) -> Iterator[tuple[str, str, bool]]:
    """`alice>proxy bob` is two hops, of which only the first is on the wire now."""
    found = _HOP.findall(path)
    for (host, mark), (following, _) in pairwise(found):
        yield host, following, mark == ">"


def _messages(dialog: dict[str, Any], what: str, path: str, options: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Each message on its hop: text, sender, receiver."""
    status, _, of = what.partition(" ") if what[:1].isdigit() else ("", "", "")
    method = (of or "INVITE") if status else what
    hops = list(_hops(path))
    way = [(receiver, sender) for sender, receiver, _ in reversed(hops)] if status else [(s, r) for s, r, _ in hops]
    cseq = options.get("cseq", {"BYE": 2, "REFER": 7, "NOTIFY": 9, "PRACK": 2, "UPDATE": 5}.get(method, 1))
    kind = "INVITE" if method == "CANCEL" or options.get("hop") else method
    vias = [f"z9hG4bK-{dialog['call']}-{cseq}-{kind}-{one}-{other}" for one, other in way]
    by_callee = way[0][0] != dialog["at"]
    for place, (sender, receiver, shown) in enumerate(hops):
        if not shown:
            continue
        upto = len(vias) - place if status else place + 1
        stack = list(reversed(vias[:upto]))
        if method in _HOP_BY_HOP or options.get("hop"):
            stack = stack[:1]
        first = f"SIP/2.0 {status} {_REASONS.get(status, 'X')}" if status else ""
        yield _text(dialog, method, first, stack, cseq, by_callee, options), sender, receiver


_REASONS = {"100": "Trying", "180": "Ringing", "183": "Session Progress", "200": "OK", "486": "Busy Here"}


def _text(
    dialog: dict[str, Any],
    method: str,
    first: str,
    vias: list[str],
    cseq: int,
    by_callee: bool,
    options: dict[str, Any],
) -> str:
    status = first[8:11]
    to_tag = options.get("tag", dialog.get("to_tag", ""))
    begins = method in ("INVITE", "CANCEL") and not options.get("inside")
    if (begins and not status) or status == "100":
        to_tag = ""
    caller = f"{dialog.get('name', '')}<sip:{dialog['from']}@example.com>;tag={dialog['from_tag']}"
    callee = f"<sip:{dialog['to']}@example.com>" + (f";tag={to_tag}" if to_tag else "")
    if by_callee:
        caller, callee = callee, caller
    body, kind = "", "application/sdp"
    if "frag" in options:
        body, kind = f"SIP/2.0 {options['frag']} X\r\n", "message/sipfrag;version=2.0"
    elif "sdp" in options or (method == "INVITE" and begins and status in ("", "183", "200")):
        body = _SDP.format(options.get("sdp", "sendrecv"))
    lines = [first or f"{method} sip:{options.get('ruri', dialog['to'])}@example.com SIP/2.0"]
    lines += [f"Via: SIP/2.0/UDP 10.9.9.9:5060;branch={via}" for via in vias]
    lines += [f"From: {caller}", f"To: {callee}", f"Call-ID: {dialog['id']}", f"CSeq: {cseq} {method}"]
    lines += [f"{name}: {value}" for name, value in options.items() if name[:1].isupper()]
    if body:
        lines.append(f"Content-Type: {kind}")
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines) + "\r\n\r\n" + body


def _packet(ms: int, node: str, sender: str, receiver: str, message: str) -> dict[str, Any]:
    return {
        "rcinfo": {
            "type": "HEP", "version": 3, "payloadType": 1, "captureId": node, "capturePass": "",
            "protocolFamily": 2, "protocol": 17, "srcIp": _address(sender), "dstIp": _address(receiver),
            "srcPort": 5060, "dstPort": 5060, "timeSeconds": ms // 1000, "timeUseconds": ms % 1000 * 1000,
        },
        "payload": message,
    }  # fmt: skip


def _address(host: str) -> str:
    return f"10.0.0.{HOSTS.index(host) + 1}"
