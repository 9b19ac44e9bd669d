"""Commands about the installation: its version, its tables, what is wrong with it."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.options import OutputOption
from pipeline.output import Output


def version(output: OutputOption = Output.table) -> None:
    """Print the version."""
    from pipeline import __version__
    from pipeline.output import print_json

    if output is Output.table:
        typer.echo(__version__)
    else:
        print_json({"version": __version__})


def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be applied, change nothing.")] = False,
    company: Annotated[
        str, typer.Option(hidden=True, help="Tenant that gets directory and decks of the simulated company.")
    ] = "",
) -> None:
    """Bring the ClickHouse database to the schema of this version."""
    from pipeline.settings import settings
    from pipeline.warehouse.privacy.retention import apply_rules
    from pipeline.warehouse.storage.client import connect
    from pipeline.warehouse.storage.migrate import migrate as apply
    from pipeline.warehouse.storage.migrate import set_retention

    chosen = settings()
    client = connect(chosen.clickhouse)
    for name in apply(client, chosen.database, dry_run=dry_run):
        typer.echo(name)
    if not dry_run:
        set_retention(client, calls_days=chosen.retention_days, archive_days=chosen.archive_retention_days)
        apply_rules(client)
    if company and not dry_run:
        from pipeline.traffic.books import store

        store(client, company)


def openapi() -> None:
    """Print the OpenAPI document of the query service."""
    from pipeline.output import print_json
    from pipeline.query.app import create_app
    from pipeline.settings import settings

    print_json(create_app(settings()).openapi())


def doctor(output: OutputOption = Output.table) -> None:
    """Check the whole installation and say what to mend. Exit status 1 when a check fails."""
    from pipeline.doctor.checkup import FAIL, examine
    from pipeline.output import print_rows
    from pipeline.settings import settings

    checks = examine(settings())
    print_rows((check.row() for check in checks), ("state", "what", "found", "hint"), output)
    if any(check.state == FAIL for check in checks):
        raise typer.Exit(1)
