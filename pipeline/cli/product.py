"""`--data DIR` of every command: speak to the product that runs there, unless the settings name other servers."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from pipeline.embedded.run_file import RunState

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", help="Speak to the product that runs there; CDR_DATA or ./data when left out."
    ),
]
# Two processes cannot listen on one port: what is started beside a product takes none of its ports.
_PORTS: Final = frozenset({"CDR_API_PORT", "CDR_METRICS_PORT", "CDR_HEP_PORT", "CDR_HEP_METRICS_PORT"})
# Settings that belong together: a server that is set has none of its user, password and names from the run file.
_SERVERS: Final = {"CDR_KAFKA": "Kafka", "CDR_CLICKHOUSE": "ClickHouse"}


def with_product(command: Callable[..., Any], *, listens: bool = False) -> Callable[..., Any]:
    """The command with `--data DIR`. `listens`: it takes ports itself, so not those of the product."""

    @functools.wraps(command)
    def run(*arguments: Any, data: Path | None = None, **options: Any) -> Any:
        use_product(data, listens=listens)
        return command(*arguments, **options)

    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("data", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=DataOption)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])  # type: ignore[attr-defined]
    run.__annotations__ = {name: each.annotation for name, each in signature.parameters.items()} | {"data": DataOption}
    return run


def use_product(data: Path | None, *, listens: bool = False) -> None:
    """Take the settings of the product that runs on `data`, and say so on stderr in one line.

    Without `data`: of the one that runs on CDR_DATA or ./data, if any. Raises Problem when `data` is given, nothing
    runs there and the settings name no server.
    """
    from pipeline.embedded.run_file import read_run_file
    from pipeline.errors import Problem
    from pipeline.settings import Settings, settings

    chosen = Settings()
    named = {f"CDR_{name.upper()}" for name in chosen.model_fields_set}
    if data is not None:
        os.environ["CDR_DATA"] = str(data)
        settings.cache_clear()
    if named >= _SERVERS.keys():
        return
    try:
        state = read_run_file(data or chosen.data)
    except Problem:
        if data is not None and not named & _SERVERS.keys():
            raise
        return
    taken = _taken(state, named, listens=listens)
    if not taken.keys() & _SERVERS.keys():
        return
    os.environ.update(taken)
    settings.cache_clear()
    others = [f"{what} as {name} says" for name, what in _SERVERS.items() if name in named]
    typer.echo(f"cdr: the product on {data or chosen.data}{', '.join(['', *others])}", err=True)


def _taken(state: RunState, named: set[str], *, listens: bool) -> dict[str, str]:
    """The product's settings that this process lacks."""
    kept = named | (_PORTS if listens else set())
    found = {name: value for name, value in state.settings.items() if name not in kept}
    if "CDR_KAFKA" in named:
        found = {name: value for name, value in found.items() if not name.startswith("CDR_KAFKA")}
    if "CDR_CLICKHOUSE" in named:
        found.pop("CDR_DATABASE", None)
    return found
