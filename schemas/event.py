"""The call event, version 1, as it travels in memory.

An event is one fact about one leg at one instant, from one PBX node. `CallEvent` in
`schemas.contract` is the same shape for people: documented, with JSON Schema. A test holds the
two together. This one is a msgspec struct because the worker decodes hundreds of thousands a
second: one C call decodes and validates.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from schemas.words import Direction, LegHungUpBy, TargetKind

SCHEMA_VERSION: Final = 1

# Bounds of `at`. What is earlier is a clock that was never set.
EARLIEST_MS: Final = 946_684_800_000  # 2000-01-01T00:00:00Z

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Text = Annotated[str, msgspec.Meta(max_length=1024)]
if TYPE_CHECKING:
    Instant = int
else:
    # On the wire an RFC 3339 text or integer milliseconds. `canonical.decode` makes every text an integer before
    # anybody else has the event, so that whoever reads an event knows one type of time: ms since the epoch, UTC.
    Instant = Annotated[dt.datetime, msgspec.Meta(tz=True)] | int


class Party(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One side of a call. `extension` is set when the PBX owns the number."""

    number: Text = ""
    name: Text = ""
    domain: Text = ""
    extension: Text = ""


class SipMessage(msgspec.Struct, gc=False, omit_defaults=True):
    """What the fold needs of the SIP message behind an event (RFC 3261)."""

    method: Text  # the request's method; of a response, the method in its CSeq
    status: int = 0  # 0 for a request
    reason: Text = ""  # reason phrase of a response
    cseq: int = 0  # -1 where the message bears none
    call_id: Text = ""  # the SIP Call-ID; the event's call_id may be another when calls are correlated
    from_tag: Text = ""
    to_tag: Text = ""
    branch: Text = ""  # branch of the top Via
    via: int = 0  # number of Via headers: how many hops the request has taken
    ruri: Text = ""  # user part of the Request-URI
    contact: Text = ""  # user part of the first Contact, the target of a 3xx
    src: Text = ""  # ip:port the packet came from
    dst: Text = ""
    media: Text = ""  # direction of the audio in the SDP body: sendrecv, sendonly, recvonly, inactive; "" without SDP
    replaces: Text = ""  # Replaces header or parameter: "call-id;to-tag;from-tag"
    refer_to: Text = ""  # user part of Refer-To
    reason_protocol: Text = ""  # Reason header (RFC 3326): "q.850" or "sip"
    reason_cause: int = 0
    reason_text: Text = ""
    agent: Text = ""  # User-Agent or Server
    before: Text = ""  # branch of the second Via: the hop that a forwarded request came in on
    fragment: int = 0  # status in the body of a NOTIFY about a transfer (message/sipfrag)
    diversion: Text = ""  # user part of the first Diversion header (RFC 5806): who forwarded the call last
    diversion_reason: Text = ""  # its reason: no-answer, user-busy, unconditional, ...
    forwards: list[Text] | None = None  # "number;reason" of all who forwarded it, the first one first (also RFC 7044)
    session: Text = ""  # local part of Session-ID (RFC 7989)


class Facts(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What the fold reads of a producer's own `data`; the archive keeps all of it."""

    bridge: Any = None  # id of the bridge that the leg joined or left
    address: Any = None  # of `started`: IP address of the leg's device
    device: Any = None  # of a leg that is not named by its number: endpoint, trunk, or whole channel name


class Event(msgspec.Struct, gc=False, omit_defaults=True, rename={"from_": "from"}):
    """One call event. `at` is milliseconds since the epoch, UTC.

    Fields that a type does not need stay at their defaults. Unknown fields of the JSON are not
    kept here; the archive keeps the bytes as they came.
    """

    type: Id
    at: Instant
    call_id: Id
    event_id: Annotated[str, msgspec.Meta(max_length=256)] = ""
    leg_id: Annotated[str, msgspec.Meta(max_length=256)] = ""
    tenant: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] = "default"
    node: Annotated[str, msgspec.Meta(max_length=256)] = ""
    seq: int = 0
    schema_version: int = SCHEMA_VERSION
    caller: str | Party | None = None
    callee: str | Party | None = None
    direction: Direction | None = None
    kind: TargetKind | None = None
    role: str = ""  # "caller" or "target"; inferred when empty
    peer_leg_id: Text = ""
    linked_ids: list[str] | None = None
    trunk: Text = ""
    did: Text = ""
    outbound_caller_id: Text = ""
    user_data: str = ""
    answered_by: str = ""  # "party" (a phone) or "pbx" (an application of the PBX)
    sip_status: int = 0
    q850_cause: int = 0
    cause: Text = ""
    cause_from: str = ""
    hung_up_by: LegHungUpBy | None = None
    reason: Text = ""
    from_: Text = ""
    to: Text = ""
    by: Text = ""
    second_leg_id: Text = ""
    transferee_leg_id: Text = ""
    target_leg_id: Text = ""
    queue: Text = ""
    agent: Text = ""
    conference: Text = ""
    recording: Text = ""
    quality: dict[str, float] | None = None
    data: Facts | None = None
    sip: SipMessage | None = None
