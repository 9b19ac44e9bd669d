"""What a dialled number means: its class, and the digits to look up in a deck.

The tenant's own dial plan is asked first: extensions, emergency numbers, feature codes, trunk prefixes. What
is left is a telephone number, which libphonenumber's tables understand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Final

import phonenumbers
from phonenumbers import PhoneMetadata, PhoneNumber, PhoneNumberFormat, PhoneNumberType, shortnumberinfo

from pipeline.directory.model import DialPlan, Directory

LOCAL: Final = "LOCAL"
NATIONAL: Final = "NATIONAL"
INTERNATIONAL: Final = "INTERNATIONAL"
MOBILE: Final = "MOBILE"
# No telephone numbers to bill: they stay within the PBX, or are free by law.
INTERNAL: Final = "INTERNAL"
FEATURE: Final = "FEATURE"
EMERGENCY: Final = "EMERGENCY"
TELEPHONE: Final = frozenset((LOCAL, NATIONAL, INTERNATIONAL, MOBILE))
FREE: Final = frozenset((INTERNAL, FEATURE, EMERGENCY))

_MARKS: Final = re.compile(r"[\s()./-]")
# One country code, several countries with tariffs of their own: North America, Russia and Kazakhstan.
_SHARED: Final = (1, 7)
_COUNTRY_CODES: Final = frozenset(str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
# What every phone knows as emergency numbers, wherever it is (3GPP TS 22.101, 10.1.1): asked where no country is known.
_EMERGENCY_ANYWHERE: Final = frozenset(("112", "911"))
_SHORTEST_BARE: Final = 10  # digits of a number with its country code: what is shorter is dialled within an area
_SHORTEST: Final = 7  # digits of a telephone number; what has fewer is a short code
_REMEMBERED: Final = 200_000


@dataclass(frozen=True, slots=True)
class Number:
    """A number understood. `class_` is "" when nobody knows it. `digits` are looked up in decks, one after the other:
    in E.164 without the +, then as dialled where that begins with 0, which no country code does (decks in national
    form); a short code as dialled. `silent` are prefixes that say nothing of it, though it begins with them: all but
    itself for what is free, those of whole countries for a short code, which is in none, and that of its own country
    for a freephone number, whose callee pays."""

    class_: str
    digits: tuple[str, ...]
    silent: Set[str] = frozenset()
    is_freephone: bool = False

    @property
    def is_free(self) -> bool:
        """Whether the caller pays nothing where no deck says otherwise."""
        return self.class_ in FREE or self.is_freephone


def numbering_of(directory: Directory, country: str = "") -> Numbering:
    """How a tenant's numbers are understood; `country` where its dial plan names none."""
    plan = directory.dial_plan
    return Numbering(
        replace(plan, country=plan.country or country),
        directory.extensions.keys() | directory.queues.keys() | directory.ring_groups.keys(),
        directory.dids,
    )


