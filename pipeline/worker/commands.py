"""Commands of other parts that need what the worker knows: `cdr rates rerate`."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.errors import USAGE, Problem
from pipeline.output import Output


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

    from pipeline.directory.store import load
    from pipeline.settings import settings
    from pipeline.warehouse.client import connect
    from pipeline.warehouse.instants import instant

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
