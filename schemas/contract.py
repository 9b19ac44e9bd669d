"""The contract of call events: the model, its JSON Schema, and why a value breaks it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from schemas.event import EARLIEST_MS
from schemas.event_model import CallEvent

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
EVENT_SCHEMA_ID: Final = "urn:cdr:schemas:call-event:v1"

_TIME_FIX: Final = "write RFC 3339 with Z or offset, such as 2026-03-10T12:00:00.000Z, or integer milliseconds"
_SHOWN: Final = 60  # characters of a wrong value that a message repeats


def event_json_schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of a call event."""
    return {"$schema": DIALECT, "$id": EVENT_SCHEMA_ID} | CallEvent.model_json_schema()


def explain(value: bytes) -> list[str]:
    """Why `value` is no call event: one line a problem, `pointer: value what is wrong; what to do`.

    Empty for a valid event. The pointer is a JSON pointer (RFC 6901); "" is the whole value.
    """
    if not value.strip():
        return ["the value is empty; send one JSON object, UTF-8"]
    try:
        text = value.decode()
        decoded = msgspec.json.decode(text)
    except UnicodeDecodeError as error:
        return [f"byte {error.start} is not UTF-8 (0x{value[error.start]:02x}); encode the JSON as UTF-8"]
    except msgspec.DecodeError as error:
        return [f"{_cut(text)} is not JSON ({error}); send one JSON object"]
    except RecursionError:
        return ["the value is nested too deeply; send plain values, and small objects in data"]
    if not isinstance(decoded, dict):
        return [f"{_shown(decoded)} is not an object; send one JSON object for each event, not {_kind(decoded)}"]
    try:
        event = CallEvent.model_validate(decoded)
    except ValidationError as error:
        return list(dict.fromkeys(_line(problem, decoded) for problem in _relevant(error.errors(), decoded)))
    if event.at < EARLIEST_MS:
        return [f"/at: {_shown(decoded['at'])} is {_when(event.at)}, before 2000; {_early_fix(event.at)}"]
    return []


def _line(problem: ErrorDetails, decoded: dict[str, Any]) -> str:
    path = _path(problem["loc"], decoded)
    pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
    return f"{pointer}: {_what(problem, path)}"


def _what(problem: ErrorDetails, path: Sequence[int | str]) -> str:
    kind, shown, context = problem["type"], _shown(problem["input"]), problem.get("ctx", {})
    if kind == "missing":
        return f"is missing; {_missing_fix(path)}"
    if path == ["at"]:
        return f"{shown} {_time_problem(problem['input'])}; {_TIME_FIX}"
    if kind == "literal_error":
        words = context["expected"].replace("'", "")
        return f"{shown} is not a known word; write {words}, or leave the field out"
    if kind == "string_too_long":
        length, most = len(problem["input"]), context["max_length"]
        return f"{shown} has {length} characters; at most {most} are allowed, put long text into data"
    if kind == "string_too_short":
        return f"is empty; {_missing_fix(path)}"
    if problem["input"] is None:
        return "is null; leave the field out instead"
    if kind == "int_type":
        return f"{shown} is {_kind(problem['input'])}; write a whole number without quotes, fraction or exponent"
    if kind == "float_type":
        return f"{shown} is {_kind(problem['input'])}; write a number without quotes"
    if kind == "string_type":
        either = ' or an object {"number": …}' if path in (["caller"], ["callee"]) else ""
        return f"{shown} is {_kind(problem['input'])}; write text in double quotes{either}"
    if kind == "list_type":
        return f"{shown} is {_kind(problem['input'])}; write a list of texts"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return f"{shown} is {_kind(problem['input'])}; write an object"
    return f"{shown}: {_lower(problem['msg'])}; see the schema call-event.v1.json"


def _relevant(problems: Sequence[ErrorDetails], decoded: dict[str, Any]) -> list[ErrorDetails]:
    """Without the complaints of union members that the value was never meant for."""
    kept = []
    for problem in problems:
        location = problem["loc"]
        if location[0] in ("caller", "callee") and len(location) > 1:
            meant = "Party" if isinstance(decoded[str(location[0])], dict) else "str"
            if location[1] != meant:
                continue
        kept.append(problem)
    return kept


def _path(location: Sequence[int | str], decoded: dict[str, Any]) -> list[int | str]:
    """The steps to the value; pydantic names the union member too."""
    if location[0] in ("caller", "callee") and len(location) > 1:
        return [location[0], *location[2:]]
    return list(location)


def _missing_fix(path: Sequence[int | str]) -> str:
    fixes = {
        "type": "name the event type, such as started, rang, answered or ended",
        "at": _TIME_FIX,
        "call_id": "send the id that all events of the call share",
        "tenant": "name the tenant, or leave the field out for the tenant default",
        "method": "name the SIP method, or leave the whole object sip out",
    }
    return fixes.get(str(path[-1]), "leave the field out or fill it")


def _time_problem(value: object) -> str:
    if isinstance(value, str):
        for zone in ("Z", ":00Z"):  # right but for the zone, or the zone and the seconds
            try:
                msgspec.convert(value + zone, dt.datetime)
            except msgspec.ValidationError:
                continue
            return "has no time zone"
        if value.strip().lstrip("-").replace(".", "", 1).isdigit():
            return "is a number in quotes"
        return "is no time"
    if isinstance(value, float):
        return "has a fraction"
    return "is no time" if value is None else f"is {_kind(value)}"


def _early_fix(at: int) -> str:
    if at * 1000 >= EARLIEST_MS:
        return "seconds were sent where milliseconds are meant: multiply by 1000"
    if at == 0:
        return "0 means never: send no event for what did not happen"
    return "set the clock of the node, or send milliseconds since 1970 UTC"


def _when(ms: int) -> str:
    try:
        return dt.datetime.fromtimestamp(ms / 1000, dt.UTC).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return "out of range"


def _kind(value: object) -> str:
    names: dict[type, str] = {str: "text", bool: "a truth value", int: "a number", float: "a number with a fraction"}
    names |= {list: "a list", dict: "an object", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def _shown(value: object) -> str:
    return _cut(msgspec.json.encode(value).decode())


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
