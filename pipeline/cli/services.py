"""Commands that run until Ctrl-C or SIGTERM: worker, query service, what listens to PBXs, the whole product."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import OutputOption
from pipeline.output import Output

Data = Annotated[Path | None, typer.Option(help="Data directory; CDR_DATA, or ./data, when left out.")]


def worker() -> None:
    """Run a worker until Ctrl-C or SIGTERM: events from Kafka in, calls to ClickHouse out."""
    from pipeline.push.housekeeping import Housekeeping
    from pipeline.push.jobs import PushJobs
    from pipeline.reports.jobs import ReportJobs
    from pipeline.settings import settings
    from pipeline.worker.stream.main import run

    run(settings(), beside=[ReportJobs(settings()), PushJobs(settings()), Housekeeping(settings())])


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
    serve(served)


def hep(
    host: Annotated[str, typer.Option(help="Address to listen on; CDR_HEP_HOST when left out.")] = "",
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="UDP and TCP port; CDR_HEP_PORT when left out, 0 for any.")
    ] = None,
) -> None:
    """Listen for SIP over HEP version 3 and produce it to Kafka, until Ctrl-C or SIGTERM."""
    from pipeline.ingest.hep.service import run
    from pipeline.settings import settings

    chosen: dict[str, str | int] = {"hep_host": host} if host else {}
    run(settings().model_copy(update=chosen | ({} if port is None else {"hep_port": port})))


def freeswitch(
    host: Annotated[
        str, typer.Option(help="Nodes: [name=][password@]host[:port],…; CDR_FREESWITCH_HOST when left out.")
    ] = "",
) -> None:
    """Read FreeSWITCH nodes over their event sockets and produce their events to Kafka, until Ctrl-C or SIGTERM."""
    from pipeline.ingest.bridges.service import run_freeswitch
    from pipeline.settings import settings

    run_freeswitch(settings().model_copy(update={"freeswitch_host": host} if host else {}))


def asterisk(
    host: Annotated[
        str, typer.Option(help="Nodes: [name=][user:password@]host[:port],…; CDR_ASTERISK_HOST when left out.")
    ] = "",
) -> None:
    """Read Asterisk nodes over their manager interfaces and produce their events to Kafka, until Ctrl-C or SIGTERM."""
    from pipeline.ingest.bridges.service import run_asterisk
    from pipeline.settings import settings

    run_asterisk(settings().model_copy(update={"asterisk_host": host} if host else {}))


def run(
    data: Data = None,
    ports: Annotated[str, typer.Option(help="fixed: the usual ones; auto: any that are free.")] = "fixed",
    traffic: Annotated[bool, typer.Option(help="Feed the traffic of a simulated company.")] = True,
    rate: Annotated[float, typer.Option(help="Simulated calls per second.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Which simulated company.")] = 1,
) -> None:
    """Run the whole product on this machine until Ctrl-C; the data stays for the next time."""
    from pipeline.embedded.product import run_product
    from pipeline.settings import settings

    run_product(settings(), data=data, ports=ports, traffic=traffic, rate=rate, seed=seed)


def status(
    data: Data = None,
    output: OutputOption = Output.table,
) -> None:
    """Show the product that runs on this machine: URLs, topics, token, health. Exit code 1 when a part is not well."""
    from pipeline.embedded.product import show_status
    from pipeline.settings import settings

    raise typer.Exit(0 if show_status(data or settings().data, output) else 1)
