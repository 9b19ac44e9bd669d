"""The difference between a directory and what a file wants of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.directory.files import Wanted, plain
from pipeline.directory.model import Entry, Key

ADD: Final = "add"
CHANGE: Final = "change"
REMOVE: Final = "remove"


@dataclass(frozen=True, slots=True)
class Change:
    """One entry that is added, changed or removed."""

    action: str
    kind: str
    key: str
    before: Entry | None
    after: Entry | None

    def row(self, tenant: str) -> dict[str, Any]:
        """The change as commands print it: each field that differs with both its values."""
        return {"action": self.action, "tenant": tenant, "kind": self.kind, "key": self.key, "fields": self._fields()}

    def _fields(self) -> str:
        before = {} if self.before is None else plain(self.before, whole=self.after is not None)
        after = {} if self.after is None else plain(self.after, whole=self.before is not None)
        lines = []
        for name in dict.fromkeys((*before, *after)):
            old, new = before.get(name), after.get(name)
            if old == new or (self.action == ADD and new == self.key):
                continue
            if self.action == CHANGE:
                lines.append(f"{name}: {_shown(old)} -> {_shown(new)}")
            elif self.action == ADD:
                lines.append(f"{name}: {_shown(new)}")
        return "; ".join(lines)


def difference(now: Mapping[Key, Entry], wanted: Wanted, *, prune: bool = False) -> list[Change]:
    """What must change so that the directory has every entry of the file as the file has it.

    `prune` also takes out what the file's lists do not have; lists that the file lacks stay.
    """
    changes = []
    for (kind, key), entry in wanted.entries.items():
        before = now.get((kind, key))
        if before != entry:
            changes.append(Change(ADD if before is None else CHANGE, kind, key, before, entry))
    if prune:
        for (kind, key), entry in now.items():
            if kind in wanted.kinds and (kind, key) not in wanted.entries:
                changes.append(Change(REMOVE, kind, key, entry, None))
    return sorted(changes, key=lambda change: (change.kind, change.key))


def applied(now: Mapping[Key, Entry], changes: list[Change]) -> dict[Key, Entry]:
    """The entries after the changes."""
    entries = dict(now)
    for change in changes:
        if change.after is None:
            entries.pop((change.kind, change.key), None)
        else:
            entries[change.kind, change.key] = change.after
    return entries


def _shown(value: Any) -> str:
    text = "-" if value in ("", None, []) else str(value)
    return text if len(text) <= 80 else text[:77] + "…"
