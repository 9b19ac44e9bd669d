"""A ClickHouse client with the settings that everything here relies on, and its errors in two kinds:
those that pass by themselves, and those that a person must mend."""

from __future__ import annotations

from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.errors import DEPENDENCY, Problem

# Seconds. A write of one batch takes far less; the server gives up on its own after 60.
CONNECT_TIMEOUT_S = 5
WRITE_TIMEOUT_S = 65

# ClickHouse error codes that a retry cannot mend: the data or the schema is wrong.
# 6 cannot parse text, 16 no such column, 27 cannot parse input, 33 cannot read all data, 47 unknown
# identifier, 53 type mismatch, 60 unknown table, 62 syntax error, 81 unknown database, 115 unknown setting,
# 117 incorrect data, 192 unknown user, 193 wrong password, 497 access denied, 516 authentication failed
_LASTING_CODES = frozenset((6, 16, 27, 33, 47, 53, 60, 62, 81, 115, 117, 192, 193, 497, 516))


def connect(url: str, database: str = "", *, timeout_s: float = WRITE_TIMEOUT_S, **settings: Any) -> Client:
    """A client for `url` (http://user:password@host:port). Raises `Problem` when nothing answers there."""
    try:
        return clickhouse_connect.get_client(
            dsn=url,
            database=database or "default",
            connect_timeout=CONNECT_TIMEOUT_S,
            send_receive_timeout=int(timeout_s),
            autogenerate_session_id=False,
            settings=settings or None,
        )
    except (ClickHouseError, OSError) as error:
        raise Problem(
            f"ClickHouse does not answer at {without_password(url)}: {first_line(error)}.",
            hint="Start it, or set CDR_CLICKHOUSE to its HTTP address.",
            code=DEPENDENCY,
        ) from error


def without_password(url: str) -> str:
    """The URL as it may be shown."""
    scheme, _, rest = url.rpartition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if scheme else rest.rpartition("@")[2]


def first_line(error: BaseException) -> str:
    """An error in one short line."""
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
