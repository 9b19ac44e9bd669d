"""The directory as files: YAML of one tenant or several, or CSV of one kind of entry or several.

YAML scalars are read as texts: 0101 stays 0101 and +44 keeps its plus.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Final

import yaml

from pipeline.directory.model import KINDS, PLURALS, Entry, Key, key_of
from pipeline.directory.validate import FIELDS, InvalidEntry, entry
from pipeline.errors import USAGE, Problem

_LISTS: Final = {plural: kind for kind, plural in PLURALS.items() if kind != "tenant"}
_MOST_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file wants of a tenant: entries, and the kinds that it lists whole (for --prune)."""

    entries: dict[Key, Entry]
    kinds: frozenset[str]


class _Faults:
    """The faults of a file, told all at once."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._told: list[str] = []

    def add(self, fault: str) -> None:
        self._told.append(fault)

    def raise_if_any(self) -> None:
        if not self._told:
            return
        listed = "".join(f"\n  {fault}" for fault in self._told[:_MOST_SHOWN])
        more = len(self._told) - _MOST_SHOWN
        raise Problem(
            f"{self._file} was not loaded, {len(self._told)} of its values are wrong:{listed}"
            + (f"\n  and {more} more" if more > 0 else ""),
            code=USAGE,
        )


def parse(body: str, file: str, tenant: str = "") -> dict[str, Wanted]:
    """What a file of this name and text wants, by tenant; `tenant` is whose it is when the text does not say.

    Raises Problem, which names every value that is wrong and what to write instead.
    """
    faults = _Faults(file)
    csv_text = file.lower().endswith(".csv")
    found = _csv(body, tenant, faults) if csv_text else _yaml(body, file, tenant, faults)
    faults.raise_if_any()
    return found


def _yaml(body: str, file: str, tenant: str, faults: _Faults) -> dict[str, Wanted]:
    try:
        top = yaml.load(body, Loader=_Texts)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark is not None else ""
        what = getattr(error, "problem", None) or "it cannot be read"
        raise Problem(f"{file} is no YAML{where}: {what}.", hint="Mend that line.", code=USAGE) from None
    if not isinstance(top, dict):
        raise Problem(
            f"{file} is no mapping.", hint="Begin with tenant: or tenants:, see docs/directory.md.", code=USAGE
        )
    if "tenants" in top:
        sections = top["tenants"]
        if len(top) > 1 or not isinstance(sections, list) or not all(isinstance(one, dict) for one in sections):
            raise Problem(
                f"{file}: tenants stands beside other fields, or is no list of mappings.",
                hint="Put everything of a tenant under its item of tenants.",
                code=USAGE,
            )
    else:
        whose = top.pop("tenant", None)
        sections = [(whose if isinstance(whose, dict) else {"id": whose} if whose else {}) | top]
    found: dict[str, Wanted] = {}
    for place, section in enumerate(sections):
        of = section.get("id") or tenant
        if not of:
            faults.add(f"tenants[{place}]: id is missing; write whose directory it is, or give --tenant")
        elif of in found:
            faults.add(f"tenants[{place}]: id {of!r} stands twice; put everything of it into one item")
        else:
            found[of] = _section(of, section, faults)
    return found


class _Texts(yaml.BaseLoader):
    """Texts, lists and mappings; a key that stands twice in a mapping is refused, not overwritten."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(problem=f"{key!r} stands twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def _section(tenant: str, section: Mapping[str, Any], faults: _Faults) -> Wanted:
    """Everything that a file says of one tenant."""
    entries: dict[Key, Entry] = {}
    own = {name: value for name, value in section.items() if name not in _LISTS and name != "id"}
    if own:
        _take(entries, "tenant", own | {"id": tenant}, f"tenant {tenant}", faults)
    kinds = set()
    for plural, kind in _LISTS.items():
        listed = section.get(plural)
        if plural not in section:
            continue
        kinds.add(kind)
        if isinstance(listed, dict):  # by key
            key = next(iter(FIELDS[KINDS[kind]]))
            listed = [{key: name} | (value if isinstance(value, dict) else {}) for name, value in listed.items()]
        if listed in ("", None):
            listed = []
        if not isinstance(listed, list):
            faults.add(f"tenant {tenant}: {plural} {listed!r} is no list; write one item a line, beginning with -")
            continue
        for place, raw in enumerate(listed):
            where = f"{plural}[{place}]"
            if isinstance(raw, str):
                raw = {next(iter(FIELDS[KINDS[kind]])): raw}
            if not isinstance(raw, dict):
                faults.add(f"{where}: {raw!r} is no mapping; write {', '.join(FIELDS[KINDS[kind]])}")
                continue
            _take(entries, kind, raw, where, faults)
    return Wanted(entries, frozenset(kinds))


