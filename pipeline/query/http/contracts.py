"""`/asyncapi.json` and `/schemas/`: what producers and consumers of the topics read."""

from __future__ import annotations

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from pipeline.kafka import topic_names
from pipeline.query.http.problems import not_found
from pipeline.settings import Settings
from schemas.asyncapi import asyncapi
from schemas.call_model import call_json_schema
from schemas.contract import event_json_schema


def router(settings: Settings) -> APIRouter:
    """AsyncAPI, with the topics as they are called here, and the JSON Schemas."""
    routes = APIRouter(include_in_schema=False)
    usual, here = topic_names(Settings.model_construct()), topic_names(settings)
    names = {usual[purpose]: topic for purpose, topic in here.items()}
    made: dict[str, bytes] = {}

    @routes.get("/asyncapi.json")
    async def asyncapi_document() -> Response:
        if "asyncapi" not in made:
            document = asyncapi()
            for channel in document["channels"].values():
                topic = names[channel["address"]]
                channel["address"] = channel["bindings"]["kafka"]["topic"] = topic
            document["servers"]["kafka"]["host"] = settings.kafka.split(",")[0].strip()
            made["asyncapi"] = orjson.dumps(document)
        return Response(made["asyncapi"], media_type="application/json")

    @routes.get("/schemas/{name}")
    async def schema(name: str) -> Response:
        known = {"call-event.v1.json": event_json_schema, "call.v1.json": call_json_schema}
        if name not in known:
            raise not_found(f"There is no schema {name[:40]!r}; known: {', '.join(known)}.")
        if name not in made:
            made[name] = orjson.dumps(known[name]())
        return Response(made[name], media_type="application/schema+json")

    return routes
