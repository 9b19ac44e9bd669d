"""The change feed under late updates, retired rows, rows written twice and answers that were lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random
from typing import Any

import httpx
import msgspec
import pytest

from pipeline.query.portsip import models
from pipeline.query.portsip import sync as portsip_sync
from pipeline.warehouse.identity import sync_tokens
from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.query.pages import changes
from pipeline.warehouse.storage.rows import call_key, call_row, retired_call
from pipeline.warehouse.storage.writer import write_calls
from schemas.call import Call
from schemas.version import first_of
from tests.query.conftest import Warehouse
from tests.query.stored_calls import MINUTE, NOON, stored_call, write

pytestmark = pytest.mark.embedded

Told = list[tuple[str, str]]


class Follower:
    """A client of the change feed that keeps what it was told."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self.client = client
        self.headers = {"Authorization": f"Bearer {token}"}
        self.token = ""
        self.has: dict[str, Any] = {}

    async def begin(self, query: str = "") -> None:
        answer = await self.client.post(f"/api/user/cdrs/sync_tokens{query}", headers=self.headers)
        assert answer.status_code == 201, answer.text
        self.token = answer.json()["token"]

    async def diff(self) -> Told:
        """What changed, as (id, kind), in one diff."""
        answer = await self.client.post(f"/api/user/cdrs/sync_tokens/{self.token}/diff", headers=self.headers)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        models.Diff.model_validate(body)
        self.token = body["token"]
        for item in body["items"]:
            assert (item["change_type"] == "CREATED") == (item["id"] not in self.has), item
            if item["change_type"] == "DELETED":
                assert item["items"] == []
                del self.has[item["id"]]
            else:
                self.has[item["id"]] = item["items"]
        return [(item["id"], item["change_type"]) for item in body["items"]]

    async def everything(self) -> Told:
        told: Told = []
        while more := await self.diff():
            told += more
        return told


@pytest.fixture
async def follower(anonymous: httpx.AsyncClient, warehouse: Warehouse) -> Follower:
    """A follower of a tenant of the test's own, by the extension that makes its calls."""
    tenant = f"sync-{time.monotonic_ns()}"
    made = Follower(anonymous, create_token(warehouse.client, tenant, "t", extension="101"))
    made.tenant = tenant  # type: ignore[attr-defined]
    return made


@pytest.fixture(params=[500, 1])
def page_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(portsip_sync, "_MOST", request.param)
    yield request.param


def folded(number: int) -> int:
    """The version of a call of so many events."""
    return first_of(number)


def version(call: Call, number: int, **values: Any) -> Call:
    logs = [msgspec.structs.replace(log, version=folded(number)) for log in call.logs]
    return msgspec.structs.replace(call, version=folded(number), logs=logs, **values)


async def test_a_life_of_calls(follower: Follower, warehouse: Warehouse, page_size: int) -> None:
    tenant: str = follower.tenant  # type: ignore[attr-defined]
    first, second, third = (stored_call(tenant, name, NOON + n * MINUTE) for n, name in enumerate("abc"))
    ids = [str(call.id) for call in (first, second, third)]
    write(warehouse.client, [first, second])
    await follower.begin()
    assert sorted(await follower.everything()) == sorted((id_, "CREATED") for id_ in ids[:2])
    assert await follower.everything() == []

    write(warehouse.client, [version(first, 5, end_reason="replaced"), third])  # late knowledge, and a new call
    assert sorted(await follower.everything()) == sorted([(ids[0], "UPDATED"), (ids[2], "CREATED")])

    write(warehouse.client, [third, version(first, 5, end_reason="replaced")])  # written again after a crash
    assert await follower.everything() == []

    moved = stored_call(tenant, "a", NOON - 5_000)  # an earlier start: another id
    moved = version(moved, 6)
    write_calls(warehouse.client, [retired_call(tenant, call_key(first), "a", folded(6))])
    write(warehouse.client, [moved])
    assert sorted(await follower.everything()) == sorted([(ids[0], "DELETED"), (str(moved.id), "CREATED")])
    listed = await follower.client.get("/api/cdrs", headers=follower.headers)
    assert {item["id"] for item in listed.json()["items"]} == set(follower.has)


