"""The decks in force and the tenants' numbers: what is asked to price a call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from zlib import crc32

import msgspec

from pipeline.directory.model import Directory, Tenant
from pipeline.rating.deck import Deck, Moment
from pipeline.rating.numbers import Numbering, numbering_of
from pipeline.rating.rating import Price, Rating


class Subject(msgspec.Struct, frozen=True, gc=False):
    """What the price of a call depends on, its duration left out. `started_at` in ms."""

    tenant: str
    number: str
    started_at: int
    direction: str = "outbound"
    trunk: str = ""
    extension: str = ""
    account: str = ""  # when the directory is not to be asked

    @property
    def checksum(self) -> int:
        """The same for the same subject, in whatever process."""
        identity = "\0".join(
            (self.number, str(self.started_at), self.direction, self.trunk, self.extension, self.account)
        )
        return crc32(identity.encode(errors="replace"))


@dataclass(frozen=True, slots=True)
class Order:
    """An order to price calls again that started in [first_ms, end_ms); of all tenants when `tenant` is empty."""

    version: int
    tenant: str
    first_ms: int
    end_ms: int

    def covers(self, tenant: str, started_at: int) -> bool:
        """Whether a call is among them."""
        return self.tenant in ("", tenant) and self.first_ms <= started_at < self.end_ms


class Tariffs:
    """Decks and directories as they were at one time. Not changed after it was made; asked from one thread."""

    def __init__(
        self,
        decks: Iterable[Deck] = (),
        directories: Mapping[str, Directory] | None = None,
        *,
        country: str = "",
        version: int = 0,
        orders: Sequence[Order] = (),
    ) -> None:
        self.version = max([version, *(order.version for order in orders)])
        self.orders = orders
        self.decks = sorted(decks, key=lambda deck: (deck.header.scope.weight, deck.header.version), reverse=True)
        self._directories = directories or {}
        self._country = country
        self._chosen: dict[tuple[str, ...], tuple[Deck, ...]] = {}
        self._numbering: dict[str, Numbering] = {}
        self._empty: dict[str, Directory] = {}
        self._owners: dict[str, dict[str, str]] = {}
        self._inbound = any(deck.header.scope.direction == "inbound" for deck in self.decks)

    def directory(self, tenant: str) -> Directory:
        """The tenant's directory; an empty one when it has none."""
        known = self._directories.get(tenant) or self._empty.get(tenant)
        if known is None:
            known = self._empty[tenant] = Directory(Tenant(tenant))
        return known

    def owners(self, tenant: str) -> dict[str, str] | None:
        """The extension of each number and device of the tenant; None where its directory has neither extensions nor
        numbers dialled from outside. A name that is a trunk's is no device's."""
        known = self._directories.get(tenant)
        if known is None or not (known.extensions or known.dids):
            return None
        found = self._owners.get(tenant)
        if found is None:
            named = {device.name: each.number for each in known.extensions.values() for device in each.devices}
            found = {name: number for name, number in named.items() if name and name not in known.trunks}
            found = self._owners[tenant] = found | {number: number for number in known.extensions}
        return found

    def knows(self, tenant: str) -> bool:
        """Whether anything is known that prices calls of the tenant: decks, or a directory of its own."""
        return bool(self.decks) or tenant in self._directories

    def bills(self, direction: str) -> bool:
        """Whether answered calls of this direction are billed: those that go outside, and with a deck of
        their own those that come in."""
        return direction in ("outbound", "inbound_outbound") or (self._inbound and direction == "inbound")

    def rate(self, subject: Subject) -> Rating | None:
        """How a call is priced. None for an inbound call that no deck is for: nobody bills it."""
        directory = self.directory(subject.tenant)
        account = subject.account or directory.account_of(subject.extension, subject.trunk)
        trunk = directory.trunks.get(subject.trunk)
        number = self.numbering(subject.tenant).read(subject.number, trunk.prefix if trunk is not None else "")
        inbound = subject.direction == "inbound"  # by the number that was called, our own: whoever has it pays for it
        moment = Moment(subject.started_at, directory.tz)
        scope = (subject.tenant, subject.trunk, account, subject.direction)
        silent = frozenset[str]() if inbound else number.silent
        customer = self.find("customer", *scope, number.digits, moment, silent)
        if customer is None and inbound:
            return None
        carrier = self.find("carrier", *scope, number.digits, moment, silent)
        free = customer is None and number.is_free
        return Rating(number.class_, account, subject.checksum, self.version, customer, carrier, free)

    def ordered(self, tenant: str, started_at: int) -> int:
        """Version of the newest order to price a call of that start (ms) again; 0 when there is none."""
        return max((order.version for order in self.orders if order.covers(tenant, started_at)), default=0)

    def numbering(self, tenant: str) -> Numbering:
        """How the tenant's numbers are understood."""
        known = self._numbering.get(tenant)
        if known is None:
            known = self._numbering[tenant] = numbering_of(self.directory(tenant), self._country)
        return known

    def find(
        self,
        kind: str,
        tenant: str,
        trunk: str,
        account: str,
        direction: str,
        digits: tuple[str, ...],
        moment: Moment,
        silent: Set[str] = frozenset(),
    ) -> Price | None:
        """The line of the first deck, in the order of their scopes, that has one for the number.

        Parameters:
            kind: "customer" or "carrier"
            tenant, trunk, account: whose decks count; "" where there is none
            direction: of the call, as in the call document
            digits: spellings of the number, the one to try first in front
            moment: when the call was answered, in the deck's zone
            silent: prefixes whose lines are passed over
        """
        key = (kind, tenant, trunk, account, direction)
        decks = self._chosen.get(key)
        if decks is None:
            if len(self._chosen) > 10_000:
                self._chosen.clear()
            decks = self._chosen[key] = tuple(deck for deck in self.decks if deck.header.scope.fits(*key))
        for deck in decks:
            for number in digits:
                line = deck.find(number, moment, silent)
                if line is not None:
                    return Price(deck.header, line, deck.formula(line.terms))
        return None
