"""What all of PortSIP's lists understand: filter, search, orderby, skip, top, count; with and without a dollar."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from fastapi import Request

from pipeline.query.http.parameters import parse
from pipeline.query.portsip.filter import parse_filter, parse_orderby, parse_search
from pipeline.warehouse.query.expressions import All, Column, Node
from pipeline.warehouse.query.pages.paging import Asked

_OPTIONS: Final = ("filter", "search", "orderby", "skip", "top", "count")
_DEEPEST_SKIP: Final = 10**12


def asked(
    request: Request,
    properties: Mapping[str, Column],
    searched: Sequence[Column],
    *more: Node,
    named: Callable[[str], Node | None] = lambda word: None,
) -> Asked:
    """What a request asks for of a list, and `more` conditions. `named`: what a search finds by names of the directory.
    Raises RequestProblem naming the option."""
    options = parse(request.scope["query_string"], _OPTIONS, dollar=True, filled=("filter", "search"))
    options.truth("count", True)  # PortSIP's lists always carry count; false is understood and changes nothing
    which = (
        parse_filter(options.text("filter"), properties),
        parse_search(options.text("search"), tuple(searched), named),
    )
    return Asked(
        All((*more, *which)),
        parse_orderby(options.text("orderby"), properties),
        options.whole("skip", 0, 0, _DEEPEST_SKIP),
        options.whole("top", 100, 1, 100),
    )
