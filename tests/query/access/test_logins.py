"""Logins, issued tokens, roles and scopes."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from pipeline.directory.model import Tenant, key_of
from pipeline.query.access.authenticator import Authenticator
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import Authenticated, requires
from pipeline.query.access.login_throttle import OF_A_USER, OF_AN_ADDRESS, OF_BOTH, WINDOW_S, LoginThrottle
from pipeline.query.app import create_app
from pipeline.query.http.problems import RequestProblem
from pipeline.warehouse.identity.tokens import create_token, revoke_token
from pipeline.warehouse.identity.users import create_user, set_disabled, set_password
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.reference.directories import save
from tests.query.conftest import Warehouse

pytestmark = pytest.mark.embedded

WORD = "correct horse"


@pytest.fixture(scope="module", autouse=True)
def users(warehouse: Warehouse, quick_passwords: None) -> None:
    client = warehouse.client
    create_user(client, "acme", "admin", WORD, role="admin", domain="pbx.acme.example")
    create_user(client, "acme", "ann", WORD, role="user", extension="201", domain="pbx.acme.example")
    create_user(client, "other", "admin", WORD, role="admin", domain="pbx.other.example")
    create_user(client, "acme", "leaver", WORD, role="manager")
    create_user(client, "acme", "changer", WORD, role="manager")
    tenant = Tenant("acme", domain="sip.acme.example")
    save(client, "acme", {("tenant", key_of(tenant)): tenant}, "tests")


Clocks = Callable[..., Authenticator]


@pytest.fixture
def gate_with(warehouse: Warehouse) -> Iterator[Clocks]:
    """Gates with clocks of the test's own, as several processes would have them."""
    reader = Reader(warehouse.settings.clickhouse, warehouse.settings.database)
    gates: list[Authenticator] = []

    def make(**clocks: Any) -> Authenticator:
        gates.append(Authenticator(reader, **clocks))
        return gates[-1]

    yield make
    for gate in gates:
        gate.close()
    reader.close()


@pytest.mark.parametrize(
    ("name", "domain", "tenant"),
    [
        ("ann", None, None),  # has a domain of her own
        ("ann", "pbx.acme.example", "acme"),
        ("ann", "acme", "acme"),
        ("ann@pbx.acme.example", None, "acme"),
        ("admin", "pbx.other.example", "other"),
        ("admin@acme", None, "acme"),
        ("leaver", None, "acme"),  # has none
        ("leaver", "sip.acme.example", "acme"),  # as the directory has it
        ("leaver@sip.acme.example", None, "acme"),
        ("ann", "sip.acme.example", None),  # has a domain of her own
        ("admin", None, None),  # of two tenants
        ("ann", "pbx.other.example", None),
        ("nobody", None, None),
        ("", None, None),
        ("Ann", None, None),
        ("x" * 300, None, None),
        ("\ud800", None, None),
        ("' OR 1=1 --", "' OR 1=1 --", None),
    ],
)
async def test_names_and_domains(gate_with: Clocks, name: str, domain: str | None, tenant: str | None) -> None:
    gate = gate_with()
    caller = await gate.login(name, WORD, domain)
    assert (caller.tenant if caller else None) == tenant
    assert await gate.login(name, WORD + "!", domain) is None
    assert await gate.login(name, "", domain) is None


async def test_what_a_role_may(gate_with: Clocks) -> None:
    gate = gate_with()
    admin, ann = await gate.login("admin", WORD, "acme"), await gate.login("ann", WORD, "acme")
    assert admin is not None and ann is not None
    assert admin.sees_all and admin.may("directory:write")
    assert not ann.sees_all and ann.may("cdr:read") and not ann.may("reports:write")
    assert ann.extension == "201"


async def test_an_issued_token_is_its_caller_in_every_process(gate_with: Clocks) -> None:
    here, there = gate_with(), gate_with()
    caller = await here.login("ann", WORD, "acme")
    assert caller is not None
    token = await here.issue(caller, "access", 60)
    assert await here.caller_of(token, "access") == await there.caller_of(token, "access") == caller
    assert await there.caller_of(token, "refresh") is None
    assert await there.caller_of(token[:-1] + ("A" if token[-1] != "A" else "B"), "access") is None
    assert await there.caller_of("cdrs_nonsense", "access") is None
    assert await there.caller(f"Bearer {token}") == caller


async def test_an_issued_token_expires(gate_with: Clocks) -> None:
    later = 0.0
    gate = gate_with(wall=lambda: time.time() + later)
    token = await gate.issue(Caller("acme", "somebody", ("cdr:read",)), "access", 60)
    assert await gate.caller_of(token, "access") is not None
    later = 61
    assert await gate.caller_of(token, "access") is None
    with pytest.raises(RequestProblem, match="expired"):
        await gate.caller(f"Bearer {token}")


