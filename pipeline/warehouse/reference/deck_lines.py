"""The lines of decks that some numbers are priced by: enough to price them, without reading whole decks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import orjson

from pipeline.rating.deck import Deck, Header, Line, Scope
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.reference.decks import LINE, terms_of

_OURS: Final = "FROM decks WHERE tenant IN ('', {tenant})"


async def decks_of(reader: Reader, tenant: str, numbers: Iterable[str]) -> list[Deck]:
    """The decks in force that count for the tenant, with those of their lines that begin any of the numbers (digits).
    Raises what `Reader.rows` raises."""
    bindings = Bindings()
    whose = _OURS.replace("{tenant}", bindings.bind(tenant, "String"))
    begins = sorted({number[:length] for number in numbers for length in range(len(number) + 1)})
    headers = await reader.rows(
        "decks",
        "SELECT deck, version, kind, tenant, trunk, account, direction, decimals, rounding, bands"
        f" {whose} ORDER BY deck",
        bindings.values,
        by_key=True,
    )
    if not headers:
        return []
    rows = await reader.rows(
        "deck_lines",
        f"SELECT deck, {LINE} FROM rate_rows FINAL WHERE (deck, version) IN (SELECT deck, version {whose})"
        f" AND prefix IN {bindings.bind(begins, 'Array(String)')} ORDER BY deck, prefix, line",
        bindings.values,
        by_key=True,
    )
    found: dict[str, list[Line]] = {}
    for row in rows:
        moments = (row["effective_from"], row["effective_to"], row["time_band"])
        line = Line(
            row["prefix"], row["destination"], terms_of(row["terms"]), row["currency"], *moments, int(row["line"])
        )
        found.setdefault(row["deck"], []).append(line)
    decks = []
    for row in headers:
        scope = Scope(row["kind"], row["tenant"], row["trunk"], row["account"], row["direction"])
        bands = orjson.loads(row["bands"] or "{}")
        header = Header(row["deck"], scope, int(row["decimals"]), row["rounding"], bands, int(row["version"]))
        decks.append(Deck(header, found.get(row["deck"], ())))
    return decks
