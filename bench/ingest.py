"""Durable ingest on backlog: `python -m bench.ingest`.

One topic, filled beforehand, is read by four programs one after the other: a bare aiokafka loop, Quix
Streams with its state, stock Faust with a Table, and our worker. The worker alone stores anything: it is
done when its committed offsets are the end of the topic, and what it stored must equal what was produced.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import Any

from bench.calls import Plan, Truth, length_ms, traffic
from bench.log import Progress, fill
from bench.profile import Sampling
from bench.report import print_json, print_table
from bench.stage import ROOT, Stage, run_contender, say, stage
from pipeline.settings import Settings
from pipeline.warehouse.storage.migrate import migrate

# What is asked of the worker: events/s, and its ratio to each of the others.
TARGET = {"worker": 60_000.0, "bare": 0.2, "quix": 1.5, "faust": 20.0}
NAMES = {
    "bare": "bare aiokafka getmany + orjson.loads",
    "quix": "Quix Streams, RocksDB state",
    "faust": "stock Faust, Table",
    "worker": "cdr worker: archived, stored, committed",
}
Measured = dict[str, Any]


def run_worker(made: Stage, truth: Truth, batch_events: int, stacks: Path | None, timeout_s: float) -> Measured:
    """Our worker from the moment it has its partitions until everything is committed; what it stored."""
    name = f"bench_{batch_events}"
    with made.client("") as client:
        migrate(client, name)
    say(f"our worker, batches of {batch_events:,}")
    worker = made.start_worker({"CDR_GROUP": name, "CDR_DATABASE": name, "CDR_BATCH_EVENTS": str(batch_events)})
    before, began = made.usages(worker), time.perf_counter()
    sampling = Sampling(worker.pid, stacks) if stacks else None
    asyncio.run(_until_committed(made, name, timeout_s))
    seconds, after = time.perf_counter() - began, made.usages(worker)
    by_step = sampling.stop() if sampling else {}
    exact = verify(made, name, truth)
    worker.stop()
    millions = truth.events / 1e6
    cpu = {part: (after[part].cpu_s - before[part].cpu_s) / millions for part in after}
    return {
        "events": truth.events,
        "batch_events": batch_events,
        "seconds": seconds,
        "cpu_s": after["worker"].cpu_s - before["worker"].cpu_s,
        "kafka_cpu_s": after["kafka"].cpu_s - before["kafka"].cpu_s,
        "peak_mib": after["worker"].peak_mib,
        "clickhouse_peak_mib": after["clickhouse"].peak_mib,
        "cpu_s_per_million": cpu,
        "steps_cpu_s_per_million": {step: share * cpu["worker"] for step, share in by_step.items()},
        **exact,
    }


async def _until_committed(made: Stage, group: str, timeout_s: float) -> None:
    settings = made.settings
    async with Progress(settings.kafka, group, settings.events_topic, settings.partitions) as progress:
        await progress.reach(await progress.end(), timeout_s)


def verify(made: Stage, database: str, truth: Truth) -> Measured:
    """What was stored beside what was produced."""
    with made.client(database) as client:
        archived = int(client.query("SELECT uniqExact(event_id) FROM event_rows").result_rows[0][0])
        calls, closed, talk_ms, events = client.query(
            "SELECT count(), countIf(state = 'closed'), sum(talk_ms), sum(events) FROM calls"
        ).result_rows[0]
        logs = int(client.query("SELECT count() FROM call_logs").result_rows[0][0])
    stored = {"events": archived, "folded": events, "calls": calls, "closed": closed, "talk_ms": talk_ms, "logs": logs}
    produced = {
        "events": truth.events,
        "folded": truth.events,
        "calls": truth.calls,
        "closed": truth.calls,
        "talk_ms": truth.talk_ms,
        "logs": truth.calls,  # one target a call
    }
    return {"exact": stored == produced, "stored": stored, "produced": produced}


def contend(made: Stage, truth: Truth, skip: set[str], quix_python: str) -> dict[str, Measured]:
    """The other programs, over the same topic, before there is a ClickHouse that could disturb them."""
    topic, found = made.settings.events_topic, {}
    if "bare" not in skip:
        say(NAMES["bare"])
        found["bare"] = run_contender(made, sys.executable, "bare", [topic, str(truth.events)])
    if "quix" not in skip:
        if Path(quix_python).exists():
            say(NAMES["quix"])
            events = min(truth.events, max(100_000, truth.events // 5))
            arguments = [topic, str(events), str(made.folder / "quix-state")]
            found["quix"] = run_contender(made, quix_python, "quix", arguments)
        else:
            say(f"Quix Streams left out: there is no {quix_python} (make bench makes it)")
    if "faust" not in skip:
        say(NAMES["faust"])
        arguments = [topic, str(max(1, truth.events // 10)), str(made.settings.partitions)]
        found["faust"] = run_contender(made, sys.executable, "stock_faust", [*arguments, str(made.folder / "faust")])
    return found


def report(found: dict[str, Measured], truth: Truth) -> bool:
    """Print everything; whether the targets are met."""
    rate = {name: measured["events"] / measured["seconds"] for name, measured in found.items()}
    cpu = {name: 1e6 * measured["cpu_s"] / measured["events"] for name, measured in found.items()}
    ours = rate["worker"]
    title = f"Backlog: {truth.events:,} events of {truth.bytes // truth.events} bytes, {truth.calls:,} calls"
    columns = ["program", "events", "events/s", "worker is × this", "target ×"]
    rows = [
        [
            NAMES.get(name, f"cdr {name}"),
            measured["events"],
            rate[name],
            ours / rate[name],
            TARGET.get(name) if name != "worker" else None,
            cpu[name],
            cpu[name] / cpu["worker"],
            1e6 * measured["kafka_cpu_s"] / measured["events"],
            measured["peak_mib"],
        ]
        for name, measured in found.items()
    ]
    columns += ["CPU s/million", "× the worker's CPU", "Kafka CPU s/million", "peak MiB"]
    print_table(title, columns, rows)
    workers = {name: measured for name, measured in found.items() if "stored" in measured}
    parts = list(found["worker"]["cpu_s_per_million"])
    print_table(
        "CPU seconds per million events while the worker ran",
        ["batches of", *parts],
        [[measured["batch_events"], *measured["cpu_s_per_million"].values()] for measured in workers.values()],
    )
    for measured in workers.values():
        if steps := measured["steps_cpu_s_per_million"]:
            print_table(
                f"Worker's CPU by step, batches of {measured['batch_events']:,}",
                ["step", "CPU s/million", "share %"],
                [[step, spent, 100 * spent / (sum(steps.values()) or 1)] for step, spent in steps.items()],
            )
    produced = found["worker"]["produced"]
    table = [["produced", *produced.values()], *([name, *m["stored"].values()] for name, m in workers.items())]
    print_table("Produced and stored", ["", *produced], table)
    met = {name: ours / rate[name] >= TARGET[name] for name in rate if name in TARGET}
    met |= {"worker": ours >= TARGET["worker"], "exact": all(m["exact"] for m in workers.values())}
    print_table("Targets", ["target", "met"], met.items())
    ratios = {name: ours / value for name, value in rate.items() if name != "worker"}
    print_json("ingest", {"events_per_s": rate, "worker_ratio_to": ratios, "met": met, "measured": found})
    return bool(met["exact"])


def main() -> None:
    """Run from the command line; exit status 1 when what was stored is not exact."""
    default = int(Settings.model_fields["batch_events"].default)
    parser = argparse.ArgumentParser(prog="python -m bench.ingest", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--skip", nargs="*", default=[], choices=["bare", "quix", "faust"])
    parser.add_argument("--batch-events", nargs="*", type=int, default=[default], help="CDR_BATCH_EVENTS to run with")
    parser.add_argument("--profile", type=Path, metavar="FOLDER", help="sample the worker; its stacks go there")
    parser.add_argument("--timeout", type=float, default=900, help="most seconds for a run of the worker")
    parser.add_argument("--quix-python", default=str(ROOT / ".cache" / "bench" / "bin" / "python"))
    options = parser.parse_args()
    plan, truth = Plan(), Truth()
    with stage() as made:
        made.create_topics()
        say(f"filling the topic with {options.events:,} events")
        begin_ms = time.time_ns() // 1_000_000 - length_ms(plan, options.events)
        settings = made.settings
        records = traffic(plan, begin_ms, options.events, truth)
        asyncio.run(fill(settings.kafka, settings.events_topic, settings.partitions, records))
        found = contend(made, truth, set(options.skip), options.quix_python)
        made.start_clickhouse()
        for number, batch_events in enumerate(options.batch_events):
            name = f"worker, batches of {batch_events:,}" if number else "worker"
            stacks = options.profile / f"stacks-{batch_events}.txt" if options.profile else None
            found[name] = run_worker(made, truth, batch_events, stacks, options.timeout)
    raise SystemExit(0 if report(found, truth) else 1)


if __name__ == "__main__":
    main()
