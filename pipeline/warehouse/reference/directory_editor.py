"""Changing the directory from a service: read what is stored, decide, write; one change at a time.

Two processes that change one entry at the same instant are not kept apart: the later version counts.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from pipeline.directory.model import Entry, Key
from pipeline.errors import Problem
from pipeline.warehouse.query.reader import Unavailable
from pipeline.warehouse.reference.directories import load_entries, save
from pipeline.warehouse.storage.client import connect, first_line

T = TypeVar("T")
# Entries as they are stored → what changes (None: the entry goes), and what to answer.
Decide = Callable[[dict[Key, Entry]], tuple[Mapping[Key, Entry | None], T]]


class Editor:
    """Writes the directories of a service. Connects when it is first used."""

    def __init__(self, url: str, database: str) -> None:
        self._url, self._database = url, database
        self._client: Client | None = None
        self._one = threading.Lock()

    async def edit(self, tenant: str, by: str, decide: Decide[T]) -> T:
        """Change the tenant's entries as `decide` says. What it raises is passed on and nothing is changed.

        Raises Unavailable when ClickHouse is away.
        """
        return await asyncio.to_thread(self._edit, tenant, by, decide)

    async def ask(self, work: Callable[[Client], T]) -> T:
        """What `work` answers, on the same connection, while nothing else is changed over it. `Problem`s of its own are
        passed on. Raises Unavailable when ClickHouse is away."""
        return await asyncio.to_thread(self._ask, work)

    def _ask(self, work: Callable[[Client], T]) -> T:
        with self._one:
            try:
                client = self._connected()
            except Problem as error:
                raise Unavailable(first_line(error)) from error
            try:
                return work(client)
            except (ClickHouseError, HTTPError, OSError) as error:
                self._client = None
                raise Unavailable(first_line(error)) from error

    def _connected(self) -> Client:
        if self._client is None:
            self._client = connect(self._url, self._database, timeout_s=15)
        return self._client

    def _edit(self, tenant: str, by: str, decide: Decide[T]) -> T:
        with self._one:
            try:
                client = self._connected()
                changes, answer = decide(load_entries(client, tenant))
                save(client, tenant, changes, by)
            except (ClickHouseError, HTTPError, OSError, Problem) as error:
                self._client = None
                raise Unavailable(first_line(error)) from error
            return answer

    def close(self) -> None:
        """End the connection."""
        if self._client is not None:
            self._client.close()
