"""Questions to the query service: `python -m bench.queries`.

Stores two years of calls (`bench.history`) in ClickHouse, starts the query service over them and asks it as clients
do, for the tenant that has half of all calls. Beside each answer stands a bare SQL statement for the same rows,
sent to the same ClickHouse endpoint in turns with the question. The months are merged first, as they are some hours
after nothing more was written to them. CPU seconds say what an answer takes whatever else the machine does.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.client import Client

from bench import history
from bench.report import percentile, print_json, print_table
from bench.stage import Stage, say, stage
from bench.usage import usage
from pipeline.embedded.process import HOST, Child
from pipeline.warehouse.identity.tokens import create_token

_FINAL = {"do_not_merge_across_partitions_select_final": 1, "output_format_json_quote_64bit_integers": 0}
_LIVE = f"FROM call_rows FINAL WHERE tenant = '{history.BIG}' AND retired = 0 AND state = 'closed'"
_NEWEST = "ORDER BY started_at DESC, id DESC LIMIT 100"
_DAY, _NEXT_DAY, _MONTH = "2026-09-15", "2026-09-16", "2026-09-01"
_PART = "2345678"
_EXTENSION = "117"
_TABLES = ("call_rows", "call_log_rows", "call_term_rows", "event_rows")


@dataclass(frozen=True)
class Question:
    """What is asked over HTTP, the bare SQL for the same, and how long it may take (p95, s). `own`: by a user
    who sees the calls of one extension only."""

    name: str
    path: str
    sql: str
    target_s: float = 0.05
    own: bool = False


def questions(deep: int, call: tuple[int, str], yeastar_token: str) -> list[Question]:
    """All of them. `deep`: how far inside the deep page lies; `call`: id and start of one call."""
    id_, at = call
    part = urllib.parse.quote(f"contains(caller,'{_PART}')")
    numbers = " OR ".join(f"position({name}, '{_PART}') > 0" for name in ("caller_number", "callee_number"))
    own = f"(caller_extension = '{_EXTENSION}' OR callee_extension = '{_EXTENSION}')"
    month = f"measures=calls,asr,acd_ms&by=direction&started_at[gte]={_MONTH}"
    measures = "SELECT direction, count(), countIf(status = 'answered') / count(), avgIf(talk_ms, status = 'answered')"
    return [
        Question("first page of a list", "/api/cdrs?top=100", f"SELECT * {_LIVE} {_NEWEST}"),
        Question("a page deep inside", f"/api/cdrs?top=100&skip={deep}", f"SELECT * {_LIVE} {_NEWEST} OFFSET {deep}"),
        Question("/v1/calls, first page", "/v1/calls?limit=100", f"SELECT * {_LIVE} {_NEWEST}"),
        Question("one call by its id", f"/v1/calls/{id_}", f"SELECT * {_LIVE} AND started_at = '{at}' AND id = {id_}"),
        Question(
            "search by a part of a number", f"/v1/search?q={_PART}", f"SELECT * {_LIVE} AND ({numbers}) {_NEWEST}"
        ),
        Question("search by a common part", "/v1/search?q=117", f"SELECT * {_LIVE} AND ({numbers}) {_NEWEST}"),
        Question(
            "PortSIP's filter",
            f"/api/cdrs?top=100&filter={part}",
            f"SELECT * {_LIVE} AND position(caller_number, '{_PART}') > 0 {_NEWEST}",
        ),
        Question(
            "Yeastar's search",
            f"/openapi/v1.0/cdr/search?access_token={yeastar_token}&call_from=101&page_size=100",
            f"SELECT * {_LIVE} AND position(caller_number, '101') > 0 {_NEWEST}",
        ),
        Question("one's own calls", "/api/user/cdrs?top=100", f"SELECT * {_LIVE} AND {own} {_NEWEST}", own=True),
        Question("one's own calls, /v1", "/v1/calls?limit=100", f"SELECT * {_LIVE} AND {own} {_NEWEST}", own=True),
        Question(
            "aggregate of a day",
            f"/v1/aggregate?measures=calls,asr,acd_ms&by=direction&started_at[gte]={_DAY}&started_at[lt]={_NEXT_DAY}",
            f"{measures} {_LIVE} AND started_at >= '{_DAY}' AND started_at < '{_NEXT_DAY}' GROUP BY direction",
        ),
        Question(
            "aggregate of a month",
            f"/v1/aggregate?{month}",
            f"{measures} {_LIVE} AND started_at >= '{_MONTH}' GROUP BY direction",
            0.3,
        ),
    ]


class Asker:
    """One client of the query service; its connection is made again when the service let go of it."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=120)
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": "bench"}  # Yeastar asks for the latter

    def ask(self, path: str) -> bytes:
        """The answer; RuntimeError when it is none."""
        answer = self.open(path)
        return answer.read()

    def open(self, path: str) -> http.client.HTTPResponse:
        """The answer, to be read piece by piece."""
        url = urllib.parse.quote(path, safe="/?&=,%[]$")
        try:
            self._connection.request("GET", url, headers=self._headers)
            answer = self._connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionError):
            self._connection.close()
            self._connection.request("GET", url, headers=self._headers)
            answer = self._connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(f"GET {path}: {answer.status} {answer.read()[:300]!r}")
        return answer


