"""A tariff deck: lines found by the longest prefix that holds when a call starts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import msgspec

from pipeline.rating.bands import Band, parse
from pipeline.rating.formula import DECIMALS, Formula, Terms

_HEAD: Final = 5  # first digits by which the lengths of prefixes are told apart
KINDS: Final = ("customer", "carrier")
DIRECTIONS: Final = ("", "outbound", "inbound_outbound", "inbound")


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of a deck. `first` and `last` bound the starts of calls it holds for, first ≤ start < last: as
    wall-clock texts (YYYY-MM-DDTHH:MM:SS, in the tenant's zone) or, ending in Z, as instants; "" for no bound."""

    prefix: str
    destination: str
    terms: Terms
    currency: str = ""
    first: str = ""
    last: str = ""
    band: str = ""
    number: int = 0  # line in its file

    @property
    def always(self) -> bool:
        """Whether it holds at any time."""
        return not (self.first or self.last or self.band)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which calls a deck is for; "" stands for any. `kind`: customer (what is billed) or carrier (what it costs us)."""

    kind: str = "customer"
    tenant: str = ""
    trunk: str = ""
    account: str = ""
    direction: str = ""

    @property
    def weight(self) -> tuple[bool, bool, bool, bool]:
        """Of two decks that fit, the one that says more is used: account, then trunk, direction, tenant."""
        return bool(self.account), bool(self.trunk), bool(self.direction), bool(self.tenant)

    def fits(self, kind: str, tenant: str, trunk: str, account: str, direction: str) -> bool:
        """Whether a call is in its scope."""
        return (
            self.kind == kind
            and self.tenant in ("", tenant)
            and self.trunk in ("", trunk)
            and self.account in ("", account)
            and (self.direction == direction if direction == "inbound" else self.direction in ("", direction))
        )


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a deck besides its lines. `version` grows with every load."""

    name: str
    scope: Scope = Scope()
    decimals: int = DECIMALS
    rounding: str = "half_up"
    bands: Mapping[str, str] = field(default_factory=dict)
    version: int = 0


class Moment:
    """The start of a call (ms), as instant and as wall-clock time of the tenant's zone, both worked out when asked."""

    def __init__(self, ms: int, zone: dt.tzinfo) -> None:
        self._ms, self._zone = ms, zone

    @cached_property
    def local(self) -> dt.datetime:
        """Wall-clock time."""
        return dt.datetime.fromtimestamp(self._ms // 1000, self._zone)

    @cached_property
    def wall(self) -> str:
        """Wall-clock time as comparable text."""
        return f"{self.local:%Y-%m-%dT%H:%M:%S}"

    @cached_property
    def instant(self) -> str:
        """UTC as comparable text."""
        return f"{dt.datetime.fromtimestamp(self._ms // 1000, dt.UTC):%Y-%m-%dT%H:%M:%S}Z"

    def before(self, bound: str) -> bool:
        """Whether it is earlier than a bound of a line."""
        return (self.instant if bound[-1] == "Z" else self.wall) < bound


class Deck:
    """Lines by prefix. Lines that do not always hold (dates, bands) are a tuple, the most special first."""

    __slots__ = ("_bands", "_formulas", "_lengths", "_lines", "_short", "header", "size")

    def __init__(self, header: Header, lines: Iterable[Line]) -> None:
        self.header = header
        found: dict[str, Line | tuple[Line, ...]] = {}
        several: set[str] = set()
        self.size = 0
        for line in lines:
            self.size += 1
            held = found.get(line.prefix)
            if held is None:
                found[line.prefix] = line if line.always else (line,)
            else:
                found[line.prefix] = (*held, line) if isinstance(held, tuple) else (held, line)
                several.add(line.prefix)
        for prefix in several:
            held = found[prefix]
            assert isinstance(held, tuple)
            found[prefix] = tuple(sorted(held, key=_special, reverse=True))
        self._lines = found
        self._short, self._lengths = _lengths(found)
        self._bands: dict[str, Band | None] = {}
        self._formulas: dict[int, Formula] = {}  # by the identity of terms, which live as long as their lines

    def find(self, number: str, moment: Moment, silent: Set[str] = frozenset()) -> Line | None:
        """The line for a number (digits), by the longest prefix with a line that holds at the moment; lines of the
        prefixes in `silent` are passed over."""
        lines = self._lines
        for length in self._lengths.get(number[:_HEAD], self._short):
            held = lines.get(number[:length])
            if held is None or (silent and number[:length] in silent):
                continue
            if type(held) is Line:
                return held
            for line in held:  # type: ignore[union-attr]
                if line.always or self._holds(line, moment):
                    return line
        return None

    def formula(self, terms: Terms) -> Formula:
        """The formula of a line's terms, worked out once."""
        known = self._formulas.get(id(terms))
        if known is None:
            known = self._formulas[id(terms)] = Formula(terms, self.header.decimals, self.header.rounding)
        return known

    def lines(self) -> Iterable[Line]:
        """All lines."""
        for held in self._lines.values():
            if isinstance(held, tuple):
                yield from held
            else:
                yield held

    def _holds(self, line: Line, moment: Moment) -> bool:
        if (line.first and moment.before(line.first)) or (line.last and not moment.before(line.last)):
            return False
        if not line.band:
            return True
        if line.band not in self._bands:
            self._bands[line.band] = parse(line.band, self.header.bands)
        band = self._bands[line.band]
        return band is None or band.holds(moment.local)


def _lengths(prefixes: Iterable[str]) -> tuple[tuple[int, ...], dict[str, tuple[int, ...]]]:
    """Which lengths of prefixes to try, the longest first: of any number, and of those with certain first digits."""
    short: set[int] = set()
    long: dict[str, set[int]] = {}
    for prefix in prefixes:
        if len(prefix) < _HEAD:
            short.add(len(prefix))
        else:
            long.setdefault(prefix[:_HEAD], set()).add(len(prefix))
    shared: dict[frozenset[int], tuple[int, ...]] = {}
    found = {}
    for head, lengths in long.items():
        key = frozenset(lengths)
        found[head] = shared.get(key) or shared.setdefault(key, tuple(sorted(key | short, reverse=True)))
    return tuple(sorted(short, reverse=True)), found


def _special(line: Line) -> tuple[bool, str, int]:
    """A band before none, then the later beginning, then the later line."""
    return bool(line.band), line.first, line.number
