"""Sync tokens: a client's place in the change feed, kept under the hash of a token for 30 days.

A token never changes: asked twice, it gives the same place, so that a client may repeat a question whose answer
was lost.
"""

from __future__ import annotations

import secrets
import time
from typing import Final

from pipeline.instants import instant
from pipeline.warehouse.identity.tokens import hashed
from pipeline.warehouse.query.pages.changes import Entry, Place
from pipeline.warehouse.query.reader import Reader
from schemas.call import rfc3339

PREFIX: Final = "cdrd_"
LIFE_S: Final = 30 * 86_400


async def issue(reader: Reader, place: Place) -> str:
    """A new token of this place."""
    token = PREFIX + secrets.token_urlsafe(32)
    seen = sorted(place.seen)
    row = {
        "token_hash": hashed(token),
        "tenant": place.tenant,
        "extension": place.extension,
        "from_id": place.from_id,
        "position": place.position,
        "seen_ids": [entry.id for entry in seen],
        "seen_versions": [entry.version for entry in seen],
        "seen_retired": [entry.retired for entry in seen],
        "seen_at": [entry.at for entry in seen],
        "held": sorted(place.held),
        "issued_at": rfc3339(int(time.time() * 1000)),
    }
    await reader.insert("sync_token_rows", [row])
    return token


async def find(reader: Reader, tenant: str, extension: str, token: str) -> tuple[Place, float] | None:
    """The place of a token and its age in seconds. None when it is unknown, too old, or somebody else's."""
    rows = await reader.rows(
        "sync_token",
        "SELECT * FROM sync_token_rows WHERE token_hash = {hash:String} AND tenant = {tenant:String}"
        " AND extension = {extension:String} LIMIT 1",
        {"hash": hashed(token), "tenant": tenant, "extension": extension},
        by_key=True,
    )
    if not rows:
        return None
    row = rows[0]
    age_s = time.time() - instant(row["issued_at"]) / 1000
    columns = (row["seen_ids"], row["seen_versions"], row["seen_retired"], row["seen_at"])
    seen = frozenset(Entry(*(int(value) for value in values)) for values in zip(*columns, strict=True))
    held = frozenset(map(int, row["held"]))
    place = Place(tenant, extension, int(row["from_id"]), int(row["position"]), seen, held, row["token_hash"])
    return (place, age_s) if age_s < LIFE_S else None
