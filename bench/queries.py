"""Questions to the query service: `python -m bench.queries`.

Stores two years of calls (`bench.history`) in ClickHouse, starts the query service over them and asks it as clients
do, for the tenant that has half of all calls. Beside each answer stands a bare SQL statement for the same rows,
sent to the same ClickHouse endpoint in the same run. The months are merged first, as they are some hours
after nothing more was written to them.
"""

from __future__ import annotations

import argparse
import http.client
import json
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client

from bench import history
from bench.report import percentile, print_json, print_table
from bench.stage import Stage, say, stage
from pipeline.embedded.process import HOST
from pipeline.warehouse.tokens import create_token

_FINAL = {"do_not_merge_across_partitions_select_final": 1, "output_format_json_quote_64bit_integers": 0}
_LIVE = f"FROM call_rows FINAL WHERE tenant = '{history.BIG}' AND retired = 0 AND state = 'closed'"
_NEWEST = "ORDER BY started_at DESC, id DESC LIMIT 100"
_DAY, _NEXT_DAY, _MONTH = "2026-09-15", "2026-09-16", "2026-09-01"


@dataclass(frozen=True)
class Question:
    """What is asked over HTTP, the bare SQL for the same, and how long it may take (p95, s)."""

    name: str
    path: str
    sql: str
    target_s: float = 0.05


def questions(deep: int, call: tuple[int, str], yeastar_token: str) -> list[Question]:
    """All of them. `deep`: how far inside the deep page lies; `call`: id and start of one call."""
    id_, at = call
    part = urllib.parse.quote("contains(caller,'2345678')")
    return [
        Question("first page of a list", "/api/cdrs?top=100", f"SELECT * {_LIVE} {_NEWEST}"),
        Question("a page deep inside", f"/api/cdrs?top=100&skip={deep}", f"SELECT * {_LIVE} {_NEWEST} OFFSET {deep}"),
        Question("/v1/calls, first page", "/v1/calls?limit=100", f"SELECT * {_LIVE} {_NEWEST}"),
        Question("one call by its id", f"/v1/calls/{id_}", f"SELECT * {_LIVE} AND started_at = '{at}' AND id = {id_}"),
        Question(
            "search by a part of a number",
            "/v1/search?q=2345678",
            f"SELECT * {_LIVE} AND (position(caller_number, '2345678') > 0 OR position(callee_number, '2345678') > 0)"
            f" {_NEWEST}",
        ),
        Question(
            "PortSIP's filter",
            f"/api/cdrs?top=100&filter={part}",
            f"SELECT * {_LIVE} AND position(caller_number, '2345678') > 0 {_NEWEST}",
        ),
        Question(
            "Yeastar's search",
            f"/openapi/v1.0/cdr/search?access_token={yeastar_token}&call_from=101&page_size=100",
            f"SELECT * {_LIVE} AND position(caller_number, '101') > 0 {_NEWEST}",
        ),
        Question(
            "aggregate of a day",
            f"/v1/aggregate?measures=calls,asr,acd_ms&by=direction&started_at[gte]={_DAY}&started_at[lt]={_NEXT_DAY}",
            "SELECT direction, count(), countIf(status = 'answered') / count(), avgIf(talk_ms, status = 'answered')"
            f" {_LIVE} AND started_at >= '{_DAY}' AND started_at < '{_NEXT_DAY}' GROUP BY direction",
        ),
        Question(
            "aggregate of a month",
            f"/v1/aggregate?measures=calls,asr,acd_ms&by=direction&started_at[gte]={_MONTH}",
            "SELECT direction, count(), countIf(status = 'answered') / count(), avgIf(talk_ms, status = 'answered')"
            f" {_LIVE} AND started_at >= '{_MONTH}' GROUP BY direction",
            0.3,
        ),
    ]


