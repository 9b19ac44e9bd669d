"""Every value of the corpus in every place: what must hold of the answers."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx
import orjson

from pipeline.query.portsip.rows import CALL_LOG_PROPERTIES, CDR_PROPERTIES
from pipeline.query.questions.lists.tables import CALL_TABLE, LOG_TABLE
from tests.query.attack.crossing import send, shown_marks
from tests.query.attack.surface import Place
from tests.query.attack.tenants import Key

_AT_ONCE: Final = 8
# A field must be this: what nobody ever called, was called or said finds nothing.
_EQUALS: Final = re.compile(
    r" eq '…'$|\.(eq|in)$|\?(caller|callee|any_number|call_id|number|leg_id|trunk|did|user_data|requested|destination"
    r"|billed_account|rate|service_number|outbound_caller_id|(caller|callee)\.(number|name|domain|extension))$"
)
# Of PortSIP's properties, those of which some calls may well have a number or a time of the corpus.
_KINDS: Final = {name: column.kind for name, column in {**CDR_PROPERTIES, **CALL_LOG_PROPERTIES}.items()}
_MEASURED: Final = re.compile(rf" ({'|'.join(name for name, kind in _KINDS.items() if kind != 'text')}) eq ")
# The same of /v1: a call may well have talked for 0 ms.
_NUMBERS: Final = "|".join(
    re.escape(path)
    for table in (CALL_TABLE, LOG_TABLE)
    for path, field in table.fields.items()
    if field.kind in ("number", "decimal")
)
_COUNTED: Final = re.compile(rf"filter\.({_NUMBERS})\.(eq|in)$")
_OWN_COOKIE: Final = "Red60urne="  # of ipcortex' surface; logging out takes it back


@dataclass(frozen=True, slots=True)
class Attack:
    """A value in a place."""

    place: Place
    value: str

    def __str__(self) -> str:
        return f"{self.place} = {self.value[:60]!r}"


def attacks(places: Iterable[Place], corpus: Sequence[str], seed: int = 11) -> list[Attack]:
    """All of them, in a random order."""
    found = [Attack(place, value) for place in places for value in corpus]
    random.Random(seed).shuffle(found)
    return found


async def run(client: httpx.AsyncClient, found: Sequence[Attack], keys: Sequence[Key]) -> list[str]:
    """Send all; the faults."""
    faults: list[str] = []
    room = asyncio.Semaphore(_AT_ONCE)
    # What a value says itself may be written, as the name of a report, and stand in answers to others.
    written = "\n".join({attack.value for attack in found if attack.place.writes})

    async def one(attack: Attack) -> None:
        async with room:
            try:
                answer = await send(client, attack.place.call(attack.value))
            except (httpx.InvalidURL, UnicodeEncodeError, httpx.LocalProtocolError):
                return  # no HTTP client sends it: half a pair of surrogates is no character
            faults.extend(f"{attack}: {why}" for why in _wrong(attack, answer, keys, written))

    async with asyncio.TaskGroup() as group:
        for attack in found:
            group.create_task(one(attack))
    return faults


def _wrong(attack: Attack, answer: httpx.Response, keys: Sequence[Key], written: str) -> list[str]:
    wrong = []
    if answer.status_code >= 500 and answer.status_code != 503:  # which says when to come back, see below
        wrong.append(f"{answer.status_code} {answer.text[:300]}")
    if marks := [mark for mark in shown_marks(attack.place.call(attack.value), answer, keys) if mark not in written]:
        wrong.append(f"shows {marks}")
    if "x-injected" in answer.headers or not answer.headers.get("set-cookie", _OWN_COOKIE).startswith(_OWN_COOKIE):
        wrong.append(f"headers {dict(answer.headers)}")
    place = str(attack.place).replace("?filter=", " ")
    if (
        answer.status_code == 200
        and _EQUALS.search(place)
        and not _MEASURED.search(place)
        and not _COUNTED.search(place)
        and (found := _found(answer))
    ):
        wrong.append(f"finds {found}")
    if answer.status_code in (413, 422) and not answer.text:
        wrong.append("says nothing")
    if answer.status_code in (429, 503) and "retry-after" not in answer.headers:
        wrong.append("no Retry-After")
    return wrong


def _found(answer: httpx.Response) -> Any:
    """The rows of a list."""
    try:
        body = orjson.loads(answer.content)
    except ValueError:
        return None
    return (body.get("items") or body.get("data")) if isinstance(body, dict) else None