def _csv(body: str, tenant: str, faults: _Faults) -> dict[str, Wanted]:
    """One entry a row. The column `kind` says what it is (extension when there is none), `tenant` whose."""
    rows = csv.DictReader(io.StringIO(body, newline=""))
    entries: dict[str, dict[Key, Entry]] = {}
    kinds: dict[str, set[str]] = {}
    for row in rows:
        line = f"line {rows.line_num}"
        if None in row:
            faults.add(f"{line}: has more values than the header has columns; quote values that hold commas")
            continue
        given = {(name or "").strip().lower(): value for name, value in row.items() if value not in (None, "")}
        if not given:
            continue
        of = given.pop("tenant", "") or tenant
        kind = given.pop("kind", "extension").strip().lower()
        kind = _LISTS.get(kind, "tenant" if kind == "tenants" else kind)
        if kind not in KINDS:
            faults.add(f"{line}: kind {kind!r} is none of {', '.join(KINDS)}")
        elif not of:
            faults.add(f"{line}: tenant is missing; add the column tenant, or give --tenant")
        else:
            kinds.setdefault(of, set()).add(kind)
            raw: dict[str, Any] = {"id": of} if kind == "tenant" else {}
            for name, value in given.items():  # display.time, dial_plan.area_code
                outer, dot, inner = name.partition(".")
                if dot:
                    raw.setdefault(outer, {})[inner] = value
                else:
                    raw[name] = value
            _take(entries.setdefault(of, {}), kind, raw, line, faults)
    return {of: Wanted(found, frozenset(kinds[of] - {"tenant"})) for of, found in entries.items()}


def _take(entries: dict[Key, Entry], kind: str, raw: Mapping[str, Any], where: str, faults: _Faults) -> None:
    try:
        made = entry(KINDS[kind], raw)
    except InvalidEntry as invalid:
        key = raw.get(next(iter(FIELDS[KINDS[kind]])), "")
        named = f"{where} ({key})" if key and kind != "tenant" else where
        for fault in invalid.faults:
            faults.add(f"{named}: {InvalidEntry([fault])}")
        return
    if (kind, key_of(made)) in entries:
        faults.add(f"{where}: {kind} {key_of(made)!r} stands twice; keep one")
    entries[kind, key_of(made)] = made


def export(directories: Mapping[str, Mapping[Key, Entry]]) -> str:
    """YAML that `parse` understands, defaults left out."""
    sections = []
    for tenant, entries in directories.items():
        section: dict[str, Any] = {"id": tenant}
        own = entries.get(("tenant", tenant))
        if own is not None:
            section |= plain(own)
        for kind, plural in PLURALS.items():
            listed = [plain(one) for (of, _), one in sorted(entries.items()) if of == kind]
            if kind != "tenant" and listed:
                section[plural] = listed
        sections.append(section)
    body = {"tenants": sections}
    return yaml.dump(body, Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True, width=120)


def plain(value: Any, *, whole: bool = False) -> dict[str, Any]:
    """A dataclass as a mapping of texts, lists and mappings; what has its default is left out unless `whole`."""
    shown: dict[str, Any] = {}
    for field in fields(value):
        held = getattr(value, field.name)
        if not whole and held == field.default:
            continue
        if isinstance(held, tuple):
            held = [plain(item, whole=whole) if is_dataclass(item) else item for item in held]
        shown[field.name] = plain(held, whole=whole) if is_dataclass(held) else held
    return shown
