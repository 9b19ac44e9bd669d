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
    reports,
    services,
    tokens,
    users,
    webhooks,
)
from pipeline.cli.product import with_product
from pipeline.cli.rates import commands as rates
from pipeline.errors import Problem

# By itself: what starts or shows the product, and what needs no server.
ALONE: tuple[Callable[..., Any], ...] = (
    services.run,
    services.status,
    installation.version,
    events.fold,
    events.validate,
    installation.openapi,
)
LISTENING: tuple[Callable[..., Any], ...] = (
    services.worker,
    services.api,
    services.hep,
    services.freeswitch,
    services.asterisk,
)
# In the order of the help. All but those alone take --data DIR.
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


def _build(commands: Iterable[Callable[..., Any]], groups: dict[str, typer.Typer]) -> typer.Typer:
    made = typer.Typer(
        name="cdr",
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        help="Call events in, call detail records out.",
        callback=lambda: None,  # one command, too, is called by its name
    )
    for command in commands:
        made.command()(command if command in ALONE else with_product(command, listens=command in LISTENING))
    for name, group in groups.items():
        made.add_typer(_with_product(group), name=name)
    return made


def _with_product(group: typer.Typer) -> typer.Typer:
    """The group, each of whose commands takes --data DIR."""
    for each in group.registered_commands:
        assert each.callback is not None
        if not hasattr(each.callback, "__wrapped__"):
            each.name = each.name or each.callback.__name__.replace("_", "-")
            each.callback = with_product(each.callback)
    return group


app = _build(COMMANDS, GROUPS)


def _narrowed(word: str) -> typer.Typer:
    """The command line with the one command that is asked for; to build all fifty takes longer than most commands."""
    commands = [command for command in COMMANDS if command.__name__ == word]
    groups = {name: group for name, group in GROUPS.items() if name == word}
    return _build(commands, groups) if commands or groups else app


def main() -> None:
    """Run the command line; a `Problem` becomes one line on stderr and its exit code."""
    try:
        _narrowed(sys.argv[1] if len(sys.argv) > 1 else "")()
    except Problem as problem:
        print(f"cdr: {problem}", file=sys.stderr)
        raise SystemExit(problem.code) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:  # the reader of a pipe has gone; nothing more to say to it
        sys.stderr.close()
        raise SystemExit(0) from None
