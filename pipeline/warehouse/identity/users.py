"""Users of the query service: name, password, role. Each change is a new version of the row, and the
last version counts."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from pipeline.errors import FAILED, USAGE, Problem
from pipeline.warehouse.identity.access import SCOPES_OF, check_plain, check_role, check_scopes
from pipeline.warehouse.identity.passwords import LONGEST, hashed_password
from pipeline.warehouse.identity.tokens import Client
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.storage.domains import domain_owner

_SHORTEST: Final = 8


class Taken(Problem):
    """The name or the domain of a user is another tenant's, which the message names: it is for operators."""


@dataclass(frozen=True, slots=True)
class User:
    """A stored user."""

    tenant: str
    name: str
    domain: str
    password: str  # scrypt
    role: str
    extension: str
    scopes: tuple[str, ...]
    disabled: bool

    @property
    def seal(self) -> str:
        """Changes with the password; says nothing about it."""
        return hashlib.sha256(self.password.encode()).hexdigest()[:16]


def create_user(
    client: Client,
    tenant: str,
    name: str,
    password: str,
    *,
    domain: str = "",
    role: str = "user",
    extension: str = "",
    scopes: Sequence[str] = (),
) -> None:
    """Store a new user.

    Parameters:
        tenant: whose calls the user sees
        name, domain: what it logs in with
        password: kept as a hash
        role: admin, manager, or user, who sees the calls of its extension only
        extension: its own
        scopes: what it may do; without any, what its role may
    """
    check_plain(tenant=tenant, username=name, **({"domain": domain} if domain else {}))
    if ":" in name:
        raise Problem(
            f"username {name!r} has a colon, which HTTP Basic cannot carry.", hint="Leave it out.", code=USAGE
        )
    check_scopes(scopes)
    check_role(role, extension)
    check_password(password)
    for row in _rows(client, name):
        if row["tenant"] == tenant:
            raise Problem(f"Tenant {tenant!r} has a user {name!r} already.", hint="See `cdr user list`.", code=USAGE)
        if row["domain"].lower() == domain.lower():
            of = f"of the domain {domain!r}" if domain else "without a domain"
            raise Taken(
                f"{name!r} {of} is a user of tenant {row['tenant']!r} already.",
                hint="A name stands once in a domain, and once without one; give another with --domain.",
                code=USAGE,
            )
    owner = domain_owner(client, domain, but=tenant)
    if owner:
        raise Taken(f"The domain {domain!r} is tenant {owner!r}'s.", hint="Give one of the tenant's own.", code=USAGE)
    client.command(
        "INSERT INTO user_rows (tenant, name, domain, password, role, extension, scopes, created_at, password_at,"
        " disabled, version) SELECT {tenant:String}, {name:String}, {domain:String}, {password:String},"
        " {role:String}, {extension:String}, {scopes:Array(String)}, now64(3, 'UTC'), now64(3, 'UTC'), 0,"
        # a user that was deleted by hand may come again: later versions count
        " toUnixTimestamp64Milli(now64(3))",
        parameters={
            "tenant": tenant,
            "name": name,
            "domain": domain,
            "password": hashed_password(password),
            "role": role,
            "extension": extension,
            "scopes": list(scopes),
        },
    )


def check_password(password: str) -> None:
    """Problem for a password that is too short or too long."""
    if not _SHORTEST <= len(password) <= LONGEST:
        raise Problem(
            f"A password has {_SHORTEST} to {LONGEST} characters, not {len(password)}.",
            hint="Leave it out and one is made.",
            code=USAGE,
        )


def made_password() -> str:
    """A password that nobody guesses."""
    return secrets.token_urlsafe(15)


def set_password(client: Client, tenant: str, name: str, password: str) -> None:
    """Give the user another password; what was issued to the user before ends within 5 s."""
    check_password(password)
    _change(
        client, tenant, name, "{value:String} AS password, now64(3, 'UTC') AS password_at", hashed_password(password)
    )


def set_disabled(client: Client, tenant: str, name: str, disabled: bool) -> None:
    """Shut the user out within 5 s, or let the user in again."""
    _change(client, tenant, name, "toUInt8({value:String}) AS disabled", str(int(disabled)))


def list_users(client: Client, tenant: str | None = None) -> list[dict[str, Any]]:
    """All users by tenant and name, without their passwords. Times RFC 3339."""
    return [
        {name: value for name, value in row.items() if name != "password"}
        | {"disabled": bool(row["disabled"]), "scopes": row["scopes"] or list(SCOPES_OF.get(row["role"], ()))}
        for row in _rows(client)
        if tenant is None or row["tenant"] == tenant
    ]


async def find_users(reader: Reader, name: str) -> list[User]:
    """The users of all tenants that have this name, those shut out among them."""
    rows = await reader.rows("user", f"{_SELECT} WHERE name = {{name:String}}", {"name": name}, by_key=True)
    return [_user(row) for row in rows]


async def find_user(reader: Reader, tenant: str, name: str) -> User | None:
    """The newest version of this user."""
    rows = await reader.rows(
        "user",
        f"{_SELECT} WHERE tenant = {{tenant:String}} AND name = {{name:String}}",
        {"tenant": tenant, "name": name},
        by_key=True,
    )
    return _user(rows[0]) if rows else None


_SELECT: Final = (
    "SELECT tenant, name, domain, password, role, extension, scopes, created_at, password_at, disabled"
    " FROM user_rows FINAL"
)


def _user(row: Mapping[str, Any]) -> User:
    return User(
        tenant=row["tenant"],
        name=row["name"],
        domain=row["domain"],
        password=row["password"],
        role=row["role"],
        extension=row["extension"],
        scopes=tuple(row["scopes"]) or SCOPES_OF.get(row["role"], ()),
        disabled=bool(row["disabled"]),
    )


def _rows(client: Client, name: str | None = None) -> list[dict[str, Any]]:
    answer = client.raw_query(
        f"{_SELECT} WHERE {{all:UInt8}} OR name = {{name:String}} ORDER BY tenant, name",
        parameters={"all": int(name is None), "name": name or ""},
        settings={"date_time_output_format": "iso"},
        fmt="JSONEachRow",
    )
    return [orjson.loads(line) for line in answer.split(b"\n") if line]


def _change(client: Client, tenant: str, name: str, change: str, value: str) -> None:
    if not any(row["tenant"] == tenant for row in _rows(client, name)):
        raise Problem(f"Tenant {tenant!r} has no user {name[:80]!r}.", hint="See `cdr user list`.", code=FAILED)
    client.command(
        f"INSERT INTO user_rows SELECT * REPLACE ({change}, version + 1 AS version)"
        " FROM user_rows FINAL WHERE tenant = {tenant:String} AND name = {name:String}",
        parameters={"tenant": tenant, "name": name, "value": value},
    )
