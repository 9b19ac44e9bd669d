"""`cdr rates`: load decks, compare and list them, try a number, price old calls again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import clock
from pipeline.cli.options import OutputOption, warehouse
from pipeline.cli.rates import trial
from pipeline.cli.rates.deck_options import (
    Bands,
    Currency,
    Decimals,
    Direction,
    Kind,
    Rounding,
    RoundingOption,
    bands_of,
    read_deck,
)
from pipeline.errors import USAGE, Problem
from pipeline.output import Output

if TYPE_CHECKING:
    from pipeline.rating.deck import Header

app = typer.Typer(no_args_is_help=True, help="Tariff decks, and what calls cost.")
app.command("test")(trial.test)


File = Annotated[Path, typer.Argument(help="CSV; see docs/rating.md.")]
Name = Annotated[str, typer.Option(help="Name of the deck; the file's name when left out.")]


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
    from pipeline.rating.changes import difference
    from pipeline.rating.deck import Header, Scope
    from pipeline.warehouse.reference import decks

    bands = bands_of(band)
    scope = Scope(kind.value, tenant, trunk, account, direction.value if direction else "")
    header = Header(_plain(name or file.stem), scope, decimals, rounding.value, bands)
    lines = read_deck(file, bands, currency)
    client = warehouse()
    before = next((one for one in decks.known(client) if one.header.name == header.name), None)
    if before is not None and before.digest == decks.digest_of(header, lines):
        typer.echo(f"Deck {header.name} has these {len(lines)} lines already; nothing to change.", err=True)
        return
    changes = [row["change"] for row in difference(_old(client, before.header if before is not None else None), lines)]
    summary = ", ".join(f"{changes.count(change)} {change}" for change in ("new", "changed", "removed"))
    if dry_run:
        typer.echo(f"Deck {header.name} would have {len(lines)} lines: {summary} (dry run).", err=True)
        return
    decks.save(client, header, lines, "cdr rates load")
    typer.echo(f"Deck {header.name} has {len(lines)} lines: {summary}.", err=True)


def _plain(name: str) -> str:
    if not name.isprintable() or not 1 <= len(name) <= 128:
        raise Problem(f"--name {name[:40]!r} is empty, longer than 128 or not printable.", hint="Mend it.", code=USAGE)
    return name


def _old(client: Any, header: Header | None) -> list[Any]:
    from pipeline.warehouse.reference import decks

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
    from pipeline.rating.changes import difference
    from pipeline.warehouse.reference import decks

    lines = read_deck(file, bands_of(band), currency)
    client = warehouse()
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
    from pipeline.warehouse.reference import decks

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
        for deck in decks.known(warehouse())
    ]
    columns = ("deck", "kind", "tenant", "trunk", "account", "direction", "lines", "decimals", "rounding", "loaded_at")
    print_rows(rows, columns, output)


@app.command()
def remove(name: Annotated[str, typer.Argument(help="See cdr rates list.")]) -> None:
    """Take a deck out of use. Calls that it priced keep their prices."""
    from pipeline.warehouse.reference import decks

    decks.remove(warehouse(), name, "cdr rates remove")
    typer.echo(f"Deck {name} is no longer used.", err=True)


@app.command()
def rerate(
    first: Annotated[
        str, typer.Option("--from", metavar="TIME", help="Calls started then or later: a date or an RFC 3339 time.")
    ],
    end: Annotated[
        str, typer.Option("--to", metavar="TIME", help="Calls started before; of a date, its end. Now when left out.")
    ] = "",
    tenant: Annotated[str, typer.Option(help="Only calls of this tenant.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, change nothing.")] = False,
    feed: Annotated[bool, typer.Option(help="Tell the change feed of the new versions.")] = True,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print.")] = Output.table,
) -> None:
    """Price old calls again, by the decks and the directory of now, into new versions. May be done while workers
    run, and again after it was cut off."""
    from pipeline.output import print_json, print_rows
    from pipeline.settings import settings
    from pipeline.worker.repair.rerating import kafka_away, run

    chosen = settings()
    begin, until = _instant("--from", first, tenant, end=False), _instant("--to", end, tenant, end=True)
    if begin >= until:
        raise Problem(f"--from {first!r} is not before --to {end or 'now'!r}.", hint="Swap them.", code=USAGE)
    problem = kafka_away(chosen) if feed and not dry_run else None
    if problem is not None:
        typer.echo(f"cdr: {problem} The change feed is not told of the new prices.", err=True)
    row = run(chosen, begin, until, tenant=tenant, dry_run=dry_run, feed=feed and problem is None).row()
    if output in (Output.json, Output.ndjson):
        print_json(row)
    else:
        shown = row | {name: " ".join(f"{total} {currency}".strip() for currency, total in row[name].items())
                       for name in ("before", "after")}  # fmt: skip
        print_rows([shown], tuple(row), output)


def _instant(option: str, text: str, tenant: str, *, end: bool) -> int:
    """A bound as ms. A date is a day in the tenant's zone, UTC for all tenants."""
    import datetime as dt

    from pipeline.instants import instant
    from pipeline.warehouse.reference.directories import load

    if not text:
        return clock.now_ms()
    try:
        if len(text) == len("2025-07-01"):
            day = dt.date.fromisoformat(text) + dt.timedelta(days=end)
            zone = load(warehouse(), tenant).tz if tenant else dt.UTC
            return int(dt.datetime.combine(day, dt.time(), zone).timestamp() * 1000)
        return instant(text)
    except (ValueError, OverflowError):
        hint = "Write a date such as 2025-07-01, or 2025-07-01T00:00:00Z."
        raise Problem(f"{option} {text!r} is no time.", hint=hint, code=USAGE) from None
