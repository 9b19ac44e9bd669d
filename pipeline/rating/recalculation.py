"""Pricing calls again for a service: in a thread, one at a time."""

from __future__ import annotations

import asyncio
import threading

from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from pipeline.errors import Problem
from pipeline.rating.rerate import rerate
from pipeline.warehouse.client import connect, first_line
from pipeline.warehouse.reader import Unavailable


class Recalculation:
    """Prices calls of a tenant again when a report asks for it. The change feed is not told."""

    def __init__(self, url: str, database: str, country: str = "") -> None:
        self._url, self._database, self._country = url, database, country
        self._one = threading.Lock()

    async def __call__(self, tenant: str, first_ms: int, end_ms: int, by: str) -> None:
        """Calls of the tenant that started in [first_ms, end_ms). Raises Unavailable when ClickHouse is away."""
        await asyncio.to_thread(self._run, tenant, first_ms, end_ms, by)

    def _run(self, tenant: str, first_ms: int, end_ms: int, by: str) -> None:
        with self._one:
            try:
                client = connect(self._url, self._database)
                rerate(client, first_ms, end_ms, tenant=tenant, country=self._country, by=f"recalc by {by}")
                client.close()
            except (ClickHouseError, HTTPError, OSError, Problem) as error:
                raise Unavailable(first_line(error)) from error
