from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.query.http.problems import RequestProblem
from pipeline.query.portsip.filter import parse_filter, parse_orderby, parse_search
from pipeline.query.portsip.rows import CDR_PROPERTIES, CDR_SEARCHED
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.conditions import condition
from pipeline.warehouse.query.expressions import FUNCTIONS, BadExpression, Node

WORDS = st.sampled_from(
    [
        *CDR_PROPERTIES,
        *FUNCTIONS,
        *("eq", "ne", "gt", "and", "or", "not", "in", "(", ")", ",", "null", "true", "'x'", "''", "'o''k'"),
        *("1", "-1.5", "2024-01-01", "2024-01-01T00:00:00Z", "'486'", "9" * 30, "nobody", "'"),
    ]
)


def sql(text: str) -> str:
    return condition(parse_filter(text, CDR_PROPERTIES), Bindings())


def test_and_binds_stronger_than_or() -> None:
    a, b, c = "trunk eq 'a'", "trunk eq 'b'", "trunk eq 'c'"
    assert sql(f"{a} or {b} and {c}") == sql(f"{a} or ({b} and {c})")
    assert sql(f"{a} or {b} and {c}") != sql(f"({a} or {b}) and {c}")
    assert sql(f"not {a} and {b}") == sql(f"(not {a}) and {b}")


def test_nothing_asked_is_everything() -> None:
    assert sql("") == sql("  ") == "1"


def test_a_message_names_what_is_wrong() -> None:
    with pytest.raises(RequestProblem, match=r"filter 'colour': is no property; there are id, caller"):
        parse_filter("colour eq 'red'", CDR_PROPERTIES)
    with pytest.raises(RequestProblem, match=r"'like' \(word 2\) stands where an operator \(eq, ne"):
        parse_filter("caller like '1%'", CDR_PROPERTIES)
    with pytest.raises(RequestProblem, match="a quote that does not end, at character 11"):
        parse_filter("caller eq '101", CDR_PROPERTIES)


def settle(parse: object, *arguments: object) -> None:
    """Understood or refused, nothing else."""
    bindings = Bindings()
    try:
        node: Node = parse(*arguments)  # type: ignore[operator]
        rendered = condition(node, bindings)
    except (RequestProblem, BadExpression):
        return
    assert rendered.count("(") == rendered.count(")")
    for value in bindings.values.values():
        assert "\0" not in str(value)


@given(st.lists(WORDS, max_size=25).map(" ".join))
def test_any_words_are_understood_or_refused(text: str) -> None:
    settle(parse_filter, text, CDR_PROPERTIES)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=200))
def test_any_text_is_understood_or_refused(text: str) -> None:
    settle(parse_filter, text, CDR_PROPERTIES)
    settle(parse_search, text, CDR_SEARCHED)
    try:
        parse_orderby(text, CDR_PROPERTIES)
    except RequestProblem as problem:
        assert problem.status == 400


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=100))
def test_no_value_reaches_the_sql(text: str) -> None:
    literal = "'" + text.replace("'", "''") + "'"
    bindings = Bindings()
    rendered = condition(parse_filter(f"caller eq {literal} or contains(callee,{literal})", CDR_PROPERTIES), bindings)
    assert rendered == "((caller_number = {p0:String}) OR (position(callee_number, {p1:String}) > 0))"
    assert list(bindings.values.values()) == [text, text]
