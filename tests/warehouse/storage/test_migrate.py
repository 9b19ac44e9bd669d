"""The schema: applied once, commented throughout, retention set and taken away."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.warehouse.storage.migrate import migrate, migrations, set_retention, views
from tests.servers import ClickHouseServer


@pytest.fixture
def database(empty_database: str) -> str:
    return empty_database


@pytest.fixture
def client(clickhouse_endpoint: ClickHouseServer, database: str) -> Iterator[Any]:
    client = clickhouse_endpoint.client(database)
    yield client
    client.close()


def tables(client: Any, database: str) -> list[tuple[str, str]]:
    query = "SELECT name, create_table_query FROM system.tables WHERE database = {d:String} ORDER BY name"
    return [tuple(row) for row in client.query(query, parameters={"d": database}).result_rows]


def test_applied_once_and_idempotent(client: Any, database: str) -> None:
    names = [migration.name for migration in migrations()]
    assert migrate(client, database, dry_run=True) == names
    assert tables(client, database) == []
    assert migrate(client, database) == names
    first = tables(client, database)
    assert {name for name, _ in first} >= {"event_rows", "call_rows", "call_log_rows", "api_token_rows", *views()}
    assert migrate(client, database) == []
    assert migrate(client, database, dry_run=True) == []
    assert tables(client, database) == first


def test_dry_run_of_a_database_that_is_not_there(client: Any) -> None:
    assert migrate(client, "nowhere", dry_run=True) == [migration.name for migration in migrations()]


def test_numbers_are_unique_and_each_says_something() -> None:
    numbers = [migration.number for migration in migrations()]
    assert numbers == sorted(set(numbers))
    assert all(migration.statements for migration in migrations())


def test_every_table_view_and_column_has_a_comment(client: Any, database: str) -> None:
    migrate(client, database)
    query = "SELECT table, name FROM system.columns WHERE database = {d:String} AND comment = ''"
    assert client.query(query, parameters={"d": database}).result_rows == []
    query = "SELECT name FROM system.tables WHERE database = {d:String} AND comment = ''"
    assert client.query(query, parameters={"d": database}).result_rows == []


def test_retention_is_set_changed_and_removed(client: Any, database: str) -> None:
    migrate(client, database)
    plain = dict(tables(client, database))
    set_retention(client, calls_days=30, archive_days=7)
    set_retention(client, calls_days=30, archive_days=7)
    with_limit = dict(tables(client, database))
    assert "toIntervalDay(30)" in with_limit["call_rows"] and "toIntervalDay(30)" in with_limit["call_log_rows"]
    assert "toIntervalDay(7)" in with_limit["event_rows"]
    set_retention(client, calls_days=90, archive_days=0)
    changed = dict(tables(client, database))
    assert "toIntervalDay(90)" in changed["call_rows"] and "toIntervalDay(30)" not in changed["call_rows"]
    assert changed["event_rows"] == plain["event_rows"]
    set_retention(client, calls_days=0, archive_days=0)
    assert dict(tables(client, database)) == plain


def test_rows_older_than_the_retention_go(client: Any, database: str) -> None:
    migrate(client, database)
    client.command(
        "INSERT INTO event_rows (tenant, call_id, event_id, at, raw)"
        " VALUES ('t', 'old', '1', now() - INTERVAL 10 DAY, ''), ('t', 'new', '1', now(), '')"
    )
    set_retention(client, calls_days=0, archive_days=7)
    client.command("OPTIMIZE TABLE event_rows FINAL")
    assert client.query("SELECT call_id FROM event_rows").result_rows == [("new",)]
