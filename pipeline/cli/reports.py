"""`cdr report`: reports from the command line, and what runs by itself."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli.options import OutputOption, tenant_of
from pipeline.errors import USAGE, Problem
from pipeline.output import Output

app = typer.Typer(no_args_is_help=True, help="Reports: run one, see which there are and which run by themselves.")


class Form(StrEnum):
    """The forms of a report."""

    html = "html"
    csv = "csv"
    json = "json"


@app.command("run")
def run(
    type_: Annotated[str, typer.Argument(metavar="TYPE", help="See cdr report types.")],
    range_: Annotated[
        str, typer.Option("--range", help="TODAY, YESTERDAY, LAST_WEEK, LAST_SEVEN_DAYS, LAST_MONTH, … or CUSTOM.")
    ] = "YESTERDAY",
    start: Annotated[str, typer.Option("--from", help="Begin of a CUSTOM range, RFC 3339.")] = "",
    end: Annotated[str, typer.Option("--to", help="End of a CUSTOM range, RFC 3339.")] = "",
    tenant: Annotated[str, typer.Option(help="Whose calls; CDR_TENANT when left out.")] = "",
    filter_: Annotated[str, typer.Option("--filter", metavar="JSON", help="Which calls, as the type has it.")] = "{}",
    name: Annotated[str, typer.Option(help="What stands above the title.")] = "",
    file: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
    output: Annotated[Form, typer.Option("--output", "-o", help="html, csv or json.")] = Form.csv,
) -> None:
    """Make a report now and print it. CSV has the first table, HTML and JSON have everything."""
    import asyncio

    from pipeline.reports.once import Wish, make
    from pipeline.settings import settings

    range_ = "CUSTOM" if start or end else range_.upper()
    wish = Wish(tenant_of(tenant), _type(type_), range_, start, end, filter_, name=name, form=output.value)
    target = file.open("wb") if file is not None else sys.stdout.buffer
    try:
        asyncio.run(make(settings(), wish, target.write))
        target.flush()
    finally:
        if file is not None:
            target.close()


@app.command("types")
def types(output: OutputOption = Output.table) -> None:
    """Print which reports there are."""
    from pipeline.output import print_rows
    from pipeline.reports.catalogue import ALL

    rows = (
        {"type": kind.type, "title": kind.title, "about": kind.about, "filter": ", ".join(kind.filter.fields)}
        for kind in ALL.values()
    )
    print_rows(rows, ("type", "about", "filter"), output)


@app.command("list")
def list_reports(
    tenant: Annotated[str, typer.Option(help="Whose reports; CDR_TENANT when left out.")] = "",
    completed: Annotated[bool, typer.Option("--completed", help="Those that were made, not what is wanted.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Print the reports that are wanted, with their status; or those that were made."""
    import asyncio

    from pipeline.output import print_rows
    from pipeline.reports.once import listed
    from pipeline.settings import settings

    rows = asyncio.run(listed(settings(), tenant_of(tenant), completed=completed))
    wanted = ("id", "name", "type", "format", "range", "cron_expr", "status", "reason")
    made = ("id", "name", "type", "completed_at", "file_name", "file_size", "mail", "path")
    print_rows(rows, made if completed else wanted, output)


def _type(name: str) -> str:
    """The type as the catalogue has it; upper and lower case, - and _ are the same."""
    from pipeline.reports.catalogue import ALL

    same: dict[str, Any] = {known.lower(): known for known in ALL} | {"extension_statistics": "extensions"}
    found = same.get(name.lower().replace("-", "_"))
    if found is None:
        raise Problem(f"There is no report {name[:60]!r}.", hint=f"Known: {', '.join(ALL)}.", code=USAGE)
    return str(found)
