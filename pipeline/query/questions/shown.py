"""A whole call with names as the directory has them now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.directory.model import Directory
from pipeline.warehouse.query.callers import parties


def shown(document: Mapping[str, Any], directory: Directory) -> dict[str, Any]:
    """A copy of the call document, which is of what its caller sees, as is the directory."""
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
    return found
