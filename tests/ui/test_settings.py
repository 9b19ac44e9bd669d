"""Settings: users, tokens, directory, decks, webhooks, retention; and who may not give away what it does not have."""

from __future__ import annotations

import re
from html import unescape

import httpx
import pytest

from pipeline.warehouse.identity.tokens import create_token
from pipeline.warehouse.identity.users import create_user, list_users
from pipeline.warehouse.privacy.retention import rules
from pipeline.warehouse.reference.decks import known, remove
from tests.browser import Browser, Look
from tests.ui import company, looks
from tests.ui.conftest import Site

PAGES = (
    "",
    "/users",
    "/tokens",
    "/directory",
    "/directory/change",
    "/decks",
    "/decks/change",
    "/webhooks",
    "/retention",
)


def token(page: str) -> str:
    """The token of the forms on a page."""
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', page)
    assert found, page[:2000]
    return found[1]


def once(page: str) -> str:
    """The secret that a page shows once."""
    found = re.search(r'class="notice good once".*?<code>([^<]+)</code>', page, re.S)
    assert found, page[:2000]
    return unescape(found[1])


def fields(page: str) -> dict[str, str]:
    """What the first form of a deck would send as it stands."""
    form = page[page.index('action="/ui/settings/decks/change') :].partition("</form>")[0]
    found = {}
    for tag in re.findall(r"<input [^>]*name=[^>]*>", form):
        given = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        found[given["name"]] = unescape(given.get("value", ""))
    for name, options in re.findall(r'<select name="(\w+)"[^>]*>(.*?)</select>', form, re.S):
        found[name] = (re.findall(r'value="([^"]*)" selected', options) or [""])[0]
    for name, text in re.findall(r'<textarea name="(\w+)"[^>]*>\n(.*?)</textarea>', form, re.S):
        found[name] = unescape(text)
    return found


def test_a_user_is_made_signs_in_and_is_shut_out(site: Site) -> None:
    with site.signed_in() as client:
        page = client.get("/ui/settings").text
        sent = {"form_token": token(page), "name": "zoë/<b>", "role": "user", "extension": "103"}
        made = client.post("/ui/settings/users", data=sent)
        password = once(made.text)
        assert "zoë/&lt;b&gt;" in made.text and looks.foreign(made.text) == []
        assert password not in client.get("/ui/settings/users").text
        again = client.post("/ui/settings/users", data=sent)
        assert again.status_code == 400 and "has a user" in again.text
        whom = {"form_token": token(page), "name": "zoë/<b>"}
        with httpx.Client(base_url=site.url, follow_redirects=True) as zoe:
            form = zoe.get("/ui/sign-in").text
            entered = {"form_token": token(form), "name": "zoë/<b>", "password": password}
            assert zoe.post("/ui/sign-in", data=entered).url.path == "/ui/overview"
            assert zoe.get("/ui/settings").status_code == 403
            assert 'class="tag bad">Shut out' in client.post("/ui/settings/users/disable", data=whom).text
            signs_in = {"form_token": token(zoe.get("/ui/sign-in").text), "name": "zoë/<b>", "password": password}
            assert zoe.post("/ui/sign-in", data=signs_in).status_code == 403
        assert 'class="tag bad">Shut out' not in client.post("/ui/settings/users/enable", data=whom).text
        assert once(client.post("/ui/settings/users/password", data=whom).text) != password
        assert client.post("/ui/settings/users/disable", data=whom | {"name": "nobody"}).status_code == 404
        assert client.post("/ui/settings/users/other", data=whom).status_code == 404


def test_a_name_of_another_company_is_not_told(site: Site) -> None:
    create_user(site.client, company.OTHER, "shared", "long enough", extension="101")
    with site.signed_in() as client:
        page = client.get("/ui/settings/users").text
        sent = {"form_token": token(page), "name": "shared", "role": "manager"}
        answer = client.post("/ui/settings/users", data=sent)
        assert answer.status_code == 409 and company.OTHER not in answer.text.partition("<main")[2].replace(
            "another", ""
        )
        assert client.post("/ui/settings/users", data=sent | {"domain": "acme.example"}).status_code == 200


def test_a_token_is_made_used_and_revoked(site: Site) -> None:
    with site.signed_in() as client:
        page = client.get("/ui/settings/tokens").text
        sent = {"form_token": token(page), "name": "wallboard", "role": "admin", "scope": ["cdr:read"], "ends": "30d"}
        made = once(client.post("/ui/settings/tokens", data=sent).text)
        bearer = {"Authorization": f"Bearer {made}"}
        assert client.get("/v1/calls?limit=1", headers=bearer).status_code == 200
        assert client.get("/v1/webhooks", headers=bearer).status_code == 403
        page = client.get("/ui/settings/tokens").text
        assert made not in page
        (id_,) = re.findall(r"wallboard</bdi> <code class=\"numbers\">(\w+)<", page)
        client.post(f"/ui/settings/tokens/{id_}/revoke", data={"form_token": token(page)})
        page = client.get("/ui/settings/tokens").text
        assert re.search(rf"{id_}</code></th><td><span class=\"tag bad\">Revoked", page)


