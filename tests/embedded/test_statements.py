"""Where SQL ends and data begins."""

from __future__ import annotations

import pytest

from pipeline.embedded.chdb_endpoint.statements import read_statement


@pytest.mark.parametrize(
    ("sql", "head", "format", "data"),
    [
        (b"INSERT INTO t FORMAT Native\n\x02\n\n", b"INSERT INTO t", "Native", b"\x02\n\n"),
        (b"insert into t(a) format TSV\r\n1\n", b"insert into t(a)", "TSV", b"1\n"),
        (b"INSERT INTO t FORMAT TSV \n1\n", b"INSERT INTO t", "TSV", b"1\n"),
        (b"INSERT INTO t FORMAT TSV\n\n1\n", b"INSERT INTO t", "TSV", b"\n1\n"),
        (b'INSERT INTO t FORMAT JSONEachRow {"a":1}', b"INSERT INTO t", "JSONEachRow", b'{"a":1}'),
        (b"INSERT INTO TABLE `d`.`format` (`values`, format) FORMAT CSV\n", b"", "CSV", b""),
        (b"INSERT INTO format FORMAT CSV\n1", b"INSERT INTO format", "CSV", b"1"),
        (b"INSERT INTO t SETTINGS a='FORMAT x', b=1 FORMAT CSV\n1", b"", "CSV", b"1"),
        (b"/* FORMAT x */ INSERT INTO t -- FORMAT y\n FORMAT CSV\n1", b"", "CSV", b"1"),
        (b"INSERT INTO FUNCTION file('x', 'CSV', 'a Int8') FORMAT CSV\n1", b"", "CSV", b"1"),
    ],
)
def test_insert_with_rows(sql: bytes, head: bytes, format: str, data: bytes) -> None:
    statement = read_statement(sql)
    assert (statement.verb, statement.format) == ("INSERT", format)
    assert statement.data_at is not None
    assert sql[statement.data_at :] == data
    if head:
        assert statement.head == head


@pytest.mark.parametrize(
    "sql",
    [
        b"INSERT INTO t VALUES (1, 'FORMAT TSV')",
        b"INSERT INTO t (format) VALUES (1)",
        b"INSERT INTO t SELECT format, x FROM y",
        b"INSERT INTO t SELECT 'a FORMAT CSV'",
        b"WITH 1 AS x INSERT INTO t SELECT x",
    ],
)
def test_insert_without_rows_behind_it(sql: bytes) -> None:
    statement = read_statement(sql)
    assert (statement.verb, statement.data_at) == ("INSERT", None)
    assert not statement.answers


def test_input_function() -> None:
    sql = b"INSERT INTO t SELECT a, (SELECT 1) FROM input( 'a UInt8, b String' ) WHERE a > 1 FORMAT CSV\n1,x"
    statement = read_statement(sql)
    assert statement.input_at is not None
    assert sql[slice(*statement.input_at)] == b"input( 'a UInt8, b String' )"
    assert statement.structure == b"'a UInt8, b String'"
    assert statement.data_at == sql.index(b"1,x")


@pytest.mark.parametrize(
    ("sql", "verb", "format", "blockwise"),
    [
        (b"SELECT 1", "SELECT", "", True),
        (b"(SELECT 1) UNION ALL (SELECT 2)", "SELECT", "", True),
        (b" -- x\n select 1 format Native", "SELECT", "Native", True),
        (b"SELECT 1 FORMAT Native SETTINGS max_threads = 1;", "SELECT", "Native", True),
        (b"SELECT format FROM t", "SELECT", "", True),
        (b"SELECT format(x) FROM t FORMAT CSV", "SELECT", "CSV", True),
        (b"SELECT a FROM t GROUP BY a WITH TOTALS", "SELECT", "", False),
        (b"SHOW TABLES", "SHOW", "", False),
        (b"", "", "", False),
    ],
)
def test_query(sql: bytes, verb: str, format: str, blockwise: bool) -> None:
    statement = read_statement(sql)
    assert (statement.verb, statement.format, statement.blockwise) == (verb, format, blockwise)
