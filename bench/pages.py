"""Pages of the web interface: `python -m bench.pages`.

Stores two years of calls (`bench.history`) in ClickHouse, starts the query service over them and loads each page of
`/ui` as a browser does, for the tenant that has half of all calls: the service's time for the page (from the request
to its last byte on this machine), and the bytes over the wire of a first load, style sheet, scripts and icons among
them, compressed as they are sent. Pages of Kafka say that it is away. Targets: 300 ms at p95, 150 KiB.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench import history
from bench.queries import merge
from bench.report import percentile, print_json, print_table
from bench.stage import Stage, say, stage
from bench.usage import usage
from pipeline.embedded.process import HOST
from pipeline.query.ui.frame.navigation import PLACES
from pipeline.warehouse.identity.tokens import create_token

TARGET_S: Final = 0.3
HEAVIEST: Final = 150 * 1024
_DAY: Final = "from=2026-09-15&to=2026-09-15"
_WEEK: Final = "from=2026-09-14&to=2026-09-20"
_MONTH: Final = "from=2026-09-01&to=2026-09-30"
_FILES: Final = re.compile(r'(?:href|src)="(/ui/static/[^"#]+)')


@dataclass(frozen=True)
class Page:
    """A page, and what of it is looked at."""

    name: str
    path: str


def pages(call: int) -> list[Page]:
    """All pages. `call`: id of one call. Those of the navigation stand for their ranges of now, of which nothing is
    stored; those below them for times that are full of calls."""
    busy = [
        Page("Overview, a day", f"/ui/overview?{_DAY}"),
        Page("Overview, a week", f"/ui/overview?{_WEEK}"),
        Page("Overview, a month", f"/ui/overview?{_MONTH}"),
        Page("Calls, a day", f"/ui/calls?{_DAY}"),
        Page("Calls, a month", f"/ui/calls?{_MONTH}"),
        Page("Calls, filtered", f"/ui/calls?{_MONTH}&status=busy&direction=outbound"),
        Page("Calls, searched", f"/ui/calls?{_MONTH}&q=2345678"),
        Page("Calls, the longest", f"/ui/calls?{_MONTH}&sort=-talk_ms"),
        Page("One call", f"/ui/calls/{call}"),
        Page("Missed calls, a day", f"/ui/missed?{_DAY}"),
        Page("Missed calls, a week", f"/ui/missed?{_WEEK}"),
        Page("Trunks, a day", f"/ui/trunks?{_DAY}"),
        Page("Trunks, a month", f"/ui/trunks?{_MONTH}"),
        Page("Money, a month", f"/ui/money?{_MONTH}"),
        Page("A price", "/ui/money/price?number=%2B441632960123"),
    ]
    return [*(Page(place.name, place.path) for place in PLACES), *busy]


@dataclass(frozen=True)
class Answer:
    """What came: the status, bytes of head and body as they were sent, and the body as it is read."""

    status: int
    wire: int
    body: str


class Browser:
    """One connection that asks for what browsers ask for."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=120)
        self._headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "gzip", "User-Agent": "bench"}

    def get(self, path: str) -> Answer:
        """The answer, a redirect followed."""
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status in (302, 303, 307):
            return self.get(answer.headers["Location"])
        head = sum(len(name) + len(value) + 4 for name, value in answer.getheaders()) + 19
        plain = gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body
        return Answer(answer.status, head + len(body), plain.decode(errors="replace"))


def first_load(browser: Browser, page: Answer) -> int:
    """Bytes of the page with the files that it needs."""
    return page.wire + sum(browser.get(path).wire for path in dict.fromkeys(_FILES.findall(page.body)))


def measure(made: Stage, calls: int, count: int) -> dict[str, Any]:
    """Fill, load, print."""
    with made.client() as client:
        if int(client.query("SELECT count() FROM call_rows").result_rows[0][0]) < calls:
            say(f"storing {calls:,} calls")
            history.fill(client, calls)
        merge(client)
        token = create_token(client, history.BIG, "bench", scopes=("admin", "numbers:clear"))
        ((id_,),) = client.query(
            f"SELECT id FROM call_rows FINAL WHERE tenant = '{history.BIG}' AND id % 1000 = 7 LIMIT 1"
        ).result_rows
        api = made.start_api()
        assert made.clickhouse is not None
        pids = [api.pid, made.clickhouse.pid]
        browser, rows, figures = Browser(made.settings.api_port, token), [], {}
        for page in pages(int(id_)):
            say(page.name)
            first = browser.get(page.path)
            wire, waits = first_load(browser, first), []
            cpu = sum(usage(pid).cpu_s for pid in pids)
            for _ in range(count):
                begun = time.perf_counter()
                browser.get(page.path)
                waits.append(time.perf_counter() - begun)
            cpu_ms = (sum(usage(pid).cpu_s for pid in pids) - cpu) / count * 1000
            p50, p95 = percentile(waits, 50), percentile(waits, 95)
            good = first.status == 200 and p95 <= TARGET_S and wire <= HEAVIEST
            rows.append([page.name, first.status, p50 * 1000, p95 * 1000, cpu_ms, wire / 1024, good])
            figures[page.name] = {
                "path": page.path, "status": first.status, "p50_s": p50, "p95_s": p95, "cpu_ms": cpu_ms, "wire": wire
            }  # fmt: skip
        print_table(
            f"{calls:,} calls, half of them of the tenant that looks; ms, CPU of service and ClickHouse, KiB",
            ["", "status", "p50", "p95", "CPU", "first load", "within"],
            rows,
        )
        api.stop()
    return figures


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--count", type=int, default=20, help="how often each page is loaded")
    parser.add_argument("--data", type=Path, help="folder where the stored calls are kept, to be asked again")
    options = parser.parse_args()
    with stage(with_kafka=False) as made, tempfile.TemporaryDirectory(prefix="cdr-bench-") as folder:
        made.start_clickhouse((options.data or Path(folder)) / str(options.calls))
        print_json("pages", {"calls": options.calls, "pages": measure(made, options.calls, options.count)})


if __name__ == "__main__":
    main()
