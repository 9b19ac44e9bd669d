"""Tokens that a login was given: opaque, short-lived, stored as their SHA-256.

A token is `cdrs_`, the name of its login and 32 random bytes. All tokens of a login end together when
a row without a hash is written for it.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.instants import instant
from pipeline.warehouse.query.reader import Reader
from schemas.call import rfc3339

PREFIX: Final = "cdrs_"
_SHAPE: Final = re.compile(rf"{PREFIX}([0-9a-f]{{24}})_[A-Za-z0-9_-]{{43}}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Issued:
    """What is stored of an issued token. Times in ms since the epoch; `ended_at` None: not ended."""

    login: str
    token_hash: str
    kind: str
    tenant: str
    name: str
    subject: str
    scopes: tuple[str, ...]
    role: str
    extension: str
    issued_at: int
    expires_at: int
    ended_at: int | None = None
    version: int = 1


def login_of(token: str) -> str | None:
    """The login that a token names; None when it has no form of issued tokens."""
    match = _SHAPE.fullmatch(token)
    return match[1] if match else None


def new_login() -> str:
    return secrets.token_hex(12)


def new_token(login: str) -> str:
    return f"{PREFIX}{login}_{secrets.token_urlsafe(32)}"


def hash_of(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


async def write_issued(reader: Reader, issued: Issued) -> None:
    """Store a token, or a newer version of it."""
    row = {name: getattr(issued, name) for name in Issued.__dataclass_fields__}
    for name in ("issued_at", "expires_at", "ended_at"):
        row[name] = rfc3339(row[name])
    await reader.insert("issued_token_rows", [row])


async def find_issued(reader: Reader, token: str) -> Issued | None:
    """The newest version of the token, ended when its login was; None for an unknown one."""
    rows = await reader.rows(
        "issued_token",
        f"SELECT {', '.join(Issued.__dataclass_fields__)} FROM issued_token_rows FINAL"
        " WHERE login = {login:String} AND token_hash IN ('', {hash:String})",
        {"login": login_of(token) or "", "hash": hash_of(token)},
        by_key=True,
    )
    found = next((_issued(row) for row in rows if row["token_hash"]), None)
    if found is not None and found.ended_at is None and len(rows) > 1:
        ended = next(row["ended_at"] for row in rows if not row["token_hash"])
        return Issued(
            **{name: getattr(found, name) for name in Issued.__dataclass_fields__} | {"ended_at": instant(ended)}
        )
    return found


def _issued(row: Mapping[str, Any]) -> Issued:
    values = dict(row)
    values["scopes"] = tuple(row["scopes"])
    for name in ("issued_at", "expires_at", "ended_at"):
        values[name] = None if row[name] is None else instant(row[name])
    return Issued(**values)
