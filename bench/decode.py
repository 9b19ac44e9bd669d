"""What one event and one call cost in CPU and memory: `python -m bench.decode`.

No servers: each step of the worker alone, over one batch, the fastest of several repeats.
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import orjson

from bench.calls import Plan, Record, Truth, traffic
from bench.dialects import costs
from bench.report import print_json, print_table
from bench.sip_call import packets
from pipeline.calls.fold import fold
from pipeline.sources import canonical
from pipeline.sources.sip import decoder
from pipeline.warehouse.storage import rows
from pipeline.worker.core.batch import Batch, archive_body, read
from pipeline.worker.core.chunk import Chunk
from pipeline.worker.core.open_calls import PartitionCalls
from schemas.call import document
from schemas.event import Event

T0_MS = 1_750_000_000_000
NOW_MS = T0_MS + 86_400_000


@dataclass(slots=True)
class Consumed:
    """A Kafka record as far as the worker looks at it."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


def fastest(work: Callable[[], object], repeats: int) -> float:
    """CPU seconds of the fastest of `repeats` runs, garbage collection off."""
    found = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(repeats):
            began = time.process_time()
            work()
            found.append(time.process_time() - began)
    finally:
        gc.enable()
    return min(found)


def by_call(events: Iterable[Event]) -> list[list[Event]]:
    """The events of each call."""
    found: dict[str, list[Event]] = defaultdict(list)
    for event in events:
        found[event.call_id].append(event)
    return list(found.values())


def chunk_of(records: list[Record]) -> Chunk:
    """The records as one poll would give them."""
    return Chunk("call-events", 0, [Consumed(number, key, value) for number, (_, key, value) in enumerate(records)])


def memory_per_call(calls: int) -> dict[str, float]:
    """Bytes of an open call of 3 to 5 events: just read, and packed when nothing is said of it."""
    truth = Truth()
    records = list(traffic(Plan(hang_up=False), T0_MS, calls * 4, truth))
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        state = PartitionCalls(0)
        batch = Batch()
        # In chunks, so that nothing of the batch is kept but the calls.
        for start in range(0, len(records), 5000):
            read(batch := Batch(), chunk_of(records[start : start + 5000]), state, now_ms=NOW_MS, max_events=20_000)
        del batch
        for open_call in state:
            open_call.key, open_call.logs = (T0_MS + 1, 1 << 60), []
        gc.collect()
        hot, _ = tracemalloc.get_traced_memory()
        for _ in range(3):
            state.cool()
        gc.collect()
        packed, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return {"just_read": (hot - before) / truth.calls, "packed": (packed - before) / truth.calls}


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.decode", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    truth = Truth()
    records = list(traffic(Plan(tenant="default"), T0_MS, options.events, truth))
    values = [value for _, _, value in records]
    chunk = chunk_of(records)
    captured = [packet for number in range(options.events // 7) for packet in packets(number, T0_MS + number)]

    def timed(work: Callable[[], object]) -> float:
        return fastest(work, options.repeats)

    events = canonical.decode(values).events
    calls = by_call(events)
    folded = [fold(of_call) for of_call in calls]
    documents = [document(call) for call in folded]
    call_rows = [rows.call_row(call) for call in folded]
    log_rows = [row for call in folded for row in rows.log_rows(call)]
    sip = decoder.decode(captured).events
    sip_calls = by_call(sip)
    batch = Batch()
    read(batch, chunk, PartitionCalls(0), now_ms=NOW_MS, max_events=20_000)

    def whole_read() -> None:
        read(Batch(), chunk, PartitionCalls(0), now_ms=NOW_MS, max_events=20_000)

    decoding = timed(lambda: canonical.decode(values, now_ms=NOW_MS))
    per_event = {
        "bare orjson.loads": timed(lambda: list(map(orjson.loads, values))),
        "canonical: decode": decoding,
        "read, without decode: calls, archive lines": timed(whole_read) - decoding,
        "archive body": timed(lambda: archive_body(batch)),
    }
    per_call = {
        "fold": timed(lambda: list(map(fold, calls))),
        "call document": timed(lambda: list(map(document, folded))),
        "document as JSON": timed(lambda: list(map(orjson.dumps, documents))),
        "row of call_rows": timed(lambda: list(map(rows.call_row, folded))),
        "rows of call_log_rows": timed(lambda: list(map(rows.log_rows, folded))),
        "rows as JSON": timed(lambda: (rows.encode(call_rows), rows.encode(log_rows))),
    }
    of_sip = {
        "SIP over HEP: decode, a packet": timed(lambda: decoder.decode(captured)) / len(captured),
        "SIP: fold, a call": timed(lambda: list(map(fold, sip_calls))) / len(sip_calls),
    }
    table = [[name, 1e6 * s / len(values), None, s / len(values) * 1e6] for name, s in per_event.items()]
    table += [
        [name, 1e6 * s / len(values), 1e6 * s / len(calls), 1e6 * s / len(values)] for name, s in per_call.items()
    ]
    ours = sum(per_event.values()) - per_event["bare orjson.loads"] + sum(per_call.values())
    table.append(["all of it", 1e6 * ours / len(values), 1e6 * ours / len(calls), 1e6 * ours / len(values)])
    title = f"{len(values):,} events of {truth.bytes // truth.events} bytes, {len(calls):,} calls"
    print_table(
        f"{title}, fastest of {options.repeats}", ["step", "µs/event", "µs/call", "CPU s/million events"], table
    )
    print_table(
        f"{len(captured):,} HEP packets of {sum(map(len, captured)) // len(captured)} bytes, 7 a call",
        ["step", "µs"],
        [[name, 1e6 * seconds] for name, seconds in of_sip.items()],
    )
    dialects = costs(values, T0_MS, timed)
    print_table(
        "One ordinary call in the words of a PBX, beside canonical events of the same size",
        ["dialect", "bytes", "µs/value", "µs/event", "canonical µs", "× canonical", "JSON alone µs"],
        [[name, c.bytes, c.value, c.event, c.canonical, c.ratio, c.floor] for name, c in dialects.items()],
    )
    memory = memory_per_call(20_000)
    print_table("Memory of an open call, bytes", list(memory), [list(memory.values())])
    micro = {name: 1e6 * seconds / len(values) for name, seconds in {**per_event, **per_call}.items()}
    ratios = {name: cost.ratio for name, cost in dialects.items()}
    figures = {
        "us_per_event": micro,
        "times_canonical": ratios,
        "us_sip": {name: 1e6 * seconds for name, seconds in of_sip.items()},
    }
    print_json("decode", {**figures, "all_us_per_event": 1e6 * ours / len(values), "bytes_per_open_call": memory})


if __name__ == "__main__":
    main()
