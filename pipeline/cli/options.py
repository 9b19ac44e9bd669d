"""Options that many commands have, and what they connect to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.output import Output

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to print rows.")]


def tenant_of(given: str) -> str:
    """The tenant that is given, else CDR_TENANT."""
    from pipeline.settings import settings

    return given or settings().tenant


def warehouse() -> Client:
    """A connection to the database of the settings. Raises Problem when ClickHouse does not answer."""
    from pipeline.settings import settings
    from pipeline.warehouse.storage.client import connect

    return connect(settings().clickhouse, settings().database)


def user_name() -> str:
    """Who types the command, for the record; "" when the system does not say."""
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
