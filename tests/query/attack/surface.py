"""Every request that the OpenAPI document speaks of, with the places where a value goes.

The base of a request is made of the document's own examples; one place at a time is filled with what a test likes.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final
from urllib.parse import quote, unquote

from fastapi import FastAPI

from pipeline.query.portsip.rows import CALL_LOG_PROPERTIES, CDR_PROPERTIES

# Goes on as long as the client likes, or wants Kafka: tests of their own look at these.
ELSEWHERE: Final = ("/v1/cdrs/stream", "/v1/calls/stream", "/ingest/{source}")
# Asked with POST, and yet nothing is written.
_ASKING: Final = ("/search", "/v1/aggregate", "/api/cdrs/cdrs-aggregate", "/rest/call/")
_PORTSIP_FORMS: Final = ("{name} eq '{value}'", "contains({name},'{value}')", "{name} in ('{value}','x')")


@dataclass(frozen=True, slots=True)
class Call:
    """A request, ready to be sent. `body` is JSON, unless `form`."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: Any = None
    form: bool = False

    @property
    def url(self) -> str:
        pairs = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in self.query)
        return f"{self.path}?{pairs}" if pairs else self.path

    @property
    def content(self) -> bytes | None:
        if self.body is None:
            return None
        if self.form:
            pairs = (f"{quote(name, safe='')}={quote(str(value), safe='')}" for name, value in self.body.items())
            return "&".join(pairs).encode()
        return json.dumps(self.body).encode()

    @property
    def sent(self) -> str:
        """Everything that is said in it."""
        return f"{unquote(self.url)}\n{self.query}\n{self.headers}\n{self.body}"


@dataclass(frozen=True, slots=True)
class Place:
    """A place of an operation where a value goes."""

    operation: str
    name: str
    writes: bool
    base: Call = field(repr=False)
    put: Callable[[Call, str], Call] = field(repr=False)

    def call(self, value: str) -> Call:
        return self.put(self.base, value)

    def __str__(self) -> str:
        return f"{self.operation} {self.name}"


def places(app: FastAPI, own: Mapping[str, str]) -> list[Place]:
    """All places of all operations. `own`: path template → what its ids are when they are not the place."""
    document = app.openapi()
    found: list[Place] = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if path not in ELSEWHERE:
                found += _of_operation(method.upper(), path, operation, own)
    return found


def bases(app: FastAPI, own: Mapping[str, str]) -> list[Call]:
    """The questions as they are in the examples, one an operation."""
    asking = (place for place in places(app, own) if not place.writes)
    return list({f"{place.base.method} {place.base.url}": place.base for place in asking}.values())


def _of_operation(method: str, path: str, operation: Mapping[str, Any], own: Mapping[str, str]) -> Iterator[Place]:
    title = f"{method} {path}"
    parameters = operation.get("parameters", [])
    content = (operation.get("requestBody") or {}).get("content", {})
    form = "application/x-www-form-urlencoded" in content and "application/json" not in content
    media = next(iter(content.values()), None)
    body = None if media is None else _example(media, form)
    base = Call(method, _filled(path, path, own), (), (), body, form)
    writes = method != "GET" and not any(part in path for part in _ASKING)

    def place(name: str, put: Callable[[Call, str], Call]) -> Place:
        return Place(title, name, writes, base, put)

    for name in re.findall(r"\{(\w+)\}", path):

        def into_path(call: Call, value: str, name: str = name) -> Call:
            return replace(call, path=_filled(path, path, {**own, f"{path}#{name}": value, path: own.get(path, "1")}))

        yield place(f"{{{name}}}", into_path)
    for parameter in parameters:
        name = parameter["name"]
        if parameter["in"] == "query":
            yield place(f"?{name}", partial(_with_query, name))
        elif parameter["in"] == "header":
            yield place(f"header {name}", partial(_with_header, name))
    yield place("?tenant", partial(_with_query, "tenant"))
    yield place("header X-Tenant", partial(_with_header, "X-Tenant"))
    if path in ("/api/cdrs", "/api/calllogs"):
        properties = CDR_PROPERTIES if path == "/api/cdrs" else CALL_LOG_PROPERTIES
        for property_ in properties:
            for shape in _PORTSIP_FORMS:

                def as_filter(call: Call, value: str, property_: str = property_, shape: str = shape) -> Call:
                    text = shape.format(name=property_, value=value.replace("'", "''"))
                    return replace(call, query=(("filter", text),))

                yield place(f"?filter={shape.format(name=property_, value='…')}", as_filter)
    if body is not None:
        yield from _of_body(place, media or {}, body)


