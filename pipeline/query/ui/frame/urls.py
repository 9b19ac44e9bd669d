"""Query strings of pages: the whole state of a page stands in its URL, so that the link can be shared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import Request

from pipeline.query.http.parameters import Parameters, parse


class _Any:
    """Every name is known: a page says of its own which it does not understand."""

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Query:
    """Names and values in their order. Empty values are left out: forms send their empty fields, too."""

    pairs: tuple[tuple[str, str], ...]

    def get(self, name: str, default: str = "") -> str:
        """The first value of this name."""
        return next((value for each, value in self.pairs if each == name), default)

    def all(self, name: str) -> list[str]:
        """All values of this name."""
        return [value for each, value in self.pairs if each == name]

    def without(self, *names: str) -> Query:
        """The others."""
        return Query(tuple(pair for pair in self.pairs if pair[0] not in names))

    def less(self, name: str, value: str) -> Query:
        """Without this value of the name."""
        return Query(tuple(pair for pair in self.pairs if pair != (name, value)))

    def with_(self, name: str, *values: str) -> Query:
        """With these values of the name in place of those there are."""
        return Query((*self.without(name).pairs, *((name, value) for value in values if value)))

    def __str__(self) -> str:
        return urlencode(self.pairs, safe=":,[]*/")


def query_of(request: Request) -> Query:
    """What the URL of a page asks, read as strictly as the API reads it. Raises RequestProblem."""
    kept = [part for part in request.scope["query_string"].split(b"&") if part and not part.endswith(b"=")]
    found: Parameters = parse(b"&".join(kept), _Any(), repeatable=_Any())
    return Query(tuple((name, value) for name, values in found.all() for value in _stripped(values)))


def _stripped(values: Iterable[str]) -> list[str]:
    return [value.strip() for value in values if value.strip()]
