"""The two tenants in a database of their own, and the service over it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from pipeline.query.app import create_app
from pipeline.settings import Settings
from pipeline.warehouse.identity.access import ADMIN
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.storage.migrate import migrate
from tests.query.attack import tenants
from tests.query.attack.crossing import OF_THE_PROCESS, send, without_time
from tests.query.attack.surface import Call, Place, bases, places
from tests.query.attack.tenants import FOREIGN, OWN, Key
from tests.query.stored_calls import example_calls
from tests.servers import ClickHouseServer


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The client of the tenant that asks, and what it knows of the other."""

    app: FastAPI
    client: httpx.AsyncClient
    warehouse: Any
    places: list[Place]
    keys: list[Key]
    things: dict[str, str]  # of the foreign tenant
    changed: list[str]  # answers that became others when the foreign tenant's rows came


def own_ids(things: dict[str, str], calls: list[Any]) -> dict[str, str]:
    """Path template → an id of one's own."""
    call, log = calls[0], calls[0].logs[0]
    found = {
        "/api/cdrs/{id}": call.id,
        "/api/calllogs/{id}": log.id,
        "/api/sessions/{id}": calls[-1].id,
        "/api/user/cdrs/sync_tokens/{token}/diff": things["sync"],
        "/api/cdrs/limit/{options}": "10",
        "/v1/calls/{id}": call.id,
        "/v1/calls/{id}/timeline": call.id,
        "/v1/calls/{id}/events": call.id,
        "/v1/exports/{id}": things["export"],
        "/v1/exports/{id}/file": things["export"],
        "/v1/reports/{type}": "traffic",
        "/api/call_reports/{id}": things["report"],
        "/api/completed_call_reports/{id}": things["run"],
        "/v1/webhooks/{id}": things["webhook"],
        "/v1/webhooks/{id}/test": things["webhook"],
        "/v1/webhooks/{id}/deliveries": things["webhook"],
        "/v1/webhooks/{id}/deliveries/{message}/replay": things["webhook"],
        "/v1/webhooks/{id}/deliveries/{message}/replay#message": things["message"],
    }
    return {path: str(value) for path, value in found.items()}


def client_of(app: FastAPI, token: str) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(
        transport=transport, base_url="http://service", headers={"Authorization": f"Bearer {token}"}
    )


def _quiet(call: Call) -> bool:
    """Whether the answer says nothing of clocks, ids made just now or the process."""
    return call.path not in OF_THE_PROCESS and "sync_tokens" not in call.path


@asynccontextmanager
async def neighbours(server: ClickHouseServer, folder: Path) -> AsyncIterator[Neighbours]:
    """Both tenants with something of everything."""
    server.start()
    database = server.fresh_database()
    warehouse = server.client(database)
    migrate(warehouse, database)
    settings = Settings(
        clickhouse=server.url, database=database, files=str(folder), kafka="127.0.0.1:9",
        api_rate=0, api_concurrent=1_000, webhook_private=True, _env_file=None,
    )  # fmt: skip
    mine = example_calls(OWN)
    tenants.fill(warehouse, mine)
    app = create_app(settings)
    own, other = (
        client_of(app, create_token(warehouse, tenant, "probes", scopes=(ADMIN,), extension=extension))
        for tenant, extension in ((OWN, "101"), (FOREIGN, "88310"))
    )
    async with own, other:
        things = await tenants.things_of(own, settings, OWN, "201", "own")
        ids = own_ids(things, mine)
        questions = [call for call in bases(app, ids) if _quiet(call)]
        before = [without_time(await send(own, call)) for call in questions]
        tenants.fill(warehouse, tenants.calls_of_foreign())
        tenants.fill_directory(warehouse)
        foreign = await tenants.things_of(other, settings, FOREIGN, "8839", "zorbsecret")
        after = [without_time(await send(own, call)) for call in questions]
        changed = [
            f"{call.url}: {one} | {two}" for call, one, two in zip(questions, before, after, strict=True) if one != two
        ]
        keys = tenants.keys_of(tenants.calls_of_foreign(), foreign)
        yield Neighbours(app, own, warehouse, places(app, ids), keys, foreign, changed)
    await app.state.exports.close()
    app.state.gate.close()
    app.state.reader.close()
    app.state.editor.close()
    warehouse.close()
