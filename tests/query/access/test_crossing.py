"""Nothing of another tenant is answered, whatever is asked for: a few hundred probes; `make test-long` sends them all
(tests/long/query/test_crossing.py)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.query.attack.crossing import probes, run, tables_of
from tests.query.attack.neighbours import neighbours
from tests.servers import ClickHouseServer

pytestmark = pytest.mark.embedded

_SOME = 300


async def test_nothing_crosses_tenants(clickhouse_endpoint: ClickHouseServer, tmp_path: Path) -> None:
    async with neighbours(clickhouse_endpoint, tmp_path) as both:
        assert both.changed == []
        before = tables_of(both.warehouse)
        assert before["call_rows"][0] and before["webhook_rows"][0] and before["directory_rows"][0]
        every = probes(both.places, both.keys)
        chosen = every[:: len(every) // _SOME]
        assert await run(both.client, chosen, both.keys) == []
        assert tables_of(both.warehouse) == before
