"""`cdr token`: what may read the query service and feed it."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli.options import OutputOption, warehouse
from pipeline.output import Output

app = typer.Typer(no_args_is_help=True, help="Tokens of the query service.")


@app.command("create")
def token_create(
    tenant: Annotated[str, typer.Option(help="Tenant whose calls the token may read.")],
    name: Annotated[str, typer.Option(help="What the token is for.")],
    expires: Annotated[
        str, typer.Option(help="When it ends: 12h, 30d, 1y or an RFC 3339 time. Never if left out.")
    ] = "",
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may do, may be repeated: cdr:read (default), cdr:ingest, … admin.")
    ] = None,
    role: Annotated[str, typer.Option(help="admin, manager: all calls of the tenant; user: own calls.")] = "admin",
    extension: Annotated[str, typer.Option(help="Extension whose calls are a user's own.")] = "",
    output: OutputOption = Output.table,
) -> None:
    """Make a token and print it. It is stored as a hash only: this is the one time it can be read."""
    import datetime as dt

    from pipeline.output import print_json
    from pipeline.warehouse.identity.access import READ, check_scopes
    from pipeline.warehouse.identity.tokens import create_token, expiry

    ends = expiry(expires, dt.datetime.now(dt.UTC)) if expires else None
    check_scopes(scope or ())
    client = warehouse()
    made = create_token(client, tenant, name, expires_at=ends, scopes=scope or (READ,), role=role, extension=extension)
    if output in (Output.table, Output.csv):
        typer.echo(made)
    else:
        print_json({"token": made, "tenant": tenant, "name": name})


@app.command("list")
def token_list(
    tenant: Annotated[str, typer.Option(help="Only tokens of this tenant.")] = "",
    output: OutputOption = Output.table,
) -> None:
    """Print the tokens there are, without what would let anyone use them."""
    from pipeline.output import print_rows
    from pipeline.warehouse.identity.tokens import list_tokens

    rows = list_tokens(warehouse(), tenant or None)
    print_rows(rows, ("id", "tenant", "name", "scopes", "valid", "created_at", "expires_at", "revoked"), output)


@app.command("revoke")
def token_revoke(which: Annotated[str, typer.Argument(metavar="ID|NAME", help="See cdr token list.")]) -> None:
    """End a token. The query service refuses it within 5 seconds."""
    from pipeline.warehouse.identity.tokens import revoke_token

    revoked = revoke_token(warehouse(), which)
    typer.echo(f"Revoked {revoked[0]}.", err=True)
