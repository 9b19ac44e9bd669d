"""The PBX nodes that a bridge reads: `[name=][user:password@]host[:port]`, comma-separated."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from pipeline.errors import USAGE, Problem

_ENTRY: Final = re.compile(
    r"(?:(?P<name>[^=@,\s]{1,56})=)?"
    r"(?:(?P<login>[^@,]*)@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:@,\s=\[\]]+)"
    r"(?::(?P<port>\d{1,5}))?"
)


@dataclass(frozen=True, slots=True)
class Node:
    """Where a node is and how to log in. `name` stands in logs, metrics and, for Asterisk, in its events."""

    name: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)


def nodes(setting_value: str, *, port: int, user: str, password: str, setting: str) -> list[Node]:
    """The nodes of a setting, with what it leaves out. Raises Problem."""
    found: list[Node] = []
    for entry in (part.strip() for part in setting_value.split(",")):
        if not entry:
            continue
        match = _ENTRY.fullmatch(entry)
        if match is None or not 0 < int(match["port"] or port) < 65536:
            shown = entry.rpartition("@")[2]
            raise Problem(
                f"{setting}: {shown[:80]!r} is no node.", hint="Write [name=][password@]host[:port].", code=USAGE
            )
        first, colon, rest = (match["login"] or "").partition(":")
        own_user, own_password = (first, rest) if colon else (user, first)
        host = match["host"].strip("[]")
        found.append(
            Node(match["name"] or host, host, int(match["port"] or port), own_user or user, own_password or password)
        )
    if not found:
        raise Problem(f"{setting} names no node.", hint="Write [name=][password@]host[:port].", code=USAGE)
    names = [node.name for node in found]
    if len(set(names)) < len(names):
        raise Problem(
            f"{setting}: two nodes are called {next(name for name in names if names.count(name) > 1)!r}.",
            hint="Give them names: name=host:port.",
            code=USAGE,
        )
    return found
