"""Open calls: `python -m bench.open_calls`.

Fewer calls are opened first, and the worker is started anew over them: until it has its partitions,
and until it has folded one more event of some of them. Then the rest is opened: memory of the worker.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import time
from collections.abc import Iterator

from bench.calls import Plan, Record, Truth, traffic
from bench.freshness import settle
from bench.log import fill
from bench.report import print_json, print_table
from bench.stage import Stage, say, stage
from bench.usage import usage
from pipeline.embedded.process import Child

TARGET_MIB, TARGET_S = 1536.0, 10.0
EVENTS_A_CALL = 3.5  # 3 of one leg; 3 or 5 of two: nobody has hung up
HANG_UPS = 100
TIMEOUT_S = 900


def opened(plan: Plan, begin_ms: int, first: int, calls: int, truth: Truth) -> Iterator[Record]:
    """The events of so many calls that stay open."""
    wanted = truth.calls + calls

    def until_enough() -> Iterator[Record]:
        while truth.calls < wanted:
            number = first + truth.calls - (wanted - calls)
            start = begin_ms + int((number - first) / plan.calls_a_second * 1000)
            yield from traffic(plan, start, truth.events + 1, truth, first=number)

    # Blocks of calls are put in order as they overlap: a minute of them at a time.
    records = until_enough()
    while block := list(itertools.islice(records, 100_000)):
        yield from sorted(block)


def stored(made: Stage) -> tuple[int, int]:
    """Open calls and closed ones in ClickHouse."""
    with made.client() as client:
        row = client.query("SELECT countIf(state = 'open'), countIf(state = 'closed') FROM calls").result_rows[0]
    return int(row[0]), int(row[1])


def hang_ups(records: list[Record], at_ms: int) -> list[Record]:
    """The hang-up of each of these calls' first legs."""
    ends = []
    for _, key, value in records:
        start = value.replace(b'{"type":"started"', b'{"type":"ended"').replace(b'-00","leg_id"', b'-99","leg_id"')
        head, _, rest = start.partition(b'"at":"')
        ends.append((at_ms, key, b'%s"at":%d%s' % (head, at_ms, rest[rest.index(b'"') + 1 :])))
    return ends


def restart(made: Stage, firsts: list[Record]) -> tuple[Child, float, float]:
    """Start a worker over open calls of which some hung up meanwhile: seconds until it is ready, and until
    those are closed."""
    settings = made.settings
    _, before = stored(made)
    ends = hang_ups(firsts, time.time_ns() // 1_000_000)
    asyncio.run(fill(settings.kafka, settings.events_topic, settings.partitions, ends))
    began = time.perf_counter()
    worker = made.start_worker()
    ready_s = time.perf_counter() - began
    asyncio.run(settle(made, TIMEOUT_S))
    folded_s = time.perf_counter() - began
    _, closed = stored(made)
    if closed - before != len(ends):
        raise RuntimeError(f"{len(ends)} calls hung up, {closed - before} were closed")
    return worker, ready_s, folded_s


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.open_calls", description=__doc__)
    parser.add_argument("--calls", type=int, default=500_000, help="open calls for the memory")
    parser.add_argument("--restart-calls", type=int, default=100_000, help="open calls for the restart")
    parser.add_argument("--settle", type=float, default=20, help="seconds without news before memory is read")
    options = parser.parse_args()
    plan, truth = Plan(hang_up=False), Truth()
    begin_ms = time.time_ns() // 1_000_000 - int(options.calls / plan.calls_a_second * 1000) - 60_000
    with stage() as made:
        made.create_topics()
        made.start_clickhouse()
        settings = made.settings
        say(f"opening {options.restart_calls:,} calls")
        firsts: list[Record] = []

        def noted(records: Iterator[Record]) -> Iterator[Record]:
            for record in records:
                # Calls of one leg: its hang-up ends them.
                if (
                    len(firsts) < HANG_UPS
                    and record[2].startswith(b'{"type":"started"')
                    and record[1][7:8] in b"02468ac"
                ):
                    firsts.append(record)
                yield record

        begun = opened(plan, begin_ms, 0, options.restart_calls, truth)
        asyncio.run(fill(settings.kafka, settings.events_topic, settings.partitions, noted(begun)))
        worker = made.start_worker()
        asyncio.run(settle(made, TIMEOUT_S))
        worker.stop(20)
        say("starting the worker anew")
        worker, ready_s, folded_s = restart(made, firsts)
        after_restart = usage(worker.pid)
        rest = options.calls - options.restart_calls + len(firsts)
        say(f"opening {rest:,} more")
        more_ms = begin_ms + int(truth.calls / plan.calls_a_second * 1000)
        more = opened(plan, more_ms, truth.calls, rest, truth)
        asyncio.run(fill(settings.kafka, settings.events_topic, settings.partitions, more))
        asyncio.run(settle(made, TIMEOUT_S))
        busy = usage(worker.pid)
        time.sleep(options.settle)
        quiet = usage(worker.pid)
        is_open, _ = stored(made)
        clickhouse = usage(made.clickhouse.pid) if made.clickhouse else None
        worker.stop(20)
    print_table(
        f"A worker started over {options.restart_calls:,} open calls",
        ["", "measured s", "target s", "RSS MiB"],
        [
            ["until it has its partitions", ready_s, None, None],
            [f"until {len(firsts)} of them were closed and committed", folded_s, TARGET_S, after_restart.rss_mib],
        ],
    )
    print_table(
        f"{is_open:,} open calls, {truth.events / truth.calls:.1f} events each: memory of the worker, MiB",
        ["", "RSS", "target"],
        [
            ["when all were read", busy.rss_mib, None],
            [f"{options.settle:g} s later", quiet.rss_mib, TARGET_MIB],
            ["highest ever", quiet.peak_mib, TARGET_MIB],
        ],
    )
    figures = {"restart_calls": options.restart_calls, "ready_s": ready_s, "folding_again_s": folded_s}
    figures |= {"open_calls": is_open, "rss_mib": quiet.rss_mib, "peak_mib": quiet.peak_mib}
    figures |= {"clickhouse_rss_mib": clickhouse.rss_mib if clickhouse else 0.0}
    met = {
        "rss": quiet.rss_mib <= TARGET_MIB,
        "peak": quiet.peak_mib <= TARGET_MIB,
        "restart": folded_s <= TARGET_S,
        "all_open": is_open == options.calls,
    }
    print_json("open_calls", {**figures, "met": met})


if __name__ == "__main__":
    main()
