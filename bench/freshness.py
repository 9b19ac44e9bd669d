"""Freshness: `python -m bench.freshness`.

Live traffic at a steady rate, beside calls stored before. For one of eight tenants, from the moment
the last `ended` of a call is handed to the Kafka producer until GET /api/cdrs, asked again and again, lists it.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import itertools
import json
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.calls import TENANTS, Plan, Record, Truth, length_ms, traffic
from bench.log import Progress, fill, partition_of
from bench.report import percentile, print_json, print_table
from bench.stage import GROUP, Stage, metrics, say, stage
from pipeline import kafka
from pipeline.embedded.process import HOST
from pipeline.warehouse.identity.tokens import create_token

P50_S, P99_S = 0.3, 1.0
TENANT = TENANTS[0]
PAGE = 100
LIST = f"/api/cdrs?orderby=ended_at%20desc&top={PAGE}"
TICK_S = 0.005
TALK_S = 8.0
WARM_S = 5.0  # after a backlog the worker catches up on open calls


@dataclass
class Watcher:
    """Asks for the newest CDRs, `every_s` from one question to the next, and notes when each call was first seen."""

    port: int
    token: str
    every_s: float
    seen: dict[str, float] = field(default_factory=dict)
    answers_s: list[float] = field(default_factory=list)
    stopping: bool = False

    def run(self) -> None:
        """Until `stopping`, in a thread of its own."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
        while not self.stopping:
            asked = time.perf_counter()
            skip = 0
            # Further pages only when more calls ended at once than one page holds.
            while self._page(connection, skip) and skip < 1000:
                skip += PAGE
            time.sleep(max(0.0, asked + self.every_s - time.perf_counter()))

    def _page(self, connection: http.client.HTTPConnection, skip: int) -> bool:
        """Note the calls of one page; whether all of them were new."""
        asked = time.perf_counter()
        connection.request("GET", f"{LIST}&skip={skip}", headers={"Authorization": f"Bearer {self.token}"})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"GET {LIST}: {answer.status} {body[:300]!r}")
        now = time.perf_counter()
        self.answers_s.append(now - asked)
        found = [item["call_id"] for item in json.loads(body)["items"]]
        known = sum(call_id in self.seen for call_id in found)
        for call_id in found:
            self.seen.setdefault(call_id, now)
        return bool(found) and not known


def ends_call(value: bytes) -> bool:
    """Whether this event is the last of a call of the watched tenant."""
    return value.startswith(b'{"type":"ended"') and f'-a","tenant":"{TENANT}"'.encode() in value


async def play(made: Stage, records: Sequence[Record]) -> tuple[dict[str, float], float]:
    """Produce each record at its time, counted from now. When the calls ended, and how late the
    producer itself was at worst, s."""
    topic, partitions = made.settings.events_topic, made.settings.partitions
    producer = kafka.producer(made.settings)
    await producer.start()
    ended: dict[str, float] = {}
    begin, first, late = time.perf_counter(), records[0][0], 0.0
    place = 0
    try:
        while place < len(records):
            elapsed = time.perf_counter() - begin
            due = first + int(elapsed * 1000)
            late = max(late, elapsed - (records[place][0] - first) / 1000)
            while place < len(records) and records[place][0] <= due:
                _, key, value = records[place]
                await producer.send(topic, value, key=key, partition=partition_of(key, partitions))
                if ends_call(value):
                    ended[key.decode()] = time.perf_counter()
                place += 1
            await asyncio.sleep(TICK_S)
    finally:
        await producer.stop()
    return ended, late


