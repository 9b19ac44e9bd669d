"""`cdr directory`: load a file of it, show it, export it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.input import read_text
from pipeline.cli.options import OutputOption, tenant_of, warehouse
from pipeline.errors import USAGE, Problem
from pipeline.output import Output

if TYPE_CHECKING:
    from pipeline.directory.files import Wanted

app = typer.Typer(no_args_is_help=True, help="Tenants, companies, extensions, trunks, queues, numbers, dial plans.")

TenantOption = Annotated[str, typer.Option(help="Whose directory; CDR_TENANT when left out.")]


def read_directory(file: Path, tenant: str) -> dict[str, Wanted]:
    """What a file wants of the directory, by tenant. Raises Problem, which names every value that is wrong."""
    from pipeline.directory.files import parse

    return parse(read_text(file, 64, "a YAML or CSV file"), str(file), tenant)


@app.command()
def load(
    file: Annotated[Path, typer.Argument(help="YAML, or CSV when it ends in .csv; see docs/directory.md.")],
    tenant: Annotated[str, typer.Option(help="Whose it is, when the file does not say; else CDR_TENANT.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the changes, make none.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Remove what the file's lists do not have.")] = False,
    output: OutputOption = Output.table,
) -> None:
    """Bring the directory to what a file says, and show the changes. Nothing is changed when a value is wrong."""
    from pipeline.directory.changes import applied, difference
    from pipeline.directory.model import build
    from pipeline.directory.validate import dangling
    from pipeline.output import print_rows
    from pipeline.warehouse.reference.directories import load_entries, save, taken_domains

    wanted = read_directory(file, tenant_of(tenant))
    client = warehouse()
    plans = {}
    faults = []
    for of, want in wanted.items():
        now = load_entries(client, of)
        changes = difference(now, want, prune=prune)
        faults += [f"tenant {of}: {fault}" for fault in taken_domains(client, of, [change.after for change in changes])]
        faults += [f"tenant {of}: {fault}" for fault in dangling(build(of, applied(now, changes)))]
        plans[of] = changes
    if faults:
        raise Problem(f"{file} was not loaded:" + "".join(f"\n  {fault}" for fault in faults[:20]), code=USAGE)
    rows = [change.row(of) for of, changes in plans.items() for change in changes]
    if rows or output is not Output.table:
        print_rows(rows, ("action", "tenant", "kind", "key", "fields"), output)
    if not dry_run:
        for of, changes in plans.items():
            save(client, of, {(change.kind, change.key): change.after for change in changes}, "cdr directory load")
    spoken = {"add": "added", "change": "changed", "remove": "removed"}
    counts = {action: sum(row["action"] == action for row in rows) for action in spoken}
    summary = ", ".join(
        f"{count} {'to ' + action if dry_run else spoken[action]}" for action, count in counts.items() if count
    )
    typer.echo(f"{summary or 'Nothing to change'}{' (dry run)' if dry_run else ''}.", err=True)


@app.command()
def show(
    kind: Annotated[str, typer.Argument(help="extensions, queues, trunks, …; a summary when left out.")] = "",
    key: Annotated[str, typer.Argument(help="One entry of it.")] = "",
    tenant: TenantOption = "",
    output: OutputOption = Output.table,
) -> None:
    """Print entries of the directory as they are in force."""
    from pipeline.directory.files import plain
    from pipeline.directory.model import KINDS, PLURALS
    from pipeline.output import print_rows
    from pipeline.warehouse.reference import directories

    directory = directories.load(warehouse(), tenant_of(tenant))
    entries = directory.entries()
    if not kind:
        rows: list[dict[str, Any]] = [
            {"kind": plural, "entries": sum(of == one for of, _ in entries)} for one, plural in PLURALS.items()
        ]
        print_rows(rows, ("kind", "entries"), output)
        return
    one = next((name for name, plural in PLURALS.items() if kind in (name, plural)), "")
    if not one:
        raise Problem(f"kind {kind!r} is none of {', '.join(PLURALS.values())}.", hint="Write one of them.", code=USAGE)
    rows = [plain(entry, whole=True) for (of, name), entry in entries.items() if of == one and key in ("", name)]
    if key and not rows:
        raise Problem(f"There is no {one} {key!r}.", hint=f"`cdr directory show {PLURALS[one]}` lists them.")
    print_rows(rows, tuple(KINDS[one].__dataclass_fields__), output)


@app.command()
def export(
    tenant: Annotated[list[str] | None, typer.Option(help="Only this tenant; may be repeated.")] = None,
) -> None:
    """Print the directory as YAML that `cdr directory load` takes."""
    from pipeline.directory.files import export as write
    from pipeline.warehouse.reference import directories

    client = warehouse()
    typer.echo(
        write({of: directories.load_entries(client, of) for of in tenant or directories.tenants(client)}), nl=False
    )
