"""Who is who in a SIP session: the caller, the number asked for, the number a branch tries."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import blake2b

from pipeline.calls.numbering import outside
from pipeline.calls.sip.branches import Branch, Session, at, sip
from schemas.event import Event, Party

_NUMBER = re.compile(r"[+*#0-9][*#0-9.\-]*\Z")
_NAME = re.compile(r"[A-Za-z][A-Za-z._\-]*\Z")
_MAX_ID = 256


def leg_id(*parts: str) -> str:
    """A leg's id of its parts, at most 256 characters; a longer one ends in a digest of the whole."""
    text = ";".join(parts)
    if len(text) <= _MAX_ID:
        return text
    return text[: _MAX_ID - 33] + "~" + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def party(value: str | Party | None) -> Party:
    """A party given as a bare number, in full, or not at all."""
    if value is None:
        return Party()
    return value if isinstance(value, Party) else Party(number=value)


def caller(session: Session) -> Party:
    """Who began the session."""
    return party(session.first.caller)


def requested(session: Session) -> Party:
    """Whom the caller asked for: who forwarded the call first, as the session's first INVITE tells it, else its To
    field, else its Request-URI."""
    invited = party(session.first.callee)
    message = sip(session.first)
    if message.forwards:
        number = message.forwards[0].rpartition(";")[0]
        return Party(number=number, name=invited.name if number == invited.number else "", domain=invited.domain)
    return Party(number=invited.number or message.ruri, name=invited.name, domain=invited.domain)


def number_of(session: Session, branch: Branch, redirected: Iterable[str]) -> str:
    """The number that a branch tries.

    The Request-URI says so, except where a registrar replaced it by a phone's contact: those may be random
    words. Then the To field stands, unless the word is the contact of a redirection.
    """
    asked = requested(session).number
    ruri = sip(branch.invite or branch.first).ruri
    if not ruri or ruri == asked:
        return asked or ruri
    if not asked or _NUMBER.match(ruri) or ruri in redirected:
        return ruri
    if _NUMBER.match(asked) is None and _NAME.match(ruri):
        return ruri
    return asked


def comes_in(session: Session) -> bool:
    """Whether somebody outside calls a number of the house."""
    return outside(caller(session).number) and not outside(requested(session).number)


def host(address: str) -> str:
    """The host of "ip:port"."""
    return address.rpartition(":")[0]


def redirect_contacts(session: Session) -> set[str]:
    """Users that 3xx responses named as the ones to try instead."""
    return {
        sip(branch.final).contact
        for group in session.attempts
        for branch in group
        if branch.final is not None and 300 <= sip(branch.final).status < 400 and sip(branch.final).contact
    }


def far_ends(session: Session) -> tuple[str, str]:
    """Hosts of the session's first INVITE: where it came from and where it went."""
    message = sip(session.first)
    return (host(message.src), host(message.dst)) if not message.status else (host(message.dst), host(message.src))


def last_at(events: Iterable[Event]) -> int:
    """ms of the newest event."""
    return max(at(event) for event in events)
