"""Reports: `python -m bench.reports`.

Ten million calls of one tenant, a tenth of them in queues, over two years (`--months`); then every report of a month,
timed, with the memory of the process that makes it before and at its peak.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from pathlib import Path

from clickhouse_connect.driver.client import Client

from bench.report import print_json, print_table
from bench.stage import say
from bench.usage import usage
from pipeline.directory.model import Extension, ExtensionGroup, Queue, RingGroup, Tenant
from pipeline.embedded.clickhouse import start_clickhouse, url_of
from pipeline.embedded.process import HOST, free_port
from pipeline.reports.catalogue import ALL
from pipeline.reports.jobs import report_reader
from pipeline.reports.ranges import Span
from pipeline.reports.rendering.render import render
from pipeline.reports.types.build import Question
from pipeline.settings import Settings
from pipeline.warehouse.reference.directories import Directories, save
from pipeline.warehouse.storage.client import connect
from pipeline.warehouse.storage.migrate import migrate

TARGET_S = 5.0
TENANT = "acme"
MONTH_MS, DAYS = 1_722_470_400_000, 31  # August 2024
_BLOCK = 500_000

_CALL = """
WITH cityHash64(number) AS h, number % 10 = 0 AS queued, h % 10 < 7 AS answered,
    {first:Int64} + intDiv(number * {span:Int64}, {calls:Int64}) AS ms, 3000 + h % 20000 AS ring,
    answered ? 5000 + h % 300000 : 0 AS talk, queued ? '800' : toString(101 + h % 400) AS callee,
    (number % 3 = 0 OR queued) ? 'inbound' : 'outbound' AS way,
    concat('+4416', leftPad(toString(h % 100000000), 8, '0')) AS outside,
    toString(101 + intDiv(h, 1000) % 400) AS agent,
    toUInt64(ms - 1514764800000) * 4194304 + number % 4194304 AS id_
SELECT {tenant:String}, id_, toString(number), 4, 'closed', way, answered ? 'answered' : 'no_answer',
    answered ? 'caller_disconnected' : '', way = 'inbound' ? outside : agent, way = 'inbound' ? '' : agent,
    way = 'inbound' ? callee : outside, way = 'inbound' ? callee : outside,
    fromUnixTimestamp64Milli(ms, 'UTC'), answered ? fromUnixTimestamp64Milli(ms + ring, 'UTC') : NULL,
    answered ? fromUnixTimestamp64Milli(ms + ring, 'UTC') : NULL, fromUnixTimestamp64Milli(ms + ring + talk, 'UTC'),
    talk, talk, ring + talk, answered ? 200 : 480, answered ? 16 : 19, h % 2 ? 'carrier-a' : 'carrier-b',
    4, fromUnixTimestamp64Milli(ms + ring + talk, 'UTC'),
    queued ? concat('{"queue_visits":[{"queue":"support","number":"800","joined_at":', toString(ms), ',"left_at":',
        toString(ms + ring), ',"wait_ms":', toString(ring), ',"reason":"', answered ? 'answered' : 'abandoned',
        '","answered_by":"', answered ? agent : '', '","agents":[{"agent":"', agent, '","attempts":1,"answered":',
        answered ? '1' : '0', ',"missed":0,"elsewhere":0}]}]}') : '',
    way = 'outbound' AND answered ? '0.0125' : '', 'GBP', 'acme'
FROM numbers({begin:UInt64}, {rows:UInt64})
"""
_CALLS = f"""INSERT INTO call_rows (tenant, id, call_id, version, state, direction, status, end_reason, caller_number,
    caller_extension, callee_number, requested, started_at, answered_at, talk_started_at, ended_at, talk_ms,
    billable_ms, duration_ms, sip_status, q850_cause, trunk, events, last_event_at, detail, cost, currency,
    billed_account) {_CALL}"""
_LOGS = """INSERT INTO call_log_rows (tenant, id, session_id, call_id, version, kind, number, started_at, rang_at,
    answered_at, ended_at, ring_ms, talk_ms, outcome, direction, caller_number)
