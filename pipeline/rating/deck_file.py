"""Decks as CSV: read with every fault named by line, column, value and fix.

Columns stand in any order under the names of COLUMNS; any but `prefix` and a price may be left out. A line without
`price_n` costs `price_1` throughout, and the other way round; without `interval_1` there is no first interval, without
`interval_n` every second counts.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Final

from pipeline.errors import USAGE, Problem
from pipeline.instants import instant
from pipeline.rating.bands import parse
from pipeline.rating.deck import Line
from pipeline.rating.formula import ZERO, Terms

COLUMNS: Final = (
    "prefix", "destination", "connect_fee", "interval_1", "price_1", "interval_n", "price_n", "free_seconds",
    "grace_period", "post_call_surcharge", "minimum", "effective_from", "effective_to", "currency", "time_band",
)  # fmt: skip
_PRICE: Final = re.compile(r"\d{1,12}(\.\d{1,12})?|\.\d{1,12}")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_LOCAL: Final = re.compile(r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2})(:\d{2})?")
_MOST_SHOWN: Final = 20
_LONGEST_S: Final = 86_400


class _Reader:
    """Makes lines of rows, shares what is equal, and remembers what is wrong."""

    def __init__(self, file: str, bands: Mapping[str, str], currency: str) -> None:
        self.file = file
        self.faults: list[str] = []
        self.more = 0
        self._bands = bands
        self._currency = currency
        self._decimals: dict[str, Decimal] = {}
        self._terms: dict[tuple[str, ...], Terms] = {}
        self._texts: dict[str, str] = {}
        self._times: dict[tuple[str, bool], str] = {}
        self._known_bands: set[str] = {""}
        self._seen: dict[tuple[str, str, str], int] = {}

    def fault(self, line: int, column: str, value: str, fix: str) -> None:
        """Remember a fault."""
        if len(self.faults) < _MOST_SHOWN:
            shown = value if len(value) <= 60 else value[:57] + "…"
            self.faults.append(f"line {line}, {column} {shown!r} {fix}")
        else:
            self.more += 1

    def raise_if_any(self) -> None:
        """Refuse the file when anything was wrong."""
        if self.faults:
            count = len(self.faults) + self.more
            listed = "".join(f"\n  {fault}" for fault in self.faults)
            more = f"\n  and {self.more} more" if self.more else ""
            raise Problem(f"{self.file} is no deck, {count} of its values are wrong:{listed}{more}", code=USAGE)

    def lines(self, number: int, row: Mapping[str, str]) -> Iterator[Line]:
        """The lines of a row: one for each prefix in its cell."""
        terms = self._terms_of(number, row)
        band = self._band(number, row.get("time_band", ""))
        first = self._time(number, "effective_from", row.get("effective_from", ""), end=False)
        last = self._time(number, "effective_to", row.get("effective_to", ""), end=True)
        if first and last and first[-1] != "Z" != last[-1] and last <= first:
            self.fault(
                number, "effective_to", row["effective_to"], f"is not after effective_from {row['effective_from']!r}"
            )
        currency = row.get("currency", "").upper() or self._currency
        if currency and not re.fullmatch(r"[A-Z]{3}", currency):
            self.fault(number, "currency", row["currency"], "is no ISO 4217 code; write three letters such as EUR")
        destination = row.get("destination", "")[:200]
        for prefix in self._prefixes(number, row["prefix"]):
            key = (prefix, first, band)
            if key in self._seen:
                self.fault(number, "prefix", prefix, f"stands in line {self._seen[key]} for the same time; keep one")
            self._seen[key] = number
            shared = self._texts.setdefault(destination, destination)
            yield Line(prefix, shared, terms, self._texts.setdefault(currency, currency), first, last, band, number)

    def _prefixes(self, number: int, cell: str) -> list[str]:
        found = []
        for item in re.split(r"[,;]", cell):
            prefix = re.sub(r"[\s()./-]", "", item).removeprefix("+")
            if prefix == "*":
                prefix = ""
            elif not re.fullmatch(r"[0-9*#]{1,24}", prefix):
                fix = "is missing" if not cell else "is no prefix"
                self.fault(number, "prefix", item, f"{fix}; write country code and digits such as 4420, or * for all")
                continue
            found.append(prefix)
        return found

    def _terms_of(self, number: int, row: Mapping[str, str]) -> Terms:
        cells = tuple(row.get(name, "") for name in COLUMNS[2:11])
        known = self._terms.get(cells)
        if known is not None:
            return known
        faults = len(self.faults) + self.more
        price_1, price_n = (self._price(number, name, row) for name in ("price_1", "price_n"))
        if price_1 is None and price_n is None and len(self.faults) + self.more == faults:
            self.fault(number, "price_1", "", "and price_n are missing; write the price of a minute")
        terms = Terms(
            connect_fee=self._price(number, "connect_fee", row) or ZERO,
            interval_1=self._seconds(number, "interval_1", row, 0, 0),
            price_1=(price_n if price_1 is None else price_1) or ZERO,
            interval_n=self._seconds(number, "interval_n", row, 1, 1),
            price_n=(price_1 if price_n is None else price_n) or ZERO,
            free_seconds=self._seconds(number, "free_seconds", row, 0, 0),
            grace_period=self._seconds(number, "grace_period", row, 0, 0),
            post_call_surcharge=self._price(number, "post_call_surcharge", row) or ZERO,
            minimum=self._price(number, "minimum", row) or ZERO,
        )
        if len(self.faults) + self.more == faults:  # what is wrong is told of every line
            self._terms[cells] = terms
        return terms

    def _price(self, number: int, column: str, row: Mapping[str, str]) -> Decimal | None:
        cell = row.get(column, "")
        if column == "post_call_surcharge":
            cell = cell.removesuffix("%").rstrip()
        if not cell:
            return None
        known = self._decimals.get(cell)
        if known is None:
            if not _PRICE.fullmatch(cell):
                point = cell.replace(",", ".")
                fix = f"write {point}" if _PRICE.fullmatch(point) else "write digits and a point, such as 0.05"
                unit = "percentage" if column == "post_call_surcharge" else "price"
                self.fault(number, column, cell, f"is no {unit}; {fix}")
                return None
            known = self._decimals[cell] = Decimal(cell)
        return known

    def _seconds(self, number: int, column: str, row: Mapping[str, str], least: int, missing: int) -> int:
        cell = row.get(column, "")
        if not cell:
            return missing
        if not re.fullmatch(r"\d{1,6}", cell) or not least <= int(cell) <= _LONGEST_S:
            self.fault(number, column, cell, f"is no whole number of seconds from {least} to {_LONGEST_S}")
            return missing
        return int(cell)

    def _band(self, number: int, cell: str) -> str:
        if cell not in self._known_bands:
            try:
                parse(cell, self._bands)
            except ValueError as error:
                self.fault(number, "time_band", cell, str(error))
                return ""
            self._known_bands.add(cell)
        return self._texts.setdefault(cell, cell)

    def _time(self, number: int, column: str, cell: str, *, end: bool) -> str:
        """A bound as text: a date is the whole day, in the tenant's zone."""
        if not cell:
            return ""
        known = self._times.get((cell, end))
        if known is not None:
            return known
        try:
            if _DATE.fullmatch(cell):
                day = dt.date.fromisoformat(cell)
                made = f"{day + dt.timedelta(days=1) if end else day}T00:00:00"
            elif match := _LOCAL.fullmatch(cell):
                made = dt.datetime.fromisoformat(f"{match[1]}T{match[2]}{match[3] or ':00'}").isoformat()
            else:
                made = f"{dt.datetime.fromtimestamp(instant(cell) // 1000, dt.UTC):%Y-%m-%dT%H:%M:%S}Z"
        except (ValueError, OverflowError):
            fix = "write a date such as 2025-07-01 (the tenant's zone) or an RFC 3339 time"
            self.fault(number, column, cell, f"is no time; {fix}")
            return ""
        self._times[cell, end] = made
        return made


