"""Raw events from a file or standard input, decoded and folded without broker or database."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, TextIO

import orjson
from msgspec.structs import replace

from pipeline.calls.fold import fold
from pipeline.calls.grouping import group, over
from pipeline.errors import USAGE, Problem
from pipeline.ingest.files.capture import packets
from pipeline.sources.contract import DEFAULTS, Decoded, Options
from pipeline.sources.registry import raw_decoder, source, stamped, unfinished
from schemas.call import Call, document
from schemas.event import Event

_BATCH: Final = 2_000  # values decoded at a time


def fold_file(
    name: str,
    file: str,
    *,
    expired: bool,
    output: TextIO,
    errors: TextIO,
    options: Options = DEFAULTS,
    complete: Callable[[Call], None] | None = None,
) -> int:
    """Fold the raw events of a file and write one call document a line.

    Parameters:
        name: the dialect, one of `registry.SOURCES`
        file: its path; "-" is standard input
        expired: close calls that are open at the end
        output: where the documents go
        errors: where refused values go, each with the number of its line (of its packet, for a capture) and the reason
        options: what the values do not say, such as the zone
        complete: what is added to a call that the events do not tell

    Returns how many values were refused. Raises Problem when the file cannot be read.
    """
    decoder = source(name, options)
    rejected = 0

    def wrong(place: int, reason: str) -> None:
        nonlocal rejected
        rejected += 1
        print(f"{place}: {reason}", file=errors)

    values = enumerate(packets(file), 1) if name == "sip" else _lines(file)
    calls = group(_events(name, decoder, values, wrong))
    for call, ended in zip(calls, over(calls), strict=True):
        folded = fold(call, expired=expired or ended)
        if complete is not None:
            complete(folded)
        output.write(orjson.dumps(document(folded)).decode() + "\n")
    return rejected


@dataclass(frozen=True, slots=True)
class Folded:
    """What became of values: the events decoded, the calls that they fold to (see `schemas.call.document`), and what
    was refused, as (number of the value, reason)."""

    events: list[Event]
    calls: list[dict[str, Any]]
    rejected: list[tuple[int, str]]


def fold_values(
    name: str, values: Iterable[tuple[int, bytes]], *, now_ms: int, expired: bool = False, options: Options = DEFAULTS
) -> Folded:
    """Fold numbered raw events of a dialect as if they came now: whatever they say, they are the tenant's of `options`.

    Raises Problem for a dialect or zone that there is not.
    """
    rejected: list[tuple[int, str]] = []
    timed = ((place, stamped(name, value, now_ms)) for place, value in values)
    decoder = partial(raw_decoder(name, options), tenant=options.tenant, now_ms=now_ms)
    decoded = _events(name, decoder, timed, lambda place, reason: rejected.append((place, reason)))
    events = [replace(event, tenant=options.tenant) for event in decoded]
    calls = group(iter(events))
    documents = [document(fold(call, expired=expired or ended)) for call, ended in zip(calls, over(calls), strict=True)]
    return Folded(events, documents, rejected)


def _events(
    name: str,
    decoder: Callable[[Sequence[bytes]], Decoded],
    values: Iterable[tuple[int, bytes]],
    wrong: Callable[[int, str], None],
) -> Iterator[Event]:
    numbered = iter(values)
    held: list[tuple[int, bytes]] = []  # a message goes on in the next batch
    while batch := held + list(islice(numbered, _BATCH)):
        last = len(batch) - len(held) < _BATCH
        waiting = 0 if last else unfinished(name, [value for _, value in batch])
        batch, held = batch[: len(batch) - waiting], batch[len(batch) - waiting :]
        decoded = decoder([value for _, value in batch])
        for rejected in decoded.rejected:
            wrong(batch[rejected.index][0], rejected.reason)
        yield from decoded.events


def _lines(file: str) -> Iterator[tuple[int, bytes]]:
    """The lines that are not empty, with their numbers."""
    if file == "-":
        lines = sys.stdin.buffer
        yield from ((number, line) for number, raw in enumerate(lines, 1) if (line := raw.strip()))
        return
    try:
        with Path(file).open("rb") as lines:
            yield from ((number, line) for number, raw in enumerate(lines, 1) if (line := raw.strip()))
    except OSError as error:
        raise Problem(
            f"Cannot read {file}: {error.strerror}.", hint="Name a file, or - for stdin.", code=USAGE
        ) from error
