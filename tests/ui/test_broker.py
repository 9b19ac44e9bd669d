"""The live page over the whole way: events, Kafka, worker, ClickHouse; and after the broker was restarted."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from pipeline.warehouse.identity.tokens import create_token
from tests.browser import Browser, Look
from tests.servers import ClickHouseServer, KafkaServer
from tests.ui.conftest import service
from tests.worker.deployment import Deployment
from tests.worker.phone_calls import JsonEvent, event


@pytest.fixture
def deployment(kafka: KafkaServer, clickhouse_endpoint: ClickHouseServer, tmp_path: Path) -> Iterator[Deployment]:
    made = Deployment(kafka, clickhouse_endpoint, tmp_path, partitions=1)
    yield made
    made.close()


def begun(call_id: str) -> list[JsonEvent]:
    """A call that begins now and rings."""
    now = int(time.time() * 1000)
    who = {"leg_id": "a", "caller": {"number": "101"}, "callee": {"number": "102"}}
    return [event(call_id, "started", now - 2000, 0, **who), event(call_id, "rang", now - 1000, 1, leg_id="a")]


async def test_the_live_page_goes_on_after_the_broker_was_restarted(
    deployment: Deployment, kafka: KafkaServer, chromium: Browser, tmp_path: Path
) -> None:
    token = create_token(deployment.client, "acme", "Ada", scopes=("admin",))
    folder = tmp_path / "service"
    folder.mkdir()
    with service(folder, deployment.env | {"CDR_FILES": str(tmp_path / "files"), "CDR_API_RATE": "0"}) as url:
        await asyncio.to_thread(deployment.worker)
        await asyncio.to_thread(deployment.produce, begun("before"))
        async with httpx.AsyncClient() as client:
            link = (await client.post(f"{url}/ui/links", headers={"Authorization": f"Bearer {token}"})).json()["path"]
        await chromium.look(url + link, Look(1280, "light"), ask="1")
        async with chromium.visit(f"{url}/ui/now", Look(1280, "light")) as tab:
            rows = "document.querySelectorAll('tr.whole').length"
            said = "document.getElementById('liveness').textContent"
            await tab.until(f"{rows} === 1 && {said} === 'Live'")
            await asyncio.to_thread(kafka.restart)
            await asyncio.to_thread(deployment.produce, begun("after"))
            await tab.until(f"{rows} === 2 && {said} === 'Live'")
            assert [each for each in tab.complaints() if "favicon" not in each] == []
