"""The fault suite; without `--full` every round briefly. Exit status 1 when anything is lost, doubled or wrong.

python -m tests.long.chaos --round freezes --seed 7 --seconds 60
python -m tests.long.chaos --full --load 8       all rounds, three seeds; goes on where it was interrupted
python -m tests.long.chaos --table               what was finished, as rows of docs/durability.md
python -m tests.long.chaos --replay FOLDER       the audit of a failed round once more
"""

from __future__ import annotations

import argparse
import logging
import random
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

from pipeline.calls import fold
from tests.long.chaos import observed, results
from tests.long.chaos.arena import Arena
from tests.long.chaos.audit import Audit, audit
from tests.long.chaos.busy import busy
from tests.long.chaos.load import Load
from tests.long.chaos.parts import Parts, servers
from tests.long.chaos.results import Result
from tests.long.chaos.rounds.table import ROUNDS

COLUMNS = ("round", "seed", "load", *results.FIGURES, "seconds")
LINE = "{:20} {:>5} {:>4} {:>7} {:>8} {:>8} {:>6} {:>7} {:>6} {:>7} {:>7}"
SEEDS = (1, 2, 3)
LOADS = (0, 8)  # busy processes beside a round, in the table


def main() -> int:
    given = arguments()
    if given.replay:
        return replay(given.replay)
    if given.table:
        return table(given)
    return rounds(given)


def replay(folder: Path) -> int:
    """Judge the evidence of a round once more."""
    truth, seen = observed.load(folder)
    fold.GENERATION = truth.generation
    found = audit(truth, seen)
    print("\n".join(found.examples))
    print(", ".join(f"{name} {getattr(found, name)}" for name in results.FIGURES[3:]))
    return 0 if found.clean else 1


def table(given: argparse.Namespace) -> int:
    """Print what is finished; 0 when that is every round with every seed, and all of them are clean."""
    lines = results.read(given.results)
    known = results.finished(lines, "" if given.any_program else results.program())
    print(results.markdown(known.values()))
    keys = [(name, seed, load) for name in ROUNDS for seed in SEEDS for load in LOADS]
    if lacking := [key for key in keys if key not in known]:
        names = ", ".join(dict.fromkeys(name for name, _, _ in lacking))
        print(f"{len(lacking)} of {len(keys)} are not finished, of {names}", file=sys.stderr)
    return 0 if not lacking and all(each.clean for each in known.values()) else 1


def rounds(given: argparse.Namespace) -> int:
    """Run what is asked for and not finished yet; 0 when all of it is clean."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its broker dies on purpose
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    program = results.program()
    known = results.finished(results.read(given.results), program) if given.full else {}
    done: list[Result] = []
    print(LINE.format(*COLUMNS), flush=True)
    with ExitStack() as closing:
        parts: Parts | None = None
        for name, seed in wanted(given):
            result = known.get((name, seed, given.load))
            if result is not None and (result.clean or not given.again):
                show(result, " (before)")
            else:
                if parts is None:
                    closing.enter_context(busy(given.load))
                    parts = closing.enter_context(servers())
                result = one(name, seed, given, parts, program)
                results.add(given.results, result)
                show(result)
            done.append(result)
    figures = ", ".join(f"{name} {sum(getattr(each, name) for each in done)}" for name in results.FIGURES)
    print(f"all: {figures}")
    return 0 if all(each.clean for each in done) else 1


def wanted(given: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """(round, seed), one after the other; says which rounds this machine cannot have."""
    for name in given.round or ROUNDS:
        if missing := ROUNDS[name].missing():
            print(f"{name:20} left out: it needs {missing}", flush=True)
            continue
        for seed in given.seed or (SEEDS if given.full else SEEDS[:1]):
            yield name, seed


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.long.chaos", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--round", choices=[*ROUNDS], action="append", help="only this one (may be repeated)")
    parser.add_argument(
        "--seed", type=int, action="append", help="the same seed: the same calls and choices (repeatable)"
    )
    parser.add_argument("--seconds", type=float, default=25, help="how long each fault strikes, without --full")
    parser.add_argument("--strikes", type=int, default=0, help="kills, freezes: how many, however long it takes")
    parser.add_argument("--full", action="store_true", help=f"the lengths of the table; seeds {SEEDS} unless given")
    parser.add_argument("--load", type=int, default=0, metavar="N", help="N busy processes beside it")
    parser.add_argument("--again", action="store_true", help="with --full: run again what failed")
    parser.add_argument("--table", action="store_true", help="print the finished rounds of this program as Markdown")
    parser.add_argument("--any-program", action="store_true", help="with --table: of earlier programs, too")
    parser.add_argument("--replay", type=Path, metavar="FOLDER", help="judge the evidence of a round once more")
    parser.add_argument("--older", default="", metavar="COMMIT", help="of `upgrade`: the version before")
    parser.add_argument("--results", type=Path, default=results.FOLDER / "results.ndjson", help="where lines are kept")
    return parser.parse_args()


def one(name: str, seed: int, given: argparse.Namespace, parts: Parts, program: str) -> Result:
    """Run a round with a seed."""
    round_ = ROUNDS[name]
    started = time.monotonic()
    evidence = results.FOLDER / "evidence" / f"{name}-{seed}-load{given.load}-{datetime.now():%m%dT%H%M%S}"
    arena = Arena(
        parts.broker,
        parts.clickhouse,
        parts.folder / f"{name}-{seed}-{time.monotonic_ns()}",
        random.Random(seed),
        Load(seed),
        round_.seconds if given.full else given.seconds,
        parts.kafka_line,
        parts.clickhouse_line,
        round_.strikes if given.full else given.strikes,
        evidence,
        older=given.older,
    )
    strikes, found = run(name, arena)
    shutil.rmtree(arena.folder, ignore_errors=True)
    for example in found.examples[:8]:  # all of them are kept with the evidence
        print(f"    {example}"[:600], flush=True)
    if not found.clean:
        print(f"    evidence: {evidence}", flush=True)
    return Result(
        name,
        seed,
        given.load,
        given.full,
        program,
        strikes,
        arena.load.calls,
        len(arena.load.events),
        found.lost,
        found.doubled,
        found.wrong,
        found.strange,
        round(time.monotonic() - started),
        round(arena.rss_mb),
        "" if found.clean else str(evidence),
    )


def run(name: str, arena: Arena) -> tuple[int, Audit]:
    """One round: how often the fault struck, and what the audit says. A round that comes to no rest is a loss."""
    strikes = 0
    try:
        strikes = ROUNDS[name].strike(arena)
        return strikes, arena.finish()
    except Exception as error:
        found = Audit()
        found.found("lost", "came to no rest", f"{type(error).__name__}: {error}")
        arena.give_up(found)
        return strikes, found
    except BaseException:  # Ctrl-C and SIGTERM: mounts and namespaces go, too
        arena.close()
        raise


def show(result: Result, note: str = "") -> None:
    """Print a line."""
    figures = (getattr(result, name) for name in results.FIGURES)
    print(LINE.format(result.round, result.seed, result.load, *figures, result.seconds) + note, flush=True)


if __name__ == "__main__":
    sys.exit(main())
