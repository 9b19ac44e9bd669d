from __future__ import annotations

import hashlib
import re
import tomllib
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from pipeline.query.app import create_app
from pipeline.query.http.documents import STATIC
from pipeline.settings import Settings

VENDOR = STATIC / "vendor"


@pytest.fixture(scope="module")
def app() -> FastAPI:
    return create_app(Settings(clickhouse="http://127.0.0.1:1", database="cdr"))


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def test_vendored_files_are_what_their_list_says() -> None:
    (package,) = tomllib.loads((VENDOR / "VENDOR.toml").read_text())["package"]
    sums = package["sha256"]
    assert {path.name for path in VENDOR.iterdir()} == {*sums, "VENDOR.toml"}
    for name, expected in sums.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == expected
    assert {"name", "version", "licence", "source"} <= set(package)
    assert set(package["licence_files"]) <= set(sums)


async def test_the_page_needs_no_other_host(app: FastAPI) -> None:
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        page = await client.get("/docs")
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert not re.search(r"(?:src|href)=.?(?:https?:)?//", page.text)
        assert "<script>" not in page.text
        for path in re.findall(r'(?:src|href)="([^"]+)"', page.text):
            if not path.startswith("data:"):
                assert (await client.get("/" + path)).status_code == 200
        assert (await client.get("/docs/../app.py")).status_code == 404
        assert (await client.get("/docs/vendor/VENDOR.toml")).status_code == 404


def test_it_is_openapi_3_1_with_names_and_examples(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    ids = [operation["operationId"] for operation in operations]
    assert len(ids) == len(set(ids)) >= 10
    for operation in operations:
        assert operation["summary"]
        assert re.fullmatch(r"[a-z_]+", operation["operationId"])
        for parameter in operation.get("parameters", []):
            assert parameter["description"]
            assert parameter["in"] == "path" or "example" in parameter


def test_every_field_of_portsips_shapes_has_an_example(document: dict[str, Any]) -> None:
    for name in ("Cdr", "CallLog", "PricedTarget", "CallLogDetail", "PortsipError"):
        for field in document["components"]["schemas"][name]["properties"].values():
            assert field["description"] if name != "PortsipError" else True
            assert "examples" in field


# What gives credentials out asks for none, nor does a link that is one.
OPEN = {
    "/api/blobs/{token}",
    *("/api/login/oauth/token", "/api/login/oauth/revoke", "/rest/auth/"),
    *("/openapi/v1.0/get_token", "/openapi/v1.0/refresh_token"),
}


def test_what_shows_calls_asks_for_a_token(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for operation in operations.values():
            secured = path.startswith(("/api/", "/v1/", "/openapi/", "/rest/", "/ingest/")) and path not in OPEN
            assert ("security" in operation) == secured, path


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    text = repr(document)
    for name in re.findall(r"#/components/schemas/(\w+)", text):
        assert name in document["components"]["schemas"]
    assert "#/$defs" not in text
