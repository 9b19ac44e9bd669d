"""Sessions: given anew while they are used, over when they are not; cookies over HTTPS; the form of the browser."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import FastAPI

from pipeline.query.access.authenticator import Authenticator
from pipeline.query.app import create_app
from pipeline.query.ui.frame.session import COOKIE
from pipeline.warehouse.identity.users import create_user, set_password
from tests.browser import Browser, Look, Tab
from tests.ui import company, looks
from tests.ui.conftest import Site

MINUTE, HOUR = 60, 3600


class Clock:
    """How far the service's clocks were moved, seconds."""

    passed = 0.0


@asynccontextmanager
async def service_of(site: Site, clock: Clock, **settings: str) -> AsyncIterator[FastAPI]:
    """The service over the site's database, with clocks that can be moved."""
    app = create_app(site.settings.model_copy(update=settings))
    app.state.gate.close()
    app.state.gate = Authenticator(
        app.state.reader,
        monotonic=lambda: time.monotonic() + clock.passed,
        wall=lambda: time.time() + clock.passed,
        directories=app.state.directories,
    )
    try:
        yield app
    finally:
        await app.state.exports.close()
        app.state.gate.close()
        app.state.reader.close()
        app.state.editor.close()


def client_of(app: FastAPI, scheme: str = "http") -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=f"{scheme}://service")


def form_token(page: str) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', page)
    assert found, page[:2000]
    return found[1]


async def sign_in(client: httpx.AsyncClient, site: Site, who: str = "reader") -> httpx.Response:
    """Sign in with a token, by the form."""
    page = (await client.get("/ui/sign-in")).text
    answer = await client.post("/ui/sign-in", data={"form_token": form_token(page), "token": site.tokens[who]})
    assert answer.status_code == 303, answer.text
    return answer


async def test_a_session_is_given_anew_every_quarter_of_an_hour(site: Site) -> None:
    clock = Clock()
    async with service_of(site, clock) as app, client_of(app) as client:
        await sign_in(client, site)
        first = client.cookies[COOKIE]
        page = await client.get("/ui/preferences")
        token = form_token(page.text)
        clock.passed = 14 * MINUTE
        page = await client.get("/ui/preferences")
        assert page.status_code == 200 and "set-cookie" not in page.headers
        clock.passed = 16 * MINUTE
        page = await client.get("/ui/preferences")
        second = client.cookies[COOKIE]
        assert page.status_code == 200 and second != first
        assert form_token(page.text) == token  # a form that was open can still be sent
        old = {"Cookie": f"{COOKIE}={first}"}
        async with client_of(app) as beside:  # a request that was under way
            assert (await beside.get("/ui/preferences", headers=old)).status_code == 200
            clock.passed += MINUTE + 1
            assert (await beside.get("/ui/preferences", headers=old)).status_code == 303
        answer = await client.post("/ui/preferences", data={"form_token": token, "language": "de", "next": "/ui/calls"})
        assert answer.headers["location"] == "/ui/calls"


async def test_a_session_lasts_twelve_hours_from_its_last_use(site: Site) -> None:
    clock = Clock()
    async with service_of(site, clock) as app, client_of(app) as client:
        await sign_in(client, site)
        for _ in range(3):
            clock.passed += 11 * HOUR
            assert (await client.get("/ui/preferences")).status_code == 200
        clock.passed += 12 * HOUR + 1
        answer = await client.get("/ui/preferences")
        assert (answer.status_code, answer.headers["location"]) == (303, "/ui/sign-in?next=%2Fui%2Fpreferences")


async def test_signing_out_ends_what_was_given_anew_too(site: Site) -> None:
    clock = Clock()
    async with service_of(site, clock) as app, client_of(app) as client, client_of(app) as thief:
        await sign_in(client, site)
        thief.cookies.update(client.cookies)
        clock.passed = 16 * MINUTE
        stolen = await thief.get("/ui/preferences")  # the thief has the newer cookie
        assert stolen.status_code == 200 and thief.cookies[COOKIE] != client.cookies[COOKIE]
        await client.post("/ui/sign-out", data={"form_token": form_token(stolen.text)})
        assert (await thief.get("/ui/preferences")).status_code == 303


