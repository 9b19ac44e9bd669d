"""What two people made of one report, beside each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.errors import BadField
from pipeline.query.ui.frame.language import N_, Language
from pipeline.query.ui.reports.form import Field, Given, schedule_of
from pipeline.query.ui.reports.labels import RANGES, WORDS

_NAMES: Final = {
    "name": N_("Name"),
    "range": N_("Which time"),
    "started_at": N_("From"),
    "ended_at": N_("To"),
    "format": N_("Form"),
    "email": N_("Mail to"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """A field with what the other saved and what is in this form."""

    label: str
    theirs: str
    yours: str


def differences(yours: Given, theirs: Given, fields: Sequence[Field], language: Language) -> list[Difference]:
    """The fields in which they differ."""
    found = [
        Difference(language.say(label), _shown(theirs, name, language), _shown(yours, name, language))
        for name, label in (*_NAMES.items(), *((field.name, field.label) for field in fields))
    ]
    found.append(Difference(language.say(N_("When")), _schedule(theirs), _schedule(yours)))
    return [each for each in found if each.theirs != each.yours]


def _shown(given: Given, name: str, language: Language) -> str:
    values = [value for value in given.get(name, ()) if value]
    if values in (["ANY"], ["any"]):  # is the same as saying nothing
        return ""
    return ", ".join(language.say(RANGES.get(value) or WORDS.get(value) or value) for value in values)


def _schedule(given: Given) -> str:
    try:
        return schedule_of(given).expression
    except BadField as error:
        return str(error)