SELECT tenant, id + 1, id, call_id, version, multiIf(requested = '800', 'queue_agent',
    caller_extension = '', 'extension', 'outside'),
    if(requested = '800', JSONExtractString(detail, 'queue_visits', 1, 'agents', 1, 'agent'), callee_number),
    started_at, started_at, answered_at, ended_at, 3000, talk_ms, isNull(answered_at) ? 'no_answer' : 'answered',
    direction, caller_number FROM call_rows WHERE started_at >= fromUnixTimestamp64Milli({first:Int64}, 'UTC')
    AND started_at < fromUnixTimestamp64Milli({end:Int64}, 'UTC')"""


def fill(client: Client, calls: int, months: int = 1) -> None:
    """The months from the one that is asked about, block by block, and the directory."""
    span = months * DAYS * 86_400_000
    for begin in range(0, calls, _BLOCK):
        rows = min(_BLOCK, calls - begin)
        numbers = {"tenant": TENANT, "first": MONTH_MS, "span": span, "calls": calls, "begin": begin, "rows": rows}
        client.command(_CALLS, parameters=numbers)
    for day in range(months * DAYS):
        first = MONTH_MS + day * 86_400_000
        client.command(_LOGS, parameters={"first": first, "end": first + 86_400_000})
    save(
        client,
        TENANT,
        {
            ("tenant", TENANT): Tenant(TENANT, zone="Europe/London"),
            ("queue", "800"): Queue("800", name="support"),
            ("ring_group", "600"): RingGroup("600", name="desk"),
            ("extension", "101"): Extension("101", name="Ada"),
            ("group", "Front"): ExtensionGroup("Front", members=("101", "102")),
        },
        "bench",
    )


async def measure(settings: Settings, types: list[str], server: int) -> list[tuple[str, float, float, int, float]]:
    """Type, seconds, CPU seconds of this process and of ClickHouse (process `server`), bytes and MiB at the end, of
    each report of the month as CSV."""
    reader = report_reader(settings)
    found = []
    try:
        directory = await Directories(reader).of(TENANT)
        span = Span(MONTH_MS, MONTH_MS + DAYS * 86_400_000, directory.tenant.zone)
        for type_ in types:
            begun, cpu = time.perf_counter(), _cpu_s(server)
            report = await ALL[type_].build(Question(reader, directory, type_, span))
            size = 0
            async for piece in render(report, "csv", made_ms=0):
                size += len(piece)
            took = time.perf_counter() - begun
            found.append((type_, took, _cpu_s(server) - cpu, size, usage(os.getpid()).peak_mib))
            say(f"{type_}: {took:.2f} s, CPU {found[-1][2]:.2f} s, {size} bytes")
    finally:
        reader.close()
    return found


def _cpu_s(server: int) -> float:
    return usage(os.getpid()).cpu_s + usage(server).cpu_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=10_000_000)
    parser.add_argument("--months", type=int, default=24)
    parser.add_argument("--types", nargs="*", default=list(ALL), choices=list(ALL))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-reports-") as folder:
        data, port = Path(folder) / "clickhouse", free_port()
        server = start_clickhouse(data, port, Path(folder) / "clickhouse.log")
        try:
            settings = Settings(clickhouse=url_of(data, HOST, port), database="cdr")
            client = connect(settings.clickhouse, timeout_s=600)
            migrate(client, "cdr")
            say(f"{chosen.calls} calls are made ...")
            fill(client, chosen.calls, chosen.months)
            client.close()
            before = usage(os.getpid()).rss_mib
            rows = asyncio.run(measure(settings, chosen.types, server.pid))
        finally:
            server.stop(10)
    table = [(*row, row[1] <= TARGET_S) for row in rows]
    print_table(
        f"Reports of one of {chosen.months} months with {chosen.calls:,} calls (memory before: {before:.0f} MiB)",
        ("report", "seconds", "CPU s", "bytes", "peak MiB", f"within {TARGET_S:g} s"),
        table,
    )
    figures = {
        type_: {"s": seconds, "cpu_s": cpu, "bytes": size, "peak_mib": peak} for type_, seconds, cpu, size, peak in rows
    }
    print_json(
        "reports", {"calls": chosen.calls, "months": chosen.months, "rss_before_mib": before, "reports": figures}
    )


if __name__ == "__main__":
    main()
