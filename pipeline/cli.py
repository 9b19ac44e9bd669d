"""The `cdr` command. Each command says what it takes and calls the part that does it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.directory import commands as directory_commands
from pipeline.errors import Problem
from pipeline.output import Output
from pipeline.push import commands as push_commands
from pipeline.push import privacy_commands
from pipeline.rating import commands as rates_commands
from pipeline.reports import commands as report_commands
from pipeline.warehouse.commands import users
from pipeline.worker import commands as worker_commands

if TYPE_CHECKING:
    from fastapi import APIRouter

    from pipeline.settings import Settings

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


@app.command()
def worker() -> None:
    """Run a worker until Ctrl-C or SIGTERM: events from Kafka in, calls to ClickHouse out."""
    from pipeline.push.housekeeping import Housekeeping
    from pipeline.push.jobs import PushJobs
    from pipeline.reports.jobs import ReportJobs
    from pipeline.settings import settings
    from pipeline.worker.main import run

    run(settings(), beside=[ReportJobs(settings()), PushJobs(settings()), Housekeeping(settings())])


@app.command()
def migrate(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be applied, change nothing.")] = False,
) -> None:
    """Bring the ClickHouse database to the schema of this version."""
    from pipeline.settings import settings
    from pipeline.warehouse.client import connect
    from pipeline.warehouse.migrate import migrate as apply
    from pipeline.warehouse.migrate import set_retention
    from pipeline.warehouse.retention import apply_rules

    chosen = settings()
    client = connect(chosen.clickhouse)
    for name in apply(client, chosen.database, dry_run=dry_run):
        typer.echo(name)
    if not dry_run:
        set_retention(client, calls_days=chosen.retention_days, archive_days=chosen.archive_retention_days)
        apply_rules(client)


def _routers(settings: Settings) -> list[APIRouter]:
    """Routes of the parts above the query service, which it serves with its own."""
    from pipeline.ingest import routes as ingest
    from pipeline.push import routes as push
    from pipeline.push import stream
    from pipeline.reports import routes as reports

    pushed = [push.router(settings), stream.router(settings)]
    return [ingest.router(settings), ingest.documents(settings), reports.router(settings), *pushed]


@app.command()
def api(
    host: Annotated[str, typer.Option(help="Address to listen on; CDR_API_HOST when left out.")] = "",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; CDR_API_PORT when left out, 0 for any free one.")
    ] = None,
) -> None:
    """Run the query service until Ctrl-C or SIGTERM."""
    from pipeline.query.serve import serve
    from pipeline.settings import settings

    chosen: dict[str, str | int] = {"api_host": host} if host else {}
    served = settings().model_copy(update=chosen | ({} if port is None else {"api_port": port}))
    serve(served, _routers(served))


@app.command()
def hep(
    host: Annotated[str, typer.Option(help="Address to listen on; CDR_HEP_HOST when left out.")] = "",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="UDP and TCP port; CDR_HEP_PORT when left out, 0 for any.")
    ] = None,
) -> None:
    """Listen for SIP over HEP version 3 and produce it to Kafka, until Ctrl-C or SIGTERM."""
    from pipeline.ingest.hep_service import run
    from pipeline.settings import settings

    chosen: dict[str, str | int] = {"hep_host": host} if host else {}
    run(settings().model_copy(update=chosen | ({} if port is None else {"hep_port": port})))


@app.command()
def freeswitch(
    host: Annotated[
        str, typer.Option(help="Nodes: [name=][password@]host[:port],…; CDR_FREESWITCH_HOST when left out.")
    ] = "",
) -> None:
    """Read FreeSWITCH nodes over their event sockets and produce their events to Kafka, until Ctrl-C or SIGTERM."""
    from pipeline.ingest.bridge_service import run_freeswitch
    from pipeline.settings import settings

    run_freeswitch(settings().model_copy(update={"freeswitch_host": host} if host else {}))


@app.command()
def asterisk(
    host: Annotated[
        str, typer.Option(help="Nodes: [name=][user:password@]host[:port],…; CDR_ASTERISK_HOST when left out.")
    ] = "",
) -> None:
    """Read Asterisk nodes over their manager interfaces and produce their events to Kafka, until Ctrl-C or SIGTERM."""
    from pipeline.ingest.bridge_service import run_asterisk
    from pipeline.settings import settings

    run_asterisk(settings().model_copy(update={"asterisk_host": host} if host else {}))


@app.command()
def sip(
    file: Annotated[str, typer.Argument(help="Capture: pcap, pcapng, HEP version 3 packets or HEP as JSON lines.")],
    kafka: Annotated[str, typer.Option(help="Bootstrap servers; CDR_KAFKA when left out.")] = "",
) -> None:
    """Feed the SIP messages of a capture file to Kafka, as if they came over HEP."""
    from pipeline.ingest.hep_service import feed
    from pipeline.settings import settings
    from pipeline.sources.pcap import records

    count = feed(settings().model_copy(update={"kafka": kafka} if kafka else {}), records(file))
    typer.echo(f"{count} SIP messages produced.", err=True)


@app.command()
def fold(
    file: Annotated[str, typer.Argument(help="Raw events: NDJSON, or for sip a capture file; - for stdin.")] = "-",
    source: Annotated[
        str, typer.Option("--source", "-s", help="Dialect: canonical, sip, freeswitch, asterisk, kamailio, …")
    ] = "canonical",
    expired: Annotated[bool, typer.Option("--expired", help="Close the calls that are open at the end.")] = False,
    zone: Annotated[str, typer.Option(help="IANA zone of local times without one; CDR_ZONE when left out.")] = "",
    node: Annotated[str, typer.Option(help="Names the node where the events do not.")] = "",
) -> None:
    """Fold raw events into calls, without broker or database: one call document a line. Exit code 1 when a line was no
    event."""
    from pipeline.settings import settings
    from pipeline.sources.reader import fold_file
    from pipeline.sources.source import Options

    chosen = settings()
    options = Options(chosen.tenant, zone or chosen.zone, {} if zone else chosen.zones, node, sip_ids=True)
    wrong = fold_file(source, file, expired=expired, output=sys.stdout, errors=sys.stderr, options=options)
    raise typer.Exit(1 if wrong else 0)


@app.command()
def validate(
    file: Annotated[str, typer.Argument(help="Events: NDJSON or a JSON array, for sip a capture; - for stdin.")],
    source: Annotated[str, typer.Option("--source", "-s", help="Dialect: canonical, freeswitch, …")] = "canonical",
    zone: Annotated[str, typer.Option(help="IANA zone of local times; CDR_ZONE when left out.")] = "",
    output: OutputOption = Output.table,
) -> None:
    """Say which values of a file are no events: line, JSON pointer, what is wrong, what to do. Exit code 1 for any."""
    from pipeline.ingest.validate import Validation
    from pipeline.ingest.validate import validate as problems_of
    from pipeline.output import print_rows
    from pipeline.settings import settings
    from pipeline.sources.source import Options

    chosen = settings()
    found = Validation()
    problems = list(problems_of(source, file, found, Options(zone=zone or chosen.zone, zones=chosen.zones)))
    if problems or output is not Output.table:
        print_rows(problems, ("line", "pointer", "problem", "hint"), output)
    typer.echo(f"{found.values} values, {found.events} events, {found.wrong_values} values wrong.", err=True)
    raise typer.Exit(1 if problems else 0)


@app.command()
def openapi() -> None:
    """Print the OpenAPI document of the query service."""
    from pipeline.output import print_json
    from pipeline.query.app import create_app
    from pipeline.settings import settings

    print_json(create_app(settings(), _routers(settings())).openapi())


@app.command()
def run(
    data: Annotated[Path | None, typer.Option(help="Data directory; CDR_DATA, or ./data, when left out.")] = None,
    ports: Annotated[str, typer.Option(help="fixed: the usual ones; auto: any that are free.")] = "fixed",
    broker: Annotated[str, typer.Option(help="tansu (in memory) or kafka (Apache Kafka, needs Java 17).")] = "tansu",
    traffic: Annotated[bool, typer.Option(help="Feed the traffic of a simulated company.")] = True,
    rate: Annotated[float, typer.Option(help="Simulated calls per second.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Which simulated company.")] = 1,
) -> None:
    """Run the whole product on this machine until Ctrl-C; the data stays for the next time."""
    from pipeline.embedded.product import run_product
    from pipeline.settings import settings

    run_product(settings(), data=data, ports=ports, broker=broker, traffic=traffic, rate=rate, seed=seed)


@app.command()
def status(
    data: Annotated[Path | None, typer.Option(help="Data directory; CDR_DATA, or ./data, when left out.")] = None,
    output: OutputOption = Output.table,
) -> None:
    """Show the product that runs on this machine: URLs, topics, token, health. Exit code 1 when a part is not well."""
    from pipeline.embedded.product import show_status
    from pipeline.settings import settings

    raise typer.Exit(0 if show_status(data or settings().data, output) else 1)


@app.command()
def produce(
    file: Annotated[Path | None, typer.Argument(help="NDJSON of canonical call events; - for stdin.")] = None,
    scenario: Annotated[str, typer.Option(help="What to simulate: day, answered, busy, queue, transfer, …")] = "day",
    rate: Annotated[float, typer.Option(help="Simulated calls per second.")] = 1.0,
    calls: Annotated[int | None, typer.Option(min=1, help="How many calls; without it, live until Ctrl-C.")] = None,
    live: Annotated[bool, typer.Option("--live", help="Produce each event when it happens, not all at once.")] = False,
    seed: Annotated[int, typer.Option(help="The same seed gives the same calls.")] = 1,
    tenant: Annotated[str, typer.Option(help="Whose calls they are.")] = "default",
    topic: Annotated[str, typer.Option(help="Topic; CDR_EVENTS_TOPIC when left out.")] = "",
) -> None:
    """Produce call events to Kafka: a file of them, or simulated ones."""
    from pipeline.settings import settings
    from pipeline.traffic.produce import Simulation, open_file, run

    chosen = settings()
    simulation = Simulation(scenario, rate, calls, seed, tenant, live)
    number, wrong = run(chosen, simulation, open_file(file) if file else None, topic or chosen.events_topic)
    typer.echo(f"{number} events produced{f', {wrong} lines were no events' if wrong else ''}.", err=True)
    raise typer.Exit(1 if wrong else 0)


token = typer.Typer(no_args_is_help=True, help="Tokens of the query service.")
app.add_typer(token, name="token")


@token.command("create")
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
    from pipeline.settings import settings
    from pipeline.warehouse.access import READ, check_scopes
    from pipeline.warehouse.client import connect
    from pipeline.warehouse.tokens import create_token, expiry

    ends = expiry(expires, dt.datetime.now(dt.UTC)) if expires else None
    check_scopes(scope or ())
    client = connect(settings().clickhouse, settings().database)
    made = create_token(client, tenant, name, expires_at=ends, scopes=scope or (READ,), role=role, extension=extension)
    if output in (Output.table, Output.csv):
        typer.echo(made)
    else:
        print_json({"token": made, "tenant": tenant, "name": name})


@token.command("list")
def token_list(
    tenant: Annotated[str, typer.Option(help="Only tokens of this tenant.")] = "",
    output: OutputOption = Output.table,
) -> None:
    """Print the tokens there are, without what would let anyone use them."""
    from pipeline.output import print_rows
    from pipeline.settings import settings
    from pipeline.warehouse.client import connect
    from pipeline.warehouse.tokens import list_tokens

    rows = list_tokens(connect(settings().clickhouse, settings().database), tenant or None)
    print_rows(rows, ("id", "tenant", "name", "scopes", "valid", "created_at", "expires_at", "revoked"), output)


@token.command("revoke")
def token_revoke(which: Annotated[str, typer.Argument(metavar="ID|NAME", help="See cdr token list.")]) -> None:
    """End a token. The query service refuses it within 5 seconds."""
    from pipeline.settings import settings
    from pipeline.warehouse.client import connect
    from pipeline.warehouse.tokens import revoke_token

    revoked = revoke_token(connect(settings().clickhouse, settings().database), which)
    typer.echo(f"Revoked {revoked[0]}.", err=True)


dead_letters = typer.Typer(
    no_args_is_help=True, help="Values that could not be decoded: look at them, send them again."
)
app.add_typer(dead_letters, name="dead-letters")


@dead_letters.command("list")
def dead_letters_list(
    limit: Annotated[int, typer.Option(min=1, help="Show the newest so many.")] = 50,
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Only those whose reason contains this.")] = "",
    output: OutputOption = Output.table,
) -> None:
    """Print the newest dead letters that were not replayed: where each came from and what is wrong with it."""
    import asyncio

    from pipeline.output import print_rows
    from pipeline.settings import settings
    from pipeline.worker.dead_letters import newest

    letters = asyncio.run(newest(settings(), limit, reason))
    columns = ("offset", "at", "source", "reason", "bytes", "value")
    print_rows((letter.row() for letter in letters), columns, output)


@dead_letters.command("show")
def dead_letters_show(offset: Annotated[str, typer.Argument(help="See cdr dead-letters list.")]) -> None:
    """Print one dead letter: its bytes as they came on stdout, the rest on stderr."""
    import asyncio

    from pipeline.settings import settings
    from pipeline.worker.dead_letters import one

    letter = asyncio.run(one(settings(), offset))
    for name, value in letter.row().items():
        if name != "value":
            typer.echo(f"{name}: {value}", err=True)
    typer.echo(f"key: {(letter.key or b'').decode(errors='backslashreplace')}", err=True)
    sys.stdout.buffer.write(letter.value)
    sys.stdout.buffer.flush()


@dead_letters.command("replay")
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
    from pipeline.worker.dead_letters import replay

    if bool(offsets) + everything + bool(reason) != 1:
        raise Problem("Which dead letters?", hint="Give their offsets, or --all, or --reason TEXT.", code=USAGE)
    count = asyncio.run(replay(settings(), offsets or (), reason))
    typer.echo(f"{count} dead letters sent again.", err=True)


@app.command()
def doctor(output: OutputOption = Output.table) -> None:
    """Check the whole installation and say what to mend. Exit status 1 when a check fails."""
    from pipeline.output import print_rows
    from pipeline.settings import settings
    from pipeline.worker.doctor import FAIL, examine

    checks = examine(settings())
    print_rows((check.row() for check in checks), ("state", "what", "found", "hint"), output)
    if any(check.state == FAIL for check in checks):
        raise typer.Exit(1)


app.add_typer(users, name="user")
app.add_typer(directory_commands.app, name="directory")
rates_commands.app.command("rerate")(worker_commands.rerate)
app.add_typer(rates_commands.app, name="rates")
app.add_typer(report_commands.app, name="report")
app.command("verify")(worker_commands.verify)
app.command("rebuild")(worker_commands.rebuild)
app.add_typer(push_commands.app, name="webhook")
app.command("erase")(privacy_commands.erase)
app.add_typer(privacy_commands.retention, name="retention")


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