class Numbering:
    """Understands the numbers of one tenant; remembers those it has seen."""

    def __init__(self, plan: DialPlan, own: Set[str] = frozenset(), dids: Iterable[str] = ()) -> None:
        self.plan = plan
        self._own = own  # extensions, queues, ring groups
        self._dids = tuple(dids)
        self._known: dict[tuple[str, str], Number] = {}
        self._home = phonenumbers.country_code_for_region(plan.country) if plan.country else 0
        self._prefixes = tuple(sorted(plan.trunk_prefixes, key=len, reverse=True))

    def is_own(self, number: str) -> bool:
        """Whether it is an extension, queue or ring group of the tenant."""
        return number in self._own

    def is_did(self, number: str) -> bool:
        """Whether the outside dials it to reach the tenant, in whatever form it is written."""
        return bool(number) and bool(self._dids) and self.read(number).digits[:1] in self._did_digits

    @cached_property
    def _did_digits(self) -> Set[tuple[str, ...]]:
        return {self.read(did).digits[:1] for did in self._dids} - {()}

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
            return _free(INTERNAL, dialled)
        if trunk_prefix and dialled.startswith(trunk_prefix):
            dialled = dialled[len(trunk_prefix) :]
        if self._is_emergency(dialled):
            return _free(EMERGENCY, dialled)
        if self.plan.features and dialled.startswith(self.plan.features):
            return _free(FEATURE, dialled)
        outside = self._without_prefix(dialled)
        if self._is_emergency(outside):
            return _free(EMERGENCY, outside)
        if not re.fullmatch(r"\+?[0-9]{1,32}", outside):
            return Number("", (outside,))
        return self._telephone(outside)

    def _is_emergency(self, dialled: str) -> bool:
        country = self.plan.country
        if dialled in self.plan.emergency or len(dialled) > 6:
            return dialled in self.plan.emergency
        return shortnumberinfo.is_emergency_number(dialled, country) if country else dialled in _EMERGENCY_ANYWHERE

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
        if self.is_bare(dialled):
            dialled = f"+{dialled.removeprefix('00')}"
        quick = self._quick(dialled)
        if quick is not None:
            return quick
        if country and _is_short(dialled, country):
            return replace(_unknown(dialled), is_freephone=_costs_nothing(dialled, country))
        parsed = self._parsed(dialled)
        if parsed is None:
            return _unknown(dialled)
        digits = phonenumbers.format_number(parsed, PhoneNumberFormat.E164)[1:]
        class_ = self._class(parsed, digits)
        if not class_ and len(dialled) < _SHORTEST:
            return _unknown(dialled)
        number = _number(class_, digits, dialled)
        if parsed.country_code == self._home and phonenumbers.number_type(parsed) == PhoneNumberType.TOLL_FREE:
            return replace(number, silent=frozenset(("", str(self._home))), is_freephone=True)
        return number

    def is_bare(self, dialled: str) -> bool:
        """Whether it is a number in E.164 without its +, or with 00 where that is not dialled, as carriers write it:
        493012345678. A number that is written so at home is one of home (404 555 1234 in the United States); one that
        at home has a 0 in front, which is missing, is not (33 123 456 789 in Germany: not Potsdam)."""
        if not self._home or dialled[0] == "+" or len(dialled) < _SHORTEST_BARE:
            return False
        if dialled[0] == "0" and (not dialled.startswith("00") or self.plan.international_prefix):
            return False
        try:
            parsed = phonenumbers.parse(f"+{dialled.removeprefix('00')}", None)
        except phonenumbers.NumberParseException:
            return False
        if not phonenumbers.is_valid_number(parsed):
            return False
        home = self._parsed(dialled)
        if home is None or not phonenumbers.is_valid_number(home):
            return True
        return _MARKS.sub("", phonenumbers.format_number(home, PhoneNumberFormat.NATIONAL)) != dialled

    def _quick(self, dialled: str) -> Number | None:
        """What is plain at a glance: numbers of other countries in international form, and valid fixed and mobile
        numbers of the own one. Everything else is read by libphonenumber's rules, which take far longer."""
        if not self._home or self.plan.international_prefix:
            return None
        home = str(self._home)
        if dialled[0] == "+":
            digits = dialled[1:]
            if not digits.startswith(home):
                code = next((digits[:size] for size in (1, 2, 3) if digits[:size] in _COUNTRY_CODES), "")
                plain = code and digits[len(code)] != "0" if len(digits) > len(code) + 4 else False
                return _number(INTERNATIONAL, digits, dialled) if plain else None
            national = digits[len(home) :]
        else:
            national = dialled.removeprefix(_national_prefix(self.plan.country) or "\0")
        fixed, mobile = _patterns(self.plan.country)
        is_fixed, is_mobile = bool(fixed.fullmatch(national)), bool(mobile.fullmatch(national))
        if not (is_fixed or is_mobile):
            return None
        digits = home + national
        if is_mobile and not is_fixed:
            return _number(MOBILE, digits, dialled)
        return _number(LOCAL if digits.startswith(self._local_prefixes) else NATIONAL, digits, dialled)

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
        home = self._home
        if home and parsed.country_code != home:
            return INTERNATIONAL
        possible = phonenumbers.is_possible_number_with_reason(parsed)
        if possible == phonenumbers.ValidationResult.IS_POSSIBLE_LOCAL_ONLY:
            return LOCAL if home else ""
        if possible != phonenumbers.ValidationResult.IS_POSSIBLE:
            return ""
        if home in _SHARED and not phonenumbers.is_valid_number_for_region(parsed, self.plan.country):
            region = phonenumbers.region_code_for_number(parsed)
            if region is not None and region != self.plan.country:
                return INTERNATIONAL
        kind = _type_of(parsed)
        if kind == PhoneNumberType.MOBILE:
            return MOBILE
        if not home:
            return INTERNATIONAL
        # Where mobile and fixed numbers look alike (NANP), nobody can say: not mobile.
        return LOCAL if digits.startswith(self._local_prefixes) else NATIONAL

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
    return shortnumberinfo.is_valid_short_number_for_region(_short(dialled, country), country)


