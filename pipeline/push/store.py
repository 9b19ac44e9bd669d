"""Webhooks, what they were told, and what is still to be sent, in ClickHouse. The last version of a row counts.

A delivery is written first with version 0: written once more after a crash, it changes nothing of what became of it.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pipeline import clock
from pipeline.instants import instant
from pipeline.push.events import Message, Published
from pipeline.push.sealing import SEALED, seal, unseal
from pipeline.warehouse.query.reader import Reader, Row
from schemas.call import rfc3339

WAITING, DELIVERED, DEAD = "waiting", "delivered", "dead"
_KEYS_A_QUERY: Final = 1_000
_PAGE: Final = 32
_SHOWN: Final = "id, url, events, enabled, reason, created_at"
_ID: Final = re.compile(r"wh_[0-9a-f]{20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Webhook:
    """Who is told. `secret` never leaves the process but as a signature."""

    tenant: str
    id: str
    url: str
    secret: str
    events: tuple[str, ...]
    enabled: bool = True
    reason: str = ""
    created_at: int = 0
    numbers: str = ""  # how it is told phone numbers; see `identity.access.Numbers`

    def __repr__(self) -> str:
        return f"Webhook({self.tenant!r}, {self.id!r})"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way to a webhook. Times in ms."""

    tenant: str
    webhook_id: str
    id: str
    type: str
    call_id: str
    seq: int
    created_at: int
    state: str = WAITING
    attempts: int = 0
    next_at: int = 0
    status: int = 0
    error: str = ""


def new_id() -> str:
    """The id of a new webhook."""
    return f"wh_{secrets.token_hex(10)}"