async def test_what_came_and_went_between_two_diffs_is_not_told(follower: Follower, warehouse: Warehouse) -> None:
    tenant: str = follower.tenant  # type: ignore[attr-defined]
    call = stored_call(tenant, "short", NOON)
    await follower.begin()
    write(warehouse.client, [call])
    write_calls(warehouse.client, [retired_call(tenant, call_key(call), "short", folded(5))])
    assert await follower.everything() == []


async def test_calls_in_progress_are_told_when_they_end(follower: Follower, warehouse: Warehouse) -> None:
    tenant: str = follower.tenant  # type: ignore[attr-defined]
    call = stored_call(tenant, "goes on", NOON)
    await follower.begin()
    write(warehouse.client, [version(call, 3, state="open", ended_at=None)])
    assert await follower.everything() == []
    write(warehouse.client, [version(call, 4)])
    assert await follower.everything() == [(str(call.id), "CREATED")]
    assert follower.has[str(call.id)][0]["callee"] == "201"


async def test_an_answer_that_was_lost_can_be_asked_again(follower: Follower, warehouse: Warehouse) -> None:
    tenant: str = follower.tenant  # type: ignore[attr-defined]
    await follower.begin()
    before = follower.token
    write(warehouse.client, [stored_call(tenant, "lost", NOON)])
    told = await follower.diff()
    follower.token, follower.has = before, {}
    assert await follower.diff() == told != []


async def test_only_from_a_day_on(follower: Follower, warehouse: Warehouse) -> None:
    tenant: str = follower.tenant  # type: ignore[attr-defined]
    early, late = stored_call(tenant, "early", NOON - 1), stored_call(tenant, "late", NOON)
    write(warehouse.client, [early, late])
    await follower.begin("?date_from=2024-08-20T12:00:00Z")
    assert await follower.everything() == [(str(late.id), "CREATED")]
    for wrong in ("?date_from=yesterday", "?since=2024-08-20", "?date_from=2024-08-20&date_from=2024-08-20"):
        answer = await follower.client.post(f"/api/user/cdrs/sync_tokens{wrong}", headers=follower.headers)
        assert answer.status_code == 400