@dataclass
class Spent:
    """Seconds of each run, and CPU seconds a run of some processes."""

    seconds: list[float]
    cpu_s: float = 0.0


def in_turns(works: list[Callable[[], object]], count: int, pids: list[int]) -> list[Spent]:
    """What each takes, after one run that is not counted."""
    found = [Spent([]) for _ in works]
    for work in works:
        work()
    for _ in range(count):
        for work, spent in zip(works, found, strict=True):
            cpu = sum(usage(pid).cpu_s for pid in pids)
            begun = time.perf_counter()
            work()
            spent.seconds.append(time.perf_counter() - begun)
            spent.cpu_s += (sum(usage(pid).cpu_s for pid in pids) - cpu) / count
    return found


def merge(client: Client) -> None:
    """Merge each month into one part."""
    for table in ("call_rows", "call_log_rows", "call_term_rows"):
        months = client.query(
            "SELECT partition FROM system.parts WHERE active AND table = {table:String}"
            " AND database = currentDatabase() GROUP BY partition HAVING count() > 1",
            parameters={"table": table},
        ).result_rows
        for (month,) in months:
            client.command(f"OPTIMIZE TABLE {table} PARTITION {month} FINAL")


def bytes_a_row(client: Client) -> dict[str, tuple[int, float]]:
    """Rows, and what one takes on disk."""
    rows = client.query(
        "SELECT table, sum(rows), sum(bytes_on_disk) / sum(rows) FROM system.parts WHERE active"
        " AND database = currentDatabase() AND has({tables:Array(String)}, table) GROUP BY table ORDER BY table",
        parameters={"tables": list(_TABLES)},
    ).result_rows
    return {table: (int(count), float(size)) for table, count, size in rows}


def yeastar_login(port: int, token: str) -> str:
    """An access token for Yeastar's paths."""
    connection = http.client.HTTPConnection(HOST, port, timeout=60)
    body = json.dumps({"username": history.BIG, "password": token})
    headers = {"Content-Type": "application/json", "User-Agent": "OpenAPI"}
    connection.request("POST", "/openapi/v1.0/get_token", body, headers)
    answer: dict[str, Any] = json.loads(connection.getresponse().read())
    return str(answer["access_token"])


def crowd(port: int, token: str, path: str, clients: int, seconds: float) -> list[float]:
    """The median answer of each of several clients that ask at once."""
    medians: list[float] = []

    def run() -> None:
        asker, waits, end = Asker(port, token), [], time.perf_counter() + seconds
        while time.perf_counter() < end:
            begun = time.perf_counter()
            asker.ask(path)
            waits.append(time.perf_counter() - begun)
        medians.append(percentile(waits, 50))

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return medians


def export(asker: Asker, rows: int, form: str, watched: dict[str, Child]) -> dict[str, Any]:
    """Stream `rows` calls; how many lines came, and the most memory of each process meanwhile, MiB."""
    before = {name: usage(child.pid).rss_mib for name, child in watched.items()}
    most = dict(before)
    cpu = {name: usage(child.pid).cpu_s for name, child in watched.items()}
    begun, lines, size = time.perf_counter(), 0, 0
    answer = asker.open(f"/v1/calls?format={form}&limit={rows}")
    while piece := answer.read(1 << 20):
        lines += piece.count(b"\n")
        size += len(piece)
        for name, child in watched.items():
            most[name] = max(most[name], usage(child.pid).rss_mib)
    return {
        "form": form,
        "lines": lines,
        "mib": size / 2**20,
        "s": time.perf_counter() - begun,
        "cpu_s": {name: usage(child.pid).cpu_s - cpu[name] for name, child in watched.items()},
        "rss_before_mib": before,
        "rss_most_mib": most,
    }


