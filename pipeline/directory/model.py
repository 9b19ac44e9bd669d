"""The directory of one tenant as frozen dataclasses. Pure: no store, no files.

Numbers are texts as the PBX writes them. Lists are tuples. An empty text means "not said".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Display:
    """How vendor dialects write local times. `date`: MM/DD/YYYY, DD/MM/YYYY, YYYY/MM/DD, MM-DD-YYYY,
    DD-MM-YYYY or YYYY-MM-DD. `time`: 24h or 12h. `hour_width`: digits of the hours in a duration, 1 or 2."""

    date: str = "MM/DD/YYYY"
    time: str = "24h"
    hour_width: int = 2


@dataclass(frozen=True, slots=True)
class DialPlan:
    """What the numbers that people dial mean. Asked before any national numbering plan.

    `country`: ISO 3166 country of numbers without country code; the tenant's when empty.
    `trunk_prefixes`: digits dialled for an outside line ("9", "0"), taken off before anything else.
    `international_prefix`: dialled before a country code; the country's own ("00", "011") when empty.
    `area_code`: put before numbers dialled without one; no leading 0.
    `local_prefixes`: E.164 digits that count as LOCAL; the area codes of the DIDs when empty.
    `emergency`: emergency numbers besides the country's own. `features`: beginnings of feature codes.
    """

    country: str = ""
    trunk_prefixes: tuple[str, ...] = ()
    international_prefix: str = ""
    area_code: str = ""
    local_prefixes: tuple[str, ...] = ()
    emergency: tuple[str, ...] = ()
    features: tuple[str, ...] = ("*", "#")


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose directory it is. `zone`: IANA time zone. `billed_account`: pays what no one else is named for. `logo`:
    picture on top of reports, a data: URI."""

    id: str
    name: str = ""
    domain: str = ""
    zone: str = "UTC"
    country: str = ""
    billed_account: str = ""
    display: Display = Display()
    dial_plan: DialPlan = DialPlan()
    logo: str = ""

    @property
    def tz(self) -> ZoneInfo:
        """The zone, ready for use (zoneinfo caches it)."""
        return ZoneInfo(self.zone)


@dataclass(frozen=True, slots=True)
class Company:
    """A company within a tenant. `account` pays for its calls."""

    id: str
    name: str = ""
    account: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """A phone. `id`: its MAC address or another unique id; `port`: line of a device with several;
    `name`: the SIP user it registers as."""

    id: str
    name: str = ""
    port: str = ""


@dataclass(frozen=True, slots=True)
class Extension:
    """An extension and who owns it. `account` pays for its calls before company and tenant do."""

    number: str
    name: str = ""
    user: str = ""
    email: str = ""
    company: str = ""
    groups: tuple[str, ...] = ()
    devices: tuple[Device, ...] = ()
    account: str = ""


@dataclass(frozen=True, slots=True)
class ExtensionGroup:
    """A group of extensions: what reports and searches are narrowed to. `id` is another name for it."""

    name: str
    members: tuple[str, ...] = ()
    id: str = ""


