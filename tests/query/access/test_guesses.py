"""Whoever is shown masked numbers cannot find out their digits by asking: of two worlds that differ in hidden digits
alone, all surfaces tell the same."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from pipeline.query.app import create_app
from pipeline.settings import Settings
from pipeline.warehouse.identity.access import ADMIN, CLEAR, MASKED, SCOPES
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.reference.directories import save
from tests.query.access.test_what_a_caller_sees import shut
from tests.query.attack import guesses, walk
from tests.query.attack.crossing import without_time
from tests.query.attack.neighbours import client_of
from tests.query.attack.tenants import fill
from tests.servers import ClickHouseServer

pytestmark = pytest.mark.embedded

_HALF: Final = tuple(scope for scope in SCOPES if scope not in (ADMIN, CLEAR, MASKED))


@asynccontextmanager
async def world(server: ClickHouseServer, folder: Path, digits: tuple[str, ...]) -> AsyncIterator[tuple[Any, Settings]]:
    """A warehouse with calls and a directory whose hidden digits are these, and the settings that find it."""
    server.start()
    database = server.migrated_database()
    warehouse = server.client(database)
    # directories bear the version of what came last: the same in both worlds
    columns = ["tenant", "kind", "key", "body", "deleted", "changed_at", "changed_by", "version"]
    late = ["acme", "did", "gone", "{}", 1, 4 * 10**12, "tests", 4 * 10**15]
    warehouse.insert("directory_rows", [late], column_names=columns)
    save(warehouse, "acme", guesses.directory_of("acme", digits), "tests")
    fill(warehouse, guesses.calls_of("acme", digits))
    settings = Settings(
        clickhouse=server.url, database=database, files=str(folder), kafka="127.0.0.1:9",
        api_rate=0, api_concurrent=1_000, _env_file=None,
    )  # fmt: skip
    try:
        yield warehouse, settings
    finally:
        warehouse.close()
        server.give_back(database)


async def told(
    warehouse: Any, settings: Settings, scopes: tuple[str, ...], which: slice = slice(None)
) -> dict[str, str]:
    """What was asked → the answer, with its ETag and without what differs from one time to the next."""
    app = create_app(settings)
    name = "clear" if CLEAR in scopes else "masked"
    token = create_token(warehouse, "acme", f"guesses {name}", scopes=scopes, extension="101")
    try:
        async with client_of(app, token) as client:
            found = await walk.walk(client, list(guesses.questions(token))[which])
    finally:
        await shut(app)
    return {asked.replace(token, "…"): _shown(answer) for asked, answer in found.items()}


def _shown(answer: httpx.Response) -> str:
    return f"{answer.headers.get('etag')}\n{without_time(answer)}"


async def differing(server: ClickHouseServer, folder: Path, which: slice, *, by_setting: bool) -> dict[str, list[str]]:
    """What was asked → the answers, where they differ for somebody who is shown masked numbers."""
    async with (
        world(server, folder / "here", guesses.HERE) as (here, here_settings),
        world(server, folder / "there", guesses.THERE) as (there, there_settings),
    ):
        scopes = _HALF if by_setting else (*_HALF, MASKED)
        change = {"mask_numbers": by_setting}
        one, other = await asyncio.gather(
            told(here, here_settings.model_copy(update=change), scopes, which),
            told(there, there_settings.model_copy(update=change), scopes, which),
        )
        assert one.keys() == other.keys()
        assert not [asked for asked, answer in one.items() if answer.partition("\n")[2].startswith("5")]
        # a few of the same questions of somebody who may see them: they do tell
        few, clear = slice(None, None, 20), (*_HALF, CLEAR)
        seen, unlike = await told(here, here_settings, clear, few), await told(there, there_settings, clear, few)
        assert sum(answer != unlike[asked] for asked, answer in seen.items()) > len(seen) // 6
    return {asked: [answer, other[asked]] for asked, answer in one.items() if answer != other[asked]}


@pytest.mark.parametrize("by_setting", [False, True])
async def test_hidden_digits_make_no_difference(
    clickhouse_endpoint: ClickHouseServer, tmp_path: Path, by_setting: bool
) -> None:
    """A part of the questions; `tests/long/query` asks all."""
    which = slice(int(by_setting), None, 10)
    assert await differing(clickhouse_endpoint, tmp_path, which, by_setting=by_setting) == {}
