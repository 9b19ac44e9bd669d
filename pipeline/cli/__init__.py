"""The `cdr` command. Each command says what it takes and calls the part that does it."""

from __future__ import annotations

import sys

import typer

from pipeline.cli import (
    corrections,
    dead_letters,
    directory,
    events,
    installation,
    privacy,
    rates,
    reports,
    services,
    tokens,
    users,
    webhooks,
)
from pipeline.errors import Problem

app = typer.Typer(
    name="cdr",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    help="Call events in, call detail records out.",
)

for command in (
    services.run,
    services.status,
    installation.doctor,
    installation.version,
    installation.migrate,
    services.worker,
    services.api,
    services.hep,
    services.freeswitch,
    services.asterisk,
    events.sip,
    events.produce,
    events.fold,
    events.validate,
    installation.openapi,
    corrections.verify,
    corrections.rebuild,
    privacy.erase,
):
    app.command()(command)

for name, group in (
    ("token", tokens.app),
    ("user", users.app),
    ("directory", directory.app),
    ("rates", rates.app),
    ("report", reports.app),
    ("webhook", webhooks.app),
    ("dead-letters", dead_letters.app),
    ("retention", privacy.retention),
):
    app.add_typer(group, name=name)


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
