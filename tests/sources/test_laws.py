"""The laws of a call hold for every scenario of every dialect, whole and with any part of it lost."""

from __future__ import annotations

import random

import pytest

from schemas.call import document
from tests.calls.laws import broken
from tests.sources import scenario
from tests.sources.test_scenarios import ALL, calls


@pytest.mark.parametrize(("dialect", "name"), ALL, ids=[f"{dialect}-{name}" for dialect, name in ALL])
def test_the_laws_hold_however_much_is_lost(dialect: str, name: str) -> None:
    told = scenario.load(dialect, name)
    chance = random.Random(f"laws {name}")
    values = told["values"]
    for kept in (values, *(chance.sample(values, chance.randint(1, len(values))) for _ in range(6))):
        for call in calls(dialect, told, kept):
            assert broken(document(call)) == []
