"""PortSIP's shapes for the OpenAPI document. Answers are made from rows, not from these models; a test
holds the two together."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_ID = "700551909773148160"
_TIME = "2024-08-20T06:00:59.456Z"

_Direction = Literal["INBOUND_CALL", "OUTBOUND_CALL", "EXTENSION_CALL", "INBOUND_OUTBOUND_CALL"]
_EndReason = Literal[
    "CALLER_DISCONNECTED",
    "CALLEE_DISCONNECTED",
    "BLIND_TRANSFER_COMPLETED",
    "CONSULT_TRANSFER_COMPLETED",
    "REPLACED",
    "REFERRED",
    "REDIRECTED",
    "CANCELLED",
]
_RerouteReason = Literal[
    "TRANSFER",
    "OVERFLOW",
    "CAPACITY_BLOCKED",
    "QUEUE_EXIT",
    "QUEUE_ABANDONED",
    "REDIRECT",
    "FORWARDING_UNCONDITIONAL",
    "FORWARDING_BUSY",
    "FORWARDING_NO_ANSWER",
    "FORWARDING_NOT_REACHABLE",
    "FORWARDING_EXCEPTION",
    "FORWARDING_LUNCH",
    "FORWARDING_BUSINESS_TRIP",
    "FORWARDING_AWAY",
    "FORWARDING_NIGHT_MODE",
    "DISA",
]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


def _absent(schema: dict[str, Any]) -> None:
    """A field that is there or not, but never null."""
    schema.pop("default", None)


def _perhaps(description: str, example: str, **limits: int) -> Any:
    """A field that is left out when unknown."""
    return Field(default=None, description=description, examples=[example], json_schema_extra=_absent, **limits)  # type: ignore[call-overload]


class Target(_Shape):
    """What calls and call logs have in common."""

    caller: str = Field(max_length=256, description="Number of the caller.", examples=["101"])
    caller_domain: str = Field(max_length=1024, description="SIP domain of the caller.", examples=["pbx.example.com"])
    caller_display_name: str = Field(max_length=1024, description="Display name of the caller.", examples=["Alice"])
    callee: str = Field(
        max_length=256, description="Number called: of a call, the first target.", examples=["+441632960123"]
    )
    callee_domain: str = Field(max_length=1024, description="SIP domain of the callee.", examples=["pbx.example.com"])
    callee_display_name: str = Field(max_length=1024, description="Display name of the callee.", examples=["Bob"])
    started_at: str = Field(description="Start, RFC 3339 UTC.", examples=[_TIME])
    rang_at: str = Field(description="First ringing; empty when it never rang.", examples=["2024-08-20T06:01:00.120Z"])
    answered_at: str = Field(description="Answer; empty when there was none.", examples=["2024-08-20T06:01:01.965Z"])
    ended_at: str = Field(description="End.", examples=["2024-08-20T06:01:36.159Z"])
    call_id: str = Field(description="Id that all events of the call share.", examples=["a84b4c76e66710@pbx"])
    direction: _Direction = Field(description="Seen from the PBX.", examples=["OUTBOUND_CALL"])
    end_reason: _EndReason = _perhaps("Why it ended; left out when unknown.", "CALLER_DISCONNECTED")
    reroute_reason: _RerouteReason = _perhaps("Why the call went on; left out when it did not.", "TRANSFER")
    status_code: int = Field(description="SIP status of what went wrong; 0 when nothing did.", examples=[0])
    destination: str = Field(description="Last target reached.", examples=["+441632960123"])
    outbound_caller_id: str = _perhaps(
        "Number shown to the outside; left out when there is none.", "+441632960000", min_length=1, max_length=64
    )
    did_cid: str = Field(description="Number dialled from outside.", examples=[""])
    trunk: str = Field(description="Trunk that carried it.", examples=["carrier-a"])
    duration: int = Field(description="Answer to end, whole seconds.", examples=[35])
    service_number: str = Field(description="Queue or ring group that took the call.", examples=[""])
    user_data: str = Field(description="Free text of the producer.", examples=[""])


class PricedTarget(Target):
    """A target of a call with what it cost."""

    cost: float | None = Field(None, description="Price of this target's line; none while unpriced.", examples=[0.0125])
    billed_account: str = Field(description="Account that pays.", examples=["acme"])


class Cdr(Target):
    """One call."""

    id: str = Field(description="Id of the call: the session_id of its call logs.", examples=[_ID])


class CdrPage(_Shape):
    """Calls, and how many match on all pages."""

    count: int = Field(ge=0, description="How many calls match.", examples=[1])
    items: list[Cdr]


class CdrDetail(_Shape):
    """The targets of a call, in their order."""

    items: list[PricedTarget]


class CallLog(Target):
    """One target of a call."""

    id: str = Field(description="Id of the call log.", examples=["700551909773148161"])
    session_id: str = Field(description="Id of its call.", examples=[_ID])


class CallLogPage(_Shape):
    """Call logs, and how many match on all pages."""

    count: int = Field(ge=0, description="How many call logs match.", examples=[1])
    items: list[CallLog]


class CallLogDetail(PricedTarget):
    """One target of a call with what it cost."""

    id: str = Field(description="Id of the call log.", examples=["700551909773148161"])
    session_id: str = Field(description="Id of its call.", examples=[_ID])


class PortsipError(_Shape):
    code: str = Field(description="VALIDATE_FAILED, UNAUTHORIZED, NOT_FOUND …", examples=["VALIDATE_FAILED"])
    message: str = Field(examples=["field validation failed"])
    detail: Any = Field(examples=["top '0': is no whole number from 1 to 100; leave it out for 100"])


class PortsipErrors(_Shape):
    """PortSIP's error body."""

    errors: list[PortsipError]


