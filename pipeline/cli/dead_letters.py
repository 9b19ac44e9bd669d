"""`cdr dead-letters`: values that could not be decoded."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pipeline.cli.options import OutputOption
from pipeline.errors import Problem
from pipeline.output import Output

app = typer.Typer(no_args_is_help=True, help="Values that could not be decoded: look at them, send them again.")


@app.command("list")
def dead_letters_list(
    limit: Annotated[int, typer.Option(min=1, help="Show the newest so many.")] = 50,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Only those whose reason contains this.")] = "",
    output: OutputOption = Output.table,
) -> None:
    """Print the newest dead letters that were not replayed: where each came from and what is wrong with it."""
    import asyncio

    from pipeline.output import print_rows
    from pipeline.settings import settings
    from pipeline.worker.repair.dead_letters import newest

    letters = asyncio.run(newest(settings(), limit, reason))
    columns = ("offset", "at", "source", "reason", "bytes", "value")
    print_rows((letter.row() for letter in letters), columns, output)


@app.command("show")
def dead_letters_show(offset: Annotated[str, typer.Argument(help="See cdr dead-letters list.")]) -> None:
    """Print one dead letter: its bytes as they came on stdout, the rest on stderr."""
    import asyncio

    from pipeline.settings import settings
    from pipeline.worker.repair.dead_letters import one

    letter = asyncio.run(one(settings(), offset))
    for name, value in letter.row().items():
        if name != "value":
            typer.echo(f"{name}: {value}", err=True)
    typer.echo(f"key: {(letter.key or b'').decode(errors='backslashreplace')}", err=True)
    sys.stdout.buffer.write(letter.value)
    sys.stdout.buffer.flush()


@app.command("replay")
def dead_letters_replay(
    offsets: Annotated[
        list[str] | None, typer.Argument(metavar="[OFFSET]...", help="See cdr dead-letters list.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that were not replayed yet.")] = False,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="All of those whose reason contains this.")] = "",
) -> None:
    """Send dead letters again to where they came from. They are listed no more, unless they fail again."""
    import asyncio

    from pipeline.errors import USAGE
    from pipeline.settings import settings
    from pipeline.worker.repair.dead_letters import replay

    if bool(offsets) + everything + bool(reason) != 1:
        raise Problem("Which dead letters?", hint="Give their offsets, or --all, or --reason TEXT.", code=USAGE)
    count = asyncio.run(replay(settings(), offsets or (), reason))
    typer.echo(f"{count} dead letters sent again.", err=True)
