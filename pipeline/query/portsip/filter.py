"""PortSIP's `filter`, `orderby` and `search`: the expressions of OData 4 that its pages show.

Vendor pages "Accessing CDRs" (REST API) and OData 4.01 part 2, 5.1.1; ours where both are silent:
`or` binds weaker than `and`, weaker than `not`, weaker than comparisons; keywords in any case; times and
numbers quoted or bare.

    filter  = conj *( "or" conj )         conj  = term *( "and" term )
    term    = "not" term | "(" filter ")" | operand [ compare operand | "in" "(" literals ")" ]
    operand = property | literal | function "(" operand *( "," operand ) ")"
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from pipeline.errors import shortened
from pipeline.instants import DAY_MS, instant
from pipeline.query.http.ids import plain_id
from pipeline.query.http.problems import invalid
from pipeline.warehouse.query.clauses import Order
from pipeline.warehouse.query.conditions import shown_text
from pipeline.warehouse.query.expressions import (
    EVERYTHING,
    FUNCTIONS,
    All,
    Any_,
    Call,
    Column,
    Compare,
    Contains,
    In,
    Literal,
    Node,
    Not,
    Operand,
)

_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<quoted>'(?:[^']|'')*')
      | (?P<sign>[(),])
      | (?P<word>[^\s'(),]+)
      | (?P<wrong>.)
    )""",
    re.VERBOSE | re.DOTALL,
)
_BARE: Final = re.compile(r"[+-]?\d[\w.:+-]*|[+-]\d+", re.ASCII)
_COMPARISONS: Final = ("eq", "ne", "gt", "ge", "lt", "le")
_MOST_TOKENS = 1000
_DEEPEST = 50
_LONGEST_SPAN_MS: Final = (5 * 365 + 2) * DAY_MS  # with the leap days that five years may have

Properties = Mapping[str, Column]


def parse_filter(text: str | None, properties: Properties) -> Node:
    """The tree of a `filter`; everything when there is none. 400 naming what cannot be understood."""
    if text is None or not text.strip():
        return EVERYTHING
    node = _Filter(text, properties).whole()
    _check_span(node)
    return node


def _check_span(node: Node) -> None:
    """400 for a filter that names a first and a last start more than five years apart (vendor page
    "Release notes": queries are limited to 5 years)."""
    first: list[int] = []
    last: list[int] = []
    for part in node.parts if isinstance(node, All) else (node,):
        if not (isinstance(part, Compare) and isinstance(part.left, Column) and isinstance(part.right, Literal)):
            continue
        if part.left.stored == "started_at" and part.right.text and part.operator in ("gt", "ge", "lt", "le"):
            try:
                (first if part.operator in ("gt", "ge") else last).append(instant(part.right.text))
            except ValueError:  # said with more words when the condition is made
                return
    if first and last and min(last) - max(first) > _LONGEST_SPAN_MS:
        raise invalid("filter", None, "spans more than 5 years of started_at; ask for at most 5 years at once")


def parse_orderby(text: str | None, properties: Properties) -> tuple[Order, ...]:
    """`caller asc, started_at desc`; ascending unless said otherwise, words in the order in which they are shown. Empty
    when there is none."""
    if text is None:
        return ()
    order: list[Order] = []
    for item in text.split(","):
        words = item.split()
        if not 1 <= len(words) <= 2 or (len(words) == 2 and words[1].lower() not in ("asc", "desc")):
            raise invalid("orderby", item.strip(), "write a property, then asc or desc, such as started_at desc")
        column = properties.get(words[0])
        if column is None:
            raise invalid("orderby", words[0], f"is no property; there are {', '.join(properties)}")
        column = replace(column, sql=shown_text(column), words={}, aliases={}) if column.words else column
        if any(column == key.column for key in order):
            raise invalid("orderby", words[0], "stands twice; name each property once")
        order.append(Order(column, len(words) == 2 and words[1].lower() == "desc"))
    return tuple(order)


def parse_search(
    text: str | None, columns: tuple[Column, ...], named: Callable[[str], Node | None] = lambda word: None
) -> Node:
    """`101 or 102`, `alice 101`, `"alice smith"`: words found in any of `columns`, whatever their case, or in a name
    that the directory has now (`named`: those calls; None: no such name). `or` binds weaker than `and`, and words side
    by side mean `and`."""
    if text is None or not text.strip():
        return EVERYTHING
    words = re.findall(r'"([^"]*)"|(\S+)', text)
    if len(words) > _DEEPEST:
        raise invalid("search", text, f"has {len(words)} words; write at most {_DEEPEST}")
    choices: list[list[Node]] = [[]]
    for phrase, word in words:
        if word.lower() == "or" and not phrase:
            choices.append([])
        elif phrase or (word and word.lower() != "and"):
            found, called = Contains(columns, phrase or word), named(phrase or word)
            choices[-1].append(found if called is None else Any_((found, called)))
    if not all(choices):
        raise invalid("search", text, "has an or with nothing on one side; write 101 or 102")
    parts = tuple(All(tuple(choice)) for choice in choices)
    return parts[0] if len(parts) == 1 else Any_(parts)


