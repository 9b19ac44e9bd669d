"""Probes across tenants, and what must hold of every answer: nothing of the foreign tenant in it, the same as for
something that nobody has, and afterwards everything of the foreign tenant as it was."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx

from tests.query.attack.surface import Call, Place
from tests.query.attack.tenants import FOREIGN, SECRETS, Key

# Say how the process does.
OF_THE_PROCESS: Final = ("/metrics", "/readyz", "/livez", "/version")
_AT_ONCE: Final = 8
# What differs from answer to answer: cursors, times, new ids, what a fresh token is.
_VOLATILE: Final = re.compile(
    r'("next_cursor"|"token"|"cursor"|"sync_token"|"created_at"|"generated_at"|"elapsed_ms"|"etag"|"version"|"as_of"'
    r'|"requested_at"|"time"|"talking_time"|"made_at"|"file_url"):\s*("[^"]*"|\d+)'
)


@dataclass(frozen=True, slots=True)
class Probe:
    """One request with something of the foreign tenant, and the same with the twin of it."""

    place: Place
    key: Key

    @property
    def call(self) -> Call:
        return self.place.call(self.key.value)

    @property
    def twin(self) -> Call:
        return self.place.call(self.key.twin)

    def __str__(self) -> str:
        return f"{self.place} = {self.key.name}"


def probes(places: Iterable[Place], keys: Sequence[Key], seed: int = 7) -> list[Probe]:
    """Every key in every place; questions first, what writes behind them, both in a random order."""
    found = [Probe(place, key) for place in places for key in keys]
    random.Random(seed).shuffle(found)
    return sorted(found, key=lambda probe: probe.place.writes)


async def send(client: httpx.AsyncClient, call: Call) -> httpx.Response:
    kind = "application/x-www-form-urlencoded" if call.form else "application/json"
    headers = {"X-Request-ID": "probe", **dict(call.headers)}
    if call.content is not None:
        headers["Content-Type"] = kind
    return await client.request(call.method, call.url, headers=headers, content=call.content)


def shown_marks(call: Call, answer: httpx.Response, keys: Sequence[Key]) -> list[str]:
    """Marks of the foreign tenant in the answer that the request did not say itself."""
    text = answer.text + "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    said = call.sent
    marks = [*SECRETS, *(key.value for key in keys if len(key.value) > 5 and key.value != key.twin)]
    return [mark for mark in marks if mark in text and mark not in said]


def without_time(answer: httpx.Response) -> str:
    """The answer without what differs by itself."""
    return _VOLATILE.sub(r"\1:§", f"{answer.status_code}\n{answer.headers.get('content-type', '')}\n{answer.text}")


def levelled(answer: httpx.Response, value: str) -> str:
    """The answer without what the request said and what differs by itself."""
    text = without_time(answer)
    for each in (value, quote(value, safe="")):
        text = re.sub(re.escape(each), "§", text, flags=re.IGNORECASE)
    return text


async def run(client: httpx.AsyncClient, found: Sequence[Probe], keys: Sequence[Key]) -> list[str]:
    """Send all; the faults."""
    faults: list[str] = []
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(probe: Probe) -> None:
        async with room:
            call = probe.call
            answer = await send(client, call)
            if answer.status_code >= 500:
                faults.append(f"{probe}: {answer.status_code} {answer.text[:300]}")
            if marks := shown_marks(call, answer, keys):
                faults.append(f"{probe}: shows {marks}: {call.url}: {answer.text[:400]}")
            if probe.key.value == probe.key.twin or probe.place.writes or call.path in OF_THE_PROCESS:
                return
            other = await send(client, probe.twin)
            mine, others = levelled(answer, probe.key.value), levelled(other, probe.key.twin)
            if mine != others:
                faults.append(f"{probe}: unlike what nobody has: {mine[:400]} | {others[:400]}")

    async with asyncio.TaskGroup() as group:
        for probe in found:
            group.create_task(one(probe))
    return faults


def tables_of(client: Any, tenant: str = FOREIGN) -> dict[str, tuple[int, int]]:
    """Table → rows of the tenant, and a sum over all they hold."""
    names = client.query(
        "SELECT DISTINCT table, engine FROM system.columns JOIN system.tables ON tables.name = columns.table"
        " AND tables.database = columns.database WHERE columns.database = currentDatabase()"
        " AND columns.name = 'tenant' AND tables.engine LIKE '%MergeTree'"
    ).result_rows
    found = {}
    for name, engine in names:
        final = "FINAL" if "Replacing" in engine else ""
        (row,) = client.query(
            f"SELECT count(), sum(cityHash64(toString(tuple(*)))) FROM {name} {final} WHERE tenant = {{tenant:String}}",
            parameters={"tenant": tenant},
        ).result_rows
        found[name] = (int(row[0]), int(row[1]))
    return found
