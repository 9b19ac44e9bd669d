"""Mutated events of every dialect, a hundred thousand each: `pytest tests/long/sources/fuzz.py`.

The default suite runs the same with a few thousand. Neither a crash nor a value without an answer: a reason for the
dead letters, or events that the rest of the product accepts, and a call that can be folded of them.
"""

from __future__ import annotations

import os

import pytest

from pipeline.calls.fold import fold
from pipeline.calls.grouping import group
from pipeline.sources.registry import SOURCES, source
from schemas.call import document
from tests.sources import mutation, scenario

EVENTS = int(os.environ.get("CDR_FUZZ", "100000"))
DIALECTS = [name for name in scenario.WRITERS if name in SOURCES]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_mutated_events(dialect: str) -> None:
    values = [value for name in scenario.names(dialect) for value in scenario.load(dialect, name)["values"]]
    decode = source(dialect)
    for seed in range(max(1, EVENTS // mutation.ROUNDS)):
        mutation.check(decode, values, seed)
    for events in group(mutation.events(decode, values, EVENTS // 10)):
        document(fold(events))
