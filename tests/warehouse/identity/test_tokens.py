from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from pipeline.errors import Problem
from pipeline.warehouse.identity.tokens import create_token, expiry, find_token, hashed, list_tokens, revoke_token
from pipeline.warehouse.query.reader import Reader
from tests import forks
from tests.servers import ClickHouseServer

NOW = dt.datetime(2024, 8, 20, 12, tzinfo=dt.UTC)


@pytest.fixture
def client(clickhouse_endpoint: ClickHouseServer, database: str) -> Iterator[Any]:
    made = clickhouse_endpoint.client(database)
    yield made
    made.close()


async def test_the_life_of_a_token(clickhouse_endpoint: ClickHouseServer, client: Any) -> None:
    reader = Reader(clickhouse_endpoint.url, client.database)
    token = create_token(client, "acme", "billing", expires_at=int(NOW.timestamp() * 1000))
    found = await find_token(reader, hashed(token))
    assert found is not None
    assert (found.tenant, found.name, found.scopes, found.revoked) == ("acme", "billing", ("cdr:read",), False)
    assert found.valid_at(int(NOW.timestamp() * 1000) - 1)
    assert not found.valid_at(int(NOW.timestamp() * 1000))
    (row,) = list_tokens(client, "acme")
    assert (row["expires_at"], row["valid"], row["revoked"]) == ("2024-08-20T12:00:00.000Z", False, False)
    assert list_tokens(client, "other") == []
    revoke_token(client, row["id"])
    found = await find_token(reader, hashed(token))
    assert found is not None
    assert found.revoked
    assert found.expires_at is not None  # the rest stays
    assert await find_token(reader, hashed("cdr_other")) is None
    reader.close()


def test_which_token_is_revoked_must_be_clear(client: Any) -> None:
    create_token(client, "acme", "twice")
    create_token(client, "acme", "twice")
    with pytest.raises(Problem, match="2 tokens are called 'twice'"):
        revoke_token(client, "twice")
    with pytest.raises(Problem, match="No valid token has the id or name"):
        revoke_token(client, "")
    for row in list_tokens(client):
        assert revoke_token(client, row["id"]) == [row["id"]]
    with pytest.raises(Problem, match="No valid token"):
        revoke_token(client, "twice")


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 129, "\0"])
def test_names_are_plain(client: Any, name: str) -> None:
    with pytest.raises(Problem, match="name"):
        create_token(client, "acme", name)
    with pytest.raises(Problem, match="tenant"):
        create_token(client, name, "plain")


@pytest.mark.parametrize(
    ("text", "hours"), [("12h", 12), ("30d", 720), ("2w", 336), ("1y", 8766), ("2024-08-20T13:00:00Z", 1)]
)
def test_expiry(text: str, hours: int) -> None:
    assert expiry(text, NOW) == int((NOW + dt.timedelta(hours=hours)).timestamp() * 1000)


def test_expiry_says_what_to_write() -> None:
    with pytest.raises(Problem, match="Or give a span: 12h, 30d, 1y"):
        expiry("soon", NOW)


def test_the_commands(clickhouse_endpoint: ClickHouseServer, client: Any) -> None:
    environment = os.environ | {"CDR_CLICKHOUSE": clickhouse_endpoint.url, "CDR_DATABASE": client.database}

    cdr = partial(forks.cdr, "token", env=environment)

    made = cdr("create", "--tenant", "acme", "--name", "shell", "--expires", "1d")
    assert made.returncode == 0
    token = made.stdout.strip()
    assert token.startswith("cdr_")
    (row,) = json.loads(cdr("list", "--output", "json").stdout)
    assert (row["tenant"], row["name"], row["valid"]) == ("acme", "shell", True)
    assert token not in cdr("list").stdout
    revoked = cdr("revoke", row["id"])
    assert (revoked.returncode, revoked.stdout, revoked.stderr) == (0, "", f"Revoked {row['id']}.\n")
    again = cdr("revoke", row["id"])
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("cdr: No valid token has the id or name")
    assert cdr("create", "--tenant", "acme", "--name", "x", "--expires", "soon").returncode == 2
