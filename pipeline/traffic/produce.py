"""Events to Kafka: simulated ones, as time passes or at once, and those of a file."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import signal
import sys
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline import clock, kafka
from pipeline.errors import FAILED, USAGE, Problem
from pipeline.instants import DAY_MS
from pipeline.settings import Settings
from pipeline.traffic import day
from schemas.contract import explain
from schemas.event import Event

MOST_WAITING = 10_000  # records on their way to the broker
ERRORS_SHOWN = 20

Record = tuple[str, bytes]  # key (call_id), value


@dataclass(frozen=True)
class Simulation:
    """What to simulate: `rate` calls a second, `calls` of them (None: until stopped)."""

    scenario: str = day.DAY
    rate: float = 1.0
    calls: int | None = None
    seed: int = 1
    tenant: str = "default"
    live: bool = False


def record(event: Event) -> Record:
    """An event as it is produced."""
    return event.call_id, msgspec.json.encode(event)


def simulated(simulation: Simulation) -> Iterator[Record]:
    """All events of a simulation that does not wait: calls that began in the past and end by now."""
    assert simulation.calls is not None
    calls = simulation.calls
    if simulation.scenario == day.DAY:
        midnight = clock.now_ms() // DAY_MS * DAY_MS - DAY_MS
        everything = iter(day.day(simulation.seed, midnight, calls, tenant=simulation.tenant))
    else:
        start = clock.now_ms() - int(calls / simulation.rate * 1000) - 3_600_000
        rate, scenario = simulation.rate, simulation.scenario
        everything = day.series(simulation.seed, start, rate, scenario, calls, tenant=simulation.tenant)
    for events in everything:
        yield from map(record, events)


async def as_time_passes(simulation: Simulation, stop: asyncio.Event) -> AsyncIterator[Record]:
    """Events at the moment they happen, from now on; first, for the company's day, the 24 hours before.

    When `stop` is set, the simulated PBX shuts down: it hangs up every leg, so that no call stays open.
    """
    begun = clock.now_ms()
    if simulation.scenario == day.DAY and simulation.calls is None:
        for event in day.before(simulation.seed, begun, tenant=simulation.tenant):
            yield record(event)
    calls = day.series(
        simulation.seed, begun, simulation.rate, simulation.scenario, simulation.calls, tenant=simulation.tenant
    )
    waiting: list[tuple[int, str, int, Event]] = []
    alive: dict[str, Event] = {}
    following = next(calls, None)
    while waiting or following is not None:
        while following is not None and (not waiting or following[0].at <= waiting[0][0]):
            for event in following:
                heapq.heappush(waiting, (event.at, event.call_id, event.seq, event))
            following = next(calls, None)
        at, _, _, event = heapq.heappop(waiting)
        if (delay := (at - clock.now_ms()) / 1000) > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await stop.wait()
        if stop.is_set():
            for end in day.shut_down(alive.values(), clock.now_ms()):
                yield record(end)
            return
        if event.type == "ended":
            alive.pop(event.leg_id, None)
        else:
            alive[event.leg_id] = event
        yield record(event)


def open_file(path: Path) -> IO[bytes]:
    """The file, or stdin for `-`; Problem when it cannot be read."""
    if str(path) == "-":
        return sys.stdin.buffer
    try:
        return path.open("rb")
    except OSError as error:
        raise Problem(f"{path} cannot be read: {error.strerror}.", code=USAGE) from None


def from_file(lines: IO[bytes], complaints: list[str]) -> Iterator[Record]:
    """Events of an NDJSON file; a line that is none is reported and left out."""
    decode = msgspec.json.Decoder(Event).decode
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        problems = explain(line)
        if problems:
            complaints.append(f"line {number}: {problems[0]}")
            if len(complaints) <= ERRORS_SHOWN:
                print(complaints[-1], file=sys.stderr)
            continue
        yield decode(line).call_id, line.strip()


async def produce(settings: Settings, topic: str, records: Iterable[Record] | AsyncIterator[Record], live: bool) -> int:
    """Produce all records and wait until the broker has them. Gives their number.

    Problem when Kafka is away, has no such topic, or refuses one.
    """
    known = await kafka.ensure_topics(settings)
    if topic not in known and not await kafka.partition_count(settings, topic):
        raise Problem(
            f"Kafka has no topic {topic!r}.", hint=f"Create it, or give one of {', '.join(sorted(known))}.", code=USAGE
        )
    producer: AIOKafkaProducer = kafka.producer(settings, linger_ms=5)
    number = 0
    waiting: set[asyncio.Future[object]] = set()
    failures: list[BaseException] = []

    def arrived(future: asyncio.Future[object]) -> None:
        waiting.discard(future)
        if not future.cancelled() and (error := future.exception()) is not None:
            failures.append(error)

    progress = Progress(
        TextColumn("{task.description}"),
        *([] if live else [BarColumn()]),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    try:
        await producer.start()
        with progress:
            task = progress.add_task("events", total=None)
            async for key, value in _each(records):
                future = await producer.send(topic, value, key=key.encode())
                future.add_done_callback(arrived)
                waiting.add(future)
                number += 1
                if number % 500 == 0 or live:
                    progress.update(task, completed=number)
                if len(waiting) > MOST_WAITING:
                    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if failures:
                    break
            await producer.flush()
            progress.update(task, completed=number)
    except (KafkaError, OSError) as error:
        raise await kafka.explained(settings, error) from None
    finally:
        await producer.stop()
    if failures:
        raise Problem(f"Kafka refused an event: {failures[0]}", code=FAILED)
    return number


async def _each(records: Iterable[Record] | AsyncIterator[Record]) -> AsyncIterator[Record]:
    if isinstance(records, AsyncIterator):
        async for one in records:
            yield one
        return
    for one in records:
        yield one


def check(simulation: Simulation) -> None:
    """Problem when the simulation cannot be."""
    if simulation.rate <= 0:
        raise Problem(f"--rate {simulation.rate:g} is not above 0.", hint="Give calls per second.", code=USAGE)
    day.call(simulation.seed, 0, DAY_MS, simulation.scenario)


def run(settings: Settings, simulation: Simulation | None, file: IO[bytes] | None, topic: str) -> tuple[int, int]:
    """Produce a file or a simulation; gives the number of events produced and of lines left out."""
    complaints: list[str] = []
    if file is not None:
        number = asyncio.run(produce(settings, topic, from_file(file, complaints), False))
        return number, len(complaints)
    assert simulation is not None
    check(simulation)
    if simulation.live or simulation.calls is None:
        return asyncio.run(_live(settings, topic, simulation)), 0
    return asyncio.run(produce(settings, topic, simulated(simulation), False)), 0


async def _live(settings: Settings, topic: str, simulation: Simulation) -> int:
    """Until it is over, or SIGTERM or Ctrl-C."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, stop.set)
    return await produce(settings, topic, as_time_passes(simulation, stop), True)
