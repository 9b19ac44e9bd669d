"""HTML reports as people see them: in a browser, at two widths, in light and dark."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.reports.catalogue import ALL
from pipeline.reports.ranges import span_of
from pipeline.reports.rendering.render import render
from pipeline.reports.types.build import Question, letterhead, with_currency
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.reference.directories import Directories
from tests.browser import Browser, Look, browser, installed
from tests.conftest import missing
from tests.reports import week

LOOKS = [Look(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
# Of every type one look in turn, of these all four.
WHOLE = ("QUEUE_DETAILED_STATISTICS", "traffic")


@pytest.fixture
async def chromium(tmp_path: Path) -> AsyncIterator[Browser]:
    if not installed():
        missing("chromium")
    async with browser(tmp_path / "profile") as found:
        yield found


async def page(reader: Reader, type_: str) -> bytes:
    directory = await Directories(reader).of(week.TENANT)
    span = span_of("YESTERDAY", week.WEEK[1] - 2 * week.DAY_MS, directory.tenant.zone)
    report = await ALL[type_].build(Question(reader, directory, type_, span))
    return b"".join([piece async for piece in render(report, "html", name="Monday <b>&", made_ms=week.WEEK[1])])


async def test_every_report_looks_right(chromium: Browser, reader: Reader, tmp_path: Path) -> None:
    for place, type_ in enumerate(ALL):
        file = tmp_path / f"{type_}.html"
        file.write_bytes(await page(reader, type_))
        shots = set()
        looks = LOOKS if type_ in WHOLE else [LOOKS[place % len(LOOKS)]]
        for look in looks:
            ask = "[...document.querySelectorAll('th, td, h1, svg title')].filter(e => e.textContent.trim()).length"
            seen = await chromium.look(file.as_uri(), look, ask=ask)
            assert seen.console == [], f"{type_} {look}"
            assert seen.overflow <= 0, f"{type_} {look}"
            assert seen.answer > 10
            assert len(seen.png) > 20_000
            shots.add(seen.png)
        assert len(shots) == len(looks), f"{type_}: two looks are the same"


# What is cut off: parts that are wider than their place, or begin or end outside the page.
CUT = """[...document.querySelectorAll('table, svg, dl, .tile, header')].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width && (box.right > window.innerWidth + 1 || box.left < -1 || e.scrollWidth > e.clientWidth + 1);
}).map(e => `${e.tagName} ${e.className.baseVal ?? e.className} ${e.getBoundingClientRect().right} ${e.scrollWidth}`)"""
# A4 less its margins, upright and, for wide tables, across; whoever prints may have a dark screen.
PAPER, ACROSS = Look(703, "dark", "print"), Look(1032, "dark", "print")
DESK = Look(1280, "light")
# What has to be scrolled sideways, and values that are broken in the middle: phone numbers and names on two lines.
HIDDEN = """[...document.querySelectorAll('section > .scroll')].filter(e => e.scrollWidth > e.clientWidth + 1).length"""
BROKEN = """[...document.querySelectorAll('tbody td')].filter(e => /^[+]?[\\w:.-]{1,24}$/.test(e.textContent)
  && !e.textContent.includes('_') && e.getClientRects().length && (() => { const r = document.createRange();
  r.selectNodeContents(e); return new Set([...r.getClientRects()].map(b => b.top)).size > 1; })()).length"""


async def test_every_report_fits_on_paper(chromium: Browser, reader: Reader, tmp_path: Path) -> None:
    ask = f"({{cut: {CUT}, paper: getComputedStyle(document.body).backgroundColor,\n"
    ask += " ink: getComputedStyle(document.body).color, heads: [...document.querySelectorAll('thead')].every(e =>"
    ask += " getComputedStyle(e).display == 'table-header-group')})"
    for type_ in ALL:
        file = tmp_path / f"{type_}.html"
        file.write_bytes(await page(reader, type_))
        paper = ACROSS if b'<section class="wide">' in file.read_bytes() else PAPER
        seen = await chromium.look(file.as_uri(), paper, ask=ask)
        assert seen.answer["cut"] == [], type_
        assert seen.overflow <= 0, type_
        assert (seen.answer["paper"], seen.answer["ink"]) == ("rgb(255, 255, 255)", "rgb(0, 0, 0)"), type_
        assert seen.answer["heads"], f"{type_}: the head of a table does not come again on the next page"
    pdf = await chromium.printed(file.as_uri())
    assert pdf.startswith(b"%PDF-") and len(pdf) > 10_000


async def test_tables_fit_a_desk_and_break_no_value(chromium: Browser, reader: Reader, tmp_path: Path) -> None:
    for type_ in ALL:
        file = tmp_path / f"{type_}.html"
        file.write_bytes(await page(reader, type_))
        for look in (DESK, ACROSS):
            seen = await chromium.look(file.as_uri(), look, ask=f"[{HIDDEN}, {BROKEN}]")
            assert seen.answer == [0, 0], (type_, look)


async def test_the_head_is_the_companys(reader: Reader) -> None:
    directory = await Directories(reader).of(week.TENANT)
    logo = "data:image/png;base64,iVBORw0KGgo="
    tenant = replace(directory.tenant, name="Acme & Sons", logo=logo)
    span = span_of("CUSTOM", 0, tenant.zone, week.WEEK)
    question = Question(reader, replace(directory, tenant=tenant), "trunks", span)
    report = await with_currency(question, await ALL["trunks"].build(question))
    head = letterhead(question.directory)
    text = b"".join([piece async for piece in render(report, "html", made_ms=week.WEEK[1], head=head)]).decode()
    assert f'<img src="{logo}" alt="">Acme &amp; Sons</p>' in text
    assert '<b class="at">2024-08-19 to 2024-08-25</b> (Asia/Singapore)' in text
    assert "<li>Currency: <b>GBP</b></li>" in text
    assert "T00:00:00+08:00" not in text


async def test_pages_need_nothing_else(reader: Reader) -> None:
    for type_ in ALL:
        text = (await page(reader, type_)).decode()
        assert "Monday &lt;b&gt;&amp;" in text
        assert "<script" not in text and "http://" not in text and "https://" not in text
        assert "default-src 'none'" in text


async def test_every_column_has_its_definition(reader: Reader) -> None:
    directory = await Directories(reader).of(week.TENANT)
    span = span_of("YESTERDAY", week.WEEK[1] - 2 * week.DAY_MS, directory.tenant.zone)
    for type_, kind in ALL.items():
        report = await kind.build(Question(reader, directory, type_, span))
        assert [column.name for table in report.tables for column in table.columns if not column.about] == []
        assert [tile.name for tile in report.tiles if not tile.about] == []
        for plot in report.plots:
            assert plot.title and plot.about
