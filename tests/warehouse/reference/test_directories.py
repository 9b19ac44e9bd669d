"""The directory in ClickHouse: saved, changed, deleted, read by services and commands alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.directory.model import (
    Company,
    Device,
    DialPlan,
    Did,
    Display,
    Entry,
    Extension,
    ExtensionGroup,
    Queue,
    RingGroup,
    Tenant,
    Trunk,
    key_of,
    kind_of,
)
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.reference.directories import Directories, load, load_entries, save, tenants
from tests.servers import ClickHouseServer

ENTRIES: list[Entry] = [
    Tenant("acme", "Acme", "acme.example", "Europe/London", "GB", "A-1", Display(time="12h"), DialPlan(area_code="20")),
    Company("1", "Acme Sales", "A-2"),
    Extension("101", "Ann", company="1", groups=("sales",), devices=(Device("0004f2aabbcc", "ann", "0"),)),
    Extension("102", "Bob 'B' Ö", account="A-3"),
    ExtensionGroup("all", ("101", "102"), "7"),
    Trunk("carrier-a", account="A-4"),
    Queue("6000", "Support", 30, ("101",)),
    RingGroup("7000", "Front desk", ("101", "102")),
    Did("+442079460001", "Main", "6000"),
]


@pytest.fixture
def client(clickhouse_endpoint: ClickHouseServer, database: str) -> Iterator[Any]:
    made = clickhouse_endpoint.client(database)
    yield made
    made.close()


def stored(client: Any, tenant: str, *entries: Entry) -> int:
    return save(client, tenant, {(kind_of(entry), key_of(entry)): entry for entry in entries}, "tests")


def test_what_was_saved_is_read(client: Any) -> None:
    version = stored(client, "acme", *ENTRIES)
    directory = load(client, "acme")
    assert directory.version == version
    assert directory.tenant == ENTRIES[0]
    assert directory.extensions["101"].devices == (Device("0004f2aabbcc", "ann", "0"),)
    assert directory.extensions["101"].groups == ("sales", "all")
    assert directory.groups["sales"].members == ("101",)  # named by the extension only
    assert directory.members("all") == directory.members("7") == ("101", "102")
    assert directory.members("") == ()
    assert directory.queues["6000"].sla_s == 30
    assert [directory.name_of(number) for number in ("102", "7000", "+442079460001", "9")] == [
        "Bob 'B' Ö",
        "Front desk",
        "Main",
        "",
    ]
    assert directory.dial_plan == DialPlan(country="GB", area_code="20")
    assert [directory.account_of(*pair) for pair in (("101", ""), ("102", "carrier-a"), ("9", "carrier-a"), ("", ""))] \
        == ["A-2", "A-3", "A-4", "A-1"]  # fmt: skip
    assert tenants(client) == ["acme"]


def test_changes_and_deletions_are_versions(client: Any) -> None:
    first = stored(client, "acme", *ENTRIES)
    second = stored(client, "acme", Extension("101", "Anna"))
    assert second > first
    assert load_entries(client, "acme")["extension", "101"] == Extension("101", "Anna")
    assert load(client, "acme").version == second
    third = save(client, "acme", {("extension", "101"): None}, "tests")
    assert "101" not in load(client, "acme").extensions
    assert load(client, "acme").version == third
    assert save(client, "acme", {}, "tests") == 0


async def test_services_see_a_change_within_the_age(clickhouse_endpoint: ClickHouseServer, client: Any) -> None:
    clock = [0.0]
    reader = Reader(clickhouse_endpoint.url, client.database)
    directories = Directories(reader, 5.0, lambda: clock[0])
    nobody = await directories.of("nobody")
    assert (nobody.tenant, nobody.version) == (Tenant("nobody"), 0)
    assert (await directories.of("acme")).extensions == {}
    stored(client, "acme", *ENTRIES)
    assert (await directories.of("acme")).extensions == {}
    clock[0] = 5.0
    known = await directories.of("acme")
    assert set(known.extensions) == {"101", "102"}
    clock[0] = 10.0
    assert await directories.of("acme") is known  # nothing changed: not read again
    stored(client, "acme", Extension("103"))
    directories.forget("acme")
    assert "103" in (await directories.of("acme")).extensions
    assert (await directories.of("other")).extensions == {}
    reader.close()


def test_analysts_see_it_in_views(client: Any) -> None:
    stored(client, "acme", *ENTRIES)
    save(client, "acme", {("extension", "102"): None}, "tests")
    rows = client.query("SELECT number, name, company, groups, devices FROM extensions").result_rows
    assert rows == [("101", "Ann", "1", ["sales"], ["0004f2aabbcc"])]
    assert client.query("SELECT number, sla_s, members FROM queues").result_rows == [("6000", 30, ["101"])]
    assert client.query("SELECT tenant, zone, country FROM tenants").result_rows == [("acme", "Europe/London", "GB")]
    assert client.query("SELECT trunk, account, channels FROM trunks").result_rows == [("carrier-a", "A-4", 0)]
    assert client.query("SELECT count() FROM directory").result_rows == [(len(ENTRIES) - 1,)]
