"""The SIP messages of a call as a ladder: who sent what to whom, and when (RFC 3261's own way to draw it)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup, escape

from pipeline.instants import instant
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.session import Visitor

TIMES: Final = {"absolute": N_("Clock"), "start": N_("Since the start"), "previous": N_("Since the one before")}
_AGAIN: Final = N_("(again)")
_LEFT, _COLUMN, _TOP, _ROW = 130, 190, 44, 30
_MOST: Final = 500
_SHOWN: Final = (
    ("call_id", "Call-ID"), ("cseq", "CSeq"), ("from_tag", "From tag"), ("to_tag", "To tag"), ("branch", "Via branch"),
    ("ruri", "Request-URI"), ("contact", "Contact"), ("media", "SDP"), ("reason_protocol", "Reason"),
    ("reason_cause", "Reason cause"), ("reason_text", "Reason text"), ("replaces", "Replaces"),
    ("refer_to", "Refer-To"),
    ("diversion", "Diversion"), ("agent", "User-Agent / Server"), ("session", "Session-ID"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Message:
    """A message on one hop. `again`: it, or a capture of it, was seen before."""

    at: int
    sender: str
    receiver: str
    label: str
    method: str
    status: int
    dialog: str
    again: bool
    headers: tuple[tuple[str, str], ...]
    node: str


def messages_of(events: Sequence[Mapping[str, Any]]) -> list[Message]:
    """The SIP messages among the events of a call, oldest first."""
    found: list[Message] = []
    seen: set[str] = set()
    for each in events:
        sip = (each.get("event") or {}).get("sip")
        if not isinstance(sip, dict) or not sip.get("src"):
            continue
        status, method = int(sip.get("status") or 0), str(sip.get("method") or "")
        label = f"{status} {sip.get('reason') or ''}".strip() if status else method
        headers = tuple((title, str(sip[key])) for key, title in _SHOWN if sip.get(key) not in (None, "", 0))
        found.append(
            Message(
                instant(each["at"]), str(sip["src"]), str(sip.get("dst") or "?"), label, method, status,
                str(sip.get("call_id") or ""), each["event_id"] in seen, headers, str(each["node"]),
            )
        )  # fmt: skip
        seen.add(each["event_id"])
    return found[:_MOST]


def participants(messages: Sequence[Message]) -> list[str]:
    """Who takes part, in the order in which they appear."""
    return list(dict.fromkeys(side for each in messages for side in (each.sender, each.receiver)))


def drawn(visitor: Visitor, messages: Sequence[Message], times: str, *, linked: bool = True) -> Markup:
    """The ladder as SVG. `linked`: each message leads to its headers on the page."""
    sides = participants(messages)
    dialogs = list(dict.fromkeys(each.dialog for each in messages))
    width = _LEFT + _COLUMN * (len(sides) - 1) + 110
    height = _TOP + _ROW * len(messages) + 10
    x = {side: _LEFT + 20 + place * _COLUMN for place, side in enumerate(sides)}
    parts = []
    for side, place in x.items():
        parts.append(f'<text class="who-is" x="{place}" y="16" text-anchor="middle">{escape(side)}</text>')
        parts.append(f'<line class="grid" x1="{place}" x2="{place}" y1="26" y2="{height}"/>')
    for number, each in enumerate(messages):
        y = _TOP + number * _ROW
        begin, end = x[each.sender], x[each.receiver]
        way = 1 if end >= begin else -1
        tone = (
            "bad" if each.status >= 400 else "good" if 200 <= each.status < 300 else "calm" if each.status else "live"
        )
        before = messages[number - 1].at if number else each.at
        at = _time(visitor, times, each.at, messages[0].at, before)
        label = each.label + (f" {visitor.language.say(_AGAIN)}" if each.again else "")
        dialog = dialogs.index(each.dialog) + 1 if len(dialogs) > 1 else 0
        text = f"{label} · {dialog}" if dialog else label
        tip = f"{each.sender} → {each.receiver}: {label}, {visitor.figures.exact(each.at)}"
        body = (
            f'<g class="message {tone}{" again" if each.again else ""}"><title>{escape(tip)}</title>'
            f'<rect class="reach" x="0" y="{y - 18}" width="{width}" height="{_ROW}"/>'
            f'<text class="at" x="0" y="{y + 4}">{escape(at)}</text>'
            f'<text class="label" x="{(begin + end) / 2}" y="{y - 5}" text-anchor="middle">{escape(text)}</text>'
            f'<line x1="{begin}" x2="{end - way * 2}" y1="{y}" y2="{y}"/>'
            f'<path d="M{end - way * 8} {y - 4}L{end - way * 1} {y}L{end - way * 8} {y + 4}"/></g>'
        )
        parts.append(f'<a href="#message-{number + 1}">{body}</a>' if linked else body)
    title = escape(visitor.language.say(N_("SIP messages of the call")))
    return Markup(
        f'<svg class="plot ladder" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="{"group" if linked else "img"}" aria-label="{title}" xmlns="http://www.w3.org/2000/svg">'
        f"{''.join(parts)}</svg>"
    )


def _tone(status: int) -> str:
    """Requests, answers that go on, good ones and bad ones."""
    if not status:
        return "live"
    return "bad" if status >= 400 else "good" if 200 <= status < 300 else "calm"


def _time(visitor: Visitor, times: str, at: int, first: int, before: int) -> str:
    if times == "start":
        return f"+{(at - first) / 1000:.3f} s"
    if times == "previous":
        return f"+{(at - before) / 1000:.3f} s"
    return visitor.figures.exact(at)
