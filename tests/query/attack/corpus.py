"""Values that mean something to somebody behind the service: SQL, ClickHouse, spreadsheets, headers, paths, parsers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

SQL: Final = (
    "' OR 1=1 --",
    "') OR tenant = 'zorblax' --",
    "' UNION ALL SELECT * FROM call_rows --",
    "1; DROP TABLE call_rows",
    "'; ALTER TABLE call_rows DELETE WHERE 1; --",
    "\\' OR 1=1 --",
    "\\",
    "%' OR '%'='",
    "*/ OR 1=1 /*",
    "$$ OR 1=1 $$",
    "0x27",
    "' AND sleep(3) --",
    "'||(SELECT token_hash FROM api_token_rows LIMIT 1)||'",
)
CLICKHOUSE: Final = (
    "{p0:String}",
    "{tenant:String}",
    "{p:Identifier}",
    "%(tenant)s",
    "%s%s%n",
    "url('http://127.0.0.1:1/', CSV, 'a String')",
    "file('/etc/passwd', 'LineAsString')",
    "remote('127.0.0.1', system.tables)",
    "numbers(1000000000000)",
    "toString(getSetting('max_threads'))",
    "SETTINGS max_execution_time = 0",
    "FORMAT Null",
    "\\N",
    "\t\n\r\\t\\n",
    "[1,2,3]",
    "(1,'a')",
    "NULL",
    "nan",
    "inf",
)
SPREADSHEET: Final = ('=HYPERLINK("http://x","y")', "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1")
HEADERS: Final = ("a\r\nSet-Cookie: x=y", "a\nX-Injected: 1", "a\r\n\r\n<html>", "%0d%0aX-Injected:%201")
PATHS: Final = (
    "../../../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "..\\..\\windows\\win.ini",
    "/etc/passwd",
    "file:///etc/passwd",
    "....//....//",
    "a/../../b",
    "exports/../../../etc/hostname",
    ".",
    "..",
)
TEXTS: Final = (
    "\0",
    "a\0b",
    "\ud83d\ude00",
    "\u202egnp.exe",
    "\u0000\u0001\u001f\u007f",
    "ﷺ" * 50,
    "e\u0301" * 100,
    "\ufeff101",
    "İıſK",
    "１０１",
    "x" * 8_192,
    "x" * 9_000,
    "(" * 4_000,
    "'" * 4_001,
    "%" * 2_000 + "_",
    "a*" * 3_000,
    "(a+)+$" + "a" * 3_000 + "!",
    "((((((((((a*)*)*)*)*)*)*)*)*)*b",
    "not " * 2_000 + "true",
    "a and " * 1_500 + "a",
)
NUMBERS: Final = (
    "-1",
    "0",
    "1e400",
    "-1e400",
    "1e-400",
    "9" * 400,
    "-" + "9" * 40,
    "18446744073709551615",
    "18446744073709551616",
    "9223372036854775808",
    "0x10",
    "1_000",
    "٣",
    "--1",
    "1.0000000000000000000000000000000000001",
    "9999-12-31T23:59:59.999Z",
    "0000-00-00T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "2024-02-30T00:00:00Z",
    "-9999-01-01",
    "1;>|2;<|" * 200,
)
JSONS: Final = (
    '{"a":' * 3_000 + "1" + "}" * 3_000,
    "[" * 3_900 + "]" * 3_900,
    '{"not":' * 1_000 + "{}" + "}" * 1_000,
    '{"or":[' * 900 + "{}" + "]}" * 900,
    '{"caller.number":{"$ne":null}}',
    '{"__proto__":{"a":1}}',
    '{"caller.number":{"in":[' + ",".join(['"1"'] * 1_500) + "]}}",
    '"\\ud800"',
    '{"caller.number":"\\u0000"}',
    "NaN",
    "-Infinity",
)
CORPUS: Final = (*SQL, *CLICKHOUSE, *SPREADSHEET, *HEADERS, *PATHS, *TEXTS, *NUMBERS, *JSONS)

_DEEP: Final = 10_000


def bodies() -> Iterator[tuple[str, bytes]]:
    """Bodies that are made to break what reads them, each with a name."""
    yield "not, nested", b'{"filter":' + b'{"not":' * _DEEP + b"{}" + b"}" * _DEEP + b"}"
    yield "or, nested", b'{"filter":' + b'{"or":[' * _DEEP + b"{}" + b"]}" * _DEEP + b"}"
    yield "lists, nested", b"[" * 100_000 + b"]" * 100_000
    yield "objects, nested", b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    yield "lists, never closed", b"[" * 200_000
    yield "a number", b"9" * 100_000
    yield "a huge number", b'{"limit":1e99999,"offset":' + b"9" * 5_000 + b"}"
    yield (
        "a lone surrogate",
        b'{"filter":{"caller.number":"\\ud800"},"name":"\\ud800","url":"\\ud800","username":"\\ud800"}',
    )
    yield "no UTF-8", b'{"filter":{"caller.number":"\xff\xfe"}}'
    yield "NUL", b'{"filter":{"caller.number":"\\u0000"},"name":"\\u0000","username":"\\u0000","password":"\\u0000"}'
    yield "the same name twice", b'{"filter":{},"filter":{"tenant":"zorblax"},"limit":1,"limit":2}'
    yield "many names", json.dumps({f"n{number}": number for number in range(20_000)}).encode()
    yield "many values", json.dumps({"filter": {"caller.number": {"in": ["1"] * 50_000}}}).encode()
    yield "nothing", b""
    yield "spaces", b" " * 500_000
    yield "text", b"filter=1"
    yield "null", b"null"


def sizes() -> Iterator[tuple[str, bytes]]:
    """Bodies larger than anything that is taken."""
    yield "JSON", b'{"filter":{"caller.number":"' + b"1" * (3 << 20) + b'"}}'
    yield "spaces", b" " * (3 << 20)
