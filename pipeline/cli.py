"""The `cdr` command. Each command says what it takes and calls the part that does it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pipeline.errors import Problem
from pipeline.output import Output

app = typer.Typer(
    name="cdr",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Call events in, call detail records out.",
)

OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to print rows.")]


@app.command()
def version(output: OutputOption = Output.table) -> None:
    """Print the version."""
    from pipeline import __version__
    from pipeline.output import print_json

    if output is Output.table:
        typer.echo(__version__)
    else:
        print_json({"version": __version__})


def main() -> None:
    """Run the command line; a `Problem` becomes one line on stderr and its exit code."""
    try:
        app()
    except Problem as problem:
        print(f"cdr: {problem}", file=sys.stderr)
        raise SystemExit(problem.code) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader of a pipe has gone; nothing more to say to it
        sys.stderr.close()
        raise SystemExit(0) from None


if __name__ == "__main__":
    main()
