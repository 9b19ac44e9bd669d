"""What a dialled number means: its class, and the digits to look up in a deck.

The tenant's own dial plan is asked first: extensions, emergency numbers, feature codes, trunk prefixes. What
is left is a telephone number, which libphonenumber's tables understand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberFormat, PhoneNumberType, shortnumberinfo

LOCAL: Final = "LOCAL"
NATIONAL: Final = "NATIONAL"
INTERNATIONAL: Final = "INTERNATIONAL"
MOBILE: Final = "MOBILE"
# No telephone numbers to bill: they stay within the PBX, or are free by law.
INTERNAL: Final = "INTERNAL"
FEATURE: Final = "FEATURE"
EMERGENCY: Final = "EMERGENCY"
FREE: Final = frozenset((INTERNAL, FEATURE, EMERGENCY))

_MARKS: Final = re.compile(r"[\s()./-]")
# One country code, several countries with tariffs of their own: North America, Russia and Kazakhstan.
_SHARED: Final = (1, 7)
_REMEMBERED: Final = 200_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How a tenant dials; see the dial plan of the directory. Prefixes are digits."""

    country: str = ""
    trunk_prefixes: tuple[str, ...] = ()
    international_prefix: str = ""
    area_code: str = ""
    local_prefixes: tuple[str, ...] = ()
    emergency: tuple[str, ...] = ()
    features: tuple[str, ...] = ("*", "#")


@dataclass(frozen=True, slots=True)
class Number:
    """A number understood. `class_` is "" when nobody knows it. `digits` are looked up in decks, one after the other:
    in E.164 without the +, then as dialled (short codes, decks in national form)."""

    class_: str
    digits: tuple[str, ...]


