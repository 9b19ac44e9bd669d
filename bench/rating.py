"""What a price costs: `python -m bench.rating`.

No servers. A deck of 200,000 prefixes: looking a number up in it and working the formula out, µs a call, and memory.
Then the worker's own steps (decode, match, fold, rows, change feed) over a day of a simulated company, with
and without pricing: what pricing adds, per cent. A part of the numbers dialled was never seen before.
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from random import Random

import msgspec

from bench.decode import Consumed, fastest
from bench.report import print_json, print_table
from pipeline.directory.model import Directory, Tenant
from pipeline.rating.deck import Deck, Header, Line, Moment, Scope
from pipeline.rating.formula import Terms
from pipeline.rating.tariffs import Tariffs
from pipeline.traffic import day
from pipeline.warehouse.storage import rows
from pipeline.worker.core.batch import Batch, archive_body, read
from pipeline.worker.core.chunk import Chunk
from pipeline.worker.core.folding import fold_calls
from pipeline.worker.core.open_calls import PartitionCalls
from schemas.event import Party

MIDNIGHT = 1_750_032_000_000  # 2025-06-16, a Monday
NOW_MS = MIDNIGHT + 2 * 86_400_000


def lines(count: int) -> list[Line]:
    """A deck of `count` prefixes of 1 to 9 digits, as carriers send them: few prices, many destinations."""
    chance = Random(1)
    terms = [
        Terms(
            interval_1=chance.choice((1, 30, 60)),
            price_1=(price := Decimal(chance.randrange(1, 9999)).scaleb(-4)),
            interval_n=chance.choice((1, 6, 60)),
            price_n=price,
        )
        for _ in range(3000)
    ]
    found: dict[str, Line] = {str(digit): Line(str(digit), "zone", terms[digit], "EUR") for digit in range(1, 10)}
    while len(found) < count:
        prefix = str(chance.randrange(10, 10 ** chance.choice((5, 6, 7, 8, 9))))
        found[prefix] = Line(prefix, f"destination {len(prefix)}", chance.choice(terms), "EUR")
    return list(found.values())


def records(calls: int, never_seen: float, seed: int = 2) -> tuple[list[Consumed], int, int]:
    """A company's day as Kafka has it, how many calls there are, and how many of them go outside."""
    chance = Random(seed)
    found, outside = [], 0
    for events in day.day(1, MIDNIGHT, calls):
        number = f"+4420{chance.choice('378')}{chance.randrange(10**7):07d}" if chance.random() < never_seen else ""
        goes = any(event.kind == "outside" for event in events)
        outside += goes
        for event in events:
            if goes and number and event.callee is not None:
                event.callee = Party(number=number)
            found.append(event)
    found.sort(key=lambda event: event.at)
    told = [Consumed(place, event.call_id.encode(), msgspec.json.encode(event)) for place, event in enumerate(found)]
    return told, calls, outside


def work(told: list[Consumed], tariffs: Tariffs | None) -> Batch:
    """What the worker does with them, up to the bytes that it sends."""
    state, batch = PartitionCalls(0), Batch(tariffs=tariffs)
    read(batch, Chunk("call-events", 0, told), state, now_ms=NOW_MS, max_events=20_000)
    fold_calls(batch, state, batch.touched[0], NOW_MS, expired=False)
    archive_body(batch)
    rows.encode(batch.calls)
    rows.encode(batch.logs)
    return batch


def compared(calls: int, never_seen: float, decks: list[Deck], repeats: int) -> tuple[float, float]:
    """CPU seconds without and with pricing: the two in turn, the fastest of each. The tariffs live on, as in a worker;
    in every repeat other numbers are new to them."""
    without, priced = [], []
    tariffs = Tariffs(decks, {"default": Directory(Tenant("default", zone="Europe/London", country="GB"))})
    work(records(calls, 0, 0)[0], tariffs)
    for repeat in range(repeats):
        told = records(calls, never_seen, repeat + 1)[0]
        without.append(fastest(partial(work, told, None), 1))
        priced.append(fastest(partial(work, told, tariffs), 1))
    return min(without), min(priced)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.rating", description=__doc__)
    parser.add_argument("--prefixes", type=int, default=200_000)
    parser.add_argument("--calls", type=int, default=3_000)
    parser.add_argument("--never-seen", type=float, default=0.2, help="share of outside calls to new numbers")
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    tracemalloc.start()
    began = time.perf_counter()
    deck = Deck(Header("retail", version=1), lines(options.prefixes))
    gc.collect()
    deck_mb = tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()
    built_s = time.perf_counter() - began
    chance = Random(3)
    numbers = [str(chance.randrange(10**10, 10**12)) for _ in range(options.prefixes)]
    seconds = [chance.randrange(1, 3600) for _ in numbers]
    moment = Moment(MIDNIGHT, Tenant("default").tz)

    tariffs = Tariffs([deck])

    def lookup() -> None:
        for number in numbers:
            deck.find(number, moment)

    def price() -> None:
        for number, talked in zip(numbers, seconds, strict=True):
            found = tariffs.find("customer", "acme", "", "", "outbound", (number,), moment)
            assert found is not None
            found.cost(talked)

    def per_number(step: Callable[[], None]) -> float:
        return fastest(step, 3) / len(numbers) * 1e6

    lookup_us, price_us = per_number(lookup), per_number(price)
    carrier = Deck(Header("wholesale", Scope("carrier"), version=1), deck.lines())
    _, calls, outside = records(options.calls, options.never_seen)
    without, priced = compared(options.calls, options.never_seen, [deck, carrier], options.repeats)
    added = (priced - without) / without * 100
    print_table(
        f"A deck of {options.prefixes:,} prefixes",
        ["step", "µs a call", "limit", "holds"],
        [
            ["longest prefix", lookup_us, None, None],
            ["longest prefix and formula", price_us, 5.0, price_us <= 5],
        ],
    )
    print_table(
        f"The worker over {calls:,} calls, {outside:,} of them to the outside, priced by two decks",
        ["", "µs a call", "added %", "limit %", "holds"],
        [
            ["without pricing", without / calls * 1e6, None, None, None],
            ["with pricing", priced / calls * 1e6, added, 10.0, added <= 10],
        ],
    )
    print_json(
        "rating",
        {
            "prefixes": options.prefixes,
            "deck_mb": deck_mb,
            "deck_built_s": built_s,
            "us_lookup": lookup_us,
            "us_lookup_and_formula": price_us,
            "of_limit_5_us": price_us / 5,
            "worker_us_per_call": without / calls * 1e6,
            "worker_added_percent": added,
            "of_limit_10_percent": added / 10,
        },
    )


if __name__ == "__main__":
    main()
