"""The ClickHouse endpoint, as its clients see it: a process, asked over HTTP."""

from __future__ import annotations

import gzip
import http.client
import importlib
import json
import stat
import struct
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.servers import ClickHouseServer

Columns = "(a UInt64, s String DEFAULT 'none')"


def ask(
    server: ClickHouseServer,
    query: str = "",
    body: bytes | None = None,
    *,
    headers: dict[str, str] | None = None,
    password: str | None = None,
    method: str | None = None,
    **parameters: str,
) -> tuple[int, dict[str, str], bytes]:
    """One plain HTTP request, as curl would send it."""
    given = {"query": query} if query else {}
    url = f"http://127.0.0.1:{server.port}/?{urllib.parse.urlencode(given | parameters)}"
    credentials = b64encode(f"cdr:{server.password if password is None else password}".encode()).decode()
    head = {"Authorization": f"Basic {credentials}"} | (headers or {})
    request = urllib.request.Request(url, body, head, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


def count(server: ClickHouseServer, database: str) -> int:
    return int(ask(server, "SELECT count() FROM t", database=database)[2])


@pytest.fixture
def database(empty_database: str) -> str:
    return empty_database


@pytest.fixture
def table(clickhouse_endpoint: ClickHouseServer, database: str) -> str:
    """A database with one table `t`."""
    sql = f"CREATE TABLE t {Columns} ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100"
    status, _, body = ask(clickhouse_endpoint, body=sql.encode(), database=database)
    assert status == 200, body
    return database


def test_ping_needs_no_password(clickhouse_endpoint: ClickHouseServer) -> None:
    with urllib.request.urlopen(f"http://127.0.0.1:{clickhouse_endpoint.port}/ping", timeout=10) as answer:
        assert answer.read() == b"Ok.\n"


def leb(text: bytes) -> bytes:
    return bytes([len(text)]) + text


NATIVE = (
    b"\x02\x03" + leb(b"a") + leb(b"UInt64") + struct.pack("<3Q", 1, 2, 3) + leb(b"s") + leb(b"String") + leb(b"x") * 3
)
ROW_BINARY = b"".join(struct.pack("<Q", n) + leb(b"x") for n in (1, 2, 3))
ROWS = {
    "TabSeparated": b"1\tx\n2\tx\n3\tx\n",
    "TSV": b"1\tx\n2\tx\n3\tx\n",
    "CSV": b"1,x\n2,x\n3,x\n",
    "JSONEachRow": b'{"a":1,"s":"x"}\n{"a":2,"s":"x"}\n{"a":3,"s":"x"}\n',
    "JSONCompactEachRow": b'[1,"x"]\n[2,"x"]\n[3,"x"]\n',
    "Values": b"(1,'x'),(2,'x'),(3,'x')",
    "RowBinary": ROW_BINARY,
    "Native": NATIVE,
}


@pytest.mark.parametrize("format", sorted(ROWS))
@pytest.mark.parametrize("where", ["url", "body", "both"])
def test_rows_of_every_format_arrive(
    clickhouse_endpoint: ClickHouseServer, table: str, format: str, where: str
) -> None:
    sql = f"INSERT INTO t (a, s) FORMAT {format}"
    if where == "url":
        answer = ask(clickhouse_endpoint, sql, ROWS[format], database=table)
    elif where == "body":
        answer = ask(clickhouse_endpoint, body=sql.encode() + b"\n" + ROWS[format], database=table)
    else:
        answer = ask(
            clickhouse_endpoint, "INSERT INTO t (a, s)", f"FORMAT {format}\n".encode() + ROWS[format], database=table
        )
    assert answer[0] == 200, answer[2]
    assert json.loads(answer[1]["X-ClickHouse-Summary"])["written_rows"] == "3"
    rows = ask(clickhouse_endpoint, "SELECT a, s FROM t ORDER BY a FORMAT CSV", database=table)[2]
    assert rows == b'1,"x"\n2,"x"\n3,"x"\n'


def test_lines_arrive_with_their_default_columns(clickhouse_endpoint: ClickHouseServer, database: str) -> None:
    sql = "CREATE TABLE t (raw String, a UInt64 DEFAULT JSONExtractUInt(raw, 'a')) ENGINE = MergeTree ORDER BY a"
    assert ask(clickhouse_endpoint, body=sql.encode(), database=database)[0] == 200
    ask(clickhouse_endpoint, "INSERT INTO t (raw) FORMAT LineAsString", b'{"a":7}\n{"a":8}\n', database=database)
    assert ask(clickhouse_endpoint, "SELECT sum(a), count() FROM t", database=database)[2] == b"15\t2\n"


@pytest.mark.parametrize("where", ["url", "body"])
def test_rows_behind_an_insert_select_arrive(clickhouse_endpoint: ClickHouseServer, table: str, where: str) -> None:
    sql = "INSERT INTO t (a, s) SELECT n * 2, upper(w) FROM input('n UInt64, w String') WHERE n > 1 FORMAT TabSeparated"
    if where == "url":
        answer = ask(clickhouse_endpoint, sql, b"1\tx\n2\ty\n3\tz\n", database=table)
    else:
        answer = ask(clickhouse_endpoint, body=sql.encode() + b"\n1\tx\n2\ty\n3\tz\n", database=table)
    assert answer[0] == 200, answer[2]
    assert ask(clickhouse_endpoint, "SELECT * FROM t ORDER BY a", database=table)[2] == b"4\tY\n6\tZ\n"


def zstd_compress(data: bytes) -> bytes:
    module = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
    packed: bytes = module.compress(data)
    return packed


def lz4_compress(data: bytes) -> bytes:
    packed: bytes = importlib.import_module("lz4.frame").compress(data)
    return packed


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstd_compress), ("lz4", lz4_compress)]
)
def test_packed_bodies(
    clickhouse_endpoint: ClickHouseServer, table: str, encoding: str, pack: Callable[[bytes], bytes]
) -> None:
    rows = b"".join(b"%d\tx\n" % n for n in range(300_000))
    headers = {"Content-Encoding": encoding}
    ask(clickhouse_endpoint, "INSERT INTO t (a, s) FORMAT TSV", pack(rows), headers=headers, database=table)
    assert count(clickhouse_endpoint, table) == 300_000


