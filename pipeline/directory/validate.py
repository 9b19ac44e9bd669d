"""Raw mappings, from a file or a request, to entries of the directory. Pure.

Every fault names the entry, the field, the value, and what to write instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

from pipeline.directory.checks import (
    Check,
    choice,
    country,
    digits,
    mail,
    many,
    number,
    picture,
    prefix,
    shown,
    text,
    whole,
    zone,
)
from pipeline.directory.model import (
    PLURALS,
    Company,
    Device,
    DialPlan,
    Did,
    Directory,
    Display,
    Entry,
    Extension,
    ExtensionGroup,
    Queue,
    RingGroup,
    Tenant,
    Trunk,
)
from pipeline.errors import CdrError

_MOST_FAULTS: Final = 20  # of one entry: who sends a thousand is told enough by some
DATES: Final = ("MM/DD/YYYY", "DD/MM/YYYY", "YYYY/MM/DD", "MM-DD-YYYY", "DD-MM-YYYY", "YYYY-MM-DD")


class InvalidEntry(CdrError, ValueError):
    """What is wrong with a mapping: faults as (field, value, what to write)."""

    def __init__(self, faults: list[tuple[str, object, str]]) -> None:
        super().__init__("; ".join(f"{field} {shown(value)} {fix}" for field, value, fix in faults))
        self.faults = faults


def _nested(class_: type[Any]) -> Check:
    def check(value: object) -> Any:
        if value is None or value == "":
            return class_()
        if not isinstance(value, Mapping):
            raise ValueError(f"is no mapping; write the fields {', '.join(FIELDS[class_])}")
        return _made(class_, value)

    return check


def _device(value: object) -> Device | None:
    """A mapping, or id/port=name in one text."""
    if isinstance(value, Mapping):
        return _made(Device, value)  # type: ignore[no-any-return]
    plain: str = text()(value)
    rest, _, name = plain.partition("=")
    id_, _, port = rest.partition("/")
    return _made(Device, {"id": id_, "port": port, "name": name}) if plain else None


FIELDS: Final[Mapping[type[Any], Mapping[str, Check]]] = {
    Display: {"date": choice(*DATES), "time": choice("24h", "12h"), "hour_width": whole(1, 2, "digits")},
    DialPlan: {
        "country": country,
        "trunk_prefixes": many(digits),
        "international_prefix": digits,
        "area_code": prefix,
        "local_prefixes": many(prefix),
        "emergency": many(digits),
        "features": many(digits),
    },
    Device: {"id": text(64), "name": text(), "port": text(16)},
    Tenant: {
        "id": text(),
        "name": text(),
        "domain": text(255),
        "zone": zone,
        "country": country,
        "billed_account": text(),
        "logo": picture,
        "display": _nested(Display),
        "dial_plan": _nested(DialPlan),
    },
    Company: {"id": text(64), "name": text(), "account": text()},
    Extension: {
        "number": number,
        "name": text(),
        "user": text(),
        "email": mail,
        "company": text(64),
        "groups": many(text()),
        "devices": many(_device),
        "account": text(),
    },
    ExtensionGroup: {"name": text(), "members": many(number), "id": text(64)},
    Trunk: {
        "name": text(),
        "carrier": text(),
        "numbers": many(number),
        "account": text(),
        "prefix": digits,
        "channels": whole(0, 1_000_000, "channels"),
    },
    Queue: {"number": number, "name": text(), "sla_s": whole(0, 86_400, "seconds"), "members": many(number)},
    RingGroup: {"number": number, "name": text(), "members": many(number)},
    Did: {"number": number, "name": text(), "target": number},
}  # fmt: skip


def entry(class_: type[Entry], raw: Mapping[Any, Any]) -> Entry:
    """The entry that a mapping tells; fields left out have their defaults. Raises InvalidEntry."""
    return _made(class_, raw)  # type: ignore[no-any-return]


def _made(class_: type[Any], raw: Mapping[Any, Any]) -> Any:
    checks = FIELDS[class_]
    key = next(iter(checks))
    faults: list[tuple[str, object, str]] = []
    values: dict[str, Any] = {}
    for name, value in raw.items():
        if len(faults) >= _MOST_FAULTS:
            break
        check = checks.get(name)
        if check is None:
            near = get_close_matches(str(name), checks, 1, 0.6)
            fix = f"write {near[0]}" if near else f"there are {', '.join(checks)}"
            faults.append((shown(name)[1:-1], value, f"is of a field that is not known here; {fix}"))
            continue
        if value is None:
            continue  # as if left out
        try:
            values[name] = check(value)
        except InvalidEntry as nested:
            faults += [(f"{name}.{field}", held, fix) for field, held, fix in nested.faults]
        except ValueError as error:
            faults.append((name, value, str(error)))
    if class_ not in (Display, DialPlan) and not values.get(key) and not any(field == key for field, _, _ in faults):
        faults.append((key, raw.get(key, ""), "is missing; every entry needs it"))
    if faults:
        raise InvalidEntry(faults)
    return class_(**values)


def dangling(directory: Directory) -> list[str]:
    """What entries say of other entries that are not there, or say twice; each with its fix."""
    found = []
    for extension in directory.extensions.values():
        if extension.company and extension.company not in directory.companies:
            found.append(
                f"extension {extension.number}: company {extension.company!r} is none of"
                f" {_some(directory.companies)}; add it to {PLURALS['company']}"
            )
    for group in directory.groups.values():
        missing = [member for member in group.members if member not in directory.extensions]
        if missing:
            found.append(
                f"group {group.name}: members {_some(missing)} are no extensions;"
                f" add them to {PLURALS['extension']} or take them out of the group"
            )
    lines = Counter(
        (device.id, device.port) for extension in directory.extensions.values() for device in extension.devices
    )
    for (id_, port), times in lines.items():
        if times > 1:
            owners = [
                extension.number
                for extension in directory.extensions.values()
                if any((device.id, device.port) == (id_, port) for device in extension.devices)
            ]
            found.append(
                f"device {id_}{'/' + port if port else ''} belongs to the extensions {_some(owners)};"
                " give it to one, or give each its port"
            )
    return found


def _some(names: Iterable[str]) -> str:
    listed = [repr(name) for name in names]
    more = f" and {len(listed) - 5} more" if len(listed) > 5 else ""
    return ", ".join(listed[:5]) + more if listed else "none at all"
