"""Who is on a FreeSWITCH leg, and whom it is for."""

from __future__ import annotations

from typing import Final

from pipeline.sources.freeswitch.headers import Headers
from pipeline.sources.freeswitch.values import LONGEST_TEXT, agent, clean, number_of
from schemas.event import Party

_PLACEHOLDERS: Final = frozenset(("Outbound Call", "Inbound Call", "_undef_"))


def dialled(headers: Headers) -> str:
    """The number that this leg asks for: of an inward leg as the caller dialled it, whatever the dialplan made of
    it; of an outward leg the phone's."""
    if headers.outward:
        return headers.number("variable_dialed_user", "Caller-Destination-Number", "Caller-Callee-ID-Number")
    if headers.text("Caller-Profile-Index") in ("1", ""):
        return headers.number("Caller-Destination-Number", "variable_sip_req_user")
    return headers.number("variable_sip_req_user", "Caller-Destination-Number")


def caller(headers: Headers) -> Party:
    """Who calls on an inward leg; on an outward one, whom the phone is shown."""
    number = headers.number("Caller-Orig-Caller-ID-Number", "Caller-Caller-ID-Number", "Caller-ANI")
    name = clean(headers.first("Caller-Orig-Caller-ID-Name", "Caller-Caller-ID-Name"))
    if headers.outward:
        return Party(number=number, name="" if name == number else name)
    user = headers.first("variable_user_name", "variable_sip_auth_username")
    domain = headers.first("variable_domain_name", "variable_sip_from_host")[:LONGEST_TEXT]
    return Party(
        number=number,
        name="" if name == number else name,
        domain=domain,
        extension=number if number and user == number else "",
    )


def callee(headers: Headers) -> Party:
    """Whom the leg is for."""
    number = dialled(headers)
    if not headers.outward:
        return Party(number=number, domain=headers.text("variable_sip_req_host")[:LONGEST_TEXT])
    name = clean(headers.text("Caller-Callee-ID-Name"))
    user = headers.text("variable_dialed_user")
    return Party(
        number=agent_number(headers) or number,
        name="" if name in _PLACEHOLDERS or name == number else name,
        domain=headers.first("variable_dialed_domain", "variable_sip_to_host")[:LONGEST_TEXT],
        extension=number_of(user),
    )


def agent_number(headers: Headers) -> str:
    """The number of the agent that an agent's leg calls, "" when its name is none."""
    return agent(headers.text("variable_cc_agent")) if headers.agent else ""
