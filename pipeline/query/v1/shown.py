"""A whole call as its caller sees it: names as the directory has them now, numbers masked where they must be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pipeline.directory.model import Directory
from pipeline.query.v1.fields import masked

_NUMBERS: Final = ("requested", "destination", "answered_by", "did", "outbound_caller_id")
# What the PBX's own parts hold: whatever looks like a number there, ids aside.
_NUMBER: Final = re.compile(r"\+?\d{7,}", re.ASCII)
_PARTS: Final = ("legs", "reroutes", "queue_visits", "recordings")


def shown(document: Mapping[str, Any], directory: Directory, *, is_masked: bool) -> dict[str, Any]:
    """A copy of the call document."""
    found = dict(document)
    for side in ("caller", "callee"):
        party = dict(found[side])
        party["name"] = name_of(directory, party["extension"]) or party["name"]
        found[side] = party
    found["logs"] = [{**log, "name": name_of(directory, log["number"]) or log["name"]} for log in found["logs"]]
    return _masked(found) if is_masked else found


def name_of(directory: Directory, number: str) -> str:
    """The directory's name of an extension, queue or ring group; "" when it has none."""
    for named in (directory.extensions, directory.queues, directory.ring_groups):
        entry = named.get(number)
        if entry is not None and entry.name:
            return entry.name
    return ""


def _masked(document: dict[str, Any]) -> dict[str, Any]:
    found = dict(document)
    for name in _NUMBERS:
        found[name] = masked(found[name]) if found[name] else found[name]
    for side in ("caller", "callee"):
        found[side] = {**found[side], "number": masked(found[side]["number"])}
    found["logs"] = [{**log, "number": masked(log["number"])} for log in found["logs"]]
    found["missed_by"] = [masked(number) for number in found["missed_by"]]
    for part in _PARTS:
        found[part] = _inside(found[part])
    return found


def _inside(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: inner if str(key).endswith("id") else _inside(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_inside(each) for each in value]
    if isinstance(value, str):
        return _NUMBER.sub(lambda match: masked(match[0]), value)
    return value
