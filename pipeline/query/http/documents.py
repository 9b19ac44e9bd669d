"""The OpenAPI document and the page that shows it, both without any other host."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any, Final

import orjson
from fastapi import APIRouter, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from starlette.responses import Response

STATIC: Final = Path(str(resources.files("pipeline.query"))) / "static"

# Nothing but what this service serves; swagger-ui sets style attributes and shows data: images.
_PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_FILES: Final = {
    "docs.css": "text/css",
    "docs.js": "text/javascript",
    "vendor/swagger-ui.css": "text/css",
    "vendor/swagger-ui-bundle.js": "text/javascript",
    "vendor/LICENSE": "text/plain",
    "vendor/NOTICE": "text/plain",
}

router = APIRouter(include_in_schema=False)


def parameter(name: str, schema: dict[str, Any], description: str, example: Any) -> dict[str, Any]:
    """A query parameter of an OpenAPI operation."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": schema,
        "description": description,
        "example": example,
    }


def json_body_of(model: type[BaseModel], example: dict[str, Any] | None = None) -> dict[str, Any]:
    """A JSON request body of an OpenAPI operation, for `openapi_extra`: bodies are read by hand."""
    schema = model.model_json_schema()
    parts = schema.pop("$defs", {})

    def whole(value: Any) -> Any:
        if isinstance(value, list):
            return [whole(each) for each in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return whole(parts[value["$ref"].rpartition("/")[2]])
        return {name: whole(each) for name, each in value.items()}

    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": whole(schema)} | ({"example": example} if example else {})},
        }
    }


def openapi_of(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the service."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        license_info=None,
    )
    for path in document["paths"].values():
        for operation in path.values():
            # parameters are read by hand: what FastAPI would answer does not occur
            operation.get("responses", {}).pop("422", None)
    for name in ("HTTPValidationError", "ValidationError"):
        document.get("components", {}).get("schemas", {}).pop(name, None)
    return document


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return Response(orjson.dumps(request.app.openapi()), media_type="application/json")


@router.get("/docs")
async def docs() -> Response:
    """The OpenAPI document as a page where requests can be tried."""
    return Response(
        (STATIC / "docs.html").read_bytes(),
        media_type="text/html",
        headers={"Content-Security-Policy": _PAGE_POLICY, "Referrer-Policy": "no-referrer"},
    )


@router.get("/docs/{name:path}")
async def docs_file(name: str) -> Response:
    """A file of that page."""
    if name not in _FILES:
        return Response(status_code=404)
    return Response(
        (STATIC / name).read_bytes(), media_type=_FILES[name], headers={"Cache-Control": "public, max-age=86400"}
    )
