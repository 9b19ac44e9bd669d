"""Health: nodes and their clocks, checks, dead letters sent again, raw events pasted."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from html import unescape

import pytest

from pipeline import kafka
from pipeline.worker.core.batch import DeadLetter
from pipeline.worker.core.publisher import as_record
from pipeline.worker.repair.dead_letters import newest
from schemas.event import Event
from tests.browser import Browser, Look
from tests.servers import ClickHouseServer, KafkaServer
from tests.ui import company, looks
from tests.ui.conftest import Site, serving


@pytest.fixture(scope="module")
def site(
    clickhouse_server: ClickHouseServer, kafka_server: KafkaServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    kafka_server.start()
    names = {
        f"CDR_{name.upper()}_TOPIC": f"health-{name.replace('_', '-')}"
        for name in ("events", "cdrs", "dead_letters", "reports")
    }
    folder = tmp_path_factory.mktemp("service")
    with serving(clickhouse_server, folder, CDR_KAFKA=kafka_server.bootstrap, **names) as found:
        now = int(time.time() * 1000)
        told = [
            Event(
                tenant=tenant,
                call_id=f"{node}-{place}",
                event_id=f"{node}-{place}",
                type="started",
                at=now - ago - place * 1000,
                node=node,
            )
            for tenant, node, ago, count in (
                (company.TENANT, "pbx-well", 0, 30),
                (company.TENANT, "pbx-<b>ahead</b>", -60_000, 5),
                (company.TENANT, "pbx-silent", 3 * 3_600_000, 5),
                (company.OTHER, "pbx-of-others", 0, 5),
            )
            for place in range(count)
        ]
        company.store(found.client, told)
        yield found


async def letters(site: Site) -> None:
    """Write dead letters, as a worker does."""
    await kafka.ensure_topics(site.settings)
    topic = site.settings.events_topic
    found = (
        DeadLetter(topic, 0, 1, b"k\xfe", b'{"type": "started", "call_id": "c\xff"}', "is no UTF-8 <b>", []),
        DeadLetter(topic, 0, 2, b"c", b'{"at": "yesterday"}', "/at 'yesterday' is no time", [("tenant", b"acme")]),
        DeadLetter(topic, 0, 3, None, b"[]", "/at is missing", []),
    )
    producer = kafka.producer(site.settings)
    await producer.start()
    try:
        for letter in found:
            await producer.send_and_wait(site.settings.dead_letters_topic, **as_record(letter, 1 << 20))
    finally:
        await producer.stop()


def token(page: str) -> str:
    """The token of the forms on a page."""
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', page)
    assert found, page[:2000]
    return found[1]


def test_nodes_of_the_company_and_no_other(site: Site) -> None:
    with site.signed_in() as client:
        page = client.get("/ui/health").text
    rows = dict(re.findall(r'<tr><th scope="row" class="t"><bdi class="">(.*?)</bdi>.*?class="tag \w+">([^<]+)<', page))
    assert unescape(next(name for name in rows if "ahead" in name)) == "pbx-<b>ahead</b>"
    states = {unescape(name): state for name, state in rows.items()}
    assert states["pbx-well"] == "Well" and states["pbx-silent"] == "Silent"
    assert states["pbx-<b>ahead</b>"] == "Clock ahead"
    assert "pbx-of-others" not in page
    assert page.index("pbx-silent") < page.index("pbx-well")
    with site.signed_in("other") as client:
        page = client.get("/ui/health").text
        assert "pbx-of-others" in page and "pbx-well" not in page


def test_who_may_look(site: Site) -> None:
    shared, whole = ("/ui/health", "/ui/health/fold"), ("/ui/health/checks", "/ui/health/dead-letters")
    for who in ("user", "reader", "masked"):
        with site.signed_in(who) as client:
            assert "/ui/health" not in client.get("/ui/calls").text
            assert [client.get(path).status_code for path in (*shared, *whole)] == [403] * 4
    for who in ("admin", "other"):  # of a company, not of the installation
        with site.signed_in(who) as client:
            page = client.get("/ui/health").text
            assert "/ui/health/dead-letters" not in page
            assert [client.get(path).status_code for path in whole] == [403] * 2
            sent = client.post("/ui/health/dead-letters/replay", data={"form_token": token(page), "everything": "1"})
            assert sent.status_code == 403


def test_what_the_doctor_finds(site: Site) -> None:
    with site.signed_in("operator") as client:
        page = client.get("/ui/health/checks").text
    assert site.settings.kafka in page and "Broken" in page and "silent nodes" in page
    assert page.index("topics") < page.index("packages")  # what is missing comes first


async def test_dead_letters_are_shown_and_sent_again(site: Site, chromium: Browser) -> None:
    await letters(site)
    with site.signed_in("operator") as client:
        page = client.get("/ui/health/dead-letters").text
        assert "is no UTF-8 &lt;b&gt;" in page and "c\\xff" in unescape(page)
        assert looks.foreign(page) == []
        await looks.sign_in(chromium, site, "operator")
        two = (Look(360, "dark"), Look(1280, "light"))
        for path in ("", "/dead-letters", "/checks", "/fold"):
            await looks.check(chromium, f"{site.url}/ui/health{path}", two)
        narrowed = client.get("/ui/health/dead-letters?reason=/at").text
        assert "yesterday" in narrowed and "UTF-8" not in narrowed
        (first, second) = re.findall(r'name="place" value="([\d:]+)"', narrowed)
        assert client.post("/ui/health/dead-letters/replay", data={"place": first}).status_code == 403  # not our form
        done = client.post(
            "/ui/health/dead-letters/replay", data={"form_token": token(page), "place": [first], "reason": "/at"}
        )
        assert "1 sent again." in done.text and f'value="{first}"' not in done.text
        assert f'value="{second}"' in done.text
        assert {letter.place for letter in await newest(site.settings, 50)} > {second}
        none = client.post("/ui/health/dead-letters/replay", data={"form_token": token(page), "place": ["99999"]})
        assert none.status_code == 409 and "No dead letter at 99999" in none.text
        all_ = client.post("/ui/health/dead-letters/replay", data={"form_token": token(page), "everything": "1"})
        assert "2 sent again." in all_.text and "No dead letters." in all_.text
    assert await newest(site.settings, 50) == []


def test_pasted_events_are_folded_and_kept_nowhere(site: Site) -> None:
    at = "2026-03-10T12:00:0"
    events = [
        {"type": "started", "call_id": "<i>paste</i>", "leg_id": "a", "at": f"{at}0.000Z", "direction": "internal",
         "caller": {"number": "101", "name": company.HOSTILE[0]}, "callee": {"number": "102"}},
        {"type": "ended", "call_id": "<i>paste</i>", "leg_id": "a", "at": f"{at}9.000Z"},
    ]  # fmt: skip
    with site.signed_in() as client:
        form = client.get("/ui/health/fold").text
        sent = {"form_token": token(form), "source": "canonical"}
        lines = "\n".join([*(json.dumps(event) for event in events), '{"at": "yesterday"}'])
        page = client.post("/ui/health/fold", data=sent | {"events": lines}).text
        assert "Events: 2, calls: 1, refused: 1" in page and "Value 3" in page
        assert "&lt;i&gt;paste&lt;/i&gt;" in page and looks.foreign(page) == []
        documents = [json.loads(unescape(text)) for text in re.findall(r"<pre>(\{\n.*?)</pre>", page, re.S)]
        assert [(one["call_id"], one["tenant"], one["state"]) for one in documents] == [
            ("<i>paste</i>", company.TENANT, "closed")
        ]
        assert client.get("/v1/calls?call_id=<i>paste</i>", headers=site.bearer()).json()["data"] == []
        for wrong, said in (({"source": "sip"}, "source"), ({"zone": "Nowhere/City"}, "Nowhere/City")):
            answer = client.post("/ui/health/fold", data=sent | {"events": lines} | wrong)
            assert answer.status_code == 400 and said in answer.text
        long = client.post("/ui/health/fold", data=sent | {"events": lines + "\n" + json.dumps({"x": "y" * 200_000})})
        assert long.status_code == 200 and "Value 4" in long.text
        assert client.post("/ui/health/fold", data=sent | {"events": "x" * 600_000}).status_code == 400
