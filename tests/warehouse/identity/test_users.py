from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from pipeline.errors import Problem
from pipeline.warehouse.identity.passwords import hashed_password, is_password
from pipeline.warehouse.identity.users import create_user, find_user, find_users, list_users, set_disabled, set_password
from pipeline.warehouse.query.reader import Reader
from tests import forks
from tests.servers import ClickHouseServer

WORD = "correct horse"


@pytest.fixture
def client(clickhouse_endpoint: ClickHouseServer, database: str) -> Iterator[Any]:
    made = clickhouse_endpoint.client(database)
    yield made
    made.close()


def test_passwords_are_salted_and_compared_as_written() -> None:
    stored = hashed_password(WORD)
    assert stored != hashed_password(WORD)
    assert WORD not in stored
    assert is_password(WORD, stored)
    assert not is_password(WORD + " ", stored)
    assert is_password("caf\u00e9", hashed_password("cafe\u0301"))  # one text in two spellings of Unicode


@pytest.mark.parametrize("stored", ["", "x", "scrypt$14$8$5$%$%", "scrypt$99$8$5$AAAA$AAAA", "md5$14$8$5$AAAA$AAAA"])
def test_what_is_no_stored_password_fits_none(stored: str) -> None:
    assert not is_password(WORD, stored)


async def test_the_life_of_a_user(clickhouse_endpoint: ClickHouseServer, client: Any) -> None:
    reader = Reader(clickhouse_endpoint.url, client.database)
    create_user(client, "acme", "alice", WORD, domain="pbx.acme.example", extension="101")
    create_user(client, "other", "alice", WORD, role="manager")
    user = await find_user(reader, "acme", "alice")
    assert user is not None
    assert (user.role, user.extension, user.scopes, user.disabled) == ("user", "101", ("cdr:read",), False)
    assert {user.tenant for user in await find_users(reader, "alice")} == {"acme", "other"}
    set_password(client, "acme", "alice", "another one")
    set_disabled(client, "acme", "alice", True)
    later = await find_user(reader, "acme", "alice")
    assert later is not None
    assert later.disabled
    assert is_password("another one", later.password)
    assert later.seal != user.seal
    assert (later.domain, later.extension) == ("pbx.acme.example", "101")
    assert [row["disabled"] for row in list_users(client)] == [True, False]
    assert "password" not in list_users(client, "acme")[0]
    reader.close()


NO_USERS: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "username"),
    ({"name": "a:b"}, "colon"),
    ({"tenant": ""}, "tenant"),
    ({"password": "short"}, "8 to 1024"),
    ({"password": "x" * 1025}, "8 to 1024"),
    ({"role": "king"}, "role 'king' is none of admin, manager, user"),
    ({"extension": ""}, "--extension"),
    ({"scopes": ["everything"]}, "scope 'everything' is none of"),
    ({"name": "taken"}, "has a user 'taken' already"),
    ({"tenant": "other", "name": "taken", "domain": "d"}, "of tenant 'acme' already"),
]


def test_what_makes_no_user(client: Any) -> None:
    create_user(client, "acme", "taken", WORD, domain="d", extension="1")
    for changes, says in NO_USERS:
        values: dict[str, Any] = {"tenant": "acme", "name": "bob", "password": WORD, "extension": "2"} | changes
        tenant, name, password = values.pop("tenant"), values.pop("name"), values.pop("password")
        with pytest.raises(Problem, match=says):
            create_user(client, tenant, name, password, **values)
    assert [row["name"] for row in list_users(client)] == ["taken"]


def test_the_commands(clickhouse_endpoint: ClickHouseServer, client: Any) -> None:
    environment = os.environ | {"CDR_CLICKHOUSE": clickhouse_endpoint.url, "CDR_DATABASE": client.database}

    cdr = partial(forks.cdr, "user", env=environment)

    alice = ("--tenant", "acme", "--username", "alice")
    made = cdr("create", *alice, "--role", "manager", "--output", "json")
    assert made.returncode == 0, made.stderr
    assert len(json.loads(made.stdout)["password"]) == 20
    changed = cdr("password", *alice, "--password-stdin", given=WORD + "\n")
    assert (changed.returncode, changed.stdout) == (0, "")
    (row,) = json.loads(cdr("list", "--output", "json").stdout)
    assert (row["name"], row["role"], row["scopes"]) == ("alice", "manager", ["cdr:read", "reports:write"])
    unknown = cdr("disable", "--tenant", "acme", "--username", "bob")
    assert (unknown.returncode, unknown.stderr.startswith("cdr: Tenant 'acme' has no user 'bob'")) == (1, True)
