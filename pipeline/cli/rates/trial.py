"""`cdr rates test`: what one call would cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline import clock
from pipeline.cli.directory import read_directory
from pipeline.cli.options import OutputOption, tenant_of, warehouse
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
    from pipeline.directory.model import Directory
    from pipeline.rating.tariffs import Tariffs


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

    whose = tenant_of(tenant)
    if deck:
        options = (currency, decimals, rounding.value, bands_of(band))
        tariffs = _of_files(deck, kind, _directory(directory, whose, zone), country or settings().country, *options)
    else:
        from pipeline.warehouse.reference.decks import Loader, versions

        client = warehouse()
        tariffs = Loader(country or settings().country).load(client, versions(client))
    started_at = _instant(at, tariffs.directory(whose).tz)
    subject = Subject(whose, number, started_at, direction.value, trunk, extension, account)
    outcome = tried(tariffs, subject, duration, kind.value)
    if output in (Output.json, Output.ndjson):
        print_json(outcome)
    elif output is Output.csv:
        print_rows([outcome], tuple(outcome), output)
    else:
        print_rows([{"term": name, "value": value} for name, value in outcome.items()], ("term", "value"), output)


def _directory(file: Path | None, tenant: str, zone: str) -> Directory:
    """The tenant's directory of a file; without one an empty directory in a zone."""
    from pipeline.directory import checks
    from pipeline.directory.model import Directory, Tenant, build
    from pipeline.settings import settings

    if file is not None:
        wanted = read_directory(file, tenant)
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
    from pipeline.rating.deck import Deck, Header, Scope
    from pipeline.rating.tariffs import Tariffs

    try:
        home = checks.country(country)
    except ValueError as error:
        raise Problem(f"--country {country!r} {error}.", code=USAGE) from None
    decks = []
    for place, file in enumerate(files):
        header = Header(file.stem, Scope(kind.value), decimals, rounding, bands, len(files) - place)
        decks.append(Deck(header, read_deck(file, bands, currency)))
    return Tariffs(decks, {directory.tenant.id: directory}, country=home)


def _instant(text: str, zone: Any) -> int:
    """--at as ms: RFC 3339, or a wall-clock time of the tenant's zone."""
    import datetime as dt

    from pipeline.instants import instant

    if not text:
        return clock.now_ms()
    try:
        local = dt.datetime.fromisoformat(text)
        if local.tzinfo is None:
            return int(local.replace(tzinfo=zone).timestamp() * 1000)
        return instant(text)
    except (ValueError, OverflowError):
        hint = "Write 2025-07-01T12:00:00Z, or 2025-07-01T12:00:00 for the tenant's zone."
        raise Problem(f"--at {text!r} is no time.", hint=hint, code=USAGE) from None