def _costs_nothing(dialled: str, country: str) -> bool:
    """Whether a short code is free for who calls it, as 116 117 is in Europe (Decision 2007/116/EC)."""
    cost = shortnumberinfo.expected_cost_for_region(_short(dialled, country), country)
    return cost == shortnumberinfo.ShortNumberCost.TOLL_FREE


def _short(dialled: str, country: str) -> PhoneNumber:
    return PhoneNumber(country_code=phonenumbers.country_code_for_region(country), national_number=int(dialled))


def _type_of(parsed: PhoneNumber) -> int:
    """Type of a number. One of a block that no network has yet is of the type of the nearest blocks."""
    kind = phonenumbers.number_type(parsed)
    region = phonenumbers.region_code_for_country_code(parsed.country_code or 0)
    if kind != PhoneNumberType.UNKNOWN or region in ("ZZ", "001"):
        return kind
    fixed, mobile = _patterns(region)
    national = phonenumbers.national_significant_number(parsed)
    for place in range(len(national) - 1, max(1, len(national) - 9), -1):
        near = [national[:place] + digit + national[place + 1 :] for digit in "0123456789"]
        if any(fixed.fullmatch(each) for each in near):
            return PhoneNumberType.FIXED_LINE
        if any(mobile.fullmatch(each) for each in near):
            return PhoneNumberType.MOBILE
    return kind


def _number(class_: str, digits: str, dialled: str) -> Number:
    return Number(class_, (digits, dialled) if dialled.startswith("0") else (digits,))


def _free(class_: str, dialled: str) -> Number:
    return Number(class_, (dialled,), frozenset(dialled[:length] for length in range(len(dialled))))


def _unknown(dialled: str) -> Number:
    digits = dialled.removeprefix("+")
    return Number("", (digits,), _COUNTRY_CODES if len(digits) < _SHORTEST else frozenset())


@cache
def _patterns(country: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Valid fixed and mobile numbers of a country, without its code."""
    metadata = PhoneMetadata.metadata_for_region(country)
    assert metadata is not None
    found = []
    for described in (metadata.fixed_line, metadata.mobile):
        pattern = described.national_number_pattern if described is not None else None
        lengths = described.possible_length if described is not None else ()
        found.append(re.compile(f"(?:{pattern})" if pattern and -1 not in lengths else "(?!)"))
    return found[0], found[1]


@cache
def _national_prefix(country: str) -> str:
    """What is dialled before national numbers, where it is simply taken off; "" elsewhere."""
    metadata = PhoneMetadata.metadata_for_region(country)
    assert metadata is not None
    simple = metadata.national_prefix == metadata.national_prefix_for_parsing
    return metadata.national_prefix or "" if simple and not metadata.national_prefix_transform_rule else ""
