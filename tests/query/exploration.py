"""Requests made up from the OpenAPI document of the whole service, and what must hold of every answer."""

from __future__ import annotations

import warnings
from typing import Any, Final

import httpx
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable

from pipeline.query.app import create_app
from pipeline.settings import Settings
from tests.query.conftest import Running

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import schemathesis
    from schemathesis import GenerationMode

# Answers that go on as long as the client likes.
_ENDLESS: Final = ("/stream",)
_SETTINGS: Final = Settings(clickhouse="http://127.0.0.1:1", database="cdr", kafka="127.0.0.1:1", _env_file=None)


def _document() -> dict[str, Any]:
    app = create_app(_SETTINGS)
    document: dict[str, Any] = app.openapi()
    app.state.gate.close()
    app.state.reader.close()
    return document


def _operations() -> dict[str, Any]:
    """Every operation of the document, by method and path."""
    results: list[Any] = list(schemathesis.openapi.from_dict(_document()).get_all_operations())
    found = [result.ok() for result in results]
    return {one.label: one for one in found if not any(part in one.path for part in _ENDLESS)}


OPERATIONS: Final = _operations()


def explore(operation: Any, service: Running, token: str, examples: int) -> None:
    """Send so many requests that the document allows, and as many that it does not. Each is answered, never
    with a fault of the service."""
    with httpx.Client(
        base_url=f"http://127.0.0.1:{service.port}",
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    ) as client:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):

            @settings(
                max_examples=examples,
                deadline=None,
                derandomize=True,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: Any) -> None:
                _send(client, case)

            try:
                ask()
            except Unsatisfiable:  # an operation that nothing can be asked of wrongly
                assert mode is GenerationMode.NEGATIVE, operation.label


def _send(client: httpx.Client, case: Any) -> None:
    request = case.as_transport_kwargs(base_url=str(client.base_url).rstrip("/"))
    content = request.get("data") if isinstance(request.get("data"), str | bytes) else None
    headers = {name: str(value) for name, value in (request.get("headers") or {}).items()}
    headers = {name: value for name, value in headers.items() if value.isprintable() and value.isascii()}
    headers.pop("Authorization", None)
    url = request["url"]
    try:
        answer = client.request(
            request["method"],
            url,
            params=request.get("params") or None,
            json=request.get("json") if content is None else None,
            content=content,
            data=request.get("data") if isinstance(request.get("data"), dict) else None,
            headers=headers,
        )
    except (httpx.InvalidURL, httpx.LocalProtocolError, UnicodeEncodeError, TypeError, ValueError):
        return  # no HTTP client can send it
    told = f"{request['method']} {url} {request.get('params')!r} {request.get('json')!r}: {answer.text[:500]}"
    assert answer.status_code < 500 or (answer.status_code == 503 and "/ingest" in url), told
    assert answer.status_code == 204 or answer.headers.get("content-type"), told
