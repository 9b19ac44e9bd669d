"""A whole call as its caller sees it: names as the directory has them now, numbers masked where they must be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from pipeline.directory.model import Directory
from pipeline.query.v1.fields import masked
from pipeline.warehouse.query.callers import parties

_NUMBERS: Final = ("requested", "destination", "answered_by", "did", "outbound_caller_id")
# What the PBX's own parts hold: whatever looks like a number there, ids aside.
_NUMBER: Final = re.compile(r"\+?\d{7,}", re.ASCII)
_PARTS: Final = ("legs", "reroutes", "queue_visits", "recordings")


def shown(document: Mapping[str, Any], directory: Directory, *, is_masked: bool) -> dict[str, Any]:
    """A copy of the call document."""
    found = dict(document)
    caller, callee = dict(found["caller"]), dict(found["callee"])
    made_by, _ = parties(found["direction"], caller["number"], caller["extension"], "")
    caller["name"] = directory.name_of(made_by) or caller["name"]
    callee["name"] = directory.name_of(callee["extension"] or callee["number"]) or callee["name"]
    found |= {"caller": caller, "callee": callee}
    found["logs"] = [{**log, "name": directory.name_of(log["number"]) or log["name"]} for log in found["logs"]]
    found["queue_visits"] = [
        {**visit, "queue": directory.name_of(visit.get("number") or "") or visit.get("queue")}
        for visit in found["queue_visits"]
    ]
    return _masked(found) if is_masked else found


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
