"""Thousands of hostile values in every parameter (ATTACKS=n): `pytest tests/long/query`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.query.attack.corpus import CORPUS
from tests.query.attack.crossing import tables_of
from tests.query.attack.hostile import attacks, run
from tests.query.attack.neighbours import neighbours
from tests.query.attack.tenants import OWN
from tests.servers import ClickHouseServer

pytestmark = pytest.mark.embedded

ATTACKS = int(os.environ.get("ATTACKS", "12000"))


async def test_values_do_nothing(clickhouse_endpoint: ClickHouseServer, tmp_path: Path) -> None:
    async with neighbours(clickhouse_endpoint, tmp_path) as both:
        before = tables_of(both.warehouse), tables_of(both.warehouse, OWN)["call_rows"]
        every = attacks(both.places, CORPUS)
        faults = await run(both.client, every[:: max(1, len(every) // ATTACKS)], both.keys)
        assert faults == [], "\n".join(faults[:50])
        assert (tables_of(both.warehouse), tables_of(both.warehouse, OWN)["call_rows"]) == before