async def test_tokens_of_a_login_end_together(gate_with: Clocks) -> None:
    passed = 0.0
    here, there = gate_with(), gate_with(monotonic=lambda: time.monotonic() + passed)
    caller = Caller("acme", "somebody", ("cdr:read",))
    access = await here.issue(caller, "access", 60)
    refresh = await here.issue(caller, "refresh", 60, beside=access)
    another = await here.issue(caller, "access", 60)
    assert await there.caller_of(access, "access") == await there.caller_of(refresh, "refresh") == caller
    await here.end(refresh)
    assert await here.caller_of(access, "access") is None
    assert await here.caller_of(refresh, "refresh") is None
    assert await here.caller_of(another, "access") == caller
    passed = 5.0  # other processes within 5 s
    assert await there.caller_of(access, "access") is None
    await here.end("cdrs_unknown")
    await here.end(access)


async def test_an_ended_login_is_remembered_longer_than_its_tokens_last(
    gate_with: Clocks, warehouse: Warehouse
) -> None:
    gate = gate_with()
    token = await gate.issue(Caller("acme", "somebody", ("cdr:read",)), "access", 60)
    await gate.end(token)
    login = token[5:29]
    rows = warehouse.client.query(
        "SELECT token_hash = '', dateDiff('day', issued_at, expires_at) FROM issued_token_rows FINAL"
        " WHERE login = {login:String} ORDER BY token_hash",
        parameters={"login": login},
    ).result_rows
    assert [tuple(map(int, row)) for row in rows] == [(1, 400), (0, 0)]


async def test_a_token_that_is_spent_twice_ends_its_login(gate_with: Clocks) -> None:
    gate = gate_with()
    caller = Caller("acme", "somebody", ("cdr:read",))
    refresh = await gate.issue(caller, "refresh", 60)
    access = await gate.issue(caller, "access", 60, beside=refresh)
    assert await gate.spend(access, "refresh") is None
    assert await gate.spend(refresh, "refresh") == caller
    assert await gate.caller_of(access, "access") == caller
    assert await gate.spend(refresh, "refresh") is None
    assert await gate.caller_of(access, "access") is None


@pytest.mark.parametrize("name", ["leaver", "changer"])
async def test_tokens_end_with_the_user_and_with_the_password(
    gate_with: Clocks, warehouse: Warehouse, name: str
) -> None:
    passed = 0.0
    gate = gate_with(monotonic=lambda: time.monotonic() + passed)
    caller = await gate.login(name, WORD)
    assert caller is not None
    token = await gate.issue(caller, "access", 600)
    assert await gate.caller_of(token, "access") == caller
    if name == "leaver":
        set_disabled(warehouse.client, "acme", name, True)
    else:
        set_password(warehouse.client, "acme", name, "another one")
    passed = 5.0
    assert await gate.caller_of(token, "access") is None
    assert await gate.login(name, WORD) is None


async def test_sessions_of_an_api_token_end_with_it(gate_with: Clocks, warehouse: Warehouse) -> None:
    passed = 0.0
    gate = gate_with(monotonic=lambda: time.monotonic() + passed)
    token = create_token(warehouse.client, "acme", "behind a session")
    assert await gate.token_login("other", token) is None
    assert await gate.token_login("acme", token + "x") is None
    caller = await gate.token_login("acme", token)
    assert caller is not None
    session = await gate.issue(caller, "session", 600)
    assert await gate.caller_of(session, "session") == caller
    revoke_token(warehouse.client, "behind a session")
    passed = 5.0
    assert await gate.caller_of(session, "session") is None


async def test_wrong_passwords_are_not_tried_for_long(gate_with: Clocks) -> None:
    passed = 0.0
    gate = gate_with(monotonic=lambda: passed)
    for _ in range(OF_BOTH):
        assert await gate.login("nobody", "guess", "acme") is None
    with pytest.raises(RequestProblem, match="Too many wrong passwords") as told:
        await gate.login("nobody", "guess", "acme")
    assert (told.value.status, told.value.headers) == (429, {"Retry-After": "300"})
    passed = WINDOW_S
    assert await gate.login("nobody", "guess", "acme") is None


def test_failures_of_a_user_and_of_an_address() -> None:
    now = 0.0
    throttle = LoginThrottle(lambda: now)
    for number in range(OF_AN_ADDRESS):
        assert throttle.wait_s(f"user {number}", "192.0.2.1") == 0
        throttle.failed(f"user {number}", "192.0.2.1")
    assert throttle.wait_s("another", "192.0.2.1") == WINDOW_S
    assert throttle.wait_s("another", "192.0.2.2") == 0
    for _ in range(OF_BOTH - 1):
        throttle.failed("ann", "192.0.2.3")
    throttle.succeeded("ann", "192.0.2.3")
    throttle.failed("ann", "192.0.2.3")
    assert throttle.wait_s("ann", "192.0.2.3") == 0
    now = WINDOW_S + 1
    assert throttle.wait_s("another", "192.0.2.1") == 0


