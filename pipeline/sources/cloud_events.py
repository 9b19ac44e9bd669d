"""Call events as CloudEvents 1.0 → the canonical JSON.

https://github.com/cloudevents/spec, Kafka protocol binding. In binary mode the attributes are headers `ce_…` and
the value is the call event; in structured mode the value is the whole envelope, content type
`application/cloudevents+json`. What the call event says itself wins over the attributes.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, Final

import orjson

from schemas.words import EVENT_TYPES

_LONGEST_ID: Final = 256
_STRUCTURED: Final = b"application/cloudevents+json"
_MARK: Final = b'"specversion"'


def canonical(value: bytes, headers: Iterable[tuple[str, bytes]], key: bytes | None) -> bytes:
    """The canonical event that a record holds: its value as it came unless it is a CloudEvent that says more.

    What cannot be understood is given back as it came, for the decoder to say what is wrong with it.
    """
    attributes: dict[str, str] = {}
    kind = b""
    for name, content in headers:
        lower = name.lower()
        if lower.startswith("ce_"):
            attributes[lower[3:]] = content.decode("utf-8", "replace")
        elif lower == "content-type":
            kind = content
    if "specversion" in attributes:
        event = _object(value)
        return value if event is None else _completed(value, event, attributes, key)
    return unwrapped(value, key) if kind.startswith(_STRUCTURED) else value


def unwrapped(value: bytes, key: bytes | None = None) -> bytes:
    """The call event in a structured CloudEvent; the value as it came when it is none."""
    if _MARK not in value:
        return value
    envelope = _object(value)
    if envelope is None or not isinstance(envelope.get("specversion"), str):
        return value
    event = envelope.get("data")
    if isinstance(event, str):
        event = _object(event.encode())
    if not isinstance(event, dict):
        return value
    attributes = {name: text for name, text in envelope.items() if isinstance(text, str) and name != "data"}
    return _completed(orjson.dumps(event), event, attributes, key)


def _completed(value: bytes, event: dict[str, Any], attributes: dict[str, str], key: bytes | None) -> bytes:
    """The event with what only the attributes say."""
    source, id_ = attributes.get("source", ""), attributes.get("id", "")
    found = {
        "type": _type(attributes.get("type", "")),
        "at": attributes.get("time", ""),
        # A CloudEvent is told from others by its source and id together.
        "event_id": _bounded(f"{source}#{id_}" if source else id_) if id_ else "",
        "node": _bounded(source),
        "call_id": attributes.get("partitionkey")
        or (key or b"").decode("utf-8", "replace")
        or attributes.get("subject", ""),
    }
    lacking = {name: text for name, text in found.items() if text and not event.get(name)}
    return orjson.dumps({**event, **lacking}) if lacking else value


def _type(value: str) -> str:
    """`answered` of `com.example.call.answered`."""
    last = value.replace("/", ".").rpartition(".")[2].lower()
    return last if last in EVENT_TYPES else value[:_LONGEST_ID]


def _bounded(text: str) -> str:
    if len(text) <= _LONGEST_ID:
        return text
    return "ce-" + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _object(value: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
