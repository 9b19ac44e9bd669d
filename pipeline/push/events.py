"""What is new in a version of a call, seen from what was told of the call before. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import orjson

from pipeline.warehouse.query.view import masked_document

STARTED, ANSWERED, ENDED = "call.started", "call.answered", "call.ended"
CORRECTED, REPORT_READY, TEST = "cdr.corrected", "report.ready", "webhook.test"
TYPES: Final = (STARTED, ANSWERED, ENDED, CORRECTED, REPORT_READY)
# Larger documents go without their lists: many receivers refuse more.
LARGEST_BODY: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class Published:
    """What was told of a call, and by which record of the change feed."""

    answered: bool = False
    ended: bool = False
    version: int = 0  # of the call, as it was told as ended or corrected
    digest: str = ""
    partition: int = 0
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the change feed a document was read."""

    partition: int
    offset: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell. The id is made of the fact: told again, it is the same."""

    tenant: str
    id: str
    type: str
    call_id: str
    body: bytes


def news(
    published: Published | None, document: Mapping[str, Any], digest: str, place: Place
) -> tuple[list[tuple[str, str]], Published | None]:
    """The types that are new, each with what makes a corrected one unlike the next, and what is told then."""
    version = int(document["version"])
    if document.get("retired"):
        if published is None or version < published.version or not _is_later(published, place):
            return [], published
        if (version, digest) == (published.version, published.digest):
            return [], published
        # It has not ended: should it come back as a call of its own, its end is still to be told.
        gone = replace(_closed(published, version, digest, place), ended=published.ended)
        return [(CORRECTED, f"{version}\0retired")], gone
    found = [] if published is not None else [(STARTED, "")]
    now = published or Published(partition=place.partition, offset=place.offset)
    if document.get("answered_at") and not now.answered:
        found.append((ANSWERED, ""))
        now = replace(now, answered=True)
    if document["state"] == "closed" and version >= now.version:
        if not now.ended:
            found.append((ENDED, ""))
            now = _closed(now, version, digest, place)
        elif version > now.version:
            found.append((CORRECTED, str(version)))
            now = _closed(now, version, digest, place)
        elif version == now.version and digest != now.digest and _is_later(now, place):
            # The same events, priced or folded anew.
            found.append((CORRECTED, f"{version}\0{digest}"))
            now = _closed(now, version, digest, place)
    return found, now


def _closed(published: Published, version: int, digest: str, place: Place) -> Published:
    return replace(
        published, ended=True, version=version, digest=digest, partition=place.partition, offset=place.offset
    )


def _is_later(published: Published, place: Place) -> bool:
    return published.partition != place.partition or place.offset > published.offset


def message_id(tenant: str, subject: str, type_: str, which: str = "") -> str:
    """The id of a message: the same fact has the same, whoever tells it and how often."""
    fact = "\0".join((tenant, subject, type_, which)).encode(errors="surrogatepass")
    return f"msg_{hashlib.sha256(fact).hexdigest()[:32]}"


def message(document: Mapping[str, Any], type_: str, which: str, place: Place, at: str) -> Message:
    """What is posted of a call: `type`, `timestamp` and the call document as `data`."""
    moment = {STARTED: "started_at", ANSWERED: "answered_at", ENDED: "ended_at"}.get(type_)
    timestamp = (document.get(moment) if moment else None) or at
    tenant, call_id = document["tenant"], document["call_id"]
    body = orjson.dumps({"type": type_, "timestamp": timestamp, "data": document})
    if len(body) > LARGEST_BODY:
        short = {name: [] if isinstance(value, list) else value for name, value in document.items()}
        short |= {"flags": [*document.get("flags", ()), "lists_left_out"], "quality": None}
        body = orjson.dumps({"type": type_, "timestamp": timestamp, "data": short})
    return Message(tenant, message_id(tenant, call_id, type_, which), type_, call_id, body)


def masked_body(body: bytes) -> bytes:
    """A message with the phone numbers in its `data` masked."""
    message: dict[str, Any] = orjson.loads(body)
    return orjson.dumps(message | {"data": masked_document(message["data"])})
