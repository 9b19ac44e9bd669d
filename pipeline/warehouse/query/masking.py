r"""Phone numbers as they are shown to whoever may not see them in full: one rule, in Python and in ClickHouse's SQL.

A number is a run of seven digits or more, with the separators that people write in it (RFC 3966, 5.1.1: visual
separators). It keeps at most its first five characters and its last four, and its length: `+441632960123` is
`+4416****0123`. Shorter runs are extensions and short codes, and stay; so do IPv4 addresses. Masking twice changes
nothing: a masked number can be compared, filtered and sorted as it is shown.

In JSON, identifiers, times, domains and prices stay, told by their names (`id`, `…_id`, `…_at`, `domain`, `cost`,
`rate`): they are needed to follow a call, and hold no number.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

# Understood alike by RE2 (ClickHouse) and Python.
_RUN: Final = r"\+?[0-9](?:[ ().\-/]{0,2}[0-9]){6,}"
_IPV4: Final = r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}"
_PLAIN: Final = r"(?:.*_)?(?:id|at|domain|cost|rate)"
_CALLER_ID: Final = "caller_id"  # is a number, for all its name
_STRING: Final = r'"(?:[^"\\]|\\.)*"'

_run = re.compile(_RUN)
_ipv4 = re.compile(_IPV4)
_plain = re.compile(_PLAIN)


def masked_text(text: str) -> str:
    """The text with every number in it masked."""
    return _run.sub(lambda found: _masked(found[0]), text)


def masked_value(value: Any) -> Any:
    """A JSON value with the numbers in its texts masked; what is told by its name stays. A copy."""
    if isinstance(value, Mapping):
        return {
            masked_text(key): inner if isinstance(inner, str) and _is_plain(key) else masked_value(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [masked_value(each) for each in value]
    return masked_text(value) if isinstance(value, str) else value


def _is_plain(name: str) -> bool:
    return _plain.fullmatch(name) is not None and not name.endswith(_CALLER_ID)


def _masked(run: str) -> str:
    if _ipv4.fullmatch(run):
        return run
    head = min(5, max(0, len(run) - 8))
    return run[:head] + "*" * (len(run) - 4 - head) + run[-4:]


def _quoted(text: str) -> str:
    """A text of the program as a SQL literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _functions() -> str:
    head = "least(5, greatest(0, toInt32(length(run)) - 8))"
    # both ways of an if are computed, short texts too
    stars = f"repeat('*', toUInt32(greatest(0, toInt32(length(run)) - 4 - {head})))"
    run = (
        f"run -> if(NOT match(run, {_quoted(f'^{_RUN}$')}) OR match(run, {_quoted(f'^{_IPV4}$')}), run,"
        f" concat(substring(run, 1, {head}), {stars}, right(run, 4)))"
        " AS masked_run"
    )
    parts = _quoted(rf"{_RUN}|[^+0-9]+|[+0-9]")
    text = (
        f"text -> if(match(text, {_quoted(_RUN)}), arrayStringConcat(arrayMap(part -> masked_run(part),"
        f" extractAll(text, {parts}))), text) AS masked_text"
    )
    # The same, sooner: most texts of these columns are nothing but a number.
    number = f"number -> if(match(number, {_quoted('^[+]?[0-9]*$')}), masked_run(number), masked_text(number))"
    # In a string of JSON an escape is no part of a number: the digits of \u0007 are not its first four.
    escapes = _quoted(rf"\\u[0-9a-fA-F]{{4}}|\\.|{_RUN}|[^+0-9\\]+|[+0-9]")
    string = (
        f"string -> arrayStringConcat(arrayMap(part -> masked_run(part), extractAll(string, {escapes})))"
        " AS masked_string"
    )
    name = _quoted(f'^"{_PLAIN}"$')
    strings = (
        "strings -> arrayStringConcat(arrayMap((token, colon, name) -> if(startsWith(token, '\"')"
        f" AND match(token, {_quoted(_RUN)}) AND NOT (colon = ':' AND match(name, {name})"
        f" AND NOT endsWith(name, '{_CALLER_ID}\"')), masked_string(token), token),"
        " strings, arrayShiftRight(strings, 1), arrayShiftRight(strings, 2))) AS masked_strings"
    )
    json = f"json -> masked_strings(extractAll(json, {_quoted(_STRING + '|[^' + chr(34) + ']+')})) AS masked_json"
    return ", ".join((run, text, f"{number} AS masked_number", string, strings, json))


# For WITH: masked_number and masked_text of a text, and masked_json of JSON as we write it (without spaces).
SQL_FUNCTIONS: Final = _functions()