def test_nobody_is_locked_out_by_others() -> None:
    throttle = LoginThrottle(lambda: 0.0)
    throttle.succeeded("ann", "198.51.100.7")
    for number in range(OF_A_USER):  # ten tries from each of ten addresses
        throttle.failed("ann", f"192.0.2.{number % 10}")
    assert throttle.wait_s("ann", "192.0.2.0") == WINDOW_S
    assert throttle.wait_s("ann", "203.0.113.9") == WINDOW_S  # who never was here
    assert throttle.wait_s("ann", "198.51.100.7") == 0
    assert throttle.wait_s("ben", "203.0.113.9") == 0


async def test_ten_wrong_passwords_lock_their_address_out_and_no_other(gate_with: Clocks) -> None:
    gate = gate_with()
    spellings = [("ann", "acme"), ("ann@acme", None), ("ann", "pbx.acme.example"), ("ann@pbx.acme.example", None)]
    spellings += [("ann", "PBX.Acme.example"), ("ann@PBX.ACME.EXAMPLE", None)]  # domains are so in any case
    for number in range(OF_BOTH):  # one user, however it is spelled
        name, domain = spellings[number % len(spellings)]
        assert await gate.login(name, "guess", domain, address="192.0.2.1") is None
    for name, domain in spellings:
        with pytest.raises(RequestProblem, match="Too many wrong passwords"):
            await gate.login(name, WORD, domain, address="192.0.2.1")
        assert await gate.login(name, WORD, domain, address="192.0.2.2") is not None


def basic(name: str, password: str) -> str:
    return "Basic " + b64encode(f"{name}:{password}".encode()).decode()


async def test_basic_only_where_a_surface_takes_it(gate_with: Clocks, warehouse: Warehouse) -> None:
    gate = gate_with()
    with pytest.raises(RequestProblem, match="another scheme"):
        await gate.caller(basic("ann@acme", WORD))
    assert (await gate.caller(basic("ann@acme", WORD), basic=True)).extension == "201"
    assert (await gate.caller(basic("admin@other", WORD), basic=True)).tenant == "other"
    assert (await gate.caller(basic("acme", warehouse.token), basic=True)).name == "tests"
    for header in (
        basic("ann@acme", "wrong"),
        basic("other", warehouse.token),
        basic("ann@acme", ""),
        "Basic ",
        "Basic %",
        "Basic " + b64encode(b"\xff\xfe:x").decode(),
        "Basic " + b64encode(b"no colon").decode(),
        "Basic " + "A" * 10_000,
        "",
        "Digest x",
    ):
        with pytest.raises(RequestProblem) as told:
            await gate.caller(header, basic=True)
        assert told.value.status == 401
        assert told.value.headers["WWW-Authenticate"].startswith("Basic realm")


@pytest.fixture(scope="module")
def scoped(warehouse: Warehouse) -> Iterator[FastAPI]:
    """The service with endpoints of several scopes."""
    router = APIRouter()

    @router.get("/tests/ingest")
    async def ingest(caller: Annotated[Caller, requires("cdr:ingest")]) -> str:
        return caller.name

    @router.get("/tests/basic")
    async def with_basic(caller: Annotated[Caller, requires("cdr:read", basic=True)]) -> str:
        return caller.name

    @router.get("/tests/read")
    async def read(caller: Authenticated) -> str:
        return caller.name

    app = create_app(warehouse.settings)
    app.include_router(router)
    yield app
    app.state.gate.close()
    app.state.reader.close()


@pytest.mark.parametrize(
    ("scopes", "answers"),
    [
        (("cdr:read",), (403, 200, 200)),
        (("cdr:ingest",), (200, 403, 403)),
        (("admin",), (200, 200, 200)),
        (("reports:write",), (403, 403, 403)),
    ],
)
async def test_scopes(scoped: FastAPI, warehouse: Warehouse, scopes: tuple[str, ...], answers: tuple[int, ...]) -> None:
    token = create_token(warehouse.client, "acme", "scoped", scopes=scopes)
    transport = httpx.ASGITransport(app=scoped)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        for path, status in zip(("ingest", "basic", "read"), answers, strict=True):
            for header in (f"Bearer {token}", *([basic("acme", token)] if path == "basic" else [])):
                answer = await client.get(f"/tests/{path}", headers={"Authorization": header})
                assert answer.status_code == status, (path, answer.text)
        answer = await client.get("/tests/basic")
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic")
