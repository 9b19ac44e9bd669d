"""Commands that compare and correct what the worker wrote; and of other parts that need what it knows."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pipeline.errors import USAGE, Problem
from pipeline.output import Output

From = Annotated[str, typer.Option("--from", metavar="TIME", help="First moment: RFC 3339, or a date (midnight UTC).")]
To = Annotated[str, typer.Option("--to", metavar="TIME", help="The moment after the last; now when left out.")]
# Differences that a table or a JSON list holds; NDJSON prints them as they come.
MOST_SHOWN = 10_000
Tenant = Annotated[str, typer.Option(help="Calls of this tenant only.")]


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
    from pipeline.worker.rerating import kafka_away, run

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
    import time

    from pipeline.instants import instant
    from pipeline.settings import settings
    from pipeline.warehouse.client import connect
    from pipeline.warehouse.directories import load

    if not text:
        return time.time_ns() // 1_000_000
    try:
        if len(text) == len("2025-07-01"):
            day = dt.date.fromisoformat(text) + dt.timedelta(days=end)
            zone = load(connect(settings().clickhouse, settings().database), tenant).tz if tenant else dt.UTC
            return int(dt.datetime.combine(day, dt.time(), zone).timestamp() * 1000)
        return instant(text)
    except (ValueError, OverflowError):
        hint = "Write a date such as 2025-07-01, or 2025-07-01T00:00:00Z."
        raise Problem(f"{option} {text!r} is no time.", hint=hint, code=USAGE) from None


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
    from pipeline.warehouse.period import period
    from pipeline.worker.refold import Difference
    from pipeline.worker.verify import verify as run

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
    from pipeline.warehouse.period import period
    from pipeline.worker.rebuild import rebuild as run

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
