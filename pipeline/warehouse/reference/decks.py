"""Decks in ClickHouse: every load is a new version, which counts when its lines are all there."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

import orjson
from clickhouse_connect.driver.client import Client

from pipeline.directory.model import Directory
from pipeline.errors import FAILED, Problem
from pipeline.rating.deck import Deck, Header, Line, Scope
from pipeline.rating.formula import Terms
from pipeline.rating.tariffs import Order, Tariffs
from pipeline.warehouse.reference.directories import load as load_directory

_DECKS: Final = (
    "SELECT deck, version, kind, tenant, trunk, account, direction, decimals, rounding, bands, lines, digest,"
    " changed_at FROM decks ORDER BY deck"
)
_VERSIONS: Final = (
    "SELECT (SELECT max(version) FROM deck_rows), (SELECT max(version) FROM directory_rows),"
    " (SELECT max(version) FROM rerate_rows)"
)
_LINE_COLUMNS: Final = (
    "deck", "version", "prefix", "line", "destination", "connect_fee", "interval_1", "price_1", "interval_n", "price_n",
    "free_seconds", "grace_period", "post_call_surcharge", "minimum", "currency", "effective_from", "effective_to",
    "time_band",
)  # fmt: skip
# A line but for its deck; its terms as one text, which `terms_of` reads.
LINE: Final = (
    "prefix, line, destination, currency, effective_from, effective_to, time_band,"
    " concat(toString(connect_fee), ' ', toString(interval_1), ' ', toString(price_1), ' ', toString(interval_n), ' ',"
    " toString(price_n), ' ', toString(free_seconds), ' ', toString(grace_period), ' ', toString(post_call_surcharge),"
    " ' ', toString(minimum)) AS terms"
)
_LINES: Final = (
    f"SELECT {LINE} FROM rate_rows FINAL"
    " WHERE deck = {deck:String} AND version = {version:UInt64} ORDER BY prefix, line"
)
_TERMS: Final = tuple(Terms.__dataclass_fields__)
_BLOCK: Final = 50_000


@dataclass(frozen=True, slots=True)
class Versions:
    """How far the tables are that prices depend on. Equal ones mean that nothing changed."""

    decks: int = 0
    directory: int = 0
    rerates: int = 0

    @property
    def newest(self) -> int:
        """Of decks and directory: what prices of now depend on."""
        return max(self.decks, self.directory)


def orders(client: Client) -> list[Order]:
    """All orders to price calls again."""
    rows = client.query(
        "SELECT version, tenant, toUnixTimestamp64Milli(first_at), toUnixTimestamp64Milli(end_at)"
        " FROM rerate_rows FINAL ORDER BY version"
    ).result_rows
    return [Order(int(version), tenant, int(first), int(end)) for version, tenant, first, end in rows]


@dataclass(frozen=True, slots=True)
class Known:
    """A deck in use without its lines. `changed_at` is for people."""

    header: Header
    lines: int
    digest: str
    changed_at: str


def versions(client: Client) -> Versions:
    """How far the tables are."""
    return Versions(*(int(value) for value in client.query(_VERSIONS).result_rows[0]))


def known(client: Client) -> list[Known]:
    """The decks in use, by name."""
    found = []
    for row in client.query(_DECKS).result_rows:
        name, version, kind, tenant, trunk, account, direction, decimals, rounding, bands, lines, digest, at = row
        header = Header(
            name,
            Scope(kind, tenant, trunk, account, direction),
            decimals,
            rounding,
            orjson.loads(bands or "{}"),
            version,
        )
        found.append(Known(header, lines, digest, f"{at:%Y-%m-%dT%H:%M:%SZ}"))
    return found


def lines_of(client: Client, header: Header) -> Iterator[Line]:
    """The lines of one version of a deck, what is equal in them shared."""
    terms: dict[str, Terms] = {}
    texts: dict[str, str] = {}
    parameters = {"deck": header.name, "version": header.version}
    with client.query_row_block_stream(_LINES, parameters=parameters) as blocks:
        for block in blocks:
            for prefix, line, destination, currency, first, last, band, priced in block:
                shared = terms.get(priced)
                if shared is None:
                    shared = terms[priced] = terms_of(priced)
                yield Line(
                    prefix,
                    texts.setdefault(destination, destination),
                    shared,
                    texts.setdefault(currency, currency),
                    texts.setdefault(first, first),
                    texts.setdefault(last, last),
                    texts.setdefault(band, band),
                    line,
                )


def terms_of(priced: str) -> Terms:
    """The terms of a line, from the text that `LINE` makes of them."""
    values: dict[str, Any] = {}
    for name, value in zip(_TERMS, priced.split(" "), strict=True):
        whole = name.startswith("interval") or name in ("free_seconds", "grace_period")
        values[name] = int(value) if whole else Decimal(value)
    return Terms(**values)


def digest_of(header: Header, lines: Sequence[Line]) -> str:
    """SHA-256 of everything that a deck says."""
    digest = hashlib.sha256(repr(replace(header, version=0, bands=dict(sorted(header.bands.items())))).encode())
    for line in lines:
        digest.update(
            repr((line.prefix, line.destination, line.terms, line.currency, line.first, line.last, line.band)).encode()
        )
    return digest.hexdigest()


def save(client: Client, header: Header, lines: Sequence[Line], by: str) -> int:
    """Load a deck: its lines first, then the row that makes them count. Returns its version."""
    version = next_version(versions(client).decks)
    for start in range(0, len(lines), _BLOCK):
        rows = [_row(header.name, version, line) for line in lines[start : start + _BLOCK]]
        client.insert("rate_rows", rows, column_names=_LINE_COLUMNS, settings={"async_insert": 0})
    _announce(client, replace(header, version=version), len(lines), digest_of(header, lines), by, deleted=False)
    return version


def remove(client: Client, name: str, by: str) -> int:
    """Take a deck out of use. Calls that it priced keep their prices."""
    deck = next((one for one in known(client) if one.header.name == name), None)
    if deck is None:
        raise Problem(f"There is no deck {name!r}.", hint="`cdr rates list` shows them.", code=FAILED)
    version = next_version(versions(client).decks)
    _announce(client, replace(deck.header, version=version), 0, "", by, deleted=True)
    return version


def next_version(last: int) -> int:
    """The clock in µs, or one more than the last where a clock stands behind."""
    return max(time.time_ns() // 1000, last + 1)


def _announce(client: Client, header: Header, lines: int, digest: str, by: str, *, deleted: bool) -> None:
    scope = header.scope
    values: dict[str, Any] = {
        "deck": header.name,
        "version": header.version,
        "kind": scope.kind,
        "tenant": scope.tenant,
        "trunk": scope.trunk,
        "account": scope.account,
        "direction": scope.direction,
        "decimals": header.decimals,
        "rounding": header.rounding,
        "bands": orjson.dumps(dict(header.bands)).decode(),
        "lines": lines,
        "digest": digest,
        "deleted": int(deleted),
        "changed_at": header.version // 1000,
        "changed_by": by,
    }
    client.insert("deck_rows", [list(values.values())], column_names=list(values), settings={"async_insert": 0})


def _row(deck: str, version: int, line: Line) -> list[Any]:
    terms = [getattr(line.terms, name) for name in _TERMS]
    when = (line.first, line.last, line.band)
    return [deck, version, line.prefix, line.number, line.destination, *terms, line.currency, *when]


class Loader:
    """Reads decks and directories, and again only those that changed."""

    def __init__(self, country: str = "") -> None:
        self._country = country
        self._decks: dict[tuple[str, int], Deck] = {}
        self._directories: dict[str, Directory] = {}

    def load(self, client: Client, at: Versions, *more: Order) -> Tariffs:
        """What is in force, and `more` orders. `at` was asked before: what changes meanwhile is read the next time."""
        headers = [deck.header for deck in known(client)]
        decks = {}
        for header in headers:
            key = (header.name, header.version)
            decks[key] = self._decks.get(key) or Deck(header, lines_of(client, header))
        self._decks = decks
        rows = client.query("SELECT tenant, max(version) FROM directory_rows GROUP BY tenant").result_rows
        changed: Mapping[str, int] = {tenant: int(version) for tenant, version in rows}
        for tenant, version in changed.items():
            held = self._directories.get(tenant)
            if held is None or held.version != version:
                self._directories[tenant] = load_directory(client, tenant)
        return Tariffs(
            decks.values(),
            dict(self._directories),
            country=self._country,
            version=at.newest,
            orders=(*orders(client), *more),
        )
