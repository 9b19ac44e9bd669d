"""The PBX nodes as `cdr doctor` sees them in the archive: clocks that are wrong, nodes that fell silent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.doctor.finding import OK, WARN, Check
from pipeline.errors import DEPENDENCY, Problem
from pipeline.settings.clickhouse import ClickHouseSettings
from pipeline.warehouse.storage.client import connect, first_line

SHOWN: Final = 5  # nodes that a finding names
SKEW_S: Final = 3.0  # the archive's own clock has whole seconds
LATE_S: Final = 600.0  # even when all nodes are late alike
ENOUGH: Final = 20  # events from which on the freshest one says something about the way they take
SILENT_S: Final = 3600
SLOT_S: Final = 300  # in which a node tells something or nothing
DAY_S: Final = 86_400
WEEK_S: Final = 7 * DAY_S

# Of each node the freshest event: nothing is archived before it happened, and some events come at once.
_CLOCKS: Final = """
    SELECT node, count(),
           min(toFloat64(toUnixTimestamp(archived_at)) - toFloat64(toUnixTimestamp64Milli(at)) / 1000)
    FROM {database:Identifier}.event_rows WHERE archived_at > now() - INTERVAL 1 HOUR AND type != 'data'
    GROUP BY node ORDER BY node
"""
_SLOTS: Final = """
    SELECT node, groupUniqArray(intDiv(toUnixTimestamp(toDateTime(at)), {slot:UInt32}) * {slot:UInt32}),
           max(toUnixTimestamp(toDateTime(at))), toUnixTimestamp(now())
    FROM {database:Identifier}.event_rows WHERE at > now() - INTERVAL 8 DAY AND at <= now()
    GROUP BY node ORDER BY node
"""


def examine(settings: ClickHouseSettings) -> list[Check]:
    """The checks of the nodes. Raises `Problem` when ClickHouse does not answer."""
    client = connect(settings.clickhouse, timeout_s=30)
    try:
        return checks(client, settings.database)
    except ClickHouseError as error:
        raise Problem(
            f"ClickHouse does not tell of the nodes: {first_line(error)}.",
            hint="See ClickHouse above.",
            code=DEPENDENCY,
        ) from error
    finally:
        client.close()


def checks(client: Any, database: str) -> list[Check]:
    """The checks of the nodes; none where there is no archive yet."""
    where = {"database": database}
    if not client.command("EXISTS TABLE {database:Identifier}.event_rows", parameters=where):
        return []
    clocks = client.query(_CLOCKS, parameters=where).result_rows
    slots = client.query(_SLOTS, parameters=where | {"slot": SLOT_S}).result_rows
    return [_clocks(clocks), _silent(slots)]


def wrong_clocks(rows: Sequence[tuple[str, int, float]]) -> dict[str, float]:
    """The nodes whose clocks are wrong, of (node, its events of the last hour, seconds that its freshest one took to
    the archive) → seconds behind, negative ahead. The way to the archive is the same for all: a node whose events are
    older than the others' is behind."""
    usual = min((late for _, events, late in rows if events >= ENOUGH and late > -SKEW_S), default=0.0)
    return {
        node: late
        for node, events, late in rows
        if late < -SKEW_S or (events >= ENOUGH and late - max(usual, 0) > SKEW_S) or late > LATE_S
    }


def _clocks(rows: Sequence[tuple[str, int, float]]) -> Check:
    wrong = [
        f"{_name(node)} is {abs(late):.0f} s {'ahead' if late < 0 else 'behind'}"
        for node, late in wrong_clocks(rows).items()
    ]
    if wrong:
        hint = (
            "Set their clocks by NTP, and CDR_ZONE where they send local time. A node may also send late, or history."
        )
        return Check(WARN, "clocks", _listed(wrong), hint)
    return Check(OK, "clocks", f"{len(rows)} node{'s' if len(rows) != 1 else ''} in the last hour")


def _silent(rows: Sequence[tuple[str, Sequence[int], int, int]]) -> Check:
    silent = []
    for node, slots, last, now in rows:
        if now - last >= SILENT_S and unusual(slots, last, now):
            since = dt.datetime.fromtimestamp(last, dt.UTC).strftime("%Y-%m-%dT%H:%MZ")
            silent.append(f"{_name(node)} since {since} ({(now - last) // 60} min)")
    if silent:
        hint = "Is the node up, does it reach Kafka, does its bridge run? At this time it told of calls before."
        return Check(WARN, "silent nodes", _listed(silent), hint)
    return Check(OK, "silent nodes", f"none of {len(rows)} heard of in the last days")


def unusual(slots: Sequence[int], last: int, now: int) -> bool:
    """Whether a node that has told nothing from `last` to `now` told something in that time a week ago, or the
    day before where a week ago it told nothing at all yet. A node without a past has no habits: it is unusual."""
    first = min(slots)
    before = WEEK_S if first < last - WEEK_S else DAY_S
    if first >= last - before:
        return True
    return any(last - before < slot <= now - before for slot in slots)


def _name(node: str) -> str:
    return node or "a node without a name"


def _listed(nodes: Sequence[str]) -> str:
    return ", ".join(nodes[:SHOWN]) + (f" and {len(nodes) - SHOWN} more" if len(nodes) > SHOWN else "")
