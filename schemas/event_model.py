"""The call event, version 1, for people: every field with its meaning, unit and examples.

The same shape as `schemas.event.Event`, which the worker decodes with; a test holds the two together.
Unknown fields are kept, unknown event types are welcome: a producer may be newer than the pipeline.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Final

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from schemas.event import SCHEMA_VERSION, Instant
from schemas.event_reasons import EVENT_REASONS
from schemas.words import EVENT_TYPES, Direction, LegHungUpBy, TargetKind

# What each event type says. The first four are enough for a right CDR.
EVENT_TYPE_MEANINGS: Final[dict[str, str]] = {
    "started": "The leg exists: an INVITE came in or went out, a channel was created.",
    "rang": "The leg's phone rings (SIP 180).",
    "answered": "The leg was answered (SIP 200 to its INVITE), by a phone or by the PBX itself.",
    "ended": "The leg is gone: hung up, cancelled, rejected or failed.",
    "progress": "Early media without ringing (SIP 183): an announcement, a remote ring-back tone.",
    "bridged": "Two legs hear each other from now on; `peer_leg_id` is the other one.",
    "unbridged": "The two legs no longer hear each other.",
    "held": "The leg was put on hold.",
    "resumed": "The leg was taken off hold.",
    "rerouted": "The PBX sent the call on to another target: `reason` says why, `from` and `to` name the two.",
    "transferred": "A party handed the call over: `by` did it, `to` or `target_leg_id` is the new target.",
    "queue_joined": "The caller entered the queue `queue`.",
    "queue_agent_rang": "The queue offered the call to `agent`.",
    "queue_left": "The caller left the queue; `reason` says how.",
    "voicemail": "The voicemail box `to` took the call.",
    "conference_joined": "The leg entered the conference `conference`.",
    "conference_left": "The leg left the conference.",
    "recorded": "A recording exists; `recording` is where.",
    "quality": "Measured quality of the leg's audio, in `quality`.",
    "callback": "A callback was asked for or made.",
    "data": "Facts of the producer's own, in `data`: kept with the event.",
}


def _milliseconds(value: object) -> object:
    """`at` in any accepted form as milliseconds; anything else goes on to fail as it is."""
    if isinstance(value, str):
        try:
            value = msgspec.convert(value, Instant, strict=True)
        except msgspec.ValidationError as error:
            raise ValueError("not RFC 3339 with a time zone") from error
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise ValueError("no time zone")
        # floor, in integers: what one microsecond short of the next millisecond is still this one
        return (value - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(milliseconds=1)
    return value


At = Annotated[
    int,
    BeforeValidator(_milliseconds),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer", "description": "ms since 1970, UTC"}]}
    ),
]
TypeWord = Annotated[
    str,
    Field(min_length=1, max_length=256),
    WithJsonSchema(
        {
            "anyOf": [
                {"oneOf": [{"const": word, "description": text} for word, text in EVENT_TYPE_MEANINGS.items()]},
                {"type": "string", "minLength": 1, "maxLength": 256, "description": "Unknown: archived, not folded."},
            ],
            "x-known-values": list(EVENT_TYPE_MEANINGS),
        }
    ),
]
Id = Annotated[str, Field(min_length=1, max_length=256)]
ShortText = Annotated[str, Field(max_length=256)]
Text = Annotated[str, Field(max_length=1024)]


class Party(BaseModel):
    """One side of a call. All parts may be left out; a bare string is the number alone."""

    model_config = ConfigDict(extra="allow", strict=True)

    number: Text = Field("", description="Number or SIP user.", examples=["+441632960123", "1001"])
    name: Text = Field("", description="Display name.", examples=["Ada"])
    domain: Text = Field("", description="SIP domain.", examples=["pbx.example.com"])
    extension: Text = Field("", description="The extension, when the PBX owns the number.", examples=["1001"])


class SipMessage(BaseModel):
    """Internal: what the SIP decoder passes on of the message behind an event. Producers leave it out."""

    model_config = ConfigDict(extra="allow", strict=True)

    method: Text = Field(description="Method of the request; of a response, the method in its CSeq.")
    status: int = Field(0, description="Status code of a response; 0 for a request.")
    reason: Text = Field("", description="Reason phrase of a response.")
    cseq: int = Field(0, description="CSeq number; -1 where the message bears none.")
    call_id: Text = Field("", description="SIP Call-ID.")
    from_tag: Text = Field("", description="Tag of From.")
    to_tag: Text = Field("", description="Tag of To.")
    branch: Text = Field("", description="Branch of the top Via.")
    via: int = Field(0, description="Number of Via headers.")
    ruri: Text = Field("", description="User part of the Request-URI.")
    contact: Text = Field("", description="User part of the first Contact.")
    src: Text = Field("", description="ip:port the packet came from.")
    dst: Text = Field("", description="ip:port the packet went to.")
    media: Text = Field("", description="Direction of the audio in the SDP; empty without SDP.")
    replaces: Text = Field("", description="Replaces, as call-id;to-tag;from-tag.")
    refer_to: Text = Field("", description="User part of Refer-To.")
    reason_protocol: Text = Field("", description="Protocol of the Reason header (RFC 3326): q.850 or sip.")
    reason_cause: int = Field(0, description="Cause of the Reason header.")
    reason_text: Text = Field("", description="Text of the Reason header.")
    agent: Text = Field("", description="User-Agent or Server.")
    before: Text = Field("", description="Branch of the second Via.")
    fragment: int = Field(0, description="Status in the body of a NOTIFY about a transfer.")
    diversion: Text = Field("", description="User part of the first Diversion header (RFC 5806).")
    diversion_reason: Text = Field("", description="Reason of the first Diversion header.")
    forwards: list[Text] | None = Field(
        None, description='"number;reason" of all who forwarded the call, the first one first (RFC 5806, RFC 7044).'
    )
    session: Text = Field("", description="Local part of Session-ID (RFC 7989).")


class CallEvent(BaseModel):
    """One fact about one leg of a call at one instant, reported by one PBX node. Kafka key: `call_id`."""

    model_config = ConfigDict(
        extra="allow",
        strict=True,
        json_schema_extra={
            "examples": [
                {
                    "type": "started",
                    "at": "2026-03-10T12:00:00.000Z",
                    "call_id": "c-1",
                    "leg_id": "a",
                    "caller": "+441632960123",
                    "callee": "1001",
                    "direction": "inbound",
                },
                {"type": "ended", "at": 1773144066500, "call_id": "c-1", "leg_id": "a", "q850_cause": 16},
            ]
        },
    )

    type: TypeWord = Field(description="What happened.", examples=["started", "answered"])
    at: At = Field(
        description="When it happened: RFC 3339 with Z or offset, or integer milliseconds since 1970 UTC.",
        examples=["2026-03-10T12:00:00.000Z", 1773144000000],
    )
    call_id: Id = Field(
        description="The id that all events of one call share, on all nodes. Also the Kafka key.", examples=["c-1"]
    )
    event_id: ShortText = Field(
        "",
        description="Id of the event; the same id is one fact. Empty: made of the bytes.",
        examples=["e-1"],
    )
    leg_id: ShortText = Field("", description="The leg it happened to: one party's channel or dialog.", examples=["a"])
    tenant: Annotated[str, Field(min_length=1, max_length=64)] = Field(
        "default", description="Whose call it is.", examples=["acme"]
    )
    node: ShortText = Field("", description="PBX node that reports it.", examples=["pbx-1"])
    seq: int = Field(
        0,
        description="Order of the node's events of one leg that bear the same time. Taken as text, too.",
        examples=[7],
    )
    schema_version: int = Field(SCHEMA_VERSION, description="Version of this contract.", examples=[SCHEMA_VERSION])
    caller: str | Party | None = Field(None, description="Who calls.", examples=["+441632960123"])
    callee: str | Party | None = Field(None, description="Who is called, by this leg.", examples=["1001"])
    direction: Direction | None = Field(None, description="Direction of the call, when the producer knows it.")
    kind: TargetKind | None = Field(None, description="What the leg's target is.", examples=["extension", "queue"])
    role: str = Field("", description="caller or target; inferred when empty.", examples=["caller", "target"])
    peer_leg_id: Text = Field("", description="The other leg: of a bridge, or the one this leg was made for.")
    linked_ids: list[str] | None = Field(None, description="Other ids of the same call; calls that share one are one.")
    trunk: Text = Field("", description="Trunk or gateway that carries the leg.", examples=["carrier-1"])
    did: Text = Field("", description="Number that was dialled from outside.", examples=["+442079460000"])
    outbound_caller_id: Text = Field("", description="Number shown to the outside.", examples=["+442079460000"])
    user_data: str = Field("", description="Free text that the CDR shall carry.", examples=["ticket 4711"])
    answered_by: str = Field("", description="party (a phone) or pbx (an application of the PBX).", examples=["party"])
    sip_status: int = Field(0, description="Final SIP status of the leg; 0 when unknown.", examples=[486])
    q850_cause: int = Field(0, description="Q.850 cause of the leg's end; 0 when unknown.", examples=[17])
    cause: Text = Field("", description="The PBX's own name of the cause.", examples=["USER_BUSY"])
    cause_from: str = Field("", description="Where the cause comes from: reason_header, native, sip_reason.")
    hung_up_by: LegHungUpBy | None = Field(
        None, description="Who ended it: party (this leg's phone), peer (the other side), or caller, callee, system."
    )
    reason: Text = Field(
        "",
        description="Why. rerouted: forward_busy, forward_no_answer, queue_overflow, … (see `reroutes` of the call). "
        "transferred: blind, attended, semi_attended. queue_left: answered, abandoned, overflow, exit, callback. "
        "answered: hangup_record, when only the hang-up record told of it. data: renamed, taken_over, originated, … "
        "(`x-reasons` says which reasons change how an event is read).",
        examples=["forward_busy", "blind", "abandoned", "renamed"],
        json_schema_extra={
            "x-reasons": [
                {"type": type_, "reason": word, "description": meaning}
                for type_, words, meaning in EVENT_REASONS
                for word in words
            ]
        },
    )
    from_: Text = Field("", alias="from", description="Target the call leaves.", examples=["1001"])
    to: Text = Field("", description="Target the call goes to; of voicemail, the box.", examples=["1002"])
    by: Text = Field("", description="Who moved it: a number or a leg.", examples=["1001"])
    second_leg_id: Text = Field("", description="The transferring party's other leg: its consultation.")
    transferee_leg_id: Text = Field("", description="The leg that is handed over.")
    target_leg_id: Text = Field("", description="The leg it is handed over to.")
    queue: Text = Field("", description="Number of the queue.", examples=["8000"])
    agent: Text = Field("", description="Number of the queue agent.", examples=["1001"])
    conference: Text = Field("", description="Number or id of the conference.", examples=["3000"])
    recording: Text = Field("", description="URL or path of the recording.", examples=["s3://recordings/c-1.wav"])
    quality: dict[str, float] | None = Field(
        None, description="Measured quality: mos (1 to 5), jitter_ms, loss_percent, rtt_ms.", examples=[{"mos": 4.2}]
    )
    data: dict[str, Any] | None = Field(
        None,
        description="Anything else; kept with the event. `address` of a started leg: its device's IP address. `bridge` "
        "of bridged and unbridged: the id of a bridge, where the PBX names no other leg.",
    )
    sip: SipMessage | None = Field(None, description="Internal: set by the SIP decoder. Leave it out.")


assert frozenset(EVENT_TYPE_MEANINGS) == EVENT_TYPES, "every event type has a meaning"
