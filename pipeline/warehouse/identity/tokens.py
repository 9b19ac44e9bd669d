"""Tokens of the query service. Only their SHA-256 is stored; a token itself is shown once.

A token is 32 random bytes, so a plain hash suffices: there is nothing to guess.
Each change is a new version of the row, and the last version counts.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import orjson

from pipeline.errors import FAILED, USAGE, Problem
from pipeline.instants import instant
from pipeline.warehouse.identity.access import READ, check_plain, check_role
from pipeline.warehouse.query.reader import Reader

PREFIX: Final = "cdr_"


class Client(Protocol):
    """What is needed of a clickhouse-connect client."""

    def command(self, cmd: str, parameters: dict[str, Any] | None = None) -> Any: ...
    def raw_query(
        self,
        query: str,
        parameters: dict[str, Any] | None = None,
        settings: dict[str, Any] | None = None,
        fmt: str | None = None,
    ) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Token:
    """A stored token. `expires_at` in ms since the epoch, None for never."""

    token_hash: str
    tenant: str
    name: str
    scopes: tuple[str, ...]
    expires_at: int | None
    revoked: bool
    role: str = "admin"
    extension: str = ""

    def valid_at(self, now_ms: int) -> bool:
        return not self.revoked and (self.expires_at is None or now_ms < self.expires_at)


def hashed(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def create_token(
    client: Client,
    tenant: str,
    name: str,
    *,
    expires_at: int | None = None,
    scopes: Sequence[str] = (READ,),
    role: str = "admin",
    extension: str = "",
) -> str:
    """Store a new token and return it; it cannot be read again.

    Parameters:
        tenant: whose calls it shows
        name: what people call it
        expires_at: ms; None for never
        scopes: what may be done with it
        role: admin, manager, or user, who sees the calls of its extension only
        extension: of a user
    """
    check_plain(tenant=tenant, name=name)
    check_role(role, extension)
    token = PREFIX + secrets.token_urlsafe(32)
    client.command(
        "INSERT INTO api_token_rows (token_hash, tenant, name, scopes, created_at, expires_at, revoked, version,"
        " role, extension) SELECT {hash:String}, {tenant:String}, {name:String}, {scopes:Array(String)},"
        " now64(3, 'UTC'), fromUnixTimestamp64Milli({expires:Nullable(Int64)}, 'UTC'), 0, 1,"
        " {role:String}, {extension:String}",
        parameters={
            "hash": hashed(token),
            "tenant": tenant,
            "name": name,
            "scopes": list(scopes),
            "expires": expires_at,
            "role": role,
            "extension": extension,
        },
    )
    return token


def list_tokens(client: Client, tenant: str | None = None) -> list[dict[str, Any]]:
    """All tokens, oldest first; `id` is what `revoke_token` takes. Times RFC 3339, None for never."""
    answer = client.raw_query(
        "SELECT substring(token_hash, 1, 12) AS id, tenant, name, scopes, role, extension, created_at, expires_at,"
        " revoked, not revoked and ifNull(expires_at > now64(3, 'UTC'), 1) AS valid"
        " FROM api_token_rows FINAL WHERE {all:UInt8} OR tenant = {tenant:String} ORDER BY created_at, token_hash",
        parameters={"all": int(tenant is None), "tenant": tenant or ""},
        settings={"date_time_output_format": "iso"},
        fmt="JSONEachRow",
    )
    rows = [orjson.loads(line) for line in answer.split(b"\n") if line]
    return [row | {"revoked": bool(row["revoked"]), "valid": bool(row["valid"])} for row in rows]


def revoke_token(client: Client, which: str, tenant: str | None = None) -> list[str]:
    """Revoke the token with this id (at least 8 digits of its hash), or the one with this name; of all tenants' or of
    one tenant's. The query service refuses it within 5 s. Returns the ids revoked."""
    found = [
        row
        for row in list_tokens(client, tenant)
        if row["name"] == which or (len(which) >= 8 and (row["id"].startswith(which) or which.startswith(row["id"])))
    ]
    found = [row for row in found if not row["revoked"]]
    if not found:
        raise Problem(f"No valid token has the id or name {which[:80]!r}.", hint="See `cdr token list`.", code=FAILED)
    if len(found) > 1:
        ids = ", ".join(row["id"] for row in found)
        raise Problem(f"{len(found)} tokens are called {which[:80]!r}: {ids}.", hint="Give the id.", code=USAGE)
    client.command(
        "INSERT INTO api_token_rows SELECT * REPLACE (1 AS revoked, version + 1 AS version)"
        " FROM api_token_rows FINAL WHERE startsWith(token_hash, {id:String})",
        parameters={"id": found[0]["id"]},
    )
    return [found[0]["id"]]


async def find_token(reader: Reader, token_hash: str) -> Token | None:
    """The newest version of the token with this hash."""
    rows = await reader.rows(
        "token",
        "SELECT token_hash, tenant, name, scopes, expires_at, revoked, role, extension FROM api_token_rows FINAL"
        " WHERE token_hash = {hash:String}",
        {"hash": token_hash},
        by_key=True,
    )
    return _token(rows[0]) if rows else None


def _token(row: Mapping[str, Any]) -> Token:
    expires = row["expires_at"]
    return Token(
        token_hash=row["token_hash"],
        tenant=row["tenant"],
        name=row["name"],
        scopes=tuple(row["scopes"]),
        expires_at=None if expires is None else instant(expires),
        revoked=bool(row["revoked"]),
        role=row["role"],
        extension=row["extension"],
    )


def expiry(text: str, now: dt.datetime) -> int:
    """`--expires`: an RFC 3339 time, or a span from now such as 12h, 30d or 1y; as ms since the epoch."""
    span = re.fullmatch(r"(\d{1,5})([hdwy])", text)
    if span:
        hours = {"h": 1, "d": 24, "w": 168, "y": 8766}[span[2]] * int(span[1])
        return int(now.timestamp() * 1000) + hours * 3_600_000
    try:
        return instant(text)
    except ValueError as error:
        raise Problem(f"--expires {text!r} {error}.", hint="Or give a span: 12h, 30d, 1y.", code=USAGE) from None
