"""A domain belongs to one tenant: whose it is, and who is refused it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.directory.model import Tenant
from pipeline.errors import Problem
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.identity.users import create_user
from pipeline.warehouse.reference.directories import DomainTaken, save
from pipeline.warehouse.storage.domains import domain_owner
from tests.servers import ClickHouseServer

pytestmark = pytest.mark.embedded
WORD = "correct horse battery"


@pytest.fixture
def client(clickhouse_endpoint: ClickHouseServer, database: str) -> Iterator[Any]:
    """Three tenants: one with a domain in its directory, one with a user of a domain, one with a token only."""
    client = clickhouse_endpoint.client(database)
    save(client, "named", {("tenant", "named"): Tenant("named", domain="PBX.Named.example")}, "tests")
    create_user(client, "used", "ann", WORD, role="admin", domain="sip.used.example")
    create_token(client, "token.example", "tests")
    yield client
    client.close()


@pytest.mark.parametrize(
    ("domain", "owner"),
    [
        ("pbx.named.example", "named"),  # of the directory, in any case
        ("named", "named"),
        ("sip.used.example", "used"),
        ("SIP.Used.EXAMPLE", "used"),
        ("used", "used"),
        ("token.example", "token.example"),  # a tenant called so
        ("free.example", ""),
        ("", ""),
    ],
)
def test_whose_it_is(client: Any, domain: str, owner: str) -> None:
    assert domain_owner(client, domain, but="third") == owner
    assert domain_owner(client, domain, but=owner) == ""  # one's own is free to oneself


@pytest.mark.parametrize("domain", ["pbx.named.example", "sip.used.example", "token.example"])
def test_nobody_else_takes_it(client: Any, domain: str) -> None:
    with pytest.raises(DomainTaken, match="belongs to one tenant"):
        save(client, "third", {("tenant", "third"): Tenant("third", domain=domain)}, "tests")
    with pytest.raises(Problem, match=r"The domain .* is tenant"):
        create_user(client, "third", "bob", WORD, role="admin", domain=domain)


def test_what_was_given_up_is_free(client: Any) -> None:
    save(client, "named", {("tenant", "named"): Tenant("named", domain="")}, "tests")
    assert domain_owner(client, "pbx.named.example", but="third") == ""
    save(client, "third", {("tenant", "third"): Tenant("third", domain="pbx.named.example")}, "tests")
    assert domain_owner(client, "pbx.named.example", but="named") == "third"
