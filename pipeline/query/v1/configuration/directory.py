"""The directory under `/v1/directory`: lists, entries, and changes guarded by ETags (RFC 9110, 13.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Depends, Path, Request
from pydantic import TypeAdapter
from starlette.responses import Response

from pipeline.directory.checks import shown
from pipeline.directory.files import plain
from pipeline.directory.model import KINDS, PLURALS, Directory, Entry, Key, build, key_of, kind_of
from pipeline.directory.validate import FIELDS, InvalidEntry, dangling, entry
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import DOCUMENTED, Authenticated, requires
from pipeline.query.http.problems import Problem, RequestProblem, not_found
from pipeline.warehouse.query.masking import masked_text, masked_value
from pipeline.warehouse.reference.directories import Directories, DomainTaken
from pipeline.warehouse.reference.directory_editor import Editor

WRITE: Final = "directory:write"
_LARGEST: Final = 1 << 20

_REFUSALS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"description": text, "content": {"application/problem+json": {"schema": Problem.model_json_schema()}}}
    for status, text in (
        (401, "No valid token."),
        (403, f"The token lacks the scope {WRITE}, or sees numbers masked and would change what it is not shown."),
        (404, "No such entry."),
        (503, "The warehouse is away; see Retry-After."),
    )
}
_BAD: Final[dict[int | str, dict[str, Any]]] = {
    status: _REFUSALS[404] | {"description": text}
    for status, text in (
        (400, "A value is wrong; the detail names it and what to write instead."),
        (409, "Another entry names this one, or this one names one that is not there."),
        (412, "Somebody else has changed the entry since."),
        (413, "The entry is larger than 1 MB."),
    )
}
Writing = Annotated[Caller, requires(WRITE)]
_IF_MATCH: Final = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "The ETag that was seen: the change is made only if it still holds.",
    "example": '"3f2a9c1b77d0e4a5c6f1"',
}

router = APIRouter(prefix="/v1/directory", tags=["Directory"], responses=_REFUSALS, dependencies=[DOCUMENTED])


@router.get("", operation_id="get_directory", summary="Show the whole directory")
async def whole(request: Request, caller: Authenticated) -> Response:
    """Everything known about the tenant, as it is in force."""
    directory = await _current(request, caller)
    body: dict[str, Any] = {"tenant": _shown(caller, directory.tenant)}
    for kind, plural in PLURALS.items():
        if kind != "tenant":
            body[plural] = _all(caller, getattr(directory, plural).values())
    return _answer(request, body)


def _shown(caller: Caller, entry_: Entry) -> dict[str, Any]:
    """The entry as the caller sees it."""
    body: dict[str, Any] = plain(entry_, whole=True)
    return masked_value(body) if caller.masked else body


def _all(caller: Caller, entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """Entries as the caller sees them, by key. In which order masked numbers come says nothing of hidden digits."""
    shown_ = [_shown(caller, one) for one in entries]
    return sorted(shown_, key=orjson.dumps) if caller.masked else shown_


async def _writer(caller: Writing) -> Caller:
    """Somebody who may change the directory. Who sees numbers masked may not: what was sent back would replace numbers
    by stars, and whether an entry was there before would tell which numbers there are."""
    if caller.masked:
        raise RequestProblem(
            403, "forbidden", "The token sees numbers masked and would write them back so; it needs numbers:clear."
        )
    return caller


Changing = Annotated[Caller, Depends(_writer)]


def _schema(class_: type[Entry]) -> dict[str, Any]:
    """JSON Schema of an entry, what it refers to put in its place."""
    schema: dict[str, Any] = TypeAdapter(class_).json_schema()
    parts = schema.pop("$defs", {})

    def inline(node: Any) -> Any:
        if isinstance(node, dict):
            name = node.get("$ref", "").rpartition("/")[2]
            return inline(parts[name]) if name else {key: inline(value) for key, value in node.items()}
        return [inline(item) for item in node] if isinstance(node, list) else node

    return {**inline(schema), "description": " ".join((class_.__doc__ or "").split())}


def _json(schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _extra(kind: str, method: str) -> dict[str, Any]:
    """What the OpenAPI document says of an operation that is read by hand."""
    if method == "GET":
        return {}
    extra: dict[str, Any] = {"parameters": [_IF_MATCH]}
    if method in ("PUT", "PATCH"):
        schema = {**_schema(KINDS[kind]), "required": []}
        extra["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return extra


def _routes(kind: str) -> None:
    """The operations on the entries of one kind."""
    class_, plural = KINDS[kind], PLURALS[kind]
    key_field = next(iter(FIELDS[class_]))
    Key_ = Annotated[str, Path(description=f"{key_field} of the {kind}.")]
    shape = _schema(class_)
    path = "/tenant" if kind == "tenant" else f"/{plural}/{{key:path}}"
    spoken = kind.replace("_", " ")

    if kind != "tenant":

        async def listed(request: Request, caller: Authenticated) -> Response:
            """As they are in force, by key."""
            entries = getattr(await _current(request, caller), plural)
            return _answer(request, {"data": _all(caller, entries.values())})

        router.add_api_route(
            f"/{plural}",
            listed,
            operation_id=f"list_{plural}",
            summary=f"List {plural.replace('_', ' ')}",
            responses={
                200: _json({"type": "object", "properties": {"data": {"type": "array", "items": shape}}}, "All.")
            },
        )

    async def one(request: Request, caller: Authenticated, key: str) -> Response:
        """The entry as it is in force, with its ETag."""
        return _answer(request, _seen(caller, await _current(request, caller), kind, key))

    async def put(request: Request, caller: Changing, key: str) -> Response:
        """Make the entry, or replace it whole: fields left out take their defaults."""
        body = await _body(request)

        def decide(entries: dict[Key, Entry]) -> tuple[dict[Key, Entry | None], tuple[int, Entry]]:
            before = _guarded(request, caller, entries, kind, key)
            made = _made(kind, key, body)
            _held(caller.tenant, entries, entries | {(kind, key): made})
            return {(kind, key): made}, (201 if before is None else 200, made)

        return await _changed(request, caller, decide)

    async def patch(request: Request, caller: Changing, key: str) -> Response:
        """Change the fields that are sent (RFC 7396); null takes a field back to its default."""
        body = await _body(request)

        def decide(entries: dict[Key, Entry]) -> tuple[dict[Key, Entry | None], tuple[int, Entry]]:
            before = _guarded(request, caller, entries, kind, key)
            if before is None:
                raise _missing(kind, key)
            made = _made(kind, key, _merged(plain(before), body))
            _held(caller.tenant, entries, entries | {(kind, key): made})
            return {(kind, key): made}, (200, made)

        return await _changed(request, caller, decide)

    async def delete(request: Request, caller: Changing, key: str) -> Response:
        """Take the entry out."""

        def decide(entries: dict[Key, Entry]) -> tuple[dict[Key, Entry | None], tuple[int, None]]:
            if _guarded(request, caller, entries, kind, key) is None:
                raise _missing(kind, key)
            _held(caller.tenant, entries, {of: entry for of, entry in entries.items() if of != (kind, key)})
            return {(kind, key): None}, (204, None)

        return await _changed(request, caller, decide)

    operations: list[tuple[str, Callable[..., Awaitable[Response]], str]] = [("GET", one, "Show"), ("PUT", put, "Put")]
    operations += [("PATCH", patch, "Change")] + ([("DELETE", delete, "Delete")] if kind != "tenant" else [])
    for method, function, verb in operations:
        function.__annotations__["key"] = Key_
        responses: dict[int | str, dict[str, Any]] = {} if method == "GET" else dict(_BAD)
        if method == "DELETE":
            responses[204] = {"description": "Gone."}
        else:
            responses[200] = _json(shape, f"The {spoken}.")
        if method == "PUT":
            responses[201] = _json(shape, "Made.")
        router.add_api_route(
            path,
            _of_tenant(function) if kind == "tenant" else function,
            methods=[method],
            operation_id=f"{verb.lower()}_{kind}",
            summary=f"{verb} the {spoken}",
            status_code=204 if method == "DELETE" else 200,
            responses=responses,
            openapi_extra=_extra(kind, method),
        )


def _of_tenant(function: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
    async def own(request: Request, caller: Authenticated) -> Response:
        return await function(request, caller, caller.tenant)

    own.__annotations__["caller"] = function.__annotations__["caller"]
    own.__doc__ = function.__doc__
    return own


async def _current(request: Request, caller: Caller) -> Directory:
    directories: Directories = request.app.state.directories
    return await directories.of(caller.tenant)


def _found(directory: Directory, kind: str, key: str) -> Entry:
    entry_ = directory.tenant if kind == "tenant" else getattr(directory, PLURALS[kind]).get(key)
    if entry_ is None:
        raise _missing(kind, key)
    return entry_


def _seen(caller: Caller, directory: Directory, kind: str, key: str) -> dict[str, Any]:
    """The entry as the caller sees it. Where numbers are masked, keys are compared so, too: of several that look alike
    it is the first in the order in which they are listed."""
    if not caller.masked or kind == "tenant":
        return _shown(caller, _found(directory, kind, key))
    like = [one for name, one in getattr(directory, PLURALS[kind]).items() if masked_text(name) == masked_text(key)]
    if not like:
        raise _missing(kind, key)
    return _all(caller, like)[0]


def _missing(kind: str, key: str) -> RequestProblem:
    return not_found(
        f"There is no {kind.replace('_', ' ')} {shown(key)}; GET /v1/directory/{PLURALS[kind]} lists them."
    )


def _etag(body: Mapping[str, Any]) -> str:
    return f'"{hashlib.sha256(orjson.dumps(body)).hexdigest()[:20]}"'


def _answer(request: Request, body: Mapping[str, Any], status: int = 200) -> Response:
    """The body as it is shown, and the ETag of that."""
    headers = {"ETag": _etag(body), "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    if request.method in ("GET", "HEAD") and headers["ETag"] in _tags(request, "if-none-match"):
        return Response(status_code=304, headers=headers)
    return Response(orjson.dumps(body), status_code=status, media_type="application/json", headers=headers)


def _tags(request: Request, header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in request.headers.get(header, "").split(",")]


async def _body(request: Request) -> dict[str, Any]:
    """The mapping that a request carries."""
    held = bytearray()
    async for part in request.stream():
        held += part
        if len(held) > _LARGEST:
            raise RequestProblem(413, "too_large", "The body is larger than 1 MB; an entry is far smaller.")
    try:
        body = orjson.loads(held)
    except ValueError as error:
        raise RequestProblem(400, "invalid", f"The body is no JSON: {error}; send an object of fields.") from None
    if not isinstance(body, dict):
        raise RequestProblem(400, "invalid", f"The body {shown(body)} is no object; send an object of fields.")
    return body


def _guarded(request: Request, caller: Caller, entries: dict[Key, Entry], kind: str, key: str) -> Entry | None:
    """The entry before a change, if its preconditions hold (RFC 9110, 13.1)."""
    directory = build(caller.tenant, entries)
    before: Entry | None = directory.entries().get((kind, key))
    if kind == "tenant" and ("tenant", key) not in entries:
        before = directory.tenant
    tag = None if before is None else _etag(plain(before, whole=True))
    wanted, unwanted = (_tags(request, name) for name in ("if-match", "if-none-match"))
    fits = wanted == [""] or (tag is not None and (tag in wanted or wanted == ["*"]))
    if not fits or (tag is not None and (unwanted == ["*"] or tag in unwanted)):
        is_now = "is not there" if tag is None else f"is {tag} now"
        raise RequestProblem(
            412, "precondition_failed", f"The {kind.replace('_', ' ')} {shown(key)} {is_now}; look at it and try again."
        )
    return before


def _made(kind: str, key: str, body: Mapping[str, Any]) -> Entry:
    class_ = KINDS[kind]
    key_field = next(iter(FIELDS[class_]))
    named = body.get(key_field)
    if named is not None and str(named) != key:
        raise RequestProblem(
            400, "invalid", f"{key_field} {shown(named)} is not {shown(key)} of the path; leave it out", field=key_field
        )
    try:
        made = entry(class_, {**body, key_field: key})
    except InvalidEntry as bad:
        raise RequestProblem(400, "invalid", str(bad), field=bad.faults[0][0]) from None
    if key_of(made) != key:  # spaces around it
        raise RequestProblem(400, "invalid", f"{key_field} {shown(key)} has spaces around it; take them off")
    return made


def _merged(before: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """JSON Merge Patch (RFC 7396)."""
    merged = dict(before)
    for name, value in change.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            held = merged.get(name)
            merged[name] = _merged(held if isinstance(held, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def _held(tenant: str, before: dict[Key, Entry], after: dict[Key, Entry]) -> None:
    """409 when a change leaves an entry that names one which is not there."""
    known = dangling(build(tenant, before))
    faults = [fault for fault in dangling(build(tenant, after)) if fault not in known]
    if faults:
        raise RequestProblem(409, "conflict", "; ".join(faults[:3]))


async def _changed(
    request: Request,
    caller: Caller,
    decide: Callable[[dict[Key, Entry]], tuple[dict[Key, Entry | None], tuple[int, Any]]],
) -> Response:
    editor: Editor = request.app.state.editor
    try:
        status, made = await editor.edit(caller.tenant, f"token {caller.name}", decide)
    except DomainTaken:  # whose it is, is nobody else's business
        raise RequestProblem(
            409, "conflict", "domain is taken; a domain belongs to one tenant. Leave it out.", field="domain"
        ) from None
    request.app.state.directories.forget(caller.tenant)
    if made is None:
        return Response(status_code=status)
    entry_ = _found(await _current(request, caller), kind_of(made), key_of(made))
    return _answer(request, plain(entry_, whole=True), status)


for _kind_name in KINDS:
    _routes(_kind_name)