def test_nobody_gives_or_takes_what_it_does_not_have(site: Site) -> None:
    create_user(site.client, company.TENANT, "caretaker", "long enough", role="admin", scopes=("admin", "operate"))
    site.tokens["masked admin"] = create_token(
        site.client, company.TENANT, "Mia", scopes=("admin", "numbers:masked"), role="admin"
    )
    with site.signed_in() as client:
        page = client.get("/ui/settings/tokens").text
        assert 'value="operate"' not in page and "Otto" not in page
        secret = {"form_token": token(page)}
        beyond = client.post("/ui/settings/tokens", data=secret | {"name": "x", "scope": ["operate"]})
        assert beyond.status_code == 403
        made_up = client.post("/ui/settings/tokens", data=secret | {"name": "x", "scope": ["everything"]})
        assert made_up.status_code == 400
        assert client.post("/ui/settings/users/password", data=secret | {"name": "caretaker"}).status_code == 403
        assert client.post("/ui/settings/users/disable", data=secret | {"name": "caretaker"}).status_code == 403
        operators = re.findall(r"Olga</bdi> <code class=\"numbers\">(\w+)<", page)
        assert client.post(f"/ui/settings/tokens/{operators[0]}/revoke", data=secret).status_code == 403
    with site.signed_in("masked admin") as client:
        page = client.get("/ui/settings/tokens").text
        secret = {"form_token": token(page)}
        assert client.post("/ui/settings/tokens", data=secret | {"name": "clear"}).status_code == 403
        assert client.post("/ui/settings/users/password", data=secret | {"name": "caretaker"}).status_code == 403
        assert client.get("/ui/settings/directory/change").status_code == 403
        assert client.get("/ui/settings/directory/file").status_code == 403
        assert "632960" not in client.get("/ui/settings/directory?kind=did").text
    with site.signed_in("other") as client:
        page = client.get("/ui/settings/users").text
        assert "caretaker" not in page
        secret = {"form_token": token(page)}
        assert client.post("/ui/settings/users/disable", data=secret | {"name": "caretaker"}).status_code == 404
        assert client.post(f"/ui/settings/tokens/{operators[0]}/revoke", data=secret).status_code == 404
    assert not any(row["disabled"] for row in list_users(site.client) if row["name"] == "caretaker")


@pytest.mark.parametrize("who", ["user", "reader", "masked"])
def test_they_are_for_administrators(site: Site, who: str) -> None:
    with site.signed_in(who) as client:
        page = client.get("/ui/calls").text
        assert "/ui/settings" not in page
        assert [client.get(f"/ui/settings{path}").status_code for path in PAGES] == [403] * len(PAGES)
        for path in ("users", "tokens", "webhooks", "retention", "directory/change"):
            sent = {"form_token": token(page), "name": "x", "url": "https://example.com", "kind": "calls", "days": "0"}
            assert client.post(f"/ui/settings/{path}", data=sent).status_code == 403, path


def test_differences_of_the_directory_are_shown_before_they_hold(site: Site) -> None:
    text = "tenant: acme\nextensions:\n  - number: '101'\n    name: <b>Nora</b>\n  - number: '199'\n    name: New One\n"
    with site.signed_in() as client, site.signed_in() as other:
        sent = {"form_token": token(client.get("/ui/settings/directory/change").text), "text": text, "form": "yaml"}
        shown = client.post("/ui/settings/directory/change", data=sent).text
        assert "2 changes" in shown and "&lt;b&gt;Nora&lt;/b&gt;" in shown and looks.foreign(shown) == []
        assert "New One" not in client.get("/ui/settings/directory").text  # nothing happened yet
        (seen,) = re.findall(r'name="seen" value="(\w+)"', shown)
        (kept,) = re.findall(r"<textarea name=\"text\" hidden[^>]*>\n(.*?)</textarea>", shown, re.S)
        assert unescape(kept) == text
        # somebody else is faster
        theirs = {"form_token": token(other.get("/ui/settings/directory/change").text), "form": "csv",
                  "text": "kind,number,name\nextension,199,Theirs\n"}  # fmt: skip
        faster = other.post("/ui/settings/directory/change", data=theirs).text
        (mark,) = re.findall(r'name="seen" value="(\w+)"', faster)
        assert "Entries changed: 1." in other.post("/ui/settings/directory/change", data=theirs | {"seen": mark}).text
        told = client.post("/ui/settings/directory/change", data=sent | {"seen": seen})
        assert told.status_code == 409 and "Somebody else changed the directory" in told.text
        assert "Theirs -&gt; New One" in told.text
        (seen,) = re.findall(r'name="seen" value="(\w+)"', told.text)
        assert "Entries changed: 2." in client.post("/ui/settings/directory/change", data=sent | {"seen": seen}).text
        entry = client.get("/v1/directory/extensions/199", headers=site.bearer()).json()
        assert entry["name"] == "New One"
        for wrong, said in (
            ("extensions: 5", "extensions"),
            ("tenant: other\nextensions: []\n", "other"),
            ("{", "YAML"),
        ):
            answer = client.post("/ui/settings/directory/change", data=sent | {"text": wrong})
            assert answer.status_code == 400 and said in answer.text, wrong