async def test_a_new_password_ends_sessions(site: Site) -> None:
    clock = Clock()
    create_user(site.client, company.TENANT, "paula", "first password", role="manager")
    async with service_of(site, clock) as app, client_of(app) as client:
        page = (await client.get("/ui/sign-in")).text
        sent = {"form_token": form_token(page), "name": "paula", "password": "first password"}
        assert (await client.post("/ui/sign-in", data=sent)).status_code == 303
        assert (await client.get("/ui/preferences")).status_code == 200
        set_password(site.client, company.TENANT, "paula", "second password")
        clock.passed = 5
        assert (await client.get("/ui/preferences")).status_code == 303


@pytest.mark.parametrize("way", ["https", "proxy", "http"])
async def test_cookies_keep_to_https_where_there_is_https(site: Site, way: str) -> None:
    trusted = {"trusted_proxies": "127.0.0.1"} if way == "proxy" else {}
    async with (
        service_of(site, Clock(), **trusted) as app,
        client_of(app, "https" if way == "https" else "http") as client,
    ):
        if way == "proxy":
            client.headers["X-Forwarded-Proto"] = "https"
        page = await client.get("/ui/sign-in")
        sent = {"form_token": form_token(page.text), "token": site.tokens["reader"]}
        jar = {"Cookie": page.headers["set-cookie"].partition(";")[0]}  # the client keeps to Secure, too
        signed = await client.post("/ui/sign-in", data=sent, headers=jar)
        assert signed.status_code == 303, signed.text
        session = next(each for each in signed.headers.get_list("set-cookie") if each.startswith(COOKIE))
        jar = {"Cookie": session.partition(";")[0]}
        page_ = await client.get("/ui/preferences", headers=jar)
        chosen = await client.post(
            "/ui/preferences", data={"form_token": form_token(page_.text), "language": "fr"}, headers=jar
        )
        cookies = [page.headers["set-cookie"], session, chosen.headers["set-cookie"]]
        for cookie in cookies:
            assert "HttpOnly" in cookie and "SameSite=lax" in cookie
            assert ("; Secure" in cookie) == (way != "http"), cookie


async def type_in(tab: Tab, field: str, text: str) -> None:
    """Put the focus into a field and type, as people do."""
    await tab.value(f"document.querySelector('[name={field}]').focus()")
    await tab.send("Input.insertText", text=text)


async def test_name_and_password_in_the_browsers_form(site: Site, chromium: Browser) -> None:
    create_user(site.client, company.TENANT, "bruno", "correct horse", role="user", extension="101")
    async with chromium.visit(f"{site.url}/ui/sign-in?next=/ui/calls", Look(1280, "light")) as tab:
        assert await tab.value("document.activeElement.name") == "name"
        await type_in(tab, "name", "bruno")
        await type_in(tab, "password", "wrong horse")
        await tab.press("Enter")
        await tab.until("document.querySelector('[role=alert]') !== null")
        assert "do not belong together" in await tab.value("document.querySelector('[role=alert]').textContent")
        assert await looks.barriers(tab) == []
        await type_in(tab, "name", "bruno")
        await type_in(tab, "password", "correct horse")
        await tab.press("Enter")
        await tab.until("location.pathname === '/ui/calls' && document.readyState === 'complete'")
        assert "bruno" in await tab.value("document.querySelector('.who').textContent")
        assert await tab.value("document.cookie") == ""  # scripts see no session
        await tab.value("document.querySelector('form[action=\"/ui/sign-out\"] button').click()")
        await tab.until("location.pathname === '/ui/sign-in'")
