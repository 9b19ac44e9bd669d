"""Commands about events in files, and simulated ones."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import OutputOption
from pipeline.output import Output

if TYPE_CHECKING:
    from schemas.call import Call


def fold(
    file: Annotated[str, typer.Argument(help="Raw events: NDJSON, or for sip a capture file; - for stdin.")] = "-",
    source: Annotated[
        str, typer.Option("--source", "-s", help="Dialect: canonical, sip, freeswitch, asterisk, kamailio, …")
    ] = "canonical",
    expired: Annotated[bool, typer.Option("--expired", help="Close the calls that are open at the end.")] = False,
    zone: Annotated[str, typer.Option(help="IANA zone of local times without one; CDR_ZONE when left out.")] = "",
    node: Annotated[str, typer.Option(help="Names the node where the events do not.")] = "",
    directory: Annotated[
        Path | None, typer.Option(help="The tenant's directory, YAML or CSV: which way calls went is decided by it.")
    ] = None,
) -> None:
    """Fold raw events into calls, without broker or database: one call document a line. Exit code 1 when a line was no
    event."""
    from pipeline.ingest.files.fold import fold_file
    from pipeline.settings import settings
    from pipeline.sources.contract import Options

    chosen = settings()
    options = Options(
        chosen.tenant,
        zone or chosen.zone,
        {} if zone else chosen.zones,
        node,
        sip_ids=True,
        call_id_suffixes=tuple(chosen.call_id_suffixes),
    )
    complete = None if directory is None else _directed(directory, chosen.tenant, chosen.country)
    wrong = fold_file(
        source, file, expired=expired, output=sys.stdout, errors=sys.stderr, options=options, complete=complete
    )
    raise typer.Exit(1 if wrong else 0)


def _directed(file: Path, tenant: str, country: str) -> Callable[[Call], None]:
    """What gives calls their direction by a directory."""
    from pipeline.cli.directory import read_directory
    from pipeline.directory.model import build
    from pipeline.rating.directions import direct
    from pipeline.rating.tariffs import Tariffs

    wanted = read_directory(file, tenant)
    known = {name: build(name, each.entries) for name, each in wanted.items()}
    tariffs = Tariffs(directories=known, country=country)
    return lambda call: direct(call, tariffs)


def validate(
    file: Annotated[str, typer.Argument(help="Events: NDJSON or a JSON array, for sip a capture; - for stdin.")],
    source: Annotated[str, typer.Option("--source", "-s", help="Dialect: canonical, freeswitch, …")] = "canonical",
    zone: Annotated[str, typer.Option(help="IANA zone of local times; CDR_ZONE when left out.")] = "",
    output: OutputOption = Output.table,
) -> None:
    """Say which values of a file are no events: line, JSON pointer, what is wrong, what to do. Exit code 1 for any."""
    from pipeline.ingest.files.validate import Validation
    from pipeline.ingest.files.validate import validate as problems_of
    from pipeline.output import print_rows
    from pipeline.settings import settings
    from pipeline.sources.contract import Options

    chosen = settings()
    found = Validation()
    problems = list(problems_of(source, file, found, Options(zone=zone or chosen.zone, zones=chosen.zones)))
    if problems or output is not Output.table:
        print_rows(problems, ("line", "pointer", "problem", "hint"), output)
    typer.echo(f"{found.values} values, {found.events} events, {found.wrong_values} values wrong.", err=True)
    raise typer.Exit(1 if problems else 0)


def sip(
    file: Annotated[str, typer.Argument(help="Capture: pcap, pcapng, HEP version 3 packets or HEP as JSON lines.")],
    kafka: Annotated[str, typer.Option(help="Bootstrap servers; CDR_KAFKA when left out.")] = "",
) -> None:
    """Feed the SIP messages of a capture file to Kafka, as if they came over HEP."""
    from pipeline.ingest.files.capture import packets
    from pipeline.ingest.hep.service import feed
    from pipeline.settings import settings

    count = feed(settings().model_copy(update={"kafka": kafka} if kafka else {}), packets(file))
    typer.echo(f"{count} SIP messages produced.", err=True)


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