def test_webhooks_with_their_messages(site: Site) -> None:
    with site.signed_in() as client:
        page = client.get("/ui/settings/webhooks").text
        secret = {"form_token": token(page)}
        wrong = client.post("/ui/settings/webhooks", data=secret | {"url": "ftp://example.com"})
        assert wrong.status_code == 400
        made = client.post(
            "/ui/settings/webhooks", data=secret | {"url": "https://example.com/hook", "event": ["call.ended"]}
        )
        assert once(made.text).startswith("whsec_")
        (path,) = re.findall(r'href="(/ui/settings/webhooks/[^"]+)"', made.text)
        assert "webhook.test" in client.post(f"{path}/test", data=secret).text
        assert ">Off<" in client.post(f"{path}/disable", data=secret).text
        assert ">On<" in client.post(f"{path}/enable", data=secret).text
        assert client.post(f"{path}/replay", data=secret | {"message": "x"}).status_code == 409
        with site.signed_in("other") as stranger:
            theirs = token(stranger.get("/ui/settings/webhooks").text)
            assert stranger.get(path).status_code == 404
            assert stranger.post(f"{path}/delete", data={"form_token": theirs}).status_code == 404
        client.post(f"{path}/delete", data=secret)
        assert client.get(path).status_code == 404


def test_how_long_calls_are_kept(site: Site) -> None:
    with site.signed_in() as client:
        secret = {"form_token": token(client.get("/ui/settings/retention").text), "kind": "archive", "days": "90"}
        assert client.post("/ui/settings/retention", data=secret).status_code == 400  # not ticked
        assert rules(site.client) == []
        assert "Kept for 90 days." in client.post("/ui/settings/retention", data=secret | {"sure": "1"}).text
        assert [(rule["tenant"], rule["days"]) for rule in rules(site.client)] == [(company.TENANT, 90)]
        assert "Kept for" not in client.post("/ui/settings/retention", data=secret | {"days": "0"}).text
        assert client.post("/ui/settings/retention", data=secret | {"days": "-1", "sure": "1"}).status_code == 400


def test_decks_with_their_lines(site: Site) -> None:
    with site.signed_in() as client:
        page = client.get("/ui/settings/decks").text
        assert "retail" in page and "United Kingdom" not in page
        page = client.get("/ui/settings/decks?deck=retail&number=%2B44163").text
        assert "United Kingdom" in page and "United States" not in page and "€0.06" in page
        assert "No line fits." in client.get("/ui/settings/decks?deck=retail&number=999").text


DECK = """\
prefix,destination,price_1
44,United Kingdom,0.05
33,France,0.07
"""