@dataclass(frozen=True, slots=True)
class Trunk:
    """A trunk. `prefix`: digits that the trunk wants before the number, taken off before rating.
    `account` pays for calls over it; `numbers` are shown or answered on it. `channels`: calls that it carries at
    once; 0 when not said."""

    name: str
    carrier: str = ""
    numbers: tuple[str, ...] = ()
    account: str = ""
    prefix: str = ""
    channels: int = 0


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue. `sla_s`: a caller who waits longer breaches the service level, seconds."""

    number: str
    name: str = ""
    sla_s: int = 20
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RingGroup:
    """A ring group."""

    number: str
    name: str = ""
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Did:
    """A number that the outside dials. `target`: the extension, queue, ring group or IVR it leads to."""

    number: str
    name: str = ""
    target: str = ""


Entry = Tenant | Company | Extension | ExtensionGroup | Trunk | Queue | RingGroup | Did
Key = tuple[str, str]  # kind, key

# Kind → its class. The key of an entry is its first field.
KINDS: Final[Mapping[str, type[Entry]]] = {
    "tenant": Tenant,
    "company": Company,
    "extension": Extension,
    "group": ExtensionGroup,
    "trunk": Trunk,
    "queue": Queue,
    "ring_group": RingGroup,
    "did": Did,
}
_KIND_OF: Final = {class_: kind for kind, class_ in KINDS.items()}
# Kind → the name of its list in files, paths and `Directory`.
PLURALS: Final[Mapping[str, str]] = {
    "tenant": "tenants",
    "company": "companies",
    "extension": "extensions",
    "group": "groups",
    "trunk": "trunks",
    "queue": "queues",
    "ring_group": "ring_groups",
    "did": "dids",
}


def key_of(entry: Entry) -> str:
    """What identifies an entry within its tenant and kind."""
    match entry:
        case Tenant() | Company():
            return entry.id
        case ExtensionGroup() | Trunk():
            return entry.name
        case _:
            return entry.number


def kind_of(entry: Entry) -> str:
    """The kind of an entry."""
    return _KIND_OF[type(entry)]


@dataclass(frozen=True, slots=True)
class Directory:
    """Everything known about one tenant. Look-ups are dicts by id, number or name.

    An extension may name its groups and a group its members: both say the same, and both sides
    know it here. `version` grows with every change; 0 for an empty directory.
    """

    tenant: Tenant
    companies: Mapping[str, Company] = field(default_factory=dict)
    extensions: Mapping[str, Extension] = field(default_factory=dict)
    groups: Mapping[str, ExtensionGroup] = field(default_factory=dict)
    trunks: Mapping[str, Trunk] = field(default_factory=dict)
    queues: Mapping[str, Queue] = field(default_factory=dict)
    ring_groups: Mapping[str, RingGroup] = field(default_factory=dict)
    dids: Mapping[str, Did] = field(default_factory=dict)
    version: int = 0

    @property
    def dial_plan(self) -> DialPlan:
        """The dial plan, its country filled in from the tenant."""
        plan = self.tenant.dial_plan
        return plan if plan.country else replace(plan, country=self.tenant.country)

    @property
    def tz(self) -> ZoneInfo:
        """The tenant's zone."""
        return self.tenant.tz

    def entries(self) -> dict[tuple[str, str], Entry]:
        """Every entry by (kind, key), the tenant first."""
        found: dict[tuple[str, str], Entry] = {("tenant", self.tenant.id): self.tenant}
        for kind in KINDS:
            if kind != "tenant":
                listed: Mapping[str, Entry] = getattr(self, PLURALS[kind])
                found.update({(kind, key): entry for key, entry in listed.items()})
        return found

    def name_of(self, number: str) -> str:
        """The name of an extension, queue, ring group or DID; "" when it has none."""
        for named in (self.extensions, self.queues, self.ring_groups, self.dids):
            entry = named.get(number)
            if entry is not None and entry.name:
                return entry.name
        return ""

    def members(self, group: str) -> tuple[str, ...]:
        """The extensions of a group, by its name or id; none when there is no such group."""
        found = self.groups.get(group) or next((one for one in self.groups.values() if one.id == group), None)
        return found.members if found is not None and group else ()

    def account_of(self, extension: str, trunk: str) -> str:
        """Who pays for a call: the extension's account, its company's, the trunk's, the tenant's."""
        owner = self.extensions.get(extension)
        if owner is not None:
            if owner.account:
                return owner.account
            company = self.companies.get(owner.company)
            if company is not None and company.account:
                return company.account
        line = self.trunks.get(trunk)
        return line.account if line is not None and line.account else self.tenant.billed_account


def build(tenant: str, entries: Mapping[Key, Entry], version: int = 0) -> Directory:
    """A directory of entries by (kind, key). Extensions and groups learn of each other."""
    lists: dict[str, dict[str, Entry]] = {kind: {} for kind in KINDS}
    for (kind, key), entry in sorted(entries.items()):
        lists[kind][key] = entry
    groups, extensions = lists["group"], lists["extension"]
    for extension in list(extensions.values()):
        assert isinstance(extension, Extension)
        for name in extension.groups:
            group = groups.get(name) or ExtensionGroup(name)
            assert isinstance(group, ExtensionGroup)
            if extension.number not in group.members:
                group = replace(group, members=(*group.members, extension.number))
            groups[name] = group
    for group in groups.values():
        assert isinstance(group, ExtensionGroup)
        for number in group.members:
            member = extensions.get(number)
            if isinstance(member, Extension) and group.name not in member.groups:
                extensions[number] = replace(member, groups=(*member.groups, group.name))
    whose = lists["tenant"].get(tenant)
    named = {PLURALS[kind]: listed for kind, listed in lists.items() if kind != "tenant"}
    return Directory(whose if isinstance(whose, Tenant) else Tenant(tenant), **named, version=version)  # type: ignore[arg-type]
