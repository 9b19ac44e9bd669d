"""`cdr validate`: which values of a file are no events, where they are wrong, and what to do."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from pipeline import clock
from pipeline.errors import USAGE, Problem
from pipeline.ingest.bodies import Unreadable, Value, values
from pipeline.ingest.files.capture import packets
from pipeline.sources.complaint import wrong
from pipeline.sources.contract import DEFAULTS, Options
from pipeline.sources.registry import source
from schemas.contract import explain

_BATCH: Final = 2_000  # values decoded at a time


class Validation:
    """What was found in one file."""

    def __init__(self) -> None:
        self.values = 0
        self.events = 0
        self.wrong_values = 0


def validate(name: str, file: str, found: Validation, options: Options = DEFAULTS) -> Iterator[dict[str, Any]]:
    """A row {line, pointer, problem, hint} for each thing that is wrong with the values of dialect `name` in `file`
    ("-": standard input); `found` counts along. Of a capture, `line` is the number of the packet. Raises Problem."""
    decode = source(name, options)
    now_ms = clock.now_ms()
    numbered = iter(enumerate(packets(file), 1) if name == "sip" else _values(file))
    while batch := list(islice(numbered, _BATCH)):
        decoded = decode([value for _, value in batch], now_ms=now_ms)
        found.values += len(batch)
        found.events += len(decoded.events)
        found.wrong_values += len(decoded.rejected)
        for rejected in decoded.rejected:
            line, value = batch[rejected.index]
            yield from _rows(line, explain(value) if name == "canonical" else [], rejected.reason)


def _rows(line: int, problems: Sequence[str], reason: str) -> Iterator[dict[str, Any]]:
    for problem in problems or [reason]:
        pointer, detail, hint = wrong(problem)
        yield {"line": line, "pointer": pointer, "problem": detail, "hint": hint}


def _values(file: str) -> list[Value]:
    """JSON lines, a JSON array or one JSON value."""
    body = _read(file)
    try:
        return values(body, "" if file == "-" or not file.endswith((".ndjson", ".jsonl")) else "application/x-ndjson")
    except Unreadable as error:
        raise Problem(f"{file}: {error}.", code=USAGE) from None


def _read(file: str) -> bytes:
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        hint = "Name a file, or - for standard input."
        raise Problem(f"Cannot read {file}: {error.strerror}.", hint=hint, code=USAGE) from error
