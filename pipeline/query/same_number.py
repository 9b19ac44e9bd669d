"""One telephone number in all the ways in which it is written.

Calls have numbers as the PBX or the carrier wrote them: +441632960123, 00441632960123, 441632960123, 01632960123,
901632960123. Vendors' documents write them bare. Whoever looks for one of these means all of them, by the tenant's
dial plan; extensions, feature codes and short codes are themselves only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

import phonenumbers
from phonenumbers import PhoneMetadata

from pipeline.directory.model import DialPlan
from pipeline.rating.numbers import TELEPHONE, Numbering

_SHORTEST: Final = 7  # digits that can be a number with its country code but without a +
_IDD: Final = re.compile(r"\d{2,4}", re.ASCII)


def spellings(number: str, numbering: Numbering) -> tuple[str, ...]:
    """Every way in which `number` may stand in a call, as it was written first."""
    digits = e164(number, numbering)
    if not digits:
        return (number,)
    plan = numbering.plan
    home = str(phonenumbers.country_code_for_region(plan.country)) if plan.country else ""
    dialled = [prefix + digits for prefix in _international_prefixes(plan.country, plan.international_prefix)]
    if home and digits.startswith(home):
        significant = digits[len(home) :]
        dialled += [_national_prefix(plan.country) + significant, significant]
        if plan.area_code and significant.startswith(plan.area_code):
            dialled.append(significant[len(plan.area_code) :])
    found = dict.fromkeys((number, f"+{digits}", digits, *dialled))
    for prefix in plan.trunk_prefixes:
        found |= dict.fromkeys(prefix + each for each in dialled)
    return tuple(each for each in found if each == number or not numbering.is_own(each))


def all_spellings(numbers: Iterable[str], numbering: Numbering) -> tuple[str, ...]:
    """The spellings of several numbers, each once."""
    return tuple(dict.fromkeys(each for number in numbers for each in spellings(number, numbering)))


def e164(number: str, numbering: Numbering) -> str:
    """The digits of the number in E.164, without the +; "" for what is no telephone number. With 00 in front it is
    international, also where 0 is dialled for a line: nobody writes that into a search."""
    if number.startswith("00"):
        abroad = numbering.read(f"+{number[2:]}")
        if abroad.class_ in TELEPHONE and phonenumbers.is_valid_number(phonenumbers.parse(f"+{abroad.digits[0]}")):
            return abroad.digits[0]
    read = numbering.read(number)
    if read.class_ in TELEPHONE:
        return read.digits[0]
    bare = re.sub(r"[\s().-]", "", number)
    if read.class_ or not bare.isascii() or not bare.isdecimal() or len(bare) < _SHORTEST:
        return ""
    foreign = numbering.read(f"+{bare}")
    return foreign.digits[0] if foreign.class_ in TELEPHONE else ""


def parts(text: str, country: str) -> list[str]:
    """Digits that numbers contain of which `text` is a part, whichever way they are stored: with country code or
    without, with the national 0 or without."""
    plain = re.sub(r"[^\d+]", "", text.replace("(0)", ""))
    digits = plain.lstrip("+")
    if digits.startswith("00") and len(digits) > 6:
        digits = plain = digits[2:]
        plain = f"+{plain}"
    elif digits == plain and digits and _plain_numbering(country).is_bare(digits):
        plain = f"+{digits}"
    found = {digits}
    if len(digits) >= _SHORTEST:
        try:
            number = phonenumbers.parse(plain, country or None)
        except phonenumbers.NumberParseException:
            number = None
        if number is not None and phonenumbers.is_possible_number(number):
            found = {phonenumbers.national_significant_number(number)}
        elif digits.startswith("0"):
            found.add(digits.lstrip("0"))
    elif digits.startswith("0") and len(digits) >= 4:
        found.add(digits[1:])
    # one that contains another finds nothing more
    return sorted(each for each in found if each and not any(other != each and other in each for other in found))


@lru_cache
def _plain_numbering(country: str) -> Numbering:
    return Numbering(DialPlan(country))


@lru_cache
def _international_prefixes(country: str, of_plan: str) -> tuple[str, ...]:
    """What is dialled before a country code: what the plan says, what the country has, and 00, which carriers write."""
    metadata = PhoneMetadata.metadata_for_region(country) if country else None
    prefix = metadata.international_prefix if metadata is not None else ""
    plain = prefix if prefix and _IDD.fullmatch(prefix) else ""
    return tuple(dict.fromkeys(each for each in (of_plan, plain, "00") if each))


@lru_cache
def _national_prefix(country: str) -> str:
    metadata = PhoneMetadata.metadata_for_region(country)
    return (metadata.national_prefix or "") if metadata is not None else ""
