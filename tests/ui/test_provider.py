"""Signing in with an identity provider: the authorization code flow with PKCE, against a provider of the test's own."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from tests.browser import Browser, Look
from tests.servers import ClickHouseServer
from tests.ui import company, looks
from tests.ui.conftest import Site, serving
from tests.ui.identity_provider import CLIENT, SECRET, Provider

BEGIN = "/ui/sign-in/provider"


@pytest.fixture(scope="module")
def identity() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.close()


@pytest.fixture
def provider(identity: Provider) -> Provider:
    identity.person = {"tenant": company.TENANT, "role": "manager", "preferred_username": "Petra <b>"}
    identity.spoil, identity.answer, identity.refused, identity.asked = {}, {}, [], []
    return identity


@pytest.fixture(scope="module")
def site(
    clickhouse_server: ClickHouseServer, identity: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    settings = {
        "CDR_OIDC_ISSUER": identity.issuer,
        "CDR_OIDC_AUDIENCE": "cdr-api",
        "CDR_OIDC_CLIENT_ID": CLIENT,
        "CDR_OIDC_CLIENT_SECRET": SECRET,
    }
    with serving(clickhouse_server, tmp_path_factory.mktemp("service"), **settings) as found:
        yield found


def browser_of(site: Site) -> httpx.Client:
    return httpx.Client(base_url=site.url, follow_redirects=True, timeout=30)


def test_whom_the_provider_knows_is_signed_in(site: Site, provider: Provider) -> None:
    with browser_of(site) as client:
        assert f'href="{BEGIN}?next=%2Fui%2Freports"' in client.get("/ui/reports").text
        page = client.get(f"{BEGIN}?next=/ui/reports")
        assert page.status_code == 200 and page.url.path == "/ui/reports"
        assert "Petra &lt;b&gt;" in page.text and "Make a report" in page.text
        assert "cdr_oidc" not in client.cookies
        (asked,) = provider.asked
        assert asked["redirect_uri"] == f"{site.url}/ui/sign-in/provider/back"
        assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
        ends = site.client.query("SELECT max(expires_at) FROM issued_token_rows WHERE startsWith(subject, 'oidc:')")
        left = ends.result_rows[0][0].timestamp() - time.time()
        assert 3000 < left <= 3600  # then the provider is asked again
        client.post("/ui/sign-out", data={"form_token": _token(page.text)})
        assert client.get("/ui/calls").url.path == "/ui/sign-in"


def _token(page: str) -> str:
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', page)
    assert found
    return found[1]


@pytest.mark.parametrize(
    ("person", "may"),
    [
        ({"role": "user", "extension": "101"}, {"/ui/calls": 200, "/ui/missed": 403, "/ui/settings": 403}),
        ({"role": None, "extension": "101"}, {"/ui/calls": 200, "/ui/missed": 403}),
        ({"role": "admin"}, {"/ui/settings": 200, "/ui/health/checks": 403}),
        ({"scope": "openid cdr:read"}, {"/ui/calls": 200, "/ui/reports": 200, "/ui/reports/new": 403}),
        ({"tenant": company.OTHER, "role": "admin"}, {"/ui/calls": 200, "/ui/settings": 200}),
    ],
)
def test_with_the_rights_that_it_names(
    site: Site, provider: Provider, person: dict[str, Any], may: dict[str, int]
) -> None:
    provider.person |= person
    with browser_of(site) as client:
        page = client.get(f"{BEGIN}?next=/ui/calls?{_DAY}")
        assert page.status_code == 200, page.text
        assert {path: client.get(path).status_code for path in may} == may
        assert ("Acme Telephones" in page.text) == (provider.person["tenant"] == company.TENANT)


_DAY = "from=2026-03-10"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"nonce": "another"}, "made for another sign-in"),
        ({"nonce": None}, "made for another sign-in"),
        ({"aud": "cdr-api"}, "meant for another audience"),
        ({"aud": [CLIENT, "others"]}, "made for another client"),
        ({"aud": [CLIENT, "others"], "azp": "others"}, "made for another client"),
        ({"iss": "https://elsewhere.example"}, "another issuer"),
        ({"exp": 1_700_000_000}, "has expired"),
        ({"sub": None}, "who it is about"),
        ({"tenant": None}, "names no tenant"),
        ({"role": None}, "neither a role nor an extension"),
        ({"role": "user"}, "names no extension"),
    ],
)
def test_an_id_token_that_does_not_hold_signs_nobody_in(
    site: Site, provider: Provider, spoil: dict[str, Any], said: str
) -> None:
    provider.spoil = spoil
    _nobody(site, said)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"state": "another"}, "no sign-in that was begun in this browser"),
        ({"state": None}, "no sign-in that was begun in this browser"),
        ({"iss": "https://elsewhere.example"}, "another provider"),
        ({"iss": None}, "another provider"),
        ({"code": None, "error": "access_denied", "error_description": "<b>No.</b>"}, "&lt;b&gt;No.&lt;/b&gt;"),
        ({"code": "made-up"}, "did not take the code"),
    ],
)
def test_an_answer_that_does_not_fit_signs_nobody_in(
    site: Site, provider: Provider, answer: dict[str, str | None], said: str
) -> None:
    provider.answer = answer
    _nobody(site, said)


def _nobody(site: Site, said: str) -> None:
    with browser_of(site) as client:
        page = client.get(BEGIN)
        assert page.status_code == 403 and said in page.text, page.text
        assert "cdr_session" not in client.cookies
        assert client.get("/ui/calls").url.path == "/ui/sign-in"


def test_a_code_is_good_once_and_in_one_browser(site: Site, provider: Provider) -> None:
    with httpx.Client(base_url=site.url) as client, httpx.Client(base_url=site.url) as thief:
        away = client.get(BEGIN)
        answer = httpx.get(away.headers["location"]).headers["location"]
        assert "begun too long ago" in thief.get(answer).text  # a stolen answer in another browser
        thief.get(BEGIN)  # with a sign-in of its own
        assert "begun in this browser" in thief.get(answer).text
        kept = client.cookies["cdr_oidc"]
        verifier = parse_qs(kept.strip('"'))["verifier"][0]
        assert client.get(answer).headers["location"] == "/ui/"
        client.cookies.set("cdr_oidc", kept)
        assert "did not take the code" in client.get(answer).text and provider.refused == ["unknown or spent code"]
        # the verifier is what makes a code good
        away = thief.get(BEGIN)
        answer = httpx.get(away.headers["location"]).headers["location"]
        state = parse_qs(urlsplit(answer).query)["state"][0]
        thief.cookies.clear()
        forged = urlencode({"state": state, "nonce": "n", "verifier": verifier, "next": "/ui/"})
        assert "did not take the code" in thief.get(answer, headers={"Cookie": f'cdr_oidc="{forged}"'}).text
        assert provider.refused[-1] == "wrong verifier"


def test_nobody_is_led_elsewhere(site: Site, provider: Provider) -> None:
    with httpx.Client(base_url=site.url) as client:
        away = client.get(f"{BEGIN}?next=https://elsewhere.example/ui/")
        answer = httpx.get(away.headers["location"]).headers["location"]
        assert client.get(answer).headers["location"] == "/ui/"


async def test_it_works_in_a_browser(site: Site, provider: Provider, chromium: Browser) -> None:
    async with chromium.visit(f"{site.url}/ui/sign-in?next=/ui/reports", Look(1280, "light")) as tab:
        assert await looks.barriers(tab) == []
        await tab.value("document.querySelector('main a.button').click()")
        await tab.until("location.pathname === '/ui/reports' && document.readyState === 'complete'")
        assert tab.complaints() == []
        assert "Petra <b>" in await tab.value("document.body.textContent")