async def test_many_changes_of_one_insert_come_in_pages(
    follower: Follower, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant: str = follower.tenant  # type: ignore[attr-defined]
    monkeypatch.setattr(portsip_sync, "_MOST", 7)
    calls = [stored_call(tenant, f"many {n}", NOON + n) for n in range(30)]
    write(warehouse.client, calls)
    write(warehouse.client, [version(call, 5) for call in calls[:15]])  # between begin and end of the first round
    await follower.begin()
    told = await follower.everything()
    assert sorted(told) == sorted((str(call.id), "CREATED") for call in calls)


async def test_a_quiet_feed_keeps_its_token(
    follower: Follower, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "_OVERLAP_MS", -1)  # nothing is still on its way
    tenant: str = follower.tenant  # type: ignore[attr-defined]
    write(warehouse.client, [stored_call(tenant, "x", NOON)])
    await follower.begin()
    await follower.everything()
    token = follower.token
    assert await follower.diff() == []
    assert follower.token == token


async def test_a_user_follows_own_calls(follower: Follower, anonymous: httpx.AsyncClient, warehouse: Warehouse) -> None:
    tenant: str = follower.tenant  # type: ignore[attr-defined]
    mine = stored_call(tenant, "mine", NOON, logs=[{"number": "300"}])
    others = stored_call(tenant, "others", NOON + MINUTE)
    write(warehouse.client, [mine, others])
    token = create_token(warehouse.client, tenant, "300", role="user", extension="300")
    user = Follower(anonymous, token)
    await user.begin()
    assert await user.everything() == [(str(mine.id), "CREATED")]
    write(warehouse.client, [version(mine, 5), version(others, 5)])
    assert await user.everything() == [(str(mine.id), "UPDATED")]
    write_calls(
        warehouse.client, [retired_call(tenant, call_key(call), call.call_id, folded(6)) for call in (mine, others)]
    )
    assert await user.everything() == [(str(mine.id), "DELETED")]
    await follower.begin()
    user.token = follower.token  # somebody else's place
    answer = await anonymous.post(f"/api/user/cdrs/sync_tokens/{user.token}/diff", headers=user.headers)
    assert answer.status_code == 403


async def test_whoever_has_no_extension_follows_none(anonymous: httpx.AsyncClient, warehouse: Warehouse) -> None:
    headers = {"Authorization": f"Bearer {create_token(warehouse.client, 'acme', 'no extension')}"}
    answer = await anonymous.post("/api/user/cdrs/sync_tokens", headers=headers)
    assert answer.status_code == 403
    assert "--extension" in answer.json()["errors"][0]["detail"]


@pytest.mark.parametrize("token", ["cdrd_" + "A" * 43, "x", "'", "%00", "%FF", "x" * 5_000])
async def test_unknown_tokens(client: httpx.AsyncClient, token: str) -> None:
    answer = await client.post(f"/api/user/cdrs/sync_tokens/{token}/diff")
    assert answer.status_code == 403
    models.PortsipErrors.model_validate(answer.json())


async def test_tokens_of_other_tenants_and_old_ones(
    follower: Follower, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await follower.begin()
    path = f"/api/user/cdrs/sync_tokens/{follower.token}/diff"
    assert (await client.post(path)).status_code == 403
    monkeypatch.setattr(sync_tokens, "LIFE_S", -1)
    assert (await client.post(path, headers=follower.headers)).status_code == 403


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))])
async def test_followers_end_with_what_the_lists_show(
    anonymous: httpx.AsyncClient, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Calls come, are corrected, move to other ids, are written again; two clients ask now and then."""
    random = Random(seed)
    tenant = f"random-{seed}-{time.monotonic_ns()}"
    all_calls = Follower(anonymous, create_token(warehouse.client, tenant, "t", extension="101"))
    own_calls = Follower(anonymous, create_token(warehouse.client, tenant, "u", role="user", extension="300"))
    followers = (all_calls, own_calls)
    for follower in followers:
        await follower.begin()
    live: dict[str, Call] = {}
    written: list[Call] = []
    for step in range(60):
        name = random.choice([*live, f"call {step}"])
        target = {"number": random.choice(["300", "301"])}
        before = live.get(name)
        number = step + 10
        if before is not None and random.random() < 0.4:  # it began at another time, or was part of another call
            write_calls(warehouse.client, [retired_call(tenant, call_key(before), name, folded(number))])
            del live[name]
        if name not in live and (before is None or random.random() < 0.6):
            live[name] = version(stored_call(tenant, name, NOON + random.randrange(10**6), logs=[target]), number)
        elif name in live:
            moved = stored_call(tenant, name, live[name].started_at, logs=[target])
            live[name] = version(moved, number)
        if name in live:
            write(warehouse.client, [live[name]])
            written.append(live[name])
        if random.random() < 0.2:  # again, after a crash: the same row, or one that was overtaken
            write_calls(warehouse.client, [call_row(random.choice(written))])
        monkeypatch.setattr(portsip_sync, "_MOST", random.choice([1, 3, 500]))
        if random.random() < 0.3:
            await random.choice(followers).diff()
    for follower in followers:
        await follower.everything()
        listed = await anonymous.get("/api/cdrs", headers=follower.headers)
        assert set(follower.has) == {item["id"] for item in listed.json()["items"]}
        for id_, items in follower.has.items():
            detail = await anonymous.get(f"/api/cdrs/{id_}", headers=follower.headers)
            assert detail.json()["items"] == items
