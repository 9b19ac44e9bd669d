"""`cdr user`: who may log in at the query service."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from pipeline.cli.options import OutputOption, warehouse
from pipeline.output import Output

app = typer.Typer(no_args_is_help=True, help="Users that log in at the query service.")

_Tenant = Annotated[str, typer.Option(help="Tenant whose calls the user sees.")]
_Name = Annotated[str, typer.Option("--username", "--name", help="What the user logs in with.")]
_Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
_Ask = Annotated[bool, typer.Option("--prompt", help="Ask for the password. Without both, one is made and printed.")]


@app.command("create")
def user_create(
    tenant: _Tenant,
    username: _Name,
    role: Annotated[str, typer.Option(help="admin, manager: all calls of the tenant; user: own calls.")] = "user",
    extension: Annotated[str, typer.Option(help="Extension whose calls are the user's own.")] = "",
    domain: Annotated[str, typer.Option(help="SIP domain that may stand at login in place of the tenant.")] = "",
    scope: Annotated[
        list[str] | None, typer.Option(help="What the user may do, may be repeated; what the role may when left out.")
    ] = None,
    password_stdin: _Stdin = False,
    prompt: _Ask = False,
    output: OutputOption = Output.table,
) -> None:
    """Make a user. A password that was made is printed: this is the one time it can be read."""
    from pipeline.warehouse.identity.users import create_user

    password, made = _password(password_stdin, prompt)
    client = warehouse()
    create_user(client, tenant, username, password, domain=domain, role=role, extension=extension, scopes=scope or ())
    _say({"tenant": tenant, "username": username, "role": role}, password if made else "", output)


@app.command("list")
def user_list(
    tenant: Annotated[str, typer.Option(help="Only users of this tenant.")] = "", output: OutputOption = Output.table
) -> None:
    """Print the users there are."""
    from pipeline.output import print_rows
    from pipeline.warehouse.identity.users import list_users

    rows = list_users(warehouse(), tenant or None)
    columns = ("tenant", "name", "domain", "role", "extension", "disabled", "created_at", "password_at")
    print_rows(rows, columns, output)


@app.command("disable")
def user_disable(tenant: _Tenant, username: _Name) -> None:
    """Shut a user out: within 5 seconds no login and no token of the user is good."""
    _shut_out(tenant, username, True)


@app.command("enable")
def user_enable(tenant: _Tenant, username: _Name) -> None:
    """Let a user in again."""
    _shut_out(tenant, username, False)


@app.command("password")
def user_password(
    tenant: _Tenant,
    username: _Name,
    password_stdin: _Stdin = False,
    prompt: _Ask = False,
    output: OutputOption = Output.table,
) -> None:
    """Give a user another password. Tokens issued under the old one end within 5 seconds."""
    from pipeline.warehouse.identity.users import set_password

    password, made = _password(password_stdin, prompt)
    set_password(warehouse(), tenant, username, password)
    _say({"tenant": tenant, "username": username}, password if made else "", output)


def _shut_out(tenant: str, username: str, disabled: bool) -> None:
    from pipeline.warehouse.identity.users import set_disabled

    set_disabled(warehouse(), tenant, username, disabled)
    typer.echo(f"{username} of {tenant} may {'no longer' if disabled else 'again'} log in.", err=True)


def _password(stdin: bool, prompt: bool) -> tuple[str, bool]:
    """The password, and whether it was made here."""
    from pipeline.errors import USAGE, Problem
    from pipeline.warehouse.identity.users import check_password, made_password

    if stdin and prompt:
        raise Problem("Read the password or ask for it?", hint="Give --password-stdin or --prompt.", code=USAGE)
    if not stdin and not prompt:
        return made_password(), True
    if stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    check_password(password)
    return password, False


def _say(about: dict[str, str], made: str, output: Output) -> None:
    from pipeline.output import print_json

    if output in (Output.table, Output.csv):
        typer.echo(made or f"{about['username']} of {about['tenant']} has the password given.", err=not made)
    else:
        print_json(about | ({"password": made} if made else {}))
