"""Brings a database to the schema of this version. Idempotent: running it again changes nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from clickhouse_connect.driver.client import Client

_MIGRATIONS = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    number     UInt32 COMMENT 'Number of the migration',
    name       String COMMENT 'Name of its file',
    applied_at DateTime DEFAULT now() COMMENT 'When it was applied, UTC'
)
ENGINE = ReplacingMergeTree ORDER BY number
COMMENT 'Migrations that this database has'
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered file of statements."""

    number: int
    name: str
    statements: tuple[str, ...]


def migrations() -> list[Migration]:
    """All migrations of this version, in order."""
    found = []
    for file in resources.files("schemas").joinpath("migrations").iterdir():
        match = re.fullmatch(r"(\d{4})_\w+\.sql", file.name)
        if match:
            found.append(Migration(int(match[1]), file.name, _statements(file.read_text(encoding="utf-8"))))
    return sorted(found, key=lambda migration: migration.number)


def views() -> dict[str, str]:
    """Name → SELECT of the views that analysts read."""
    found = {}
    for file in resources.files("schemas").joinpath("views").iterdir():
        if file.name.endswith(".sql"):
            found[file.name.removesuffix(".sql")] = file.read_text(encoding="utf-8")
    return dict(sorted(found.items()))


def _statements(text: str) -> tuple[str, ...]:
    code = "\n".join(line for line in text.splitlines() if not line.startswith("--"))
    return tuple(part.strip() for part in re.split(r";\s*(?:\n|$)", code) if part.strip())


def migrate(client: Client, database: str, *, dry_run: bool = False) -> list[str]:
    """Apply what is missing; return the names of the migrations applied (or due, on a dry run)."""
    if dry_run and not client.command("EXISTS DATABASE {name:Identifier}", parameters={"name": database}):
        return [migration.name for migration in migrations()]
    if not dry_run:
        client.command(f"CREATE DATABASE IF NOT EXISTS `{database}`")
    client.database = database
    if not dry_run:
        client.command(_MIGRATIONS)
    known = client.command("EXISTS TABLE schema_migrations")
    rows = client.query("SELECT number FROM schema_migrations FINAL").result_rows if known else []
    applied = {int(row[0]) for row in rows}  # and 0, which notes the views
    due = [migration for migration in migrations() if migration.number not in applied]
    if dry_run:
        return [migration.name for migration in due]
    for migration in due:
        for statement in migration.statements:
            client.command(statement)
        _note(client, migration.number, migration.name)
    _create_views(client)
    return [migration.name for migration in due]


def _note(client: Client, number: int, name: str) -> None:
    client.command(
        "INSERT INTO schema_migrations (number, name) SELECT {number:UInt32}, {name:String}",
        parameters={"number": number, "name": name},
    )


def _create_views(client: Client) -> None:
    """The views of this version, unless they are there already: number 0 notes which they are."""
    wanted = views()
    digest = hashlib.sha256("\0".join(f"{name}\0{text}" for name, text in wanted.items()).encode()).hexdigest()
    (there,) = client.query(
        "SELECT (SELECT count() FROM system.tables WHERE database = currentDatabase() AND engine = 'View'"
        " AND has({names:Array(String)}, name)), (SELECT any(name) FROM schema_migrations FINAL WHERE number = 0),"
        " (SELECT max(number) FROM schema_migrations)",
        parameters={"names": list(wanted)},
    ).result_rows
    note = f"views {digest} on {there[2]}"
    if there[0] == len(wanted) and there[1] == note:
        return
    rows = client.query(
        "SELECT table, name, comment FROM system.columns WHERE database = currentDatabase()"
    ).result_rows
    comments: dict[str, dict[str, str]] = {}
    for table, name, comment in rows:
        comments.setdefault(table, {})[name] = comment
    for name, select in wanted.items():
        _create_view(client, name, select, comments)
    _note(client, 0, note)


def _create_view(client: Client, name: str, select: str, tables: Mapping[str, Mapping[str, str]]) -> None:
    """A view whose columns carry the comments of the table they come from.

    The file's first lines are the view's comment; a line `-- column: text` is that column's.
    """
    header = re.match(r"(?:\s*--[^\n]*\n)*", select)
    lines = [line.strip().lstrip("-").strip() for line in (header[0] if header else "").splitlines()]
    spoken = [re.fullmatch(r"(\w+): (.+)", line) for line in lines]
    comment = " ".join(line for line, column in zip(lines, spoken, strict=True) if not column)
    query = select[len(header[0]) if header else 0 :].strip().rstrip(";")
    columns = client.query(f"DESCRIBE ({query})").result_rows
    comments = {column[1]: column[2] for column in spoken if column}
    source = re.search(r"\bFROM\s+(\w+)\b(?!\()", query)
    if source:
        comments = {**tables.get(source[1], {}), **comments}
    listed = ", ".join(f"`{row[0]}` {row[1]} COMMENT '{_quoted(comments.get(row[0], ''))}'" for row in columns)
    client.command(f"CREATE OR REPLACE VIEW `{name}` ({listed}) AS {query} COMMENT '{_quoted(comment)}'")


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")


def set_retention(client: Client, *, calls_days: int, archive_days: int) -> None:
    """Drop calls and archived events older than so many days; 0 keeps all."""
    for table, column, days in (
        ("call_rows", "started_at", calls_days),
        ("call_log_rows", "started_at", calls_days),
        ("call_term_rows", "until", calls_days),
        ("event_rows", "at", archive_days),
    ):
        (existing,) = client.query(
            "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = {t:String}",
            parameters={"t": table},
        ).result_rows[0]
        ttl = f"toDateTime({column}) + toIntervalDay({days})" if days else ""
        if ttl and f"TTL {ttl}" not in existing:
            client.command(f"ALTER TABLE {table} MODIFY TTL {ttl}", settings={"materialize_ttl_after_modify": 0})
        elif not ttl and " TTL " in existing:
            client.command(f"ALTER TABLE {table} REMOVE TTL")
