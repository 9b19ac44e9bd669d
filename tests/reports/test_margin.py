"""The report of trunks and carriers over calls that a customer's and a carrier's deck priced, cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from pipeline.directory.model import Tenant, Trunk
from pipeline.rating.calls import price
from pipeline.rating.deck import Deck, Header, Scope
from pipeline.rating.deck_file import parse_csv
from pipeline.rating.tariffs import Tariffs
from pipeline.reports.catalogue import ALL
from pipeline.reports.ranges import span_of
from pipeline.reports.types.build import Question
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.reference.directories import Directories, save
from schemas.call import Call
from tests.query.stored_calls import NOON, stored_call, write
from tests.servers import ClickHouseServer

RETAIL = """prefix,connect_fee,interval_1,price_1,interval_n,price_n,minimum,currency
44,0.10,60,0.06,60,0.06,,EUR
447,0,60,0.30,30,0.30,0.50,EUR
49,0,1,0.02,1,0.02,,GBP
"""
WHOLESALE = "prefix,price_n,interval_n,currency\n44,0.0123456,1,EUR\n447,0.35,1,EUR\n49,0.01,1,EUR\n"
# (trunk, number, seconds, customer's cost, carrier's cost), worked out by hand: PortSIP's formula.
PRICED: tuple[tuple[str, str, int, str | None, str | None], ...] = (
    ("carrier-a", "+442079460123", 61, "0.22", "0.01255"),  # 0.10 + 60·0.06/60 + 60·0.06/60; 61·0.0123456/60
    ("carrier-a", "+442079460124", 1, "0.16", "0.00021"),
    ("carrier-a", "+447700900123", 30, "0.5", "0.175"),  # at the minimum
    ("carrier-a", "+447700900124", 121, "0.75", "0.70583"),  # 60 and three times 30 s
    ("carrier-b", "+442079460125", 600, "0.7", "0.12346"),
    ("carrier-b", "+4930123456", 60, "0.02", "0.01"),  # two currencies: no margin can be told
    ("carrier-b", "+15551234567", 60, None, None),  # no deck knows it
    ("carrier-c", "+4930123457", 120, "0.04", "0.02"),
)


def calls(tariffs: Tariffs) -> list[Call]:
    made = []
    for place, (trunk, number, seconds, _, _) in enumerate(PRICED):
        at = NOON + place * 60_000
        end = at + 5_000 + seconds * 1000
        log = {"kind": "outside", "number": number, "trunk": trunk, "ended_at": end}
        call = stored_call(
            "acme", f"c{place}", at, logs=[log], direction="outbound", requested=number, callee_number=number,
            callee_extension="", trunk=trunk, ended_at=end, billable_ms=seconds * 1000, talk_ms=seconds * 1000,
        )  # fmt: skip
        price(call, tariffs)
        made.append(call)
    return made


def total(values: Sequence[str | None]) -> Decimal:
    return sum((Decimal(value) for value in values if value is not None), Decimal(0))


@pytest.mark.parametrize("asked", [(), ("carrier-a", "carrier-c")])
async def test_margins(clickhouse_endpoint: ClickHouseServer, database: str, asked: tuple[str, ...]) -> None:
    decks = [
        Deck(Header("retail"), parse_csv(RETAIL, "retail")),
        Deck(Header("wholesale", Scope("carrier")), parse_csv(WHOLESALE, "wholesale")),
    ]
    found = calls(Tariffs(decks, country="GB"))
    assert [(call.cost or None, call.carrier_cost or None) for call in found] == [row[3:] for row in PRICED]
    with clickhouse_endpoint.client(database) as client:
        write(client, found)
        entries: dict[tuple[str, str], Any] = {
            ("tenant", "acme"): Tenant("acme", zone="UTC"),
            ("trunk", "carrier-a"): Trunk("carrier-a", carrier="First"),
        }
        save(client, "acme", entries, "tests")
    reader = Reader(clickhouse_endpoint.url, database)
    try:
        span = span_of("TODAY", NOON + 3_600_000, "UTC", None)
        checked = ALL["trunks"].filter({"trunks": list(asked)} if asked else {})
        directory = await Directories(reader).of("acme")
        report = await ALL["trunks"].build(Question(reader, directory, "trunks", span, checked))
        table = report.tables[0]
        names = [column.name for column in table.columns]
        rows = {str(line.cells[0]): dict(zip(names, line.cells, strict=True)) for line in table.lines}  # type: ignore[union-attr]
    finally:
        reader.close()
    shown = asked or ("carrier-a", "carrier-b", "carrier-c")
    assert set(rows) == {*shown, "Total"}
    for name, row in rows.items():
        mine = [each for each in PRICED if each[0] == name or (name == "Total" and each[0] in shown)]
        currencies = {"GBP" if each[1].startswith("+49") else "EUR" for each in mine if each[3]}
        same = [each for each in mine if each[3] and each[4] and not each[1].startswith("+49")]
        assert row["Calls"] == row["Answered"] == len(mine)
        assert row["Billable Time"] == sum(each[2] for each in mine)
        assert row["Cost"] == (None if len(currencies) > 1 else _text(total([each[3] for each in mine])))
        assert row["Carrier Cost"] == _text(total([each[4] for each in mine]))
        margin = total([each[3] for each in same]) - total([each[4] for each in same])
        assert row["Margin"] == (_text(margin) if same else None)
    assert rows["carrier-a"]["Carrier"] == "First"
    assert rows["carrier-a"]["Margin"] == "0.73641"  # 1.63 − 0.89359


def _text(value: Decimal) -> str:
    return f"{value:f}".rstrip("0").rstrip(".")
