"""A ClickHouse client with the settings that everything here relies on, and its errors in two kinds:
those that pass by themselves, and those that a person must mend."""

from __future__ import annotations

import logging
import ssl
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.errors import DEPENDENCY, Problem

# Its errors are raised as well as logged; without a handler Python would print them to stderr a second time.
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())

# Seconds. A write of one batch takes far less; the server gives up on its own after 60.
CONNECT_TIMEOUT_S = 5
WRITE_TIMEOUT_S = 65

# ClickHouse error codes that a retry cannot mend: the data or the schema is wrong.
# 6 cannot parse text, 16 no such column, 27 cannot parse input, 33 cannot read all data, 47 unknown
# identifier, 53 type mismatch, 60 unknown table, 62 syntax error, 81 unknown database, 115 unknown setting,
# 117 incorrect data, 192 unknown user, 193 wrong password, 497 access denied, 516 authentication failed
_REFUSED_USERS: Final = frozenset((192, 193, 194, 516))
_LASTING_CODES = frozenset((6, 16, 27, 33, 47, 53, 60, 62, 81, 115, 117, 192, 193, 497, 516))

# What the query of a URL says of TLS → urllib3's name for it.
_TLS: Final = {"ca_cert": "ca_certs", "client_cert": "cert_file", "client_cert_key": "key_file"}


def target(url: str) -> dict[str, str]:
    """Where clickhouse-connect shall go: of a DSN it reads neither http nor https, and would take plain HTTP."""
    return {"dsn": url, "interface": "https" if url.lower().startswith("https://") else "http"}


def tls_of(url: str) -> dict[str, Any]:
    """TLS options of a urllib3 pool for this URL."""
    options = dict(parse_qsl(urlsplit(url).query))
    given = {name: options[key] for key, name in _TLS.items() if options.get(key)}
    return {"cert_reqs": "CERT_REQUIRED", **given} if given else {}


def connect(url: str, database: str = "", *, timeout_s: float = WRITE_TIMEOUT_S, **settings: Any) -> Client:
    """A client for `url` (http://user:password@host:port; see CDR_CLICKHOUSE). Raises `Problem` when nothing answers
    there, or it does not let us in."""
    try:
        return clickhouse_connect.get_client(
            **target(url),
            database=database or "default",
            connect_timeout=CONNECT_TIMEOUT_S,
            send_receive_timeout=int(timeout_s),
            autogenerate_session_id=False,
            settings=settings or None,
        )
    except (ClickHouseError, OSError) as error:
        raise Problem(
            f"ClickHouse does not answer at {without_password(url)}: {first_line(error)}.",
            hint=_hint(error),
            code=DEPENDENCY,
        ) from error


def _hint(error: BaseException) -> str:
    """What mends an error of connecting."""
    if "certificate verify failed" in str(error).lower():
        return "Name the PEM file of the authority that signed its certificate in CDR_CLICKHOUSE: ?ca_cert=FILE."
    if "wrong_version_number" in str(error).lower() or "wrong version number" in str(error).lower():
        return "It does not speak TLS there: write http:// in CDR_CLICKHOUSE, or the port of its HTTPS interface."
    if error_code(error) in _REFUSED_USERS:
        return "Write the user and its password into CDR_CLICKHOUSE: http://user:password@host:port."
    return "Start it, or set CDR_CLICKHOUSE to its HTTP address."


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    scheme, _, rest = url.rpartition("://")
    rest = rest.partition("?")[0]
    return f"{scheme}://{rest.rpartition('@')[2]}" if scheme else rest.rpartition("@")[2]


def first_line(error: BaseException) -> str:
    """An error in one short line: the network's own words, where it was the network."""
    cause: BaseException | None = error
    for _ in range(10):  # an error of the client wraps one of urllib3, and that one of the socket
        if cause is None:
            break
        if isinstance(cause, OSError) and cause.strerror and not isinstance(cause, ssl.SSLError):
            return cause.strerror
        cause = getattr(cause, "reason", None) or cause.__cause__ or cause.__context__
        cause = cause if isinstance(cause, BaseException) else None
    return (str(error).splitlines() or [type(error).__name__])[0][:300].rstrip(".")


def error_code(error: BaseException) -> int | None:
    """ClickHouse's code in an error, None for trouble on the way (refused, reset, timeout)."""
    text = str(error)
    for mark in ("Code: ", "code: "):
        _, found, rest = text.partition(mark)
        digits = rest[: next((i for i, c in enumerate(rest) if not c.isdigit()), len(rest))]
        if found and digits:
            return int(digits)
    return None


def passes_by_itself(error: BaseException) -> bool:
    """Whether the same statement may succeed later without anybody's help."""
    return error_code(error) not in _LASTING_CODES