def steps_between(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """The worker's batches: how many, their events, and the seconds that each step took, on the average."""
    count = after["cdr_batches_total"] - before["cdr_batches_total"]
    found = {"batches": count, "events": (after["cdr_events_total"] - before["cdr_events_total"]) / max(1, count)}
    for name, value in after.items():
        if name.startswith("cdr_calls_reloaded_total"):
            found["reloaded " + name.split('"')[1]] = value - before.get(name, 0)
    for name, value in after.items():
        if name.startswith("cdr_batch_step_seconds_sum{"):
            times = after[name.replace("_sum{", "_count{")] - before.get(name.replace("_sum{", "_count{"), 0)
            found[name.split('"')[1]] = (value - before.get(name, 0)) / max(1, times)
    return found


async def settle(made: Stage, timeout_s: float) -> None:
    """Wait until the worker has committed what there is."""
    settings = made.settings
    async with Progress(settings.kafka, GROUP, settings.events_topic, settings.partitions) as progress:
        await progress.reach(await progress.end(), timeout_s)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.freshness", description=__doc__)
    parser.add_argument("--rate", type=float, default=2000, help="events a second")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--stored", type=int, default=200_000, help="events ingested beforehand, at least a minute's")
    parser.add_argument("--every", type=float, default=0.05, help="seconds from one GET /api/cdrs to the next")
    options = parser.parse_args()
    live = int(options.rate * options.seconds)
    plan = Plan(calls_a_second=options.rate / 4.75, talk_s=TALK_S)
    total = options.stored + live
    say(f"preparing {total:,} events")
    begin_ms = time.time_ns() // 1_000_000 - length_ms(plan, total)
    # What is live lies in the midst of traffic, where calls end as often as they begin.
    midst = traffic(plan, begin_ms, total + int(options.rate * TALK_S * 8), Truth())
    records = list(itertools.islice(midst, total))
    before, now = records[: options.stored], records[options.stored :]
    with stage() as made:
        made.create_topics()
        made.start_clickhouse()
        settings = made.settings
        if before:
            asyncio.run(fill(settings.kafka, settings.events_topic, settings.partitions, before))
        worker = made.start_worker()
        api = made.start_api()
        with made.client() as client:
            token = create_token(client, TENANT, "bench")
        say("ingesting what is stored beforehand")
        asyncio.run(settle(made, 300))
        watcher = Watcher(settings.api_port, token, options.every)
        thread = threading.Thread(target=watcher.run, daemon=True)
        thread.start()
        time.sleep(WARM_S)
        say(f"{options.rate:g} events/s for {options.seconds:g} s")
        used, counted, began = made.usages(worker), metrics(settings.metrics_port), time.perf_counter()
        ended, late = asyncio.run(play(made, now))
        seconds, after = time.perf_counter() - began, made.usages(worker)
        steps = steps_between(counted, metrics(settings.metrics_port))
        asyncio.run(settle(made, 60))
        time.sleep(2)
        watcher.stopping = True
        thread.join(30)
        api.stop()
    waits = [watcher.seen[call_id] - at for call_id, at in ended.items() if call_id in watcher.seen]
    if not waits:
        sys.exit("No call that ended was listed: run for longer.")
    unseen = len(ended) - len(waits)
    figures = {name: percentile(waits, percent) for name, percent in (("p50_s", 50), ("p90_s", 90), ("p99_s", 99))}
    figures["max_s"] = max(waits)
    met = {"p50": figures["p50_s"] <= P50_S, "p99": figures["p99_s"] <= P99_S and not unseen}
    title = f"`ended` produced → listed by GET /api/cdrs, {len(now) / seconds:,.0f} events/s, {options.stored:,} before"
    print_table(
        title,
        ["", "p50 s", "p90 s", "p99 s", "max s", "calls", "not listed"],
        [
            ["measured", *figures.values(), len(waits), unseen],
            ["target", P50_S, None, P99_S, None, None, 0],
            ["the list's answer", *(percentile(watcher.answers_s, p) for p in (50, 90, 99, 100))],
        ],
    )
    print_table("The worker's batches: events and seconds a step, on the average", list(steps), [list(steps.values())])
    cpu = {part: 100 * (after[part].cpu_s - used[part].cpu_s) / seconds for part in after}
    print_table("CPU, % of one core", list(cpu), [list(cpu.values())])
    figures |= {"calls": len(waits), "not_listed": unseen, "producer_late_s": late, "events_per_s": len(now) / seconds}
    figures["list_p50_s"], figures["list_p99_s"] = (percentile(watcher.answers_s, p) for p in (50, 99))
    print_json("freshness", {**figures, "batches": steps, "cpu_percent": cpu, "met": met})


if __name__ == "__main__":
    main()
