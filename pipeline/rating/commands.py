"""`cdr rates`: load decks, compare and list them, try a number, price old calls again."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.errors import USAGE, Problem
from pipeline.output import Output

if TYPE_CHECKING:
    from pipeline.directory.model import Directory
    from pipeline.rating.deck import Header
    from pipeline.rating.tariffs import Tariffs

app = typer.Typer(no_args_is_help=True, help="Tariff decks, and what calls cost.")


class Kind(StrEnum):
    """What a deck is for."""

    customer = "customer"
    carrier = "carrier"


class Direction(StrEnum):
    """Directions of calls that are priced."""

    outbound = "outbound"
    inbound_outbound = "inbound_outbound"
    inbound = "inbound"


class Rounding(StrEnum):
    """How a cost is rounded."""

    half_up = "half_up"
    half_even = "half_even"
    up = "up"
    down = "down"


OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to print rows.")]
File = Annotated[Path, typer.Argument(help="CSV; see docs/rating.md.")]
Name = Annotated[str, typer.Option(help="Name of the deck; the file's name when left out.")]
Bands = Annotated[list[str] | None, typer.Option("--band", metavar="NAME=TIMES", help="A time band; may be repeated.")]
Currency = Annotated[str, typer.Option(help="Currency of lines that name none.")]
Decimals = Annotated[int, typer.Option(min=0, max=12, help="Digits after the point that a cost is rounded to.")]
RoundingOption = Annotated[Rounding, typer.Option(help="How a cost is rounded.")]


def _client() -> Any:
    from pipeline.settings import settings
    from pipeline.warehouse.client import connect

    return connect(settings().clickhouse, settings().database)


def _bands(given: list[str] | None) -> dict[str, str]:
    from pipeline.rating.bands import parse

    bands = {}
    for text in given or ():
        name, equals, times = text.partition("=")
        try:
            if not (equals and name.strip()):
                raise ValueError("has no name; write peak='mon-fri 08:00-18:00'")
            parse(times)
        except ValueError as error:
            raise Problem(f"--band {text!r} {error}.", code=USAGE) from None
        bands[name.strip()] = times.strip()
    return bands


@app.command()
def load(
    file: File,
    name: Name = "",
    kind: Annotated[Kind, typer.Option(help="customer: what is billed; carrier: what it costs us.")] = Kind.customer,
    tenant: Annotated[str, typer.Option(help="Only for calls of this tenant.")] = "",
    trunk: Annotated[str, typer.Option(help="Only for calls over this trunk.")] = "",
    account: Annotated[str, typer.Option(help="Only for calls that this account pays.")] = "",
    direction: Annotated[Direction | None, typer.Option(help="Only for calls of this direction.")] = None,
    currency: Currency = "",
    decimals: Decimals = 5,
    rounding: RoundingOption = Rounding.half_up,
    band: Bands = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, change nothing.")] = False,
) -> None:
    """Load a deck, or a new version of it. It prices calls from now on; old calls keep their prices."""
    from pipeline.rating import deck_file
    from pipeline.rating.changes import difference
    from pipeline.rating.deck import Header, Scope
    from pipeline.warehouse import decks

    bands = _bands(band)
    scope = Scope(kind.value, tenant, trunk, account, direction.value if direction else "")
    header = Header(_plain(name or file.stem), scope, decimals, rounding.value, bands)
    lines = deck_file.read(file, bands=bands, currency=currency)
    client = _client()
    before = next((one for one in decks.known(client) if one.header.name == header.name), None)
    if before is not None and before.digest == decks.digest_of(header, lines):
        typer.echo(f"Deck {header.name} has these {len(lines)} lines already; nothing to change.", err=True)
        return
    changes = [row["change"] for row in difference(_old(client, before.header if before is not None else None), lines)]
    told = ", ".join(f"{changes.count(change)} {change}" for change in ("new", "changed", "removed"))
    if dry_run:
        typer.echo(f"Deck {header.name} would have {len(lines)} lines: {told} (dry run).", err=True)
        return
    decks.save(client, header, lines, "cdr rates load")
    typer.echo(f"Deck {header.name} has {len(lines)} lines: {told}.", err=True)


def _plain(name: str) -> str:
    if not name.isprintable() or not 1 <= len(name) <= 128:
        raise Problem(f"--name {name[:40]!r} is empty, longer than 128 or not printable.", hint="Mend it.", code=USAGE)
    return name


def _old(client: Any, header: Header | None) -> list[Any]:
    from pipeline.warehouse import decks

    return list(decks.lines_of(client, header)) if header is not None else []


@app.command()
def diff(
    file: File,
    name: Name = "",
    currency: Currency = "",
    band: Bands = None,
    output: OutputOption = Output.table,
) -> None:
    """Print how a file differs from the deck in use. Exit code 1 when it does."""
    from pipeline.output import print_rows
    from pipeline.rating import deck_file
    from pipeline.rating.changes import difference
    from pipeline.warehouse import decks

    lines = deck_file.read(file, bands=_bands(band), currency=currency)
    client = _client()
    before = next((one.header for one in decks.known(client) if one.header.name == (name or file.stem)), None)
    rows = difference(_old(client, before), lines)
    if rows or output is not Output.table:
        columns = ("change", "prefix", "destination", "effective_from", "time_band", "fields", "percent")
        print_rows(rows, columns, output)
    else:
        typer.echo("The same.", err=True)
    raise typer.Exit(1 if rows else 0)


@app.command("list")
def list_decks(output: OutputOption = Output.table) -> None:
    """Print the decks in use."""
    from pipeline.output import print_rows
    from pipeline.warehouse import decks

    rows = [
        {
            "deck": deck.header.name,
            "kind": deck.header.scope.kind,
            "tenant": deck.header.scope.tenant,
            "trunk": deck.header.scope.trunk,
            "account": deck.header.scope.account,
            "direction": deck.header.scope.direction,
            "lines": deck.lines,
            "decimals": deck.header.decimals,
            "rounding": deck.header.rounding,
            "loaded_at": deck.changed_at,
        }
        for deck in decks.known(_client())
    ]
    columns = ("deck", "kind", "tenant", "trunk", "account", "direction", "lines", "decimals", "rounding", "loaded_at")
    print_rows(rows, columns, output)


@app.command()
def remove(name: Annotated[str, typer.Argument(help="See cdr rates list.")]) -> None:
    """Take a deck out of use. Calls that it priced keep their prices."""
    from pipeline.warehouse import decks

    decks.remove(_client(), name, "cdr rates remove")
    typer.echo(f"Deck {name} is no longer used.", err=True)


@app.command()
def test(
    number: Annotated[str, typer.Argument(help="Number as it is dialled, or with + and country code.")],
    duration: Annotated[int, typer.Option(min=0, help="Seconds from answer to end.")],
    deck: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Deck to try, without any server; may be repeated.")
    ] = None,
    at: Annotated[str, typer.Option(metavar="TIME", help="When the call starts; now when left out.")] = "",
    tenant: Annotated[str, typer.Option(help="Whose call; CDR_TENANT when left out.")] = "",
    trunk: Annotated[str, typer.Option(help="Trunk that carries it.")] = "",
    account: Annotated[str, typer.Option(help="Account that pays; else the directory says.")] = "",
    extension: Annotated[str, typer.Option(help="Extension that calls.")] = "",
    direction: Annotated[Direction, typer.Option(help="Direction of the call.")] = Direction.outbound,
    kind: Annotated[Kind, typer.Option(help="Which price.")] = Kind.customer,
    directory: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Directory file: dial plan, zone, accounts.")
    ] = None,
    zone: Annotated[str, typer.Option(help="Time zone, with --deck.")] = "",
    country: Annotated[str, typer.Option(help="Country of numbers without country code; else CDR_COUNTRY.")] = "",
    currency: Currency = "",
    decimals: Decimals = 5,
    rounding: RoundingOption = Rounding.half_up,
    band: Bands = None,
    output: OutputOption = Output.table,
) -> None:
    """Say what a call would cost, with each term of the formula."""
    from pipeline.output import print_json, print_rows
    from pipeline.rating.tariffs import Subject
    from pipeline.rating.trial import tried
    from pipeline.settings import settings

    whose = tenant or settings().tenant
    if deck:
        options = (currency, decimals, rounding.value, _bands(band))
        tariffs = _of_files(deck, kind, _directory(directory, whose, zone), country or settings().country, *options)
    else:
        from pipeline.warehouse.decks import Loader, versions

        client = _client()
        tariffs = Loader(country or settings().country).load(client, versions(client))
    started_at = _instant(at, tariffs.directory(whose).tz)
    subject = Subject(whose, number, started_at, direction.value, trunk, extension, account)
    told = tried(tariffs, subject, duration, kind.value)
    if output in (Output.json, Output.ndjson):
        print_json(told)
    elif output is Output.csv:
        print_rows([told], tuple(told), output)
    else:
        print_rows([{"term": name, "value": value} for name, value in told.items()], ("term", "value"), output)


def _directory(file: Path | None, tenant: str, zone: str) -> Directory:
    """The tenant's directory of a file; without one an empty directory in a zone."""
    from pipeline.directory import checks, files
    from pipeline.directory.model import Directory, Tenant, build
    from pipeline.settings import settings

    if file is not None:
        wanted = files.read(file, tenant)
        if tenant not in wanted:
            found = ", ".join(wanted)
            raise Problem(f"{file} is not about tenant {tenant!r}.", hint=f"Give --tenant: {found}.", code=USAGE)
        return build(tenant, wanted[tenant].entries)
    try:
        return Directory(Tenant(tenant, zone=checks.zone(zone or settings().zone)))
    except ValueError as error:
        raise Problem(f"--zone {zone!r} {error}.", code=USAGE) from None