def _of_body(
    place: Callable[[str, Callable[[Call, str], Call]], Place], media: Mapping[str, Any], body: Any
) -> Iterator[Place]:
    """Each leaf of the example as text and as list, each member of the schema, each field of a filter."""
    for route in _leaves(body):
        name = ".".join(map(str, route))
        yield place(f"body {name}", partial(_with_leaf, route, False))
        yield place(f"body {name}[]", partial(_with_leaf, route, True))
    properties = media.get("schema", {}).get("properties", {})
    for name in [*(name for name in properties if name not in body), "tenant"]:
        yield place(f"body {name}", partial(_with_member, name))
    if properties.get("filter", {}).get("type") == "object" and "properties" not in properties["filter"]:
        fields = properties.get("fields", {}).get("items", {}).get("enum", ["caller.number", "call_id", "trunk"])
        for name in fields:
            for form in ("eq", "contains", "in"):

                def as_filter(call: Call, value: str, name: str = name, form: str = form) -> Call:
                    wanted = {form: [value, "x"] if form == "in" else value}
                    return replace(call, body={**call.body, "filter": {name: wanted}})

                yield place(f"body filter.{name}.{form}", as_filter)


def _with_query(name: str, call: Call, value: str) -> Call:
    return replace(call, query=((name, value),))


def _with_header(name: str, call: Call, value: str) -> Call:
    return replace(call, headers=((name, _for_header(value)),))


def _with_leaf(route: tuple[Any, ...], listed: bool, call: Call, value: str) -> Call:
    return replace(call, body=_put(call.body, route, [value] if listed else value))


def _with_member(name: str, call: Call, value: str) -> Call:
    return replace(call, body={**call.body, name: value})


def _example(media: Mapping[str, Any], form: bool) -> Any:
    if "example" in media:
        return copy.deepcopy(media["example"])
    return _of_schema(media.get("schema", {})) if not form else _of_schema(media["schema"]) or {}


def _of_schema(schema: Mapping[str, Any]) -> Any:
    if schema.get("examples"):
        return schema["examples"][0]
    if "properties" in schema:
        return {name: _of_schema(each) for name, each in schema["properties"].items()}
    if "anyOf" in schema:
        return _of_schema(schema["anyOf"][0])
    return schema.get("default", "x")


def _filled(path: str, template: str, values: Mapping[str, str]) -> str:
    def of(found: re.Match[str]) -> str:
        value = values.get(f"{template}#{found[1]}") or values.get(template) or "1"
        return quote(value, safe="")

    return re.sub(r"\{(\w+)\}", of, path)


def _leaves(value: Any, route: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _leaves(each, (*route, name))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _leaves(each, (*route, number))
    else:
        yield route


def _put(body: Any, route: tuple[Any, ...], value: Any) -> Any:
    if not route:
        return value
    changed = copy.copy(body)
    changed[route[0]] = _put(body[route[0]], route[1:], value)
    return changed


def _for_header(value: str) -> str:
    """What any HTTP client can send in a header."""
    return (
        quote(value, safe="!#$%&'()*+,/:;=?@[]{} \"<>|\\^`~")
        if not (value.isascii() and value.isprintable())
        else value
    )
