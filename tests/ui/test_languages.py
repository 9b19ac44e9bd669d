"""Every text of the pages stands in every catalogue, with the places for values that the English one has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel.messages.extract import extract
from babel.messages.pofile import read_po

from pipeline.query.ui.frame.language import LANGUAGES, LOCALE
from pipeline.query.ui.frame.page import TEMPLATES, environment

CODE = Path(str(TEMPLATES)).parent
KEYWORDS: dict[str, Any] = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None, "count": (1, 2)}
PLACES = re.compile(r"%\((\w+)\)s")

Message = str | tuple[str, ...]


def messages() -> Iterator[Message]:
    """The texts of all templates and of all code; two of them where there is a plural."""
    for template in sorted(TEMPLATES.rglob("*.html")):
        for _, _, message in environment("en").extract_translations(template.read_text()):  # type: ignore[attr-defined]
            yield from one(message)
    for module in sorted(CODE.rglob("*.py")):
        with module.open("rb") as code:
            for _, message, _, _ in extract("python", code, keywords=KEYWORDS):
                yield from one(message)


def one(found: Any) -> Iterator[Message]:
    """The text in what an extractor found: texts among other arguments are the message and its plural."""
    texts = (found,) if isinstance(found, str) else tuple(each for each in found or () if isinstance(each, str))
    if texts and texts[0]:
        yield texts[0] if len(texts) == 1 else texts[:2]


# What is the same in every language: terms of the field, forms of files, examples.
SAME = re.compile(
    r"ASR|NER|ACD|PDD( 95)?|MOS|SIP|SVG|PNG|CSV|NDJSON|Parquet|YAML|HTML|EUR|Europe Berlin|(s )?min|wall|Q\.850"
    r"|\w+@example\.com|https example\.com \w+|prefix destination .*|aria-\w+=.*",
    re.S,
)


class Words(HTMLParser):
    """The words of a template that stand in it as they are: in its text, and in what is read out of attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._code = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what is read out."""
        self._code += tag in ("code", "script")
        self.found += [value or "" for name, value in attrs if name in ("title", "aria-label", "placeholder", "alt")]

    def handle_endtag(self, tag: str) -> None:
        """Code has no language."""
        self._code -= tag in ("code", "script")

    def handle_data(self, data: str) -> None:
        """Note a text."""
        if not self._code:
            self.found.append(data)


def literal(template: str) -> str:
    """A template without its expressions, blocks and translated texts."""
    kept, depth, translated, begun = "", 0, False, False
    for _, kind, value in environment("en").lex(template):
        if kind == "data" and not depth and not translated:
            kept += value
        elif kind in ("variable_begin", "block_begin", "comment_begin"):
            depth, begun = depth + 1, kind == "block_begin"
            kept += " "
        elif kind in ("variable_end", "block_end", "comment_end"):
            depth -= 1
        elif kind == "name" and begun:
            translated, begun = value == "trans" or (translated and value != "endtrans"), False
    return kept


def test_no_text_stands_in_a_template_untranslated() -> None:
    left = {}
    for template in sorted(TEMPLATES.rglob("*.html")):
        words = Words()
        words.feed(literal(template.read_text()))
        found = [re.sub(r"[\s()/,·:–]+", " ", text).strip() for text in words.found]
        odd = [text for text in found if re.search(r"[A-Za-z]{2}", text) and not SAME.fullmatch(text)]
        if odd:
            left[template.name] = odd
    assert left == {}


WANTED = sorted(set(messages()), key=str)


@pytest.mark.parametrize("tag", [tag for tag in LANGUAGES if tag != "en"])
def test_every_text_is_translated(tag: str) -> None:
    translated: dict[Message, Message] = {}
    for file in sorted((LOCALE / tag).glob("*.po")):
        with file.open("rb") as written:
            for message in read_po(written, locale=tag):
                if message.id:
                    key = tuple(message.id) if isinstance(message.id, list | tuple) else message.id
                    assert key not in translated, f"{file.name} has {key!r} again"
                    translated[key] = (
                        tuple(message.string) if isinstance(message.string, list) else message.string or ""
                    )
    assert [message for message in WANTED if not translated.get(message)] == []
    assert [key for key in translated if key not in WANTED] == [], "nobody says these any more"
    for key, value in translated.items():
        for text in value if isinstance(value, tuple) else (value,):
            assert set(PLACES.findall(text)) == set(PLACES.findall(key if isinstance(key, str) else key[-1])), text
