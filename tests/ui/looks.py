"""What is asked of every page: it fits, it is calm in the console, a screen reader finds its way, nothing jumps."""

from __future__ import annotations

from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

from tests.browser import Browser, Look, Tab
from tests.ui.conftest import Site

WIDTHS: Final = (360, 1280, 3840)
# With those of test_every_page.py each width is seen light and dark.
LOOKS: Final = (Look(360, "light"), Look(1280, "dark"), Look(3840, "light"))
PLAIN: Final = Look(1280, "light", scripts=False)
HEAVIEST: Final = 150 * 1024  # bytes over the wire at the first load
# WCAG 2.2 A and AA, and axe's own rules of good practice.
_AXE: Final = """axe.run(document, {resultTypes: ['violations']}).then(found => found.violations.map(
  each => `${each.id}: ${each.help}: ` + each.nodes.slice(0, 3).map(node => node.html.slice(0, 160)).join(' | ')))"""


@cache
def axe() -> str:
    """The library that looks for what keeps people out (Deque's axe-core)."""
    return (Path(__file__).parent / "vendor" / "axe.min.js").read_text()


class _Parts(HTMLParser):
    """The elements of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.found.append((tag, dict(attrs)))


def foreign(page: str) -> list[str]:
    """What stands on a page that we never write: pictures, frames, handlers, styles and scripts with text in them."""
    parts = _Parts()
    parts.feed(page)
    return [
        f"{tag} {attributes}"
        for tag, attributes in parts.found
        if tag in ("img", "iframe", "object", "embed", "style", "base")
        or (tag == "script" and not (attributes.get("src") or "").startswith("/ui/static/"))
        or any(name.startswith("on") or name == "style" for name in attributes)
        or any((value or "").strip().lower().startswith("javascript:") for value in attributes.values())
    ]


async def sign_in(chromium: Browser, site: Site, who: str = "admin") -> None:
    """The browser has a session of this caller from now on."""
    seen = await chromium.look(site.link(who), PLAIN, ask="location.pathname")
    assert seen.answer == "/ui/overview", seen.answer


async def barriers(tab: Tab) -> list[str]:
    """What axe-core finds on the page as it is now."""
    await tab.value(axe() + ";1")
    found: list[str] = await tab.value(_AXE)
    return found


async def check(chromium: Browser, url: str, looks: tuple[Look, ...] = LOOKS, ask: str = "null") -> list[Any]:
    """The page at every width, light and dark: nothing overflows or complains, nobody is kept out. The answers."""
    answers = []
    for look in looks:
        async with chromium.visit(url, look) as tab:
            overflow = await tab.value("document.documentElement.scrollWidth - window.innerWidth")
            assert overflow <= 0, f"{url} {look}: {overflow} px beyond the window"
            if look.scripts:  # axe waits for the page
                found = await barriers(tab)
                assert found == [], f"{url} {look}: {found}"
            assert tab.complaints() == [], f"{url} {look}"
            answers.append(await tab.value(ask))
    return answers
