"""The call document for people: the model behind `schemas.call.document`, which makes it.

One shape wherever a whole call is shown: `cdr fold`, the change feed, webhooks. Times are RFC 3339
UTC with milliseconds or null; durations are integer milliseconds; enumerations are lower-case.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, get_args

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from schemas.contract import DIALECT
from schemas.words import (
    CauseFrom,
    Direction,
    EndReason,
    HungUpBy,
    Outcome,
    RerouteKind,
    RerouteReason,
    State,
    Status,
    TargetKind,
)

CALL_SCHEMA_ID: Final = "urn:cdr:schemas:call:v1"

Time = Annotated[
    str,
    Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-03-10T12:00:06.450Z"]}),
]
Milliseconds = Annotated[int, Field(ge=0)]
Snowflake = Annotated[str, Field(pattern=r"^\d+$")]
# Words that a producer may add to: these are the known ones.
Kind = Annotated[str, WithJsonSchema({"type": "string", "x-known-values": list(get_args(RerouteKind))})]
Source = Annotated[str, WithJsonSchema({"type": "string", "x-known-values": list(get_args(CauseFrom))})]
Money = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$")]


class _Document(BaseModel):
    """Readers must ignore fields they do not know: the document grows by addition only."""

    model_config = ConfigDict(extra="allow", strict=True)


class PartyDocument(_Document):
    """One side of a call; unknown parts are empty text."""

    number: str = Field(description="Number or SIP user.", examples=["+441632960123"])
    name: str = Field(description="Display name.")
    domain: str = Field(description="SIP domain.")
    extension: str = Field(description="The extension, when the PBX owns the number.")


class RerouteDocument(_Document):
    """The call left one target for another."""

    at: Time = Field(description="When.")
    kind: Kind = Field(description="What happened.", examples=["blind_transfer", "forward_busy"])
    reason: RerouteReason | None = Field(description="PortSIP's name for it; null where it has none.")
    from_: str | None = Field(alias="from", description="Target it left.")
    to: str | None = Field(description="Target it went to.")
    by: str | None = Field(description="Who moved it.")
    result: str | None = Field(description="What became of it.")


class CallLogDocument(_Document):
    """One target of a call, tried and perhaps reached."""

    id: Snowflake = Field(description="Id of the call log, ordered by time; decimal, as text.")
    kind: TargetKind = Field(description="What the target is.")
    number: str = Field(description="Number of the target.")
    name: str = Field(description="Display name of the target.")
    leg_id: str | None = Field(description="Its leg; null for a target on the caller's leg, such as an IVR.")
    started_at: Time = Field(description="When it was first tried.")
    rang_at: Time | None = Field(description="When it rang.")
    answered_at: Time | None = Field(description="When it answered.")
    ended_at: Time | None = Field(description="When the call left it.")
    ring_ms: Milliseconds | None = Field(description="Rang to answered or ended.")
    talk_ms: Milliseconds = Field(description="Time the caller talked to it.")
    outcome: Outcome | None = Field(description="How it ended; null while undecided.")
    end_reason: EndReason | None = Field(description="Why it ended, one of PortSIP's eight.")
    reroute_reason: RerouteReason | None = Field(description="Why the call went on from here; null when it did not.")
    sip_status: int | None = Field(description="Final SIP status, when not answered.")
    q850_cause: int | None = Field(description="Q.850 cause.")
    trunk: str | None = Field(description="Trunk that carried it.")


class CallDocument(_Document):
    """One call detail record: from the caller's first INVITE to the last hang-up."""

    id: Snowflake = Field(description="Id of the call (PortSIP: session_id), ordered by time; decimal, as text.")
    call_id: str = Field(description="The id that all its events share.")
    tenant: str = Field(description="Whose call it is.")
    version: int = Field(description="Grows with every correction; the highest one is right.")
    state: State = Field(description="open while it lasts, then closed.")
    direction: Direction = Field(description="Seen from the PBX.")
    status: Status | None = Field(description="What became of it; null while undecided.")
    end_reason: EndReason | None = Field(description="Why it ended; null when unknown or failed.")
    hung_up_by: HungUpBy | None = Field(description="Who ended it.")
    caller: PartyDocument = Field(description="Who called.")
    callee: PartyDocument = Field(description="The first target.")
    requested: str | None = Field(description="First target asked for.")
    destination: str | None = Field(description="Last target reached.")
    answered_by: str | None = Field(description="The human target that answered first.")
    started_at: Time = Field(description="First INVITE.")
    progress_at: Time | None = Field(description="First early media.")
    rang_at: Time | None = Field(
        description="First ringing of a target that the caller heard; null where a menu or a queue answered before."
    )
    answered_at: Time | None = Field(description="When the network answered: billing starts.")
    talk_started_at: Time | None = Field(description="When a human target was reached.")
    ended_at: Time | None = Field(description="Last hang-up; null while open.")
    setup_ms: Milliseconds | None = Field(description="Started to answered.")
    ring_ms: Milliseconds | None = Field(description="Rang to answered or ended; null where rang_at is.")
    wait_ms: Milliseconds | None = Field(description="In queues, before a human.")
    talk_ms: Milliseconds = Field(description="With a human; each millisecond once.")
    hold_ms: Milliseconds = Field(description="On hold.")
    billable_ms: Milliseconds = Field(description="Answered to ended, on the caller's leg.")
    duration_ms: Milliseconds | None = Field(description="Started to ended.")
    sip_status: int | None = Field(description="Final SIP status of a call that was not answered.")
    q850_cause: int | None = Field(description="Q.850 cause of its end.")
    cause_from: Source | None = Field(description="Where the cause comes from, strongest first.")
    logs: list[CallLogDocument] = Field(description="Its targets, in order.")
    legs: list[dict[str, Any]] = Field(description="The PBX's own legs, with their ids.")
    reroutes: list[RerouteDocument] = Field(description="Forwards, transfers, overflows, in order.")
    queue_visits: list[dict[str, Any]] = Field(description="Its time in queues.")
    missed_by: list[str] = Field(description="Human targets that rang and were not reached.")
    merged_call_ids: list[str] = Field(description="Call ids that turned out to be this call.")
    recordings: list[dict[str, Any]] = Field(description="Recordings and where they are.")
    quality: dict[str, Any] | None = Field(description="Measured quality.")
    did: str | None = Field(description="Number that was dialled from outside.")
    trunk: str | None = Field(description="Trunk that carried it.")
    outbound_caller_id: str | None = Field(description="Number shown to the outside.")
    user_data: str | None = Field(description="Free text of the producer.")
    flags: list[str] = Field(description="What is unusual about the record.")
    cost: Money | None = Field(description="Price, decimal as text; null when not billed or not known.")
    currency: str | None = Field(description="ISO 4217 currency of the price.")
    billed_account: str | None = Field(description="Account that pays.")
    rate: Money | None = Field(description="Price of a minute after the first interval, decimal as text.")


def call_json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a call document."""
    return {"$schema": DIALECT, "$id": CALL_SCHEMA_ID} | CallDocument.model_json_schema()