def test_body_that_is_not_what_its_encoding_says(clickhouse_endpoint: ClickHouseServer, table: str) -> None:
    status, _, body = ask(
        clickhouse_endpoint, "INSERT INTO t FORMAT TSV", b"1\tx\n", headers={"Content-Encoding": "gzip"}, database=table
    )
    assert (status, b"not gzip" in body) == (501, True)


def test_a_batch_is_one_block_and_its_token_counts_once(clickhouse_endpoint: ClickHouseServer, table: str) -> None:
    rows = b"".join(b"%d\t%s\n" % (n, b"y" * 300) for n in range(20_000))
    for _ in range(2):
        answer = ask(
            clickhouse_endpoint,
            "INSERT INTO t (a, s) FORMAT TSV",
            rows,
            database=table,
            insert_deduplication_token="events-0-1-20000",
            async_insert="0",
        )
        assert answer[0] == 200, answer[2]
    sql = f"SELECT sum(rows), count() FROM system.parts WHERE database = '{table}' AND active"
    assert ask(clickhouse_endpoint, sql)[2] == b"20000\t1\n"


def test_bad_row_inserts_nothing_and_says_where(clickhouse_endpoint: ClickHouseServer, table: str) -> None:
    status, headers, body = ask(clickhouse_endpoint, "INSERT INTO t FORMAT TSV", b"1\tx\nbad\tx\n", database=table)
    assert status == 400
    assert headers["X-ClickHouse-Exception-Code"] == "27"
    assert body.startswith(b"Code: 27. DB::Exception: Cannot parse input")
    assert b"(at row 2)" in body
    assert count(clickhouse_endpoint, table) == 0