def _like(other: Operand, operand: Operand) -> Operand:
    """The operand as it is compared with `other`: an id is understood in base64, too, as in a path."""
    return _decimal(operand) if _is_id(other) and isinstance(operand, Literal) else operand


def _is_id(operand: Operand) -> bool:
    return isinstance(operand, Column) and operand.kind == "id"


def _decimal(literal: Literal) -> Literal:
    return replace(literal, text=plain_id(literal.text or "") or literal.text)


class _Filter:
    """One filter text on its way to a tree."""

    def __init__(self, text: str, properties: Properties) -> None:
        self._properties = properties
        self._tokens: list[tuple[str, str]] = []
        for match in _TOKEN.finditer(text.rstrip()):
            kind = match.lastgroup or ""
            if kind == "wrong":
                raise invalid("filter", text, f"has a quote that does not end, at character {match.start(kind) + 1}")
            self._tokens.append((kind, match[kind]))
        if len(self._tokens) > _MOST_TOKENS:
            raise invalid("filter", text, f"has {len(self._tokens)} words; write at most {_MOST_TOKENS}")
        self._next = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._either()
        if self._next < len(self._tokens):
            raise self._unexpected("and, or, or the end")
        return node

    def _either(self) -> Node:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise invalid("filter", None, f"has more than {_DEEPEST} parentheses inside each other")
        parts = [self._both()]
        while self._takes("or"):
            parts.append(self._both())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Any_(tuple(parts))

    def _both(self) -> Node:
        parts = [self._term()]
        while self._takes("and"):
            parts.append(self._term())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _term(self) -> Node:
        negations = 0
        while self._takes("not"):
            negations += 1
        node = self._positive()
        return Not(node) if negations % 2 else node

    def _positive(self) -> Node:
        if self._takes("(", "sign"):
            node = self._either()
            self._needs(")")
            return node
        left = self._operand()
        if self._takes("in"):
            return self._in(left)
        for operator in _COMPARISONS:
            if self._takes(operator):
                right = self._operand()
                return Compare(operator, _like(right, left), _like(left, right))
        if isinstance(left, Call) and FUNCTIONS[left.function].result == "truth":
            return left
        raise self._unexpected(f"an operator ({', '.join(_COMPARISONS)} or in)")

    def _in(self, left: Operand) -> Node:
        self._needs("(")
        values = [self._literal()]
        while self._takes(",", "sign"):
            values.append(self._literal())
        self._needs(")")
        return In(left, tuple(_decimal(value) if _is_id(left) else value for value in values))

    def _operand(self) -> Operand:
        kind, text = self._peek()
        following = self._tokens[self._next + 1] if self._next + 1 < len(self._tokens) else ("", "")
        if kind == "word" and following == ("sign", "(") and text.lower() not in ("in", "not", "and", "or"):
            return self._function(text)
        if kind == "word" and text in self._properties:
            self._next += 1
            return self._properties[text]
        return self._literal()

    def _function(self, name: str) -> Call:
        if name.lower() not in FUNCTIONS:
            raise invalid("filter", name, f"is no function; there are {', '.join(FUNCTIONS)}")
        self._next += 2
        self._depth += 1
        if self._depth > _DEEPEST:
            raise invalid("filter", None, f"has more than {_DEEPEST} parentheses inside each other")
        arguments = [self._operand()]
        while self._takes(",", "sign"):
            arguments.append(self._operand())
        self._needs(")")
        self._depth -= 1
        return Call(name.lower(), tuple(arguments))

    def _literal(self) -> Literal:
        kind, text = self._peek()
        if kind == "quoted":
            self._next += 1
            return Literal(text[1:-1].replace("''", "'"))
        if kind == "word" and text.lower() in ("null", "true", "false"):
            self._next += 1
            return Literal(None if text.lower() == "null" else text.lower(), quoted=False)
        if kind == "word" and _BARE.fullmatch(text):
            self._next += 1
            return Literal(text, quoted=False)
        if kind == "word":
            raise invalid("filter", text, f"is no property; there are {', '.join(self._properties)}; quote texts: 'x'")
        raise self._unexpected("a property or a value")

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("", "")

    def _takes(self, text: str, kind: str = "word") -> bool:
        found = self._peek()
        if found[0] == kind and found[1].lower() == text:
            self._next += 1
            return True
        return False

    def _needs(self, sign: str) -> None:
        if not self._takes(sign, "sign"):
            raise self._unexpected(f"'{sign}'")

    def _unexpected(self, wanted: str) -> Exception:
        kind, text = self._peek()
        where = f"{shortened(text)!r} (word {self._next + 1})" if kind else "its end"
        return invalid("filter", None, f"{where} stands where {wanted} was expected")