def parse_csv(body: str, file: str, *, bands: Mapping[str, str] | None = None, currency: str = "") -> list[Line]:
    """The lines of CSV text; `file` is its name in messages. `bands` are names of time bands besides the known ones,
    `currency` that of lines which name none. Raises Problem, which names every value that is wrong."""
    first_line = body.partition("\n")[0]
    comma = ";" if first_line.count(";") > first_line.count(",") else ","
    rows = csv.reader(io.StringIO(body, newline=""), delimiter=comma)
    header = [name.strip().lower().removeprefix("#") for name in next(rows, [])]
    _check_header(header, file)
    reader = _Reader(file, bands or {}, currency.upper())
    lines: list[Line] = []
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells) or cells[0].startswith("#"):
                continue
            if len(cells) > len(header):
                fix = f"is one value more than the header has columns ({len(header)}); quote what holds a {comma}"
                reader.fault(rows.line_num, "value", cells[len(header)], fix)
                continue
            lines.extend(reader.lines(rows.line_num, dict(zip(header, cells, strict=False))))
    except csv.Error as error:
        raise Problem(
            f"{file} is no CSV at line {rows.line_num}: {error}.", hint="Mend that line.", code=USAGE
        ) from None
    reader.raise_if_any()
    if not lines:
        raise Problem(f"{file} has no lines.", hint=f"Its header is {','.join(COLUMNS)}.", code=USAGE)
    return lines


def _check_header(header: list[str], file: str) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    if unknown:
        near = get_close_matches(unknown[0], COLUMNS, 1, 0.6)
        raise Problem(
            f"{file}: line 1, column {unknown[0]!r} is not known.",
            hint=f"Write {near[0]}." if near else f"There are {', '.join(COLUMNS)}.",
            code=USAGE,
        )
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise Problem(f"{file}: line 1, column {twice[0]!r} stands twice.", hint="Keep one.", code=USAGE)
    if "prefix" not in header or not {"price_1", "price_n"} & set(header):
        missing = "prefix" if "prefix" not in header else "price_1 (or price_n)"
        raise Problem(
            f"{file}: line 1, column {missing} is missing.", hint=f"The header is {','.join(COLUMNS)}.", code=USAGE
        )
