"""The service over the company's calls, once a file, and a browser in front of it."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline.settings import Settings
from pipeline.warehouse.identity.tokens import create_token
from schemas.call import Call
from tests.browser import Browser, browser, installed
from tests.conftest import missing
from tests.forks import Forked
from tests.query.conftest import until
from tests.servers import ClickHouseServer
from tests.ui import company


@dataclass(frozen=True, slots=True)
class Site:
    """The running service: its address, tokens by what they may do, and the calls that it shows."""

    url: str
    tokens: dict[str, str]
    calls: list[Call]
    client: Any
    settings: Settings  # of a worker beside the service
    environment: dict[str, str]  # of another service beside it

    def link(self, who: str = "admin") -> str:
        """A one-time link that signs this caller in."""
        answer = httpx.post(f"{self.url}/ui/links", headers=self.bearer(who))
        assert answer.status_code == 201, answer.text
        return f"{self.url}{answer.json()['path']}"

    def bearer(self, who: str = "admin") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[who]}"}

    @contextmanager
    def signed_in(self, who: str = "admin") -> Iterator[httpx.Client]:
        """A client with a session of this caller."""
        with httpx.Client(base_url=self.url, follow_redirects=True, timeout=30) as client:
            answer = client.get(self.link(who))
            assert answer.status_code == 200, answer.text
            yield client


@contextmanager
def service(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """The query service with these settings, in a process of its own: its address."""
    log = folder / "log"
    with log.open("wb") as out:
        process = Forked(["api", "--port", "0"], stderr=out, env=os.environ | environment)
    try:
        until(lambda: b"running on http" in log.read_bytes() or process.poll() is not None)
        found = re.search(rb"running on (http://127\.0\.0\.1:\d+)", log.read_bytes())
        assert found, log.read_text()
        yield found[1].decode()
    finally:
        process.kill()
        process.wait()


@contextmanager
def serving(server: ClickHouseServer, folder: Path, **environment: str) -> Iterator[Site]:
    """The service over the company's calls. `environment`: further settings of the service and the workers."""
    server.start()
    name = server.migrated_database()
    client = server.client(name)
    calls = company.fill(client)
    tokens = {
        "admin": create_token(client, company.TENANT, "Ada", scopes=("admin",)),
        "operator": create_token(client, company.TENANT, "Olga", scopes=("admin", "operate")),
        "reader": create_token(client, company.TENANT, "Rita", scopes=("cdr:read",)),
        "masked": create_token(client, company.TENANT, "Max", scopes=("cdr:read", "numbers:masked")),
        "user": create_token(client, company.TENANT, "Uwe", role="user", extension="101"),
        "other": create_token(client, company.OTHER, "Otto", scopes=("admin",)),
    }
    set_ = {
        "CDR_CLICKHOUSE": server.url,
        "CDR_DATABASE": name,
        "CDR_FILES": str(folder / "files"),
        "CDR_API_RATE": "0",
    } | environment
    try:
        with service(folder, set_) as url:
            settings = Settings.model_validate({key.removeprefix("CDR_").lower(): value for key, value in set_.items()})
            yield Site(url, tokens, calls, client, settings, set_)
    finally:
        client.close()
        server.give_back(name)


@pytest.fixture(scope="module")
def site(clickhouse_server: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with serving(clickhouse_server, tmp_path_factory.mktemp("service")) as found:
        yield found


@pytest.fixture
async def chromium(tmp_path: Path) -> AsyncIterator[Browser]:
    if not installed():
        missing("chromium")
    async with browser(tmp_path / "profile") as found:
        yield found