def _of_files(
    files: list[Path],
    kind: Kind,
    directory: Directory,
    country: str,
    currency: str,
    decimals: int,
    rounding: str,
    bands: dict[str, str],
) -> Tariffs:
    from pipeline.directory import checks
    from pipeline.rating import deck_file
    from pipeline.rating.deck import Deck, Header, Scope
    from pipeline.rating.tariffs import Tariffs

    try:
        home = checks.country(country)
    except ValueError as error:
        raise Problem(f"--country {country!r} {error}.", code=USAGE) from None
    decks = []
    for place, file in enumerate(files):
        header = Header(file.stem, Scope(kind.value), decimals, rounding, bands, len(files) - place)
        decks.append(Deck(header, deck_file.read(file, bands=bands, currency=currency)))
    return Tariffs(decks, {directory.tenant.id: directory}, country=home)


def _instant(text: str, zone: Any) -> int:
    """--at as ms: RFC 3339, or a wall-clock time of the tenant's zone."""
    import datetime as dt
    import time

    from pipeline.instants import instant

    if not text:
        return time.time_ns() // 1_000_000
    try:
        local = dt.datetime.fromisoformat(text)
        if local.tzinfo is None:
            return int(local.replace(tzinfo=zone).timestamp() * 1000)
        return instant(text)
    except (ValueError, OverflowError):
        hint = "Write 2025-07-01T12:00:00Z, or 2025-07-01T12:00:00 for the tenant's zone."
        raise Problem(f"--at {text!r} is no time.", hint=hint, code=USAGE) from None
