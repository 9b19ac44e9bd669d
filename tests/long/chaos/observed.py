"""What the pipeline wrote, read once: judged by the audit, and kept as evidence of a round that failed."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import orjson

from pipeline.warehouse.storage import rows
from schemas.event import Event
from tests.worker.deployment import Deployment

# FINAL: what readers of the archive see; a row that merges have not yet put with its like is no second one.
_ARCHIVED = "SELECT tenant, call_id, event_id, raw FROM event_rows FINAL WHERE NOT startsWith(event_id, 'joined:')"


class Archived(msgspec.Struct, frozen=True):
    """A row of the archive."""

    tenant: str
    call_id: str
    event_id: str
    raw: bytes


class Post(msgspec.Struct, frozen=True):
    """A webhook message that the receiver took with a 2xx."""

    id: str
    type: str
    body: bytes


class ReportRun(msgspec.Struct, frozen=True):
    """A live row of report_run_rows. `mails`: how many messages of it arrived."""

    report_id: str
    due_at: str
    id: str
    state: str
    mails: int = 0


class Observed(msgspec.Struct):
    """Everything of one deployment. `feed` is in the order of each partition."""

    calls: list[dict[str, Any]] = []
    logs: list[dict[str, Any]] = []
    archive: list[Archived] = []
    feed: list[bytes] = []
    dead_letters: list[bytes] = []
    posts: list[Post] | None = None  # None: no webhook was registered
    runs: list[ReportRun] | None = None  # None: no report was asked for


class Truth(msgspec.Struct):
    """What was sent. `repeats`: how many posts of webhooks the kills of the round may have repeated."""

    events: list[Event] = []
    poison: list[bytes] = []
    reports: list[str] = []  # each due once
    repeats: int = 0
    generation: int = 0  # of the fold that says what is right


def observe(deployment: Deployment) -> Observed:
    """Read the tables and topics of a deployment."""
    return observe_tables(
        deployment.client,
        deployment,
        feed=[record.value for record in deployment.feed()],
        dead_letters=[record.value for record in deployment.dead_letters()],
    )


def observe_tables(client: Any, tables: Any, *, feed: list[bytes], dead_letters: list[bytes]) -> Observed:
    """Read the tables; `tables.stored` gives live rows, as `Deployment.stored` does."""
    archived = client.query(_ARCHIVED).result_rows
    return Observed(
        calls=[
            row | {"detail": orjson.loads(row["detail"] or "{}")}
            for row in tables.stored("call_rows", rows.CALL_COLUMNS)
        ],
        logs=tables.stored("call_log_rows", rows.LOG_COLUMNS),
        archive=[
            Archived(tenant, call_id, event_id, raw.encode(errors="surrogateescape"))
            for tenant, call_id, event_id, raw in archived
        ],
        feed=feed,
        dead_letters=dead_letters,
    )


def save(folder: Path, truth: Truth, observed: Observed) -> None:
    """Keep both as lines of JSON, one file a kind."""
    folder.mkdir(parents=True, exist_ok=True)
    _lines(folder / "events.ndjson", map(msgspec.json.encode, truth.events))
    _lines(folder / "poison.ndjson", (orjson.dumps(base64.b64encode(one).decode()) for one in truth.poison))
    for name in ("calls", "logs", "archive", "posts", "runs"):
        found = getattr(observed, name)
        if found is not None:
            _lines(folder / f"{name}.ndjson", map(msgspec.json.encode, found))
    for name in ("feed", "dead_letters"):
        values = (orjson.dumps(base64.b64encode(one).decode()) for one in getattr(observed, name))
        _lines(folder / f"{name}.ndjson", values)
    (folder / "round.json").write_bytes(
        orjson.dumps({"reports": truth.reports, "repeats": truth.repeats, "generation": truth.generation})
    )


def load(folder: Path) -> tuple[Truth, Observed]:
    """What `save` kept."""
    more = orjson.loads((folder / "round.json").read_bytes())
    truth = Truth(
        [msgspec.json.decode(line, type=Event) for line in _read(folder / "events.ndjson")],
        [base64.b64decode(orjson.loads(line)) for line in _read(folder / "poison.ndjson")],
        more["reports"],
        more["repeats"],
        more["generation"],
    )
    observed = Observed(
        calls=[orjson.loads(line) for line in _read(folder / "calls.ndjson")],
        logs=[orjson.loads(line) for line in _read(folder / "logs.ndjson")],
        archive=[msgspec.json.decode(line, type=Archived) for line in _read(folder / "archive.ndjson")],
        feed=[base64.b64decode(orjson.loads(line)) for line in _read(folder / "feed.ndjson")],
        dead_letters=[base64.b64decode(orjson.loads(line)) for line in _read(folder / "dead_letters.ndjson")],
    )
    if (folder / "posts.ndjson").exists():
        observed.posts = [msgspec.json.decode(line, type=Post) for line in _read(folder / "posts.ndjson")]
    if (folder / "runs.ndjson").exists():
        observed.runs = [msgspec.json.decode(line, type=ReportRun) for line in _read(folder / "runs.ndjson")]
    return truth, observed


def _lines(file: Path, values: Iterable[bytes]) -> None:
    with file.open("wb") as out:
        out.writelines(value + b"\n" for value in values)


def _read(file: Path) -> list[bytes]:
    return file.read_bytes().splitlines()
