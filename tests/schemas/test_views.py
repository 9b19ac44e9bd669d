"""Tables and views explain themselves, and the sample queries of docs/analysts.md run."""

from __future__ import annotations

import csv
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from pipeline.embedded.clickhouse import url_of
from pipeline.warehouse.storage.client import connect
from pipeline.warehouse.storage.migrate import migrate, views

pytestmark = pytest.mark.embedded

ANALYSTS = Path(__file__).parents[2] / "docs" / "analysts.md"
QUERIES = re.findall(r"^```sql\n(.*?)^```", ANALYSTS.read_text(encoding="utf-8"), re.M | re.S)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A migrated database on an endpoint of its own."""
    data = tmp_path_factory.mktemp("clickhouse")
    with subprocess.Popen(
        [sys.executable, "-m", "pipeline.embedded.clickhouse", "--path", str(data), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            address = re.search(r"http://([\d.]+):(\d+)", process.stderr.readline())
            assert address
            connected = connect(url_of(data, address[1], int(address[2])))
            migrate(connected, "cdr")
            yield connected
            connected.close()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def test_every_table_and_view_has_a_comment(client: Client) -> None:
    rows = client.query("SELECT name, comment FROM system.tables WHERE database = 'cdr'").result_rows
    assert {"calls", "call_logs", "call_events", "sip_causes", "q850_causes"} <= {row[0] for row in rows}
    assert [row[0] for row in rows if not row[1]] == []


def test_every_column_has_a_comment(client: Client) -> None:
    rows = client.query("SELECT table, name FROM system.columns WHERE database = 'cdr' AND comment = ''").result_rows
    assert rows == []


def test_views_hide_what_is_no_analysts_business(client: Client) -> None:
    rows = client.query("SELECT table FROM system.columns WHERE database = 'cdr' AND name = 'retired'").result_rows
    assert {row[0] for row in rows}.isdisjoint(views())


def _table(name: str) -> list[dict[str, str]]:
    text = files("pipeline.calls").joinpath("data", name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines()))


def test_the_views_of_causes_are_the_tables_of_the_fold(client: Client) -> None:
    names = {row["cause"]: row["name"] for row in _table("q850.csv")}
    assert client.query("SELECT q850_cause, name, token, class FROM q850_causes").result_rows == [
        (int(row["cause"]), row["name"], row["token"], row["class"]) for row in _table("q850.csv")
    ]
    assert client.query("SELECT * FROM sip_causes").result_rows == [
        (int(row["sip_status"]), row["reason"], int(row["cause"]), int(row["cause_if_rang"]), names[row["cause"]])
        for row in _table("sip_to_q850.csv")
        if not row["sip_status"].endswith("xx")
    ]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.strip().splitlines()[0][:60])
def test_the_sample_query_runs(client: Client, query: str) -> None:
    for statement in filter(str.strip, query.split(";\n")):
        client.query(statement, parameters={"tenant": "default", "call_id": "c-1", "tz": "Europe/London"})


def test_there_are_sample_queries() -> None:
    assert len(QUERIES) >= 10
