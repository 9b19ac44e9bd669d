"""Languages of the pages: catalogues (gettext .po files, one a part of the pages) beside the templates.

English is what stands in templates and code. Catalogues are read as they are: there is no step that compiles them.
"""

from __future__ import annotations

import gettext
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

LOCALE: Final = Path(str(resources.files("pipeline.query.ui"))) / "locale"
NAMES: Final[Mapping[str, str]] = {"en": "English", "de": "Deutsch", "fr": "Français", "es": "Español"}


def N_(text: str) -> str:
    """Mark a text for the catalogues that is translated where it is shown."""
    return text


@dataclass(frozen=True, slots=True)
class Language:
    """A language by its tag."""

    tag: str

    @property
    def name(self) -> str:
        """What it calls itself."""
        return NAMES[self.tag]

    def say(self, message: str, **values: object) -> str:
        """The message in this language, with `%(name)s` filled in."""
        text = self.catalogue.gettext(message) if message else ""
        return text % values if values else text

    def count(self, one: str, many: str, number: int, **values: object) -> str:
        """The message for this number of things."""
        return self.catalogue.ngettext(one, many, number) % {"n": number, **values}

    @property
    def catalogue(self) -> gettext.NullTranslations:
        return _catalogue(self.tag)


LANGUAGES: Final[Mapping[str, Language]] = {tag: Language(tag) for tag in NAMES}
ENGLISH: Final = LANGUAGES["en"]


@cache
def _catalogue(tag: str) -> gettext.NullTranslations:
    whole: gettext.NullTranslations = gettext.NullTranslations()
    for file in sorted((LOCALE / tag).glob("*.po")):
        with file.open("rb") as written:
            catalogue = read_po(written, locale=tag)
        compiled = io.BytesIO()
        write_mo(compiled, catalogue)
        compiled.seek(0)
        part = gettext.GNUTranslations(compiled)
        part.add_fallback(whole)
        whole = part
    return whole


def preferred(accepted: str) -> Language:
    """The language that Accept-Language (RFC 9110, 12.5.4) likes best; English where it names none of ours."""
    best, found = 0.0, ENGLISH
    for part in accepted.split(",")[:50]:
        tag, _, weight = part.strip().partition(";q=")
        language = LANGUAGES.get(tag.strip().partition("-")[0].lower())
        try:
            liked = float(weight) if weight else 1.0
        except ValueError:
            continue
        if language is not None and best < liked <= 1:
            best, found = liked, language
    return found
