"""All guesses at masked numbers: `pytest tests/long/query`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.query.access.test_guesses import differing
from tests.servers import ClickHouseServer

pytestmark = pytest.mark.embedded


async def test_hidden_digits_make_no_difference(clickhouse_endpoint: ClickHouseServer, tmp_path: Path) -> None:
    assert await differing(clickhouse_endpoint, tmp_path, slice(None), by_setting=False) == {}
