"""Values of a request → messages for Kafka, and a verdict on each: taken, ignored or refused, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec
import orjson

from pipeline import clock
from pipeline.ingest.bodies import Value
from pipeline.kafka import TENANT_HEADER
from pipeline.sources import canonical
from pipeline.sources.cloud_events import unwrapped
from pipeline.sources.complaint import Wrong, wrong
from pipeline.sources.contract import RawDecoder
from schemas.contract import explain

_encode = msgspec.json.Encoder().encode
_sorted = msgspec.json.Encoder(order="sorted").encode

Message = tuple[bytes, bytes, list[tuple[str, bytes]]]  # key, value, headers


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one value. `state`: taken, ignored (tells nothing of a call) or refused."""

    line: int
    state: str
    call_id: str = ""
    event_id: str = ""
    wrong: Sequence[Wrong] = ()

    def row(self) -> dict[str, Any]:
        """As the answer shows it."""
        shown: dict[str, Any] = {"line": self.line, "state": self.state}
        if self.call_id:
            shown["call_id"] = self.call_id
        if self.event_id:
            shown["event_id"] = self.event_id
        if self.wrong:
            first = self.wrong[0]
            shown |= {"pointer": first.pointer, "detail": first.detail, "hint": first.hint}
            if len(self.wrong) > 1:
                shown["errors"] = [each._asdict() for each in self.wrong]
        return shown


@dataclass(slots=True)
class Intake:
    """What a request holds."""

    messages: list[Message] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def count(self, state: str) -> int:
        return sum(verdict.state == state for verdict in self.verdicts)


def events(values: Sequence[Value], tenant: str) -> Intake:
    """Call events, each made one of `tenant`, whatever it says; without an id, it gets one made of its content."""
    intake = Intake()
    now_ms = clock.now_ms()
    kept: list[tuple[int, bytes]] = []
    refused: dict[int, list[Wrong]] = {}
    for line, value in values:
        made = _owned(unwrapped(value), tenant)
        if isinstance(made, bytes):
            kept.append((line, made))
        else:
            refused[line] = made
    decoded = canonical.decode([value for _, value in kept], now_ms=now_ms)
    found = dict(zip(decoded.origin, decoded.events, strict=True))
    for rejected in decoded.rejected:
        line, value = kept[rejected.index]
        refused[line] = [wrong(problem) for problem in explain(value) or [rejected.reason]]
    places = {line: place for place, (line, _) in enumerate(kept)}
    for line, _ in values:
        if line in refused:
            intake.verdicts.append(Verdict(line, "refused", wrong=refused[line]))
            continue
        event = found[places[line]]
        intake.messages.append((event.call_id.encode(), kept[places[line]][1], []))
        intake.verdicts.append(Verdict(line, "taken", event.call_id, event.event_id))
    return intake


def _owned(value: bytes, tenant: str) -> bytes | list[Wrong]:
    """The event as one of this tenant; or what is wrong with it."""
    try:
        event = msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        event = None
    if not isinstance(event, dict):
        return [wrong(problem) for problem in explain(value)]
    given = event.get("event_id")
    if given is None or given == "":
        # Of its content, so that a request that is sent again gives the same facts.
        content = {name: part for name, part in event.items() if name not in ("tenant", "event_id")}
        event["event_id"] = "h-" + blake2b(_sorted(content), digest_size=16).hexdigest()
    event["tenant"] = tenant
    return _encode(event)


def raw(values: Sequence[Value], tenant: str, decode: RawDecoder, otherwise: str) -> Intake:
    """Raw events of a PBX, as they came, keyed by call. One that cannot be decoded goes along under the key
    `otherwise`: the worker puts it among the dead letters, so that it can be mended and sent again."""
    intake = Intake()
    bodies = [value for _, value in values]
    decoded = decode(bodies, tenant=tenant, now_ms=clock.now_ms())
    calls: dict[int, str] = {}
    for place, event in zip(decoded.origin, decoded.events, strict=True):
        calls.setdefault(place, event.call_id)
    rejected = {each.index: each.reason for each in decoded.rejected}
    headers = [(TENANT_HEADER, tenant.encode())]
    for place, (line, value) in enumerate(values):
        if place in rejected:
            intake.verdicts.append(Verdict(line, "refused", wrong=[wrong(rejected[place])]))
            if _is_object(value):
                intake.messages.append((otherwise.encode(), value, headers))
        elif place in calls:
            intake.messages.append((calls[place].encode(), value, headers))
            intake.verdicts.append(Verdict(line, "taken", calls[place]))
        else:
            intake.verdicts.append(Verdict(line, "ignored"))
    return intake


def _is_object(value: bytes) -> bool:
    try:
        return isinstance(orjson.loads(value), dict)
    except orjson.JSONDecodeError:
        return False
