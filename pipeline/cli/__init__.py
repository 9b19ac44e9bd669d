"""The `cdr` command. Each command says what it takes and calls the part that does it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

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

COMMANDS: tuple[Callable[..., Any], ...] = (
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
)
GROUPS = {
    "token": tokens.app,
    "user": users.app,
    "directory": directory.app,
    "rates": rates.app,
    "report": reports.app,
    "webhook": webhooks.app,
    "dead-letters": dead_letters.app,
    "retention": privacy.retention,
}


def _line(commands: Iterable[Callable[..., Any]], groups: dict[str, typer.Typer]) -> typer.Typer:
    made = typer.Typer(
        name="cdr",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        help="Call events in, call detail records out.",
        callback=lambda: None,  # one command, too, is called by its name
    )
    for command in commands:
        made.command()(command)
    for name, group in groups.items():
        made.add_typer(group, name=name)
    return made


app = _line(COMMANDS, GROUPS)


def _asked(word: str) -> typer.Typer:
    """The line with the one command that is asked for; to build all fifty takes longer than most commands."""
    commands = [command for command in COMMANDS if command.__name__ == word]
    groups = {name: group for name, group in GROUPS.items() if name == word}
    return _line(commands, groups) if commands or groups else app


def main() -> None:
    """Run the command line; a `Problem` becomes one line on stderr and its exit code."""
    try:
        _asked(sys.argv[1] if len(sys.argv) > 1 else "")()
    except Problem as problem:
        print(f"cdr: {problem}", file=sys.stderr)
        raise SystemExit(problem.code) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader of a pipe has gone; nothing more to say to it
        sys.stderr.close()
        raise SystemExit(0) from None
