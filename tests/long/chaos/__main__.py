"""The fault suite: `python -m tests.long.chaos` (minutes), `--hours 2` (hours). Exit status 1 when anything is lost,
doubled, wrong or strange."""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.long.chaos.arena import Arena
from tests.long.chaos.audit import Audit
from tests.long.chaos.rounds.table import FAULTS, NEEDS, possible
from tests.long.chaos.load import Load
from tests.long.chaos.network import Line
from tests.servers import ClickHouseServer, KafkaServer

COLUMNS = ("fault", "seed", "strikes", "calls", "events", "lost", "doubled", "wrong", "strange", "seconds")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.long.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same calls and choices")
    parser.add_argument("--seconds", type=float, default=25, help="how long each fault strikes")
    parser.add_argument("--hours", type=float, default=0, help="all faults again and again, for so long")
    parser.add_argument("--fault", choices=[*FAULTS], action="append", help="only this one (may be repeated)")
    parser.add_argument(
        "--kills", type=int, default=0, help="of `kills` and `kills-among-three`: how many, however long it takes"
    )
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its broker dies on purpose
    chosen = given.fault or [name for name in FAULTS if possible(name)]
    begun, number, total, struck, calls = time.monotonic(), 0, Audit(), 0, 0
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    kafka_line, clickhouse_line = Line(0), Line(0)
    broker, clickhouse = KafkaServer(folder / "kafka", kafka_line.port), ClickHouseServer(folder / "clickhouse")
    kafka_line.target, clickhouse_line.target = broker.far, clickhouse.port
    columns = "{:20} {:>6} {:>7} {:>8} {:>6} {:>8} {:>6} {:>8} {:>6} {:>7}"
    print(columns.format(*COLUMNS), flush=True)
    try:
        while number == 0 or time.monotonic() - begun < given.hours * 3600:
            for name in chosen:
                seed = given.seed + number
                started = time.monotonic()
                arena = Arena(
                    broker,
                    clickhouse,
                    folder / f"{name}-{number}",
                    random.Random(seed),
                    Load(seed),
                    given.seconds,
                    kafka_line,
                    clickhouse_line,
                    given.kills,
                    given.hours > 0,
                )
                strikes, found = run(name, arena)
                total, struck, calls = total + found, struck + strikes, calls + arena.load.calls
                figures = (found.lost, found.doubled, found.wrong, found.strange)
                took = f"{time.monotonic() - started:.0f}"
                told = (name, seed, strikes, arena.load.calls, len(arena.load.events))
                print(columns.format(*told, *figures, took), flush=True)
                for example in found.examples:
                    print(f"    {example}", flush=True)
                number += 1
    finally:
        for line in (kafka_line, clickhouse_line):
            line.close()
        broker.stop()
        clickhouse.stop()
    print(
        f"faults survived {struck}, calls {calls}: lost {total.lost}, doubled {total.doubled},"
        f" wrong {total.wrong}, strange {total.strange}; logs in {folder}"
    )
    for name in sorted(set(FAULTS) - set(chosen)) if not given.fault else ():
        print(f"left out: {name}, {NEEDS[name]}")
    return 0 if total.clean else 1


def run(name: str, arena: Arena) -> tuple[int, Audit]:
    """One round: how often the fault struck, and what the audit says. A round that comes to no rest is a loss."""
    strikes = 0
    try:
        strikes = FAULTS[name](arena)
        return strikes, arena.finish()
    except Exception as error:
        arena.close()
        found = Audit()
        found.found("lost", "came to no rest", f"{type(error).__name__}: {error}"[:1500])
        return strikes, found
    except KeyboardInterrupt:
        arena.close()
        raise


if __name__ == "__main__":
    sys.exit(main())
