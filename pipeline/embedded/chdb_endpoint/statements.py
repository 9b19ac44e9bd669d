"""Where the SQL of an HTTP request ends and its data begins, and what kind of statement it is.

ClickHouse takes `INSERT INTO t FORMAT X` and the data in one text. The embedded engine does not, so
the endpoint cuts the two apart with the few rules of ClickHouse's lexer that this needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    rb"""(?P<gap>[\s\xef\xbb\xbf]+|--[^\n]*|\#[!\ ][^\n]*|/\*.*?\*/)
    |(?P<string>'(?:[^'\\]|\\.|'')*')
    |(?P<quoted>`(?:[^`\\]|\\.)*`|"(?:[^"\\]|\\.)*")
    |(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)

ROWS_FROM = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXISTS", "EXPLAIN", "CHECK", "VALUES"})

# Formats whose blocks can be sent one after another: nothing comes before the first or after the last.
BLOCKWISE = frozenset({"Native", "RowBinary", "TabSeparated", "TSV", "CSV", "JSONEachRow", "JSONCompactEachRow"})


@dataclass(frozen=True)
class Statement:
    """One SQL text. `verb` is its first word; `format` the FORMAT it names, or empty.

    For an INSERT whose rows travel behind the SQL, `data_at` is where they begin and `head` the SQL
    without the FORMAT clause; `settings_at` is where the head's SETTINGS clause begins, `input_at` the
    span of `input('structure')` in it, and `structure` its text.
    """

    verb: str
    format: str = ""
    head: bytes = b""
    data_at: int | None = None
    settings_at: int | None = None
    input_at: tuple[int, int] | None = None
    structure: bytes = b""
    blockwise: bool = False
    local_file: bool = False

    @property
    def answers(self) -> bool:
        """Whether the statement gives rows back."""
        return self.verb in ROWS_FROM

    @property
    def writes(self) -> bool:
        """Whether it may change anything: what a GET request must not do."""
        return not self.answers


@dataclass(frozen=True)
class _Token:
    kind: str
    text: bytes
    start: int
    end: int
    depth: int

    def is_word(self, *words: str) -> bool:
        return self.kind == "word" and self.text.decode().upper() in words


def _tokens(sql: bytes) -> Iterator[_Token]:
    depth = 0
    for match in _TOKEN.finditer(sql):
        kind = str(match.lastgroup)
        if kind == "gap":
            continue
        text = match.group()
        if text in (b")", b"]", b"}"):
            depth -= 1
        yield _Token(kind, text, match.start(), match.end(), depth)
        if text in (b"(", b"[", b"{"):
            depth += 1


def read_statement(sql: bytes) -> Statement:
    """Classify one SQL text, which may have the rows of an INSERT behind it."""
    tokens = _tokens(sql)
    first = next((token for token in tokens if token.text != b"("), None)
    if first is None or first.kind != "word":
        return Statement("")
    verb = first.text.decode().upper()
    if verb == "INSERT":
        return _read_insert(sql, tokens)
    return _read_query(verb, tokens)


def _read_query(verb: str, tokens: Iterator[_Token]) -> Statement:
    named, settings, totals, inserts, expect_format = "", False, False, False, False
    for token in tokens:
        if expect_format:
            expect_format = False
            if token.kind == "word":
                named = token.text.decode()
                continue
        elif named and not settings:
            settings = token.is_word("SETTINGS", "INTO") or token.text == b";"
            named = named if settings else ""  # it was a column called format
        if token.kind == "word":
            expect_format = token.depth == 0 and token.is_word("FORMAT")
            totals = totals or token.is_word("TOTALS", "EXTREMES")
            inserts = inserts or (token.depth == 0 and token.is_word("INSERT"))
    if inserts:  # WITH … INSERT
        return Statement("INSERT")
    return Statement(verb, named, blockwise=verb in ("SELECT", "WITH") and not totals)


def _read_insert(sql: bytes, tokens: Iterator[_Token]) -> Statement:
    """INSERT INTO [TABLE] [FUNCTION] target [(columns)] [SETTINGS …] FORMAT … | VALUES … | SELECT … | FROM INFILE …"""
    state = "into"  # then "target", "after" (names and dots of the target), "body"
    select, call_at = False, None
    settings_at: int | None = None
    span: tuple[int, int] | None = None
    structure = b""
    previous: _Token | None = None
    for token in tokens:
        if state == "into":
            if token.is_word("INTO", "TABLE", "FUNCTION"):
                continue
            state = "after"
        elif state == "after" and token.text == b".":
            state = "into"  # the second part of a database.table name
        elif token.depth == 0 or select:
            state = "body"
            if previous is not None and previous.is_word("FORMAT") and previous.depth == 0 and token.kind == "word":
                return Statement(
                    "INSERT",
                    token.text.decode(),
                    sql[: previous.start].rstrip(),
                    _data_start(sql, token.end),
                    settings_at,
                    span,
                    structure,
                )
            if token.is_word("VALUES") and not select:
                return Statement("INSERT", "Values")
            if settings_at is None and not select and token.is_word("SETTINGS"):
                settings_at = token.start
            if token.is_word("INFILE"):
                return Statement("INSERT", local_file=True)
            select = select or token.is_word("SELECT", "WITH")
            if select and span is None:
                if previous is not None and previous.is_word("INPUT") and token.text == b"(":
                    call_at = previous.start
                elif call_at is not None and token.kind == "string" and not structure:
                    structure = token.text
                elif call_at is not None and token.text == b")" and structure:
                    span = (call_at, token.end)
        previous = token if state == "body" else None
    return Statement("INSERT")


def _data_start(sql: bytes, at: int) -> int:
    """Behind the format's name: blanks, at most one semicolon and one line end belong to the SQL."""
    gap = re.compile(rb"[ \t]*;?[ \t]*(?:\r?\n)?").match(sql, at)
    return gap.end() if gap else at