class Numbering:
    """Understands the numbers of one tenant; remembers those it has seen."""

    def __init__(self, plan: Plan, own: Set[str] = frozenset(), dids: Iterable[str] = ()) -> None:
        self.plan = plan
        self._own = own  # extensions, queues, ring groups
        self._dids = tuple(dids)
        self._known: dict[tuple[str, str], Number] = {}
        self._home = phonenumbers.country_code_for_region(plan.country) if plan.country else 0
        self._prefixes = tuple(sorted(plan.trunk_prefixes, key=len, reverse=True))

    def read(self, number: str, trunk_prefix: str = "") -> Number:
        """What a number means. `trunk_prefix` are digits that a trunk puts before it."""
        key = (number, trunk_prefix)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            known = self._known[key] = self._read(_plain(number), trunk_prefix)
        return known

    def _read(self, dialled: str, trunk_prefix: str) -> Number:
        if not dialled:
            return Number("", ())
        if dialled in self._own:
            return Number(INTERNAL, (dialled,))
        if trunk_prefix and dialled.startswith(trunk_prefix):
            dialled = dialled[len(trunk_prefix) :]
        if self._is_emergency(dialled):
            return Number(EMERGENCY, (dialled,))
        if self.plan.features and dialled.startswith(self.plan.features):
            return Number(FEATURE, (dialled,))
        outside = self._without_prefix(dialled)
        if self._is_emergency(outside):
            return Number(EMERGENCY, (outside,))
        if not re.fullmatch(r"\+?[0-9]{1,32}", outside):
            return Number("", (outside,))
        return self._telephone(outside)

    def _is_emergency(self, dialled: str) -> bool:
        country = self.plan.country
        return dialled in self.plan.emergency or (
            bool(country) and len(dialled) <= 6 and shortnumberinfo.is_emergency_number(dialled, country)
        )

    def _without_prefix(self, dialled: str) -> str:
        """Without the digits for an outside line; kept when the PBX had taken them off before."""
        for prefix in self._prefixes:
            if prefix and dialled.startswith(prefix) and len(dialled) > len(prefix):
                rest = dialled[len(prefix) :]
                if self._is_telephone(dialled) and not self._is_telephone(rest):
                    return dialled
                return rest
        return dialled

    def _is_telephone(self, dialled: str) -> bool:
        parsed = self._parsed(dialled)
        return parsed is not None and phonenumbers.is_valid_number(parsed)

    def _telephone(self, dialled: str) -> Number:
        country = self.plan.country
        if country and _is_short(dialled, country):
            return Number("", (dialled,))
        parsed = self._parsed(dialled)
        if parsed is None:
            return Number("", (dialled.removeprefix("+"),))
        digits = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)[1:]
        told = dialled.removeprefix("+")
        return Number(self._class(parsed, digits), (digits,) if told == digits else (digits, told))

    def _parsed(self, dialled: str) -> PhoneNumber | None:
        plan = self.plan
        if plan.international_prefix and dialled.startswith(plan.international_prefix):
            dialled = "+" + dialled[len(plan.international_prefix) :]
        elif not plan.country and not dialled.startswith("+"):  # nobody's country: all is E.164
            dialled = "+" + dialled.removeprefix("00")
        try:
            parsed = phonenumbers.parse(dialled, plan.country or None)
            if plan.area_code and not dialled.startswith("+") and _is_local(parsed):
                parsed = phonenumbers.parse(f"+{self._home}{plan.area_code}{dialled}", None)
        except phonenumbers.NumberParseException:
            return None
        return parsed

    def _class(self, parsed: PhoneNumber, digits: str) -> str:
        kind = _type_of(digits)
        if not self.plan.country:
            if not phonenumbers.is_possible_number(parsed):
                return ""
            return MOBILE if kind == PhoneNumberType.MOBILE else INTERNATIONAL
        if parsed.country_code != self._home:
            return INTERNATIONAL
        if self._home in _SHARED:
            region = phonenumbers.region_code_for_number(parsed)
            if region is not None and region != self.plan.country:
                return INTERNATIONAL
        if kind == PhoneNumberType.MOBILE:
            return MOBILE
        if _is_local(parsed) or digits.startswith(self._local_prefixes):
            return LOCAL
        if not phonenumbers.is_possible_number(parsed):
            return ""
        # Where mobile and fixed numbers look alike (NANP), nobody can say: not mobile.
        return NATIONAL

    @cached_property
    def _local_prefixes(self) -> tuple[str, ...]:
        """What counts as local: as the plan says, or the area codes of the tenant's own numbers."""
        if self.plan.local_prefixes:
            return self.plan.local_prefixes
        found = {f"{self._home}{self.plan.area_code}"} if self.plan.area_code else set()
        for did in self._dids:
            parsed = self._parsed(_plain(did))
            if parsed is not None and parsed.country_code == self._home:
                length = phonenumbers.length_of_geographical_area_code(parsed)
                if length:
                    found.add(f"{self._home}{phonenumbers.national_significant_number(parsed)[:length]}")
        return tuple(sorted(found))


def _plain(number: str) -> str:
    """The dialled characters of a number or SIP address."""
    if ":" in number or "@" in number:
        number = number.partition("@")[0].rpartition(":")[2].partition(";")[0]
    return _MARKS.sub("", number)


def _is_local(parsed: PhoneNumber) -> bool:
    """Whether it was dialled without its area code."""
    return phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY


def _is_short(dialled: str, country: str) -> bool:
    """Whether it is a short code of the country, such as directory enquiries."""
    if len(dialled) > 7 or dialled.startswith(("+", "0")):
        return False
    parsed = PhoneNumber(country_code=phonenumbers.country_code_for_region(country), national_number=int(dialled))
    return shortnumberinfo.is_valid_short_number_for_region(parsed, country)


def _type_of(digits: str) -> int:
    """Type of an E.164 number. One of a block that no network has yet is of the type of the nearest blocks."""
    kind = _valid_type(digits)
    place = len(digits) - 1
    while kind == PhoneNumberType.UNKNOWN and place >= max(4, len(digits) - 8):
        for digit in "0123456789":
            kind = _valid_type(digits[:place] + digit + digits[place + 1 :])
            if kind != PhoneNumberType.UNKNOWN:
                break
        place -= 1
    return kind


def _valid_type(digits: str) -> int:
    try:
        return phonenumbers.number_type(phonenumbers.parse("+" + digits, None))
    except phonenumbers.NumberParseException:
        return PhoneNumberType.UNKNOWN
