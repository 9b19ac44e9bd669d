"""Values that mean something to SQL, spreadsheets, headers, paths or parsers do nothing: some hundred of them;
tests/long sends thousands. Bodies made to break parsers; limits, and how each surface says them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from pipeline.query.app import create_app
from pipeline.warehouse.identity.access import ADMIN
from pipeline.warehouse.identity.tokens import create_token
from tests.query.attack.corpus import CORPUS, bodies, sizes
from tests.query.attack.crossing import tables_of
from tests.query.attack.hostile import attacks, run
from tests.query.attack.neighbours import Neighbours, client_of, neighbours
from tests.query.attack.tenants import OWN
from tests.servers import ClickHouseServer

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

_SOME = 200


@pytest.fixture
async def both(clickhouse_endpoint: ClickHouseServer, tmp_path: Path) -> AsyncIterator[Neighbours]:
    async with neighbours(clickhouse_endpoint, tmp_path) as found:
        yield found


async def test_values_do_nothing(both: Neighbours) -> None:
    calls = tables_of(both.warehouse), tables_of(both.warehouse, OWN)["call_rows"]
    every = attacks(both.places, CORPUS)
    assert await run(both.client, every[:: len(every) // _SOME], both.keys) == []
    await _bodies_break_nothing(both)
    await _large_bodies_are_refused(both)
    assert (tables_of(both.warehouse), tables_of(both.warehouse, OWN)["call_rows"]) == calls
    await _who_asks_too_often_is_told_so(both)


async def _bodies_break_nothing(both: Neighbours) -> None:
    bases = {place.operation: place.base for place in both.places if place.base.body is not None}
    assert len(bases) > 20
    for name, body in bodies():
        for operation, base in bases.items():
            answer = await both.client.request(base.method, base.url, content=body, headers=_JSON)
            assert answer.status_code < 500, f"{operation}, {name}: {answer.text[:300]}"
            assert answer.headers["content-type"].startswith("application/"), (operation, name)


async def _large_bodies_are_refused(both: Neighbours) -> None:
    """413, or the vendor's own way of saying it."""
    bases = {place.operation: place.base for place in both.places if place.base.body is not None}
    for _, body in sizes():
        for operation, base in bases.items():
            answer = await both.client.request(base.method, base.url, content=body, headers=_JSON)
            said = answer.text
            assert answer.status_code == 413 or (_own_form(base.path) and answer.status_code == 200), (operation, said)
            assert "larger than" in said, (operation, said)


async def _who_asks_too_often_is_told_so(both: Neighbours) -> None:
    """429 and Retry-After in each surface's form."""
    settings = both.app.state.settings.model_copy(update={"api_rate": 1})
    app = create_app(settings)
    try:
        for path, said in _BUSY.items():
            token = create_token(both.warehouse, OWN, f"busy {path}", scopes=(ADMIN,))
            async with client_of(app, token) as client:
                method = "POST" if path.startswith(("/rest", "/api/cdrs/cdrs")) else "GET"
                answers = [await client.request(method, path, json={} if method == "POST" else None) for _ in range(2)]
                assert answers[1].headers["retry-after"].isdigit(), path
                assert _holds(answers[1], said), (path, answers[1].status_code, answers[1].text)
    finally:
        app.state.gate.close()
        app.state.reader.close()
        app.state.editor.close()


_JSON = {"Content-Type": "application/json"}
_BUSY = {
    "/v1/calls": (429, '"code":"too_many_requests"'),
    "/api/cdrs": (429, '"errors":[{"code":"TOO_MANY_REQUESTS"'),
    "/api/cdrs/cdrs-aggregate": (429, '"error":'),
    "/rest/call/incalls": (429, '"result":"retry"'),
    "/openapi/v1.0/cdr/list": (200, '"errcode":'),
}


def _own_form(path: str) -> bool:
    """Surfaces whose vendor answers everything with 200 and a code in the body."""
    return path.startswith(("/openapi/", "/rest/"))


def _holds(answer: httpx.Response, said: tuple[int, str]) -> bool:
    return said[1] in answer.text.replace(": ", ":") and answer.status_code in (said[0], 200)