class Login(_Shape):
    """Tokens of a login."""

    access_token: str = Field(description="Send it as Authorization: Bearer.", examples=["cdrs_…"])
    expires_in: int = Field(description="Seconds that the access token is good for.", examples=[1800])
    refresh_token: str = Field(description="For new tokens; good once, for a day.", examples=["cdrs_…"])
    token_type: Literal["Bearer"] = Field(examples=["Bearer"])


class Ended(_Shape):
    """What became of a login."""

    ended: bool = Field(description="Whether the token was one that still held.", examples=[True])


class SessionCall(_Shape):
    """What a session is doing with one target."""

    caller: str = Field(description="Number of the caller.", examples=["101"])
    caller_display_name: str = Field(description="Display name of the caller.", examples=["Alice"])
    callee: str = Field(description="Number of the target.", examples=["201"])
    trunk: str = Field(description="Trunk that carries it.", examples=["carrier-a"])
    started_at: str = Field(description="When the target was first tried, RFC 3339 UTC.", examples=[_TIME])
    talking_time: int = Field(ge=0, description="Whole seconds since the target answered; 0 before.", examples=[12])


class Session(_Shape):
    """A call in progress."""

    id: str = Field(description="Id of the call.", examples=[_ID])
    calls: list[SessionCall] = Field(description="The targets it is at.")


class SessionPage(_Shape):
    """Calls in progress, and how many match on all pages."""

    count: int = Field(ge=0, description="How many calls match.", examples=[1])
    items: list[Session]


class SyncToken(_Shape):
    """Where a client of the change feed stands."""

    token: str = Field(description="For the next diff.", examples=["cdrd_…"])


class Change(_Shape):
    """A call that came, changed or went."""

    id: str = Field(description="Id of the call.", examples=[_ID])
    change_type: Literal["CREATED", "UPDATED", "DELETED"] = Field(description="What happened.", examples=["CREATED"])
    items: list[PricedTarget] = Field(description="Its targets as they are now; none of a call that went.")


class Diff(_Shape):
    """What changed since the token was given, oldest first, and the token for the next time."""

    token: str = Field(description="For the next diff. The old one stays good: a lost answer can be asked again.")
    items: list[Change] = Field(description="At most 500; ask again until there are none.")