class PushStore:
    """Webhooks and deliveries over a reader."""

    def __init__(self, reader: Reader, keys: str = "") -> None:
        self._reader = reader
        self._keys = keys  # that secrets are sealed under; see `sealing`

    # -- webhooks ------------------------------------------------------------------------------------------

    async def save(self, webhook: Webhook, *, deleted: bool = False) -> None:
        """Write a webhook, or take it out. Of one that is taken out no secret is kept."""
        row = {name: getattr(webhook, name) for name in Webhook.__dataclass_fields__} | {
            "secret": "" if deleted else seal(webhook.secret, self._keys, _about(webhook.tenant, webhook.id)),
            "enabled": int(webhook.enabled),
            "created_at": rfc3339(webhook.created_at),
            "deleted": int(deleted),
            "version": 2**63 if deleted else time.time_ns(),
        }
        await self._reader.insert("webhook_rows", [row])

    async def webhooks(self) -> list[Webhook]:
        """Those of all tenants that are enabled."""
        rows = await self._reader.rows(
            "webhooks", "SELECT * FROM webhook_rows FINAL WHERE deleted = 0 AND enabled = 1", {}, by_key=True
        )
        return [self._webhook(row) for row in rows]

    async def seal(self) -> int:
        """Seal the secrets that are stored as they are, once there is a key; returns how many."""
        rows = await self._reader.rows("webhooks_clear", "SELECT * FROM webhook_rows FINAL WHERE deleted = 0", {})
        clear = [row for row in rows if self._keys and not row["secret"].startswith(SEALED)]
        for row in clear:
            await self.save(self._webhook(row))
        return len(clear)

    async def webhook(self, tenant: str, id_: str) -> Webhook | None:
        """One, with its secret: for sending."""
        if not _ID.fullmatch(id_):
            return None
        rows = await self._reader.rows(
            "webhook",
            "SELECT * FROM webhook_rows FINAL WHERE tenant = {tenant:String} AND id = {id:String} AND deleted = 0",
            {"tenant": tenant, "id": id_},
            by_key=True,
        )
        return self._webhook(rows[0]) if rows else None

    async def listed(self, tenant: str) -> list[Row]:
        """Those of a tenant, without their secrets."""
        return await self._reader.rows(
            "webhooks_listed",
            f"SELECT {_SHOWN} FROM webhook_rows FINAL WHERE tenant = {{tenant:String}} AND deleted = 0"
            " ORDER BY created_at, id",
            {"tenant": tenant},
            by_key=True,
        )

    def _webhook(self, row: Row) -> Webhook:
        secret = unseal(row["secret"], self._keys, _about(row["tenant"], row["id"]))
        return Webhook(
            row["tenant"],
            row["id"],
            row["url"],
            secret,
            tuple(row["events"]),
            bool(row["enabled"]),
            row["reason"],
            instant(row["created_at"]),
            row["numbers"],
        )

    # -- what was told ---------------------------------------------------------------------------------------

    async def published(self, calls: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Published]:
        """What was told of these calls, (tenant, call_id)."""
        found: dict[tuple[str, str], Published] = {}
        for start in range(0, len(calls), _KEYS_A_QUERY):
            rows = await self._reader.rows(
                "webhook_told",
                "SELECT tenant, call_id, answered, ended, told_version, digest, `partition`, `offset`"
                " FROM webhook_call_rows FINAL"
                " WHERE (tenant, call_id) IN {calls:Array(Tuple(String, String))}",
                {"calls": list(calls[start : start + _KEYS_A_QUERY])},
            )
            for row in rows:
                found[row["tenant"], row["call_id"]] = Published(
                    bool(row["answered"]),
                    bool(row["ended"]),
                    row["told_version"],
                    row["digest"],
                    row["partition"],
                    row["offset"],
                )
        return found

    async def note(self, published: Mapping[tuple[str, str], Published]) -> None:
        """Keep what was told. Only after the deliveries are kept."""
        if not published:
            return
        at, version = rfc3339(clock.now_ms()), time.time_ns()
        await self._reader.insert(
            "webhook_call_rows",
            [
                {
                    "tenant": tenant,
                    "call_id": call_id,
                    "answered": int(one.answered),
                    "ended": int(one.ended),
                    "told_version": one.version,
                    "digest": one.digest,
                    "partition": one.partition,
                    "offset": one.offset,
                    "told_at": at,
                    "version": version,
                }
                for (tenant, call_id), one in published.items()
            ],
        )

    # -- deliveries ------------------------------------------------------------------------------------------

    async def plan(self, messages: Sequence[tuple[Message, Sequence[Webhook]]]) -> None:
        """Keep messages and to whom they go. Again the same changes nothing."""
        if not messages:
            return
        now, seq = clock.now_ms(), time.time_ns()
        for start in range(0, len(messages), _PAGE):  # bodies may be large
            await self._reader.insert(
                "webhook_message_rows",
                [
                    {
                        "tenant": message.tenant,
                        "id": message.id,
                        "type": message.type,
                        "call_id": message.call_id,
                        "body": message.body.decode(),
                        "created_at": rfc3339(now),
                    }
                    for message, _ in messages[start : start + _PAGE]
                ],
            )
        deliveries = [
            Delivery(one.tenant, webhook.id, one.id, one.type, one.call_id, seq + number, now, next_at=now)
            for number, (one, webhooks) in enumerate(messages)
            for webhook in webhooks
        ]
        await self._reader.insert("webhook_delivery_rows", [_row(one, 0) for one in deliveries])

    async def record(self, deliveries: Sequence[Delivery]) -> None:
        """Keep what became of deliveries."""
        if deliveries:
            await self._reader.insert("webhook_delivery_rows", [_row(one, time.time_ns()) for one in deliveries])

    async def due(self, ids: Sequence[str]) -> dict[str, int]:
        """Which of these webhooks have something to send now → since when (ms)."""
        rows = await self._reader.rows(
            "webhooks_due",
            "SELECT webhook_id, toUnixTimestamp64Milli(min(next_at)) AS since FROM webhook_delivery_rows FINAL"
            " WHERE webhook_id IN {ids:Array(String)} AND state = 'waiting'"
            " AND next_at <= fromUnixTimestamp64Milli({now:Int64}, 'UTC') GROUP BY webhook_id",
            {"ids": list(ids), "now": clock.now_ms()},
        )
        return {row["webhook_id"]: int(row["since"]) for row in rows}

    async def page(self, webhook: Webhook) -> list[tuple[Delivery, bytes]]:
        """The next messages to send, oldest first, with their bodies."""
        rows = await self._reader.rows(
            "webhook_page",
            "SELECT * FROM webhook_delivery_rows FINAL WHERE tenant = {tenant:String} AND webhook_id = {id:String}"
            " AND state = 'waiting' AND next_at <= fromUnixTimestamp64Milli({now:Int64}, 'UTC')"
            f" ORDER BY seq LIMIT {_PAGE}",
            {"tenant": webhook.tenant, "id": webhook.id, "now": clock.now_ms()},
        )
        if not rows:
            return []
        found = await self._reader.rows(
            "webhook_bodies",
            "SELECT id, body FROM webhook_message_rows FINAL WHERE tenant = {tenant:String}"
            " AND id IN {ids:Array(String)}",
            {"tenant": webhook.tenant, "ids": [row["id"] for row in rows]},
            by_key=True,
        )
        bodies = {row["id"]: row["body"].encode() for row in found}
        return [(_delivery(row), bodies.get(row["id"], b"")) for row in rows]

    async def deliveries(self, tenant: str, webhook_id: str, state: str = "", limit: int = 100) -> list[Row]:
        """The newest deliveries of a webhook, without their bodies."""
        return await self._reader.rows(
            "webhook_deliveries",
            "SELECT id, type, call_id, state, attempts, next_at, status, error, created_at, updated_at"
            " FROM webhook_delivery_rows FINAL WHERE tenant = {tenant:String} AND webhook_id = {id:String}"
            " AND ({state:String} = '' OR state = {state:String}) ORDER BY seq DESC LIMIT {limit:UInt32}",
            {"tenant": tenant, "id": webhook_id, "state": state, "limit": limit},
        )

    async def delivery(self, tenant: str, webhook_id: str, id_: str) -> Delivery | None:
        """One delivery."""
        rows = await self._reader.rows(
            "webhook_delivery",
            "SELECT * FROM webhook_delivery_rows FINAL WHERE tenant = {tenant:String} AND webhook_id = {webhook:String}"
            " AND id = {id:String}",
            {"tenant": tenant, "webhook": webhook_id, "id": id_},
            by_key=True,
        )
        return _delivery(rows[0]) if rows else None

    async def replay(self, delivery: Delivery) -> None:
        """Have a dead delivery sent again, from the first attempt on."""
        await self.record([replace(delivery, state=WAITING, attempts=0, next_at=clock.now_ms(), error="")])

    async def reports(self, webhook: Webhook, first_ms: int) -> list[Row]:
        """Reports of the tenant that were completed since, and that this webhook was not told of."""
        return await self._reader.rows(
            "webhook_reports",
            "SELECT id, report_id, name, type, format, due_at, completed_at, file_name, file_size, first_at, end_at"
            " FROM report_run_rows FINAL WHERE tenant = {tenant:String} AND state = 'done' AND destroyed = 0"
            " AND completed_at >= fromUnixTimestamp64Milli({first:Int64}, 'UTC') AND toString(id) NOT IN"
            " (SELECT call_id FROM webhook_delivery_rows WHERE tenant = {tenant:String} AND webhook_id = {id:String}"
            " AND type = 'report.ready') ORDER BY completed_at LIMIT 100",
            {"tenant": webhook.tenant, "id": webhook.id, "first": first_ms},
        )


def _about(tenant: str, id_: str) -> str:
    """What a sealed secret is bound to."""
    return f"webhook\0{tenant}\0{id_}"


def _delivery(row: Row) -> Delivery:
    values = {name: row[name] for name in Delivery.__dataclass_fields__}
    return Delivery(**values | {name: instant(row[name]) for name in ("created_at", "next_at")})


def _row(delivery: Delivery, version: int) -> dict[str, Any]:
    row = {name: getattr(delivery, name) for name in Delivery.__dataclass_fields__}
    times = {"created_at": delivery.created_at, "next_at": delivery.next_at, "updated_at": clock.now_ms()}
    return row | {name: rfc3339(value) for name, value in times.items()} | {"version": version}
