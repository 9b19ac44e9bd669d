"""`cdr erase` and `cdr retention`: what is kept of people, and for how long."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.options import OutputOption, user_name, warehouse
from pipeline.errors import USAGE, Problem
from pipeline.output import Output

retention = typer.Typer(no_args_is_help=True, help="How long the rows of single tenants are kept.")


def erase(
    number: Annotated[str, typer.Option("--number", help="The person's number, or extension.")],
    tenant: Annotated[str, typer.Option(help="Only calls of this tenant; of all when left out.")] = "",
    before: Annotated[str, typer.Option(help="Only calls that started before, RFC 3339.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be erased, change nothing.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Erase the calls and events of one number, while the workers run, and keep a record that it was done."""
    from pipeline.instants import instant
    from pipeline.output import print_rows
    from pipeline.query.erased_files import erase_files
    from pipeline.settings import settings
    from pipeline.warehouse.privacy.erasure import erase as run
    from pipeline.warehouse.privacy.remains import ELSEWHERE, remains

    try:
        before_ms = instant(before) if before else None
    except ValueError as error:
        raise Problem(f"--before {before[:40]!r} {error}.", code=USAGE) from None
    client = warehouse()
    key = settings().erasure_key
    done = run(
        client,
        number,
        tenant=tenant,
        before_ms=before_ms,
        who=user_name(),
        key=key,
        dry_run=dry_run,
        files=lambda forms: erase_files(settings(), forms, tenant, dry_run=dry_run),
    )
    row = {"calls": len(done.calls), **done.rows, "record": done.id, "dry_run": dry_run}
    print_rows([row], tuple(row), output)
    if not dry_run:
        typer.echo(
            "What waits for retention: Kafka keeps events and changes for 7 days and dead letters for 30. Workers"
            " erase what comes back of these calls. Backups and receivers of webhooks and mails: see docs/privacy.md.",
            err=True,
        )
    for table, rows in remains(client, number, tenant).items():
        typer.echo(f"Not erased: {rows} {'row' if rows == 1 else 'rows'} of {ELSEWHERE[table]}.", err=True)


@retention.command("set")
def retention_set(
    tenant: Annotated[str, typer.Option(help="Whose rows.")],
    table: Annotated[str, typer.Option(help="calls, archive or webhooks.")],
    days: Annotated[int, typer.Option(min=0, max=36_500, help="Older rows are deleted; 0: as for all.")],
) -> None:
    """Keep a tenant's rows for so many days. Applied by cdr migrate, and by the workers once a day."""
    from pipeline.warehouse.privacy.retention import set_rule

    set_rule(warehouse(), tenant, table, days, user_name())


@retention.command("list")
def retention_list(output: OutputOption = Output.table) -> None:
    """Print the rules there are."""
    from pipeline.output import print_rows
    from pipeline.warehouse.privacy.retention import rules

    rows = rules(warehouse())
    print_rows(rows, ("tenant", "table", "days", "who", "set_at"), output)