def test_an_insert_that_cannot_be_written_is_an_error(clickhouse_endpoint: ClickHouseServer, table: str) -> None:
    ask(clickhouse_endpoint, body=b"ALTER TABLE t ADD CONSTRAINT small CHECK a < 10", database=table)
    status, headers, _ = ask(clickhouse_endpoint, "INSERT INTO t FORMAT TSV", b"1\tx\n11\tx\n", database=table)
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "469")
    view = b"CREATE MATERIALIZED VIEW v ENGINE = Memory AS SELECT throwIf(a = 7) AS b FROM t"
    assert ask(clickhouse_endpoint, body=view, database=table)[0] == 200
    assert ask(clickhouse_endpoint, "INSERT INTO t FORMAT TSV", b"7\tx\n", database=table)[0] == 500
    many = b"CREATE TABLE p (a UInt64) ENGINE = MergeTree ORDER BY a PARTITION BY a"
    assert ask(clickhouse_endpoint, body=many, database=table)[0] == 200
    rows = b"".join(b"%d\n" % n for n in range(300))
    status, headers, _ = ask(clickhouse_endpoint, "INSERT INTO p FORMAT TSV", rows, database=table)
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "252")


def test_settings_in_the_insert(clickhouse_endpoint: ClickHouseServer, table: str) -> None:
    sql = "INSERT INTO t (a, s) SETTINGS insert_deduplication_token = 'x' FORMAT TSV"
    for rows in (b"1\tx\n", b"2\tx\n"):
        assert ask(clickhouse_endpoint, sql, rows, database=table)[0] == 200
    assert count(clickhouse_endpoint, table) == 1


def test_no_rows_and_a_bound_table_name(clickhouse_endpoint: ClickHouseServer, table: str) -> None:
    assert ask(clickhouse_endpoint, "INSERT INTO t FORMAT TSV", b"", database=table)[0] == 200
    sql = "INSERT INTO {name:Identifier} (a) FORMAT TSV"
    assert ask(clickhouse_endpoint, sql, b"5\n", database=table, param_name="t")[0] == 200
    assert count(clickhouse_endpoint, table) == 1


