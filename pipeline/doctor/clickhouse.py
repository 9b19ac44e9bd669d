"""ClickHouse as `cdr doctor` sees it: version, schema, comments, parts, disk."""

from __future__ import annotations

from typing import Any

from clickhouse_connect.driver.exceptions import ClickHouseError

from pipeline.doctor.finding import FAIL, OK, WARN, Check
from pipeline.errors import DEPENDENCY, Problem
from pipeline.settings import Settings
from pipeline.settings.clickhouse import ClickHouseSettings
from pipeline.warehouse.storage.client import connect, first_line, without_password
from pipeline.warehouse.storage.migrate import migrate

OLDEST = (24, 8)  # the oldest release whose functions the queries use
MANY_PARTS = 300  # of one partition; ClickHouse slows inserts down at 1000
LITTLE_DISK = 0.1  # of the whole


def examine(settings: Settings) -> list[Check]:
    """The checks of ClickHouse. Raises `Problem` when it does not answer."""
    client = connect(settings.clickhouse, timeout_s=10)
    try:
        return _examine(client, settings)
    except ClickHouseError as error:
        raise Problem(
            f"ClickHouse refuses to answer: {first_line(error)}.", hint="Its log says more.", code=DEPENDENCY
        ) from error
    finally:
        client.close()


def _examine(client: Any, settings: ClickHouseSettings) -> list[Check]:
    version, zone = client.query("SELECT version(), timezone()").result_rows[0]
    checks = [Check(OK, "ClickHouse", f"{version} answers at {without_password(settings.clickhouse)}")]
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        checks[0] = Check(FAIL, "ClickHouse", f"version {version}", f"{OLDEST[0]}.{OLDEST[1]} or later is needed.")
    if zone != "UTC":
        hint = "Our columns say UTC themselves; set the server to UTC so that people's queries do, too."
        checks.append(Check(WARN, "time zone", f"the server's is {zone}", hint))
    else:
        checks.append(Check(OK, "time zone", "UTC"))
    due = migrate(client, settings.database, dry_run=True)
    if due:
        checks.append(Check(FAIL, "migrations", f"due: {', '.join(due)}", "Run cdr migrate."))
    else:
        checks += [Check(OK, "migrations", "current"), _comments(client, settings.database)]
        checks.append(_parts(client, settings.database))
    checks.append(_disk(client))
    return checks


def _comments(client: Any, database: str) -> Check:
    query = """
        SELECT concat(table, '.', name) FROM system.columns WHERE database = {database:String} AND comment = ''
        UNION ALL SELECT name FROM system.tables WHERE database = {database:String} AND comment = ''
    """
    lacking = sorted(row[0] for row in client.query(query, parameters={"database": database}).result_rows)
    if lacking:
        found = f"{len(lacking)} tables or columns have none: {', '.join(lacking[:5])}"
        return Check(WARN, "comments", found, f"COMMENT them, or keep tables of your own outside {database}.")
    return Check(OK, "comments", "every table and column")


def _parts(client: Any, database: str) -> Check:
    query = """
        SELECT table, partition, count() AS parts FROM system.parts
        WHERE active AND database = {database:String} GROUP BY table, partition ORDER BY parts DESC LIMIT 1
    """
    rows = client.query(query, parameters={"database": database}).result_rows
    if rows and rows[0][2] > MANY_PARTS:
        table, partition, parts = rows[0]
        hint = "Merges cannot follow: give ClickHouse more disk throughput, or raise CDR_BATCH_WAIT_S."
        return Check(WARN, "parts", f"{table} has {parts} parts in partition {partition}", hint)
    return Check(OK, "parts", f"at most {rows[0][2] if rows else 0} in a partition")


def _disk(client: Any) -> Check:
    query = (
        "SELECT name, free_space, total_space FROM system.disks WHERE total_space > 0 ORDER BY free_space / total_space"
    )
    rows = client.query(query).result_rows
    if not rows:
        return Check(WARN, "disk", "ClickHouse does not say how much is free")
    name, free, total = rows[0]
    found = f"{free / 2**30:.1f} GiB of {total / 2**30:.1f} GiB free on {name}"
    if free < total * LITTLE_DISK:
        return Check(WARN, "disk", found, "Set CDR_RETENTION_DAYS and CDR_ARCHIVE_RETENTION_DAYS, or add disk.")
    return Check(OK, "disk", found)