class Asker:
    """One client of the query service on one connection."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection(HOST, port, timeout=60)
        self._headers = {"Authorization": f"Bearer {token}"}

    def ask(self, path: str) -> bytes:
        """The answer; RuntimeError when it is none."""
        self._connection.request("GET", urllib.parse.quote(path, safe="/?&=,%[]$"), headers=self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"GET {path}: {answer.status} {body[:300]!r}")
        return body


def times(work: Callable[[], object], count: int) -> list[float]:
    """Seconds that each of `count` runs took, after one that is not counted."""
    work()
    found = []
    for _ in range(count):
        begun = time.perf_counter()
        work()
        found.append(time.perf_counter() - begun)
    return found


def merge(client: Client) -> None:
    """Merge each month into one part."""
    for table in ("call_rows", "call_log_rows"):
        months = client.query(
            f"SELECT DISTINCT partition FROM system.parts WHERE active AND table = '{table}'"
            " AND database = currentDatabase()"
        ).result_rows
        for (month,) in months:
            client.command(f"OPTIMIZE TABLE {table} PARTITION {month} FINAL")


def bytes_a_row(client: Client) -> dict[str, float]:
    """What a row takes on disk."""
    rows = client.query(
        "SELECT table, sum(bytes_on_disk) / sum(rows) FROM system.parts WHERE active"
        " AND database = currentDatabase() AND table IN ('call_rows', 'call_log_rows') GROUP BY table"
    ).result_rows
    return {table: float(size) for table, size in rows}


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


def measure(made: Stage, calls: int, count: int) -> dict[str, Any]:
    """Fill, ask, print."""
    with made.client() as client:
        say(f"storing {calls:,} calls")
        history.fill(client, calls)
        merge(client)
        sizes = bytes_a_row(client)
        token = create_token(client, history.BIG, "bench", scopes=("cdr:read", "numbers:clear"))
        api = made.start_api()
        port = made.settings.api_port
        asker = Asker(port, token)
        ((id_, at),) = client.query(f"SELECT id, toString(started_at) {_LIVE} AND id % 1000 = 7 LIMIT 1").result_rows
        rows = []
        figures: dict[str, Any] = {"calls": calls, "bytes": sizes}
        for question in questions(calls // 4, (int(id_), str(at)), yeastar_login(port, token)):
            path, sql = question.path, question.sql
            say(question.name)
            asked = times(lambda path=path: asker.ask(path), count)  # type: ignore[misc]
            bare = times(lambda sql=sql: client.raw_query(sql, fmt="JSONEachRow", settings=_FINAL), count)  # type: ignore[misc]
            p50, p95, bare_p50 = percentile(asked, 50), percentile(asked, 95), percentile(bare, 50)
            rows.append(
                [question.name, p50, p95, question.target_s, bare_p50, p50 / bare_p50, p95 <= question.target_s]
            )
            figures[question.name] = {"p50_s": p50, "p95_s": p95, "bare_p50_s": bare_p50}
        print_table(
            f"{calls:,} calls, {calls // 2:,} of them of the tenant that asks; s",
            ["", "p50", "p95", "target p95", "bare SQL p50", "× bare", "met"],
            rows,
        )
        medians = crowd(port, token, "/api/cdrs?top=100", 20, 10)
        figures["crowd"] = {"fastest_s": min(medians), "slowest_s": max(medians)}
        print_table(
            "20 clients at once, first page: median answer of a client, s",
            ["", "fastest", "slowest"],
            [["client", min(medians), max(medians)]],
        )
        print_table("Bytes a row on disk", list(sizes), [list(sizes.values())])
        api.stop()
    return figures


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.queries", description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=[100_000, 10_000_000])
    parser.add_argument("--count", type=int, default=20, help="how often each question is asked")
    options = parser.parse_args()
    found = []
    for calls in options.calls:
        with stage() as made:
            made.start_clickhouse()
            found.append(measure(made, calls, options.count))
    print_json("queries", {"sizes": found})


if __name__ == "__main__":
    main()
