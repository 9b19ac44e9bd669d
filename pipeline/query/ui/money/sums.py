"""Cost and margin of priced calls: as a whole, by account, trunk and destination. Never across currencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from pipeline.query.ui.frame.measured import Asker, Span
from pipeline.warehouse.reference.deck_lines import decks_of

MOST: Final = 25
_READ: Final = 1000
MEASURES: Final = ("calls", "billable_ms", "cost", "carrier_cost", "margin")
PRICED: Final = {"cost": {"exists": True}}
# Answered calls to the outside that no deck has a price for.
UNPRICED: Final = (
    ("state", "closed"),
    ("direction", "outbound"),
    ("direction", "inbound_outbound"),
    ("talk_started_at[exists]", "true"),
    ("cost[exists]", "false"),
)


async def sums_of(asker: Asker, span: Span, by: Sequence[str]) -> list[dict[str, Any]]:
    """The sums by some fields and currency, the dearest first; `percent`: the margin of what is billed."""
    rows = await asker.rows(span, MEASURES, [*by, "currency"], where=PRICED, order="-calls", limit=_READ)
    rows.sort(key=lambda row: (row["currency"] or "", -Decimal(row["cost"] or 0), -row["calls"]))
    return [row | {"percent": _percent(row)} for row in rows]


async def named_destinations(asker: Asker, rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Prefix → what the decks call it."""
    prefixes = {str(row["rate_prefix"]) for row in rows if row["rate_prefix"]}
    found: dict[str, str] = {}
    for deck in await decks_of(asker.reader, asker.visitor.caller.tenant, prefixes):
        for line in deck.lines():
            if line.prefix in prefixes and line.destination and deck.header.scope.kind == "customer":
                found.setdefault(line.prefix, line.destination)
    return found


def _percent(row: Mapping[str, Any]) -> float | None:
    if row["margin"] is None or not Decimal(row["cost"] or 0):
        return None
    return float(100 * Decimal(row["margin"]) / Decimal(row["cost"]))
