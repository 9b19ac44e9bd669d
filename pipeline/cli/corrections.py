"""Commands that compare the calls with the archive, and correct them."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pipeline.output import Output

From = Annotated[str, typer.Option("--from", metavar="TIME", help="First moment: RFC 3339, or a date (midnight UTC).")]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="The moment after the last; now when left out.")]
# Differences that a table or a JSON list holds; NDJSON prints them as they come.
MOST_SHOWN = 10_000
Tenant = Annotated[str, typer.Option(help="Calls of this tenant only.")]


def verify(
    first: From,
    end: To = "",
    tenant: Tenant = "",
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print rows.")] = Output.table,
) -> None:
    """Compare the calls of a period with a fresh fold of the archive and print each field that differs. Exit status 1
    when one does."""
    from pipeline.output import print_json, print_rows
    from pipeline.settings import settings
    from pipeline.warehouse.storage.period import period
    from pipeline.worker.repair.refold import Difference
    from pipeline.worker.repair.verify import verify as run

    found: list[dict[str, object]] = []

    def report(each: Difference) -> None:
        if output is Output.ndjson:
            print_json(each.row())
        elif len(found) < MOST_SHOWN:
            found.append(each.row())

    verdict = run(settings(), period(first, end, tenant), report, show=True)
    if output is not Output.ndjson and (found or output is not Output.table):
        print_rows(found, ("tenant", "call_id", "what", "field", "stored", "folded"), output)
    typer.echo(f"{verdict.looked} calls compared, {verdict.wrong} differ.", err=True)
    raise typer.Exit(1 if verdict.wrong else 0)


def rebuild(first: From, end: To = "", tenant: Tenant = "") -> None:
    """Fold the calls of a period anew from the archive and write those that differ, while the workers run. One that was
    interrupted goes on where it was. Exit status 1 when the archive lacks events of a call."""
    from pipeline import logs
    from pipeline.settings import settings
    from pipeline.warehouse.storage.period import period
    from pipeline.worker.repair.rebuild import rebuild as run

    logs.configure("warning")
    outcome = run(settings(), period(first, end, tenant), show=True)
    typer.echo(f"{outcome.looked} calls folded anew, {outcome.corrected} written.", err=True)
    for each in outcome.left[:20]:
        print(
            f"left as it is: {each.tenant} {each.call_id}: {each.what} {each.field} {each.stored!r};"
            f" the archive has not all its events and tells {each.folded!r}",
            file=sys.stderr,
        )
    raise typer.Exit(1 if outcome.left else 0)
