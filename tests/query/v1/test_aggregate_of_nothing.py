"""Aggregates over a time without calls, whichever of its ends is left open."""

from __future__ import annotations

import httpx
import pytest

from pipeline.warehouse.identity.tokens import create_token
from tests.query.conftest import Warehouse

pytestmark = pytest.mark.embedded


@pytest.mark.parametrize("window", ["", "&from=2026-03-01T00:00:00Z", "&to=2026-03-01T00:00:00Z"])
async def test_no_calls_make_no_buckets(anonymous: httpx.AsyncClient, warehouse: Warehouse, window: str) -> None:
    header = {"Authorization": f"Bearer {create_token(warehouse.client, 'nobody', 't')}"}
    for form in ("", "&format=csv"):
        answer = await anonymous.get(f"/v1/aggregate?bucket=day{window}{form}", headers=header)
        assert answer.status_code == 200, answer.text
    assert answer.text.count("\n") == 1  # the names of the columns