def test_a_full_disk_is_an_error_and_passes(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=280m", "tmpfs", str(disk)], check=False)
    if mounted.returncode != 0:
        pytest.skip("a small disk can be mounted by root only")
    try:
        server = ClickHouseServer(disk / "data")
        try:
            ask(server, body=f"CREATE TABLE t {Columns} ENGINE = MergeTree ORDER BY a".encode())
            filler = disk / "filler"
            with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
                while True:
                    file.write(bytes(1 << 20))
            rows = b"".join(b"%d\t%s\n" % (n, b"y" * 300) for n in range(20_000))
            status, headers, body = ask(server, "INSERT INTO t FORMAT TSV", rows)
            assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "243")
            assert b"free space on it" in body
            assert ask(server, "SELECT count() FROM t")[2] == b"0\n"
            filler.unlink()
            assert ask(server, "INSERT INTO t FORMAT TSV", rows)[0] == 200
            assert ask(server, "SELECT count() FROM t")[2] == b"20000\n"
        finally:
            server.stop()
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_half_a_body_inserts_nothing(clickhouse_endpoint: ClickHouseServer, table: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", clickhouse_endpoint.port, timeout=20)
    query = urllib.parse.urlencode({"query": "INSERT INTO t FORMAT TSV", "database": table})
    connection.putrequest("POST", f"/?{query}&user=cdr&password={clickhouse_endpoint.password}")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b"1\tx\n2\tx\n")
    assert connection.sock is not None
    connection.sock.shutdown(1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        connection.getresponse()
    connection.close()
    assert count(clickhouse_endpoint, table) == 0


def test_bound_parameters(clickhouse_endpoint: ClickHouseServer) -> None:
    sql = "SELECT {n:UInt32} + 1, {s:String}, {list:Array(String)}"
    body = ask(clickhouse_endpoint, sql, param_n="41", param_s="it's \\\\ {x}", param_list="['a','b']")[2]
    assert body == b"42\tit\\'s \\\\ {x}\t['a','b']\n"


def test_parameters_in_a_form(clickhouse_endpoint: ClickHouseServer) -> None:
    client = clickhouse_endpoint.client()
    try:
        names = [f"{n:0500d}" for n in range(50)]
        assert client.query("SELECT length({names:Array(String)})", parameters={"names": names}).result_rows == [(50,)]
    finally:
        client.close()


def test_settings_of_one_request_do_not_reach_the_next(clickhouse_endpoint: ClickHouseServer) -> None:
    sql = "SELECT value FROM system.settings WHERE name = 'max_block_size'"
    plain = ask(clickhouse_endpoint, sql)[2]
    assert ask(clickhouse_endpoint, sql, max_block_size="77")[2] == b"77\n"
    ask(clickhouse_endpoint, body=b"SET max_block_size = 78")
    assert ask(clickhouse_endpoint, sql)[2] == plain


@pytest.mark.parametrize(
    ("sql", "settings", "status", "code"),
    [
        ("SELECT * FROM nope", {}, 404, "60"),
        ("SELEC 1", {}, 400, "62"),
        ("SELECT 1", {"nonsense": "1"}, 400, "115"),
        ("SELECT 1", {"bad name": "1"}, 400, "115"),
        ("SELECT 1", {"database": "nope"}, 404, "81"),
        ("SELECT sum(sipHash64(number)) FROM numbers(1e12)", {"max_execution_time": "1"}, 500, "159"),
        ("SELECT 1", {"compress": "1"}, 501, "48"),
        ("INSERT INTO t FROM INFILE '/etc/passwd' FORMAT TSV", {}, 500, "344"),
    ],
)
def test_errors(
    clickhouse_endpoint: ClickHouseServer, sql: str, settings: dict[str, str], status: int, code: str
) -> None:
    url: dict[str, Any] = dict(settings)
    got, headers, body = ask(clickhouse_endpoint, body=sql.encode(), **url)
    assert (got, headers["X-ClickHouse-Exception-Code"]) == (status, code), body
    assert body.startswith(f"Code: {code}. DB::Exception: ".encode())
    assert body.count(b"DB::Exception: ") == 1


def test_wrong_password(clickhouse_endpoint: ClickHouseServer) -> None:
    status, headers, _ = ask(clickhouse_endpoint, "SELECT 1", password="guess")
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (403, "516")


def test_get_changes_nothing(clickhouse_endpoint: ClickHouseServer, table: str) -> None:
    status, headers, _ = ask(clickhouse_endpoint, "TRUNCATE TABLE t", database=table)
    assert (status, headers["X-ClickHouse-Exception-Code"]) == (500, "164")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT number FROM numbers(0)",
        "SELECT number, toString(number) FROM numbers(200000)",
        "SELECT number % 3 AS k, count() FROM numbers(10) GROUP BY k WITH TOTALS ORDER BY k",
        "SHOW DATABASES LIKE 'system'",
        "DESCRIBE TABLE system.one",
        "EXISTS TABLE system.one",
        "WITH 2 AS x SELECT y FROM (SELECT x AS y UNION ALL SELECT 3) ORDER BY y",
    ],
)
@pytest.mark.parametrize("format", ["TabSeparated", "JSONEachRow", "JSON", "CSVWithNames", "Native"])
def test_answers_in_the_format_asked(clickhouse_endpoint: ClickHouseServer, sql: str, format: str) -> None:
    status, headers, by_clause = ask(clickhouse_endpoint, body=f"{sql} FORMAT {format}".encode())
    assert (status, headers["X-ClickHouse-Format"]) == (200, format)
    by_default = ask(clickhouse_endpoint, body=sql.encode(), default_format=format)[2]
    if format == "JSON":  # it tells how long it took
        assert json.loads(by_clause)["data"] == json.loads(by_default)["data"]
    else:
        assert sorted(by_clause) == sorted(by_default)


def test_error_after_the_first_rows_reaches_the_client(clickhouse_endpoint: ClickHouseServer) -> None:
    client = clickhouse_endpoint.client()
    try:
        with pytest.raises(Exception, match="throwIf"):
            len(client.query("SELECT throwIf(number = 2000000) FROM numbers(3000000)").result_rows)
    finally:
        client.close()


