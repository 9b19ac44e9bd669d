"""The change feed as server-sent events (WHATWG HTML, 9.2): every version of every call, in order per call.

Each client reads the feed by itself, from where it stands. An event's id is that place: the offset behind it in each
partition, so who comes back with it as Last-Event-ID goes on exactly there, on whichever server. (`/v1/calls/stream`
shows calls as lists show them, and the last version only.)
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any, Final

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError
from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from pipeline import kafka
from pipeline.query.auth import DOCUMENTED, Authenticated, Caller
from pipeline.query.documents import parameter
from pipeline.query.limits import Turns
from pipeline.query.parameters import parse
from pipeline.query.problems import invalid, unavailable
from pipeline.query.v1.endpoint import directory_of, is_masked, refusals
from pipeline.query.v1.shown import shown
from pipeline.settings import Settings

ALIVE_S: Final = 10.0
_RETRY_MS: Final = 2_000
_MOST_RECORDS: Final = 500
_PLACE: Final = re.compile(r"\d{1,4}:\d{1,18}(,\d{1,4}:\d{1,18}){0,1023}", re.ASCII)

Look = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


def router(settings: Settings) -> APIRouter:
    """The route."""
    routes = APIRouter(prefix="/v1/cdrs", tags=["Calls"], responses=refusals(), dependencies=[DOCUMENTED])

    @routes.get(
        "/stream",
        operation_id="stream_cdrs",
        summary="Every version of every call",
        responses={
            200: {
                "description": "Events `call` (a call document) and `retired` (a call that went into another).",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }
        },
        openapi_extra={
            "parameters": [
                parameter("last_event_id", {"type": "string"}, "As the header Last-Event-ID.", "0:17,1:4"),
                {
                    "name": "Last-Event-ID",
                    "in": "header",
                    "required": False,
                    "schema": {"type": "string"},
                    "description": "Go on behind this event; `0:0` for all there is; from now on when left out.",
                    "example": "0:17,1:4",
                },
            ]
        },
    )
    async def stream_cdrs(request: Request, caller: Authenticated) -> Response:
        """Server-sent events until the client goes. At least once: after a crash of a worker a version may come
        twice."""
        options = parse(request.scope["query_string"], ("last_event_id",))
        given = request.headers.get("last-event-id") or options.text("last_event_id")
        place = None if given is None else place_of(given)

        async def look(document: dict[str, Any]) -> dict[str, Any]:
            return shown(document, await directory_of(request, caller), is_masked=is_masked(request, caller))

        followers: Turns = request.app.state.followers
        with followers.one(caller.tenant):
            following = Following(settings, caller, look, place)
            await following.begin()  # what is wrong is said with a status
        return StreamingResponse(
            followers.during(caller.tenant, following.events()),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes


def place_of(text: str) -> dict[int, int]:
    """Partition → offset of an event's id; 400 for what is none."""
    if not _PLACE.fullmatch(text):
        raise invalid("Last-Event-ID", text, "is no id of this stream; leave it out to begin now, 0:0 for all there is")
    return {int(part): int(offset) for part, _, offset in (each.partition(":") for each in text.split(","))}


def sees(caller: Caller, document: Mapping[str, Any]) -> bool:
    """Whether the caller may see the call: its tenant's, and an ordinary user one that its extension made or was a
    target of."""
    if document.get("tenant") != caller.tenant:
        return False
    if caller.sees_all:
        return True
    mine = caller.extension
    if not mine or document.get("retired"):
        return False
    sides = (document["caller"]["extension"], document["callee"]["extension"])
    return mine in sides or any(log["number"] == mine for log in document["logs"])


class Following:
    """One client and where it stands."""

    def __init__(self, settings: Settings, caller: Caller, look: Look, place: Mapping[int, int] | None) -> None:
        self._settings, self._caller, self._look, self._given = settings, caller, look, place
        self._place: dict[int, int] = {}
        self._consumer: Any = None
        # A cheap look before the document is decoded; what passes is looked at for real.
        self._mark = orjson.dumps(caller.tenant)

    async def begin(self) -> None:
        """Connect and stand where the client was. 503 when Kafka is away."""
        settings, topic = self._settings, self._settings.cdrs_topic
        consumer = AIOKafkaConsumer(
            **kafka.connection(settings), enable_auto_commit=False, auto_offset_reset="earliest", group_id=None
        )
        try:
            await consumer.start()
            parts = [TopicPartition(topic, number) for number in sorted(await _partitions(consumer, topic))]
            consumer.assign(parts)
            if self._given is None:
                self._place = {part.partition: end for part, end in (await consumer.end_offsets(parts)).items()}
            else:
                self._place = {part.partition: self._given.get(part.partition, 0) for part in parts}
            for part in parts:
                consumer.seek(part, self._place[part.partition])
        except (KafkaError, OSError) as error:
            await consumer.stop()
            raise unavailable("Kafka does not answer; try again.") from error
        self._consumer = consumer

    async def events(self) -> AsyncGenerator[bytes, None]:
        """Events until nobody wants them, or Kafka goes: then the client comes back with its last id."""
        told = time.monotonic()
        try:
            yield b"retry: %d\n%s: here\n\n" % (_RETRY_MS, self._id())
            while True:
                found = await self._consumer.getmany(timeout_ms=1000, max_records=_MOST_RECORDS)
                pieces = [piece for part, records in found.items() for piece in await self._pieces(part, records)]
                if pieces:
                    yield b"".join(pieces)
                elif time.monotonic() - told >= ALIVE_S:
                    yield b"%s: alive\n\n" % self._id()
                else:
                    continue
                told = time.monotonic()
        except KafkaError:
            return
        finally:
            await self._consumer.stop()

    def _id(self) -> bytes:
        return b"id: %s\n" % ",".join(f"{part}:{offset}" for part, offset in self._place.items()).encode()

    async def _pieces(self, part: TopicPartition, records: list[Any]) -> list[bytes]:
        pieces = []
        for record in records:
            self._place[part.partition] = record.offset + 1
            if self._mark not in (record.value or b""):
                continue
            try:
                document = orjson.loads(record.value)
                if not sees(self._caller, document):
                    continue
                retired = bool(document.get("retired"))
                body = orjson.dumps(document if retired else await self._look(document))
            except (ValueError, TypeError, KeyError):  # no call document
                continue
            pieces.append(b"event: %s\n%sdata: %s\n\n" % (b"retired" if retired else b"call", self._id(), body))
        return pieces


async def _partitions(consumer: Any, topic: str) -> set[int]:
    """The topic's partitions. Raises KafkaError when it is not there."""
    await consumer.topics()  # asks the broker
    found = consumer.partitions_for_topic(topic)
    if not found:
        raise KafkaError(f"Kafka has no topic {topic}")
    return set(found)