def test_a_deck_is_loaded_after_its_differences_were_seen(site: Site) -> None:
    path = "/ui/settings/decks/change"
    with site.signed_in() as client:
        sent = fields(client.get(path).text) | {"name": "wholesale", "kind": "carrier", "currency": "eur", "text": DECK}
        told = client.post(path, data=sent)
        assert told.text.count(">New</span>") == 2 and "France" in told.text and "0.07" in told.text
        assert "wholesale" not in client.get("/ui/settings/decks").text  # nothing happened yet
        assert fields(told.text)["seen"]
        done = client.post(path, data=fields(told.text))
        assert "It prices calls within 5 seconds" in done.text
        page = client.get("/ui/settings/decks?deck=wholesale").text
        assert "France" in page and "€0.07" in page
        (deck,) = [deck for deck in known(site.client) if deck.header.name == "wholesale"]
        assert deck.header.scope.tenant == company.TENANT and deck.header.scope.kind == "carrier"

        # its file, changed: one line dearer, one gone, one new; and what it is for
        file = client.get("/ui/settings/decks/file?deck=wholesale")
        assert file.headers["content-disposition"].startswith("attachment") and "33,France," in file.text
        form = fields(client.get(f"{path}?deck=wholesale").text)
        assert form["kind"] == "carrier" and form["text"].replace("\r", "").strip() == file.text.strip()
        again = client.post(path, data=form)
        assert "The deck is as the file has it." in again.text
        dearer = DECK.replace("0.05", "0.06").replace("33,France", "49,Germany")
        other = form | {"text": dearer, "direction": "outbound", "currency": "EUR"}
        seen = client.post(path, data=other)
        for said in ("+20.0 %", "Germany", "France", "direction: - -&gt; outbound", ">Goes</span>", ">Other</span>"):
            assert said in seen.text, said

        # somebody else was first
        with site.signed_in("operator") as colleague:
            hers = form | {"form_token": token(colleague.get(path).text), "text": DECK.replace("0.05", "0.055")}
            theirs = colleague.post(path, data=hers | {"currency": "EUR"})
            colleague.post(path, data=fields(theirs.text))
        late = client.post(path, data=fields(seen.text))
        assert late.status_code == 409 and "Somebody else changed the deck" in late.text and "0.055" in late.text
        assert "It prices calls" in client.post(path, data=fields(late.text)).text
        assert "€0.06" in client.get("/ui/settings/decks?deck=wholesale").text

        gone = {"form_token": token(late.text), "deck": "wholesale"}
        assert client.post("/ui/settings/decks/remove", data=gone).status_code == 400  # not ticked
        assert "wholesale" not in client.post("/ui/settings/decks/remove", data=gone | {"sure": "1"}).text


def test_whose_decks_somebody_may_load(site: Site) -> None:
    path = "/ui/settings/decks/change"
    with site.signed_in("other") as stranger, site.signed_in() as client, site.signed_in("operator") as operator:
        sent = fields(stranger.get(path).text) | {"name": "theirs", "text": DECK, "currency": "EUR"}
        everybody = stranger.post(path, data=sent | {"whose": "all"})
        assert everybody.status_code == 400 and "takes the scope operate" in everybody.text
        assert 'value="all"' not in stranger.get(path).text and 'value="all"' in operator.get(path).text
        stranger.post(path, data=fields(stranger.post(path, data=sent).text))
        assert "theirs" not in client.get("/ui/settings/decks").text
        mine = fields(client.get(path).text) | {"name": "theirs", "text": DECK, "currency": "EUR"}
        taken = client.post(path, data=mine)
        assert taken.status_code == 400 and "not yours" in taken.text
        for reached in (f"{path}?deck=theirs", "/ui/settings/decks/file?deck=theirs"):
            assert client.get(reached).status_code == 400, reached
        gone = {"form_token": token(client.get(path).text), "deck": "theirs", "sure": "1"}
        assert client.post("/ui/settings/decks/remove", data=gone).status_code == 400
        remove(site.client, "theirs", "test")
    for who in ("reader", "user"):
        with site.signed_in(who) as client:
            assert client.get(path).status_code == 403, who


def test_what_is_wrong_with_a_deck_is_said_and_nothing_typed_is_lost(site: Site) -> None:
    path = "/ui/settings/decks/change"
    with site.signed_in() as client:
        sent = fields(client.get(path).text) | {"name": "Kept <b>", "text": DECK}
        for changes, said in (
            ({"text": "prefix,price_1\n44,dear\n"}, "price_1"),
            ({"text": "destination\nx\n"}, "prefix"),
            ({"decimals": "99"}, "decimals"),
            ({"rounding": "sideways"}, "rounding"),
            ({"kind": "gift"}, "kind"),
            ({"bands": "peak=never"}, "time band"),
            ({"name": "\u202e"}, "name"),
        ):
            answer = client.post(path, data=sent | changes)
            assert answer.status_code == 400 and re.search(rf'role="alert">[^<]*{said}', answer.text), said
            assert 'value="Kept &lt;b&gt;"' in answer.text or "name" in changes, said


def test_forms_of_other_sites_are_refused(site: Site) -> None:
    with site.signed_in() as client:
        for path in (
            "users",
            "tokens",
            "webhooks",
            "retention",
            "directory/change",
            "users/disable",
            "decks/change",
            "decks/remove",
        ):
            assert client.post(f"/ui/settings/{path}", data={"name": "x"}).status_code == 403, path


async def test_it_looks_right(site: Site, chromium: Browser) -> None:
    await looks.sign_in(chromium, site)
    two = (Look(360, "dark"), Look(1280, "light"))
    for path in PAGES[1:]:
        await looks.check(chromium, f"{site.url}/ui/settings{path}", two)
    await looks.check(chromium, f"{site.url}/ui/settings/users", (Look(3840, "light"),))
    await looks.check(chromium, f"{site.url}/ui/settings/decks?deck=retail", two)
