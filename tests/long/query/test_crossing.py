"""Ten thousand probes across tenants (PROBES=n; 0: every key in every place): `pytest tests/long/query`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.query.attack.crossing import probes, run, tables_of
from tests.query.attack.neighbours import neighbours
from tests.servers import ClickHouseServer

pytestmark = pytest.mark.embedded

PROBES = int(os.environ.get("PROBES", "12000"))


async def test_nothing_crosses_tenants(clickhouse_endpoint: ClickHouseServer, tmp_path: Path) -> None:
    async with neighbours(clickhouse_endpoint, tmp_path) as both:
        assert both.changed == []
        before = tables_of(both.warehouse)
        every = probes(both.places, both.keys)
        chosen = every[:: max(1, len(every) // PROBES)] if PROBES else every
        assert len(chosen) >= min(PROBES, 10_000)
        faults = await run(both.client, chosen, both.keys)
        assert faults == [], f"{len(faults)} of {len(chosen)} probes"
        assert tables_of(both.warehouse) == before