@pytest.mark.parametrize("compress", [True, False, "gzip", "lz4", "zstd"])
def test_clickhouse_connect(clickhouse_endpoint: ClickHouseServer, table: str, compress: bool | str) -> None:
    import clickhouse_connect

    client = clickhouse_connect.get_client(
        host="127.0.0.1",
        port=clickhouse_endpoint.port,
        username="cdr",
        password=clickhouse_endpoint.password,
        database=table,
        compress=compress,
    )
    try:
        columns = [list(range(50_000)), ["x"] * 50_000]
        assert client.insert("t", columns, column_names=["a", "s"], column_oriented=True).written_rows == 50_000
        client.raw_insert("t", ["a", "s"], b"50000\ty\n", fmt="TabSeparated")
        assert client.query("SELECT count(), sum(a) FROM t").result_rows == [(50_001, 1250025000)]
        assert client.command("SELECT count() FROM t") == 50_001
        assert client.query("SELECT a, s FROM t LIMIT 0").column_names == ("a", "s")
        with client.query_rows_stream("SELECT a FROM t WHERE a < {n:UInt64}", parameters={"n": 40_000}) as rows:
            assert sum(1 for _ in rows) == 40_000
    finally:
        client.close()


def test_reads_go_on_while_rows_are_written(clickhouse_endpoint: ClickHouseServer, table: str) -> None:
    block = b"".join(b"%d\tx\n" % n for n in range(20_000))
    errors: list[Any] = []

    def write() -> None:
        for _ in range(10):
            answer = ask(clickhouse_endpoint, "INSERT INTO t FORMAT TSV", block, database=table)
            if answer[0] != 200:
                errors.append(answer)

    writers = [threading.Thread(target=write) for _ in range(2)]
    for writer in writers:
        writer.start()
    seen = [count(clickhouse_endpoint, table)]
    while any(writer.is_alive() for writer in writers):
        seen.append(count(clickhouse_endpoint, table))
    assert errors == []
    assert seen == sorted(seen)
    assert all(number % 20_000 == 0 for number in seen)
    # Equal blocks without a token are one block to ClickHouse's deduplication.
    assert count(clickhouse_endpoint, table) == 20_000


def test_kill_keeps_what_was_answered(clickhouse_endpoint: ClickHouseServer, table: str) -> None:
    ask(clickhouse_endpoint, "INSERT INTO t FORMAT TSV", b"1\tx\n", database=table)
    clickhouse_endpoint.kill()
    clickhouse_endpoint.start()
    assert count(clickhouse_endpoint, table) == 1


def test_faults(clickhouse_endpoint: ClickHouseServer, table: str) -> None:
    clickhouse_endpoint.fault("drop_answer", count=1, match="INSERT INTO t")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        ask(clickhouse_endpoint, "INSERT INTO t FORMAT TSV", b"1\tx\n", database=table)
    assert clickhouse_endpoint.struck() == 1
    assert count(clickhouse_endpoint, table) == 1
    clickhouse_endpoint.fault("error", count=1, code=241)
    assert ask(clickhouse_endpoint, "SELECT 1")[1]["X-ClickHouse-Exception-Code"] == "241"
    assert ask(clickhouse_endpoint, "SELECT 1")[0] == 200
    clickhouse_endpoint.fault("refuse", count=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        ask(clickhouse_endpoint, "SELECT 1")
    clickhouse_endpoint.fault("slow", count=1, seconds=0.1)
    assert ask(clickhouse_endpoint, "SELECT 1")[0] == 200


def test_second_process_on_the_directory_says_who_has_it(clickhouse_endpoint: ClickHouseServer) -> None:
    command = [sys.executable, "-m", "pipeline.embedded.clickhouse", "--path", str(clickhouse_endpoint.folder)]
    done = subprocess.run([*command, "--port", "0"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert "is in use by process" in done.stderr
    assert "Traceback" not in done.stderr


def test_port_in_use(clickhouse_endpoint: ClickHouseServer, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pipeline.embedded.clickhouse", "--path", str(tmp_path / "other")]
    port = str(clickhouse_endpoint.port)
    done = subprocess.run([*command, "--port", port], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, f"Cannot listen on 127.0.0.1:{port}" in done.stderr) == (3, True)


def test_only_the_owner_may_read_the_password(clickhouse_endpoint: ClickHouseServer) -> None:
    assert stat.S_IMODE((clickhouse_endpoint.folder / "secret").stat().st_mode) == 0o600


def test_full_disk_is_told() -> None:
    from pipeline.embedded.chdb_endpoint.engine import EngineError

    text = str(EngineError("Code: 243. DB::Exception: Cannot reserve 1.00 MiB, not enough space. (NOT_ENOUGH_SPACE)"))
    assert "free space on it" in text
