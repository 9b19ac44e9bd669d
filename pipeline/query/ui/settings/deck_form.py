"""What the form of a deck asks, and what is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.errors import Problem
from pipeline.query.ui.frame.language import N_
from pipeline.rating.bands import parse
from pipeline.rating.deck import Header, Line, Scope
from pipeline.rating.deck_file import parse_csv

# Field → value → what it says.
CHOICES: Final = {
    "kind": {"customer": N_("What is billed"), "carrier": N_("What the carrier takes")},
    "whose": {"mine": N_("The company"), "all": N_("All companies")},
    "direction": {
        "": N_("Calls to the outside"),
        "outbound": N_("Calls of extensions to the outside"),
        "inbound_outbound": N_("Calls that came in and went out again"),
        "inbound": N_("Calls from the outside"),
    },
    "rounding": {
        "half_up": N_("Half up"),
        "half_even": N_("Half to even"),
        "up": N_("Always up"),
        "down": N_("Always down"),
    },
}
USUAL: Final = {
    "name": "", "kind": "customer", "whose": "mine", "trunk": "", "account": "", "direction": "", "currency": "",
    "decimals": "5", "rounding": "half_up", "bands": "", "text": "",
}  # fmt: skip
FIELDS: Final = tuple(USUAL)
_MOST_DECIMALS: Final = 12
_LONGEST_NAME: Final = 128


def given_of(header: Header, text: str) -> dict[str, str]:
    """The form as a deck in use would fill it in."""
    scope = header.scope
    return {
        "name": header.name,
        "kind": scope.kind,
        "whose": "mine" if scope.tenant else "all",
        "trunk": scope.trunk,
        "account": scope.account,
        "direction": scope.direction,
        "currency": "",
        "decimals": str(header.decimals),
        "rounding": header.rounding,
        "bands": "\n".join(f"{name}={times}" for name, times in header.bands.items()),
        "text": text,
    }


def read(given: Mapping[str, str], tenant: str, operates: bool) -> tuple[Header, list[Line]]:
    """The deck that the form describes. Raises Problem, which names what is wrong."""
    name = given["name"].strip()
    if not name.isprintable() or not 1 <= len(name) <= _LONGEST_NAME:
        raise Problem(f"name {name[:40]!r} is empty, longer than {_LONGEST_NAME} or not printable.", hint="Mend it.")
    for field in ("trunk", "account"):
        if not given[field].isprintable() or len(given[field]) > _LONGEST_NAME:
            raise Problem(f"{field} {given[field][:40]!r} is not printable, or too long.", hint="Mend it.")
    for field, values in CHOICES.items():
        if given[field] not in values:
            known = ", ".join(value for value in values if value)
            raise Problem(f"{field} {given[field][:40]!r} is not known.", hint=f"Write one of {known}.")
    decimals = given["decimals"]
    if not (decimals.isascii() and decimals.isdigit() and int(decimals[:4]) <= _MOST_DECIMALS):
        raise Problem(f"decimals {decimals[:40]!r} is no whole number from 0 to {_MOST_DECIMALS}.", hint="Mend it.")
    if given["whose"] == "all" and not operates:
        raise Problem("whose 'all' takes the scope operate.", hint="Choose the company.")
    bands = _bands(given["bands"])
    whose = "" if given["whose"] == "all" else tenant
    scope = Scope(given["kind"], whose, given["trunk"], given["account"], given["direction"])
    lines = parse_csv(given["text"], name, bands=bands, currency=given["currency"])
    return Header(name, scope, int(decimals), given["rounding"], bands), lines


def _bands(text: str) -> dict[str, str]:
    """Names of time bands, one a line: name=times."""
    bands = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        name, equals, times = line.partition("=")
        try:
            if not (equals and name.strip()):
                raise ValueError("has no name; write peak=mon-fri 08:00-18:00")
            parse(times)
        except ValueError as error:
            raise Problem(f"time band {line[:60]!r} {error}.", hint="Mend it.") from None
        bands[name.strip()] = times.strip()
    return bands


def differences(was: Header, now: Header) -> list[str]:
    """What is another in two versions of a deck besides its lines."""
    old, new = given_of(was, ""), given_of(now, "")
    return [f"{name}: {old[name] or '-'} -> {new[name] or '-'}" for name in USUAL if old[name] != new[name]]
