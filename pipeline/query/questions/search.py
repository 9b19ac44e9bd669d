"""What somebody who types into one box looks for: numbers by part and in any spelling, names, ids."""

from __future__ import annotations

import re
from typing import Final

from pipeline.directory.model import Directory
from pipeline.query.names import numbers_called
from pipeline.query.same_number import parts
from pipeline.warehouse.query.columns import CALL
from pipeline.warehouse.query.expressions import All, Any_, Call, Compare, Contains, In, Literal, Node

LONGEST: Final = 200
WHAT: Final = "write part of a number, a name or an id"
_MOST_WORDS: Final = 8
# How people write numbers: +44 (0)1632 960-123, 01632/960123, 1632.960
_NUMBER: Final = re.compile(r"\+?[\d\s().\-/]*\d[\d\s().\-/]*", re.ASCII)
_NUMBERS: Final = tuple(
    CALL[name]
    for name in (
        "caller_number",
        "callee_number",
        "requested",
        "destination",
        "answered_by",
        "did",
        "outbound_caller_id",
    )
)
_EXTENSIONS: Final = (CALL["caller_extension"], CALL["callee_extension"])
_NAMES: Final = (CALL["caller_name"], CALL["callee_name"])
_ID: Final = re.compile(r"\d{10,19}", re.ASCII)


def meaning(text: str, directory: Directory) -> Node:
    """The calls that somebody who types this looks for."""
    if _NUMBER.fullmatch(text):
        return _word(text, directory)
    words = text.split()[:_MOST_WORDS]
    return All(tuple(_word(word, directory) for word in words))


def _word(word: str, directory: Directory) -> Node:
    """The word is part of a number, of a name, or of an id."""
    found: list[Node] = [Contains(_NAMES, word), Compare("eq", CALL["call_id"], Literal(word))]
    if len(word) >= 6 and not _NUMBER.fullmatch(word) and any(map(str.isdigit, word)):
        found.append(Contains((CALL["call_id"],), word))  # no name has digits, and reading all ids takes long
    if _ID.fullmatch(word) and int(word) < 2**64:
        found.append(Compare("eq", CALL["id"], Literal(word)))
    if _NUMBER.fullmatch(word):
        spelled = parts(word, directory.dial_plan.country)
        found += [Call("contains", (column, Literal(each))) for column in _NUMBERS for each in spelled]
    else:
        found.append(Contains(_NUMBERS, word))  # a SIP user: sip:alice@…
        named = tuple(Literal(number) for number in numbers_called(word, directory))
        if named:
            found += [In(column, named) for column in (*_NUMBERS, *_EXTENSIONS)]
    return Any_(tuple(found))
