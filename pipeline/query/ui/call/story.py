"""A call in a sentence that somebody can read out: "1001 called Support, waited 42 s, talked to Eva for 3 min."."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.session import Visitor
from pipeline.query.ui.frame.words import cause

_PEOPLE: Final = ("extension", "queue_agent", "ring_group_member", "outside", "conference")
_MOVED: Final = {
    "blind_transfer": N_("was transferred to %(to)s at %(at)s"),
    "attended_transfer": N_("was transferred to %(to)s at %(at)s"),
    "semi_attended_transfer": N_("was transferred to %(to)s at %(at)s"),
    "pickup": N_("was picked up by %(to)s"),
    "park": N_("was parked at %(at)s"),
    "queue_overflow": N_("went on from the queue to %(to)s"),
    "queue_exit": N_("left the queue for %(to)s"),
    "carrier_failover": N_("went by another carrier"),
    "redirect": N_("was redirected to %(to)s"),
}
_FORWARDED: Final = N_("was forwarded to %(to)s")
_ENDS: Final = {
    "no_answer": N_("and nobody answered"),
    "busy": N_("and it was busy"),
    "cancelled": N_("and hung up before anybody answered"),
    "failed": N_("and it failed"),
    "voicemail": N_("and reached the voicemail"),
    "abandoned": N_("and hung up in the queue before anybody answered"),
}


def sentence(visitor: Visitor, call: Mapping[str, Any]) -> str:
    """The call document as one sentence in the visitor's language and zone."""
    say, figures = visitor.language.say, visitor.figures
    whom = isolated(party(call["callee"]) or call["requested"] or "?")
    clauses = [say(N_("%(who)s called %(whom)s"), who=isolated(party(call["caller"]) or "?"), whom=whom)]
    clauses += [text for *_, text in sorted(_steps(visitor, call), key=lambda step: step[:2])]
    if call["state"] == "open":
        clauses.append(say(N_("and the call is still going on")))
    elif call["status"] in _ENDS:
        clauses.append(say(_ENDS[call["status"]]))
    sentence = ", ".join(clauses) + "."
    if call["ended_at"] and call["hung_up_by"] in ("caller", "callee"):
        who = (
            N_("The caller hung up at %(at)s.")
            if call["hung_up_by"] == "caller"
            else N_("The other side hung up at %(at)s.")
        )
        sentence += " " + say(who, at=figures.minute(call["ended_at"]))
    return sentence


def party(side: Mapping[str, Any]) -> str:
    """How a party is called: its name, else its number."""
    return str(side["name"] or side["number"])[:80]


def isolated(text: str) -> str:
    """A text whose direction of writing changes nothing around it (Unicode, UAX 9: FSI and PDI)."""
    return f"\u2068{text}\u2069"


def why(visitor: Visitor, call: Mapping[str, Any]) -> str:
    """Why it did not work, in words; "" where it did."""
    if call["status"] in ("answered", "voicemail", None):
        return ""
    parts = []
    if call["q850_cause"]:
        name = visitor.language.say(cause(call["q850_cause"]) or N_("cause"))
        parts.append(f"{name} (Q.850 {call['q850_cause']})")
    if call["sip_status"]:
        parts.append(f"SIP {call['sip_status']}")
    return ", ".join(parts)


def _steps(visitor: Visitor, call: Mapping[str, Any]) -> Iterator[tuple[str, int, str]]:
    """Each step: its second, its rank among those of one second (a move comes before whom it reaches), its text."""
    say, figures = visitor.language.say, visitor.figures
    names = {log["number"]: party(log) for log in call["logs"] if log["number"]}
    for visit in call["queue_visits"]:
        if visit.get("wait_ms"):
            queue = isolated(str(visit.get("queue") or visit.get("number") or "")[:80])
            message = N_("waited %(long)s in %(queue)s")
            yield (visit.get("joined_at") or "")[:19], 0, say(message, long=figures.span(visit["wait_ms"]), queue=queue)
    for log in call["logs"]:
        if log["talk_ms"] and log["kind"] in _PEOPLE:
            message = N_("talked to %(who)s for %(long)s")
            yield (
                (log["answered_at"] or "")[:19],
                2,
                say(message, who=isolated(party(log)), long=figures.span(log["talk_ms"])),
            )
    for move in call["reroutes"]:
        message = _MOVED.get(move["kind"]) or (_FORWARDED if move["kind"].startswith("forward") else "")
        if message:
            to = isolated(str(names.get(move["to"] or "", move["to"] or "?"))[:80])
            yield (move["at"] or "")[:19], 1, say(message, to=to, at=figures.minute(move["at"]))