def measure(made: Stage, calls: int, count: int, rows_out: int) -> dict[str, Any]:
    """Fill, ask, print."""
    with made.client() as client:
        stored = int(client.query("SELECT count() FROM call_rows").result_rows[0][0])
        if stored < calls:
            say(f"storing {calls:,} calls")
            history.fill(client, calls)
        merge(client)
        sizes = bytes_a_row(client)
        token = create_token(client, history.BIG, "bench", scopes=("cdr:read", "numbers:clear"))
        own = create_token(
            client, history.BIG, "bench own", scopes=("cdr:read", "numbers:clear"), role="user", extension=_EXTENSION
        )
        api = made.start_api()
        assert made.clickhouse is not None
        pids = [api.pid, made.clickhouse.pid]
        port = made.settings.api_port
        askers = {False: Asker(port, token), True: Asker(port, own)}
        ((id_, at),) = client.query(f"SELECT id, toString(started_at) {_LIVE} AND id % 1000 = 7 LIMIT 1").result_rows
        rows = []
        figures: dict[str, Any] = {"calls": calls, "bytes": sizes}
        for question in questions(calls // 4, (int(id_), str(at)), yeastar_login(port, token)):
            say(question.name)
            asker, path, sql = askers[question.own], question.path, question.sql
            asked, bare = in_turns(
                [
                    lambda asker=asker, path=path: asker.ask(path),  # type: ignore[misc]
                    lambda sql=sql: client.raw_query(sql, fmt="JSONEachRow", settings=_FINAL),  # type: ignore[misc]
                ],
                count,
                pids,
            )
            p50, p95, bare_p50 = (
                percentile(asked.seconds, 50),
                percentile(asked.seconds, 95),
                percentile(bare.seconds, 50),
            )
            cpu, bare_cpu = asked.cpu_s * 1000, bare.cpu_s * 1000
            rows.append([question.name, p50, p95, question.target_s, bare_p50, p50 / bare_p50, cpu, bare_cpu])
            figures[question.name] = {
                "p50_s": p50, "p95_s": p95, "bare_p50_s": bare_p50, "cpu_ms": cpu, "bare_cpu_ms": bare_cpu
            }  # fmt: skip
        print_table(
            f"{calls:,} calls, {calls // 2:,} of them of the tenant that asks; s, CPU in ms of service and ClickHouse",
            ["", "p50", "p95", "target p95", "bare SQL p50", "× bare", "CPU", "bare SQL's"],
            rows,
        )
        medians = crowd(port, token, "/api/cdrs?top=100", 20, 10)
        figures["crowd"] = {"fastest_s": min(medians), "slowest_s": max(medians)}
        print_table(
            "20 clients at once, first page: median answer of a client, s",
            ["", "fastest", "slowest"],
            [["client", min(medians), max(medians)]],
        )
        watched = {"service": api, "clickhouse": made.clickhouse}
        exports = [export(askers[False], rows_out, form, watched) for form in ("ndjson", "csv")]
        figures["exports"] = exports
        print_table(
            f"Exports of up to {rows_out:,} calls: MiB of memory before and at most",
            ["", "lines", "MiB", "service before", "most", "ClickHouse before", "most", "CPU s"],
            [
                [
                    each["form"], each["lines"], each["mib"],
                    *(each[when][name] for name in watched for when in ("rss_before_mib", "rss_most_mib")),
                    sum(each["cpu_s"].values()),
                ]
                for each in exports
            ],
        )  # fmt: skip
        print_table("Bytes a row on disk", ["", "rows", "bytes"], [[name, *size] for name, size in sizes.items()])
        api.stop()
    return figures


def growth(found: list[dict[str, Any]]) -> None:
    """How each question grows with the calls."""
    names = [name for name, figure in found[0].items() if isinstance(figure, dict) and "cpu_ms" in figure]
    sizes = [f"{each['calls']:,}" for each in found]
    rows = [
        [name, *(each[name]["cpu_ms"] for each in found), *(each[name]["p95_s"] for each in found)] for name in names
    ]
    print_table("CPU ms, then p95 in s, by calls stored", ["", *sizes, *sizes], rows)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.queries", description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=[100_000, 10_000_000])
    parser.add_argument("--count", type=int, default=20, help="how often each question is asked")
    parser.add_argument("--export", type=int, default=1_000_000, help="rows of an export")
    parser.add_argument("--data", type=Path, help="folder where the stored calls are kept, to be asked again")
    options = parser.parse_args()
    found = []
    for calls in options.calls:
        with stage(with_kafka=False) as made, tempfile.TemporaryDirectory(prefix="cdr-bench-") as folder:
            made.start_clickhouse((options.data or Path(folder)) / str(calls))
            found.append(measure(made, calls, options.count, options.export))
    if len(found) > 1:
        growth(found)
    print_json("queries", {"sizes": found})


if __name__ == "__main__":
    main()
