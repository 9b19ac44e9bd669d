"""Values of FreeSWITCH headers: times, numbers, names, lists."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from pipeline.sources.visible import visible

LONGEST_TEXT: Final = 1024


def microseconds(text: str) -> int:
    """Text of microseconds → a number; 0 for never and for what is no time."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else 0


def clean(value: str) -> str:
    """A name as people read it, bounded. Nothing is decoded: event-socket JSON is never URL-encoded
    (switch_event_serialize_json), and mod_sofia decodes what came in SIP (check_decode)."""
    return value.strip()[:LONGEST_TEXT] if value not in ("_undef_", "") else ""


def number_of(value: str) -> str:
    """A number as people dial it, bounded."""
    return visible(clean(value))


def agent(name: str) -> str:
    """The number of an agent `1003@pbx.example`, "" where agents are named otherwise."""
    user = name.partition("@")[0]
    return number_of(user) if user.lstrip("+*#").isdigit() else ""


def items(value: Any) -> Iterable[str]:
    """The values of a header that may repeat."""
    if isinstance(value, list):
        return [as_text(item) for item in value]
    text = "" if value is None else as_text(value)
    return text.removeprefix("ARRAY::").split("|:") if text else []


def as_text(value: Any) -> str:
    """A value of any JSON type as FreeSWITCH writes it; "" for what is no value."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, list):
        return "ARRAY::" + "|:".join(as_text(item) for item in value if not isinstance(item, (list, dict)))
    return ""
