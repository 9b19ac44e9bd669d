"""`cdr validate` and the documents of the contract."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import httpx
import jsonschema
import pytest

from pipeline.query.app import create_app
from pipeline.settings import Settings
from tests.forks import cdr
from tests.sources import scenario

GOOD = {"type": "started", "at": "2026-03-10T12:00:00Z", "call_id": "c-1"}


def validate(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    return cdr("validate", *arguments, given=text)


def test_line_pointer_problem_and_hint(tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    lines = [GOOD, GOOD | {"at": "2026-03-10 12:00"}, GOOD | {"caller": {"number": 5}, "sip_status": "200"}]
    file.write_text("\n".join(["", *map(json.dumps, lines), "{"]))
    done = validate(str(file), "--output", "json")
    assert done.returncode == 1, done.stderr
    rows = json.loads(done.stdout)
    assert [(row["line"], row["pointer"]) for row in rows] == [
        (3, "/at"),
        (4, "/caller/number"),
        (4, "/sip_status"),
        (5, ""),
    ]
    assert "RFC 3339" in rows[0]["hint"] and all(row["problem"] and row["hint"] for row in rows)
    assert "4 values, 1 events, 3 values wrong" in done.stderr


def test_all_is_well() -> None:
    done = validate("-", text=json.dumps([GOOD, GOOD]))
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert json.loads(validate("-", "-o", "json", text=json.dumps(GOOD)).stdout) == []


@pytest.mark.parametrize("dialect", ["freeswitch", "asterisk", "kamailio", "portsip", "yeastar"])
def test_raw_events(dialect: str, tmp_path: Path) -> None:
    name = scenario.names(dialect)[0]
    values = [*scenario.load(dialect, name)["values"], b"{}", b"nothing"]
    (tmp_path / "raw.ndjson").write_bytes(b"\n".join(values))
    done = validate(str(tmp_path / "raw.ndjson"), "--source", dialect, "--output", "ndjson")
    assert done.returncode == 1, done.stderr
    assert {json.loads(line)["line"] for line in done.stdout.splitlines()} <= {len(values) - 1, len(values)}


def test_what_cannot_be_read() -> None:
    for arguments in (("/nowhere",), ("-", "--source", "klingon"), ("-", "--zone", "Mars/Base")):
        done = validate(*arguments, text=json.dumps(GOOD))
        assert done.returncode == 2 and done.stderr.startswith("cdr: "), done.stderr


async def test_the_documents_of_the_service() -> None:
    settings = Settings(events_topic="mine", kafka="broker.example:9092")
    app = create_app(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://cdr") as client:
        document = (await client.get("/asyncapi.json")).json()
        assert document["asyncapi"].startswith("3.0") and document["servers"]["kafka"]["host"] == "broker.example:9092"
        assert document["channels"]["callEvents"]["address"] == "mine"
        assert document["channels"]["freeswitchEvents"]["address"] == "freeswitch-events"
        schema = (await client.get("/schemas/call-event.v1.json")).json()
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(GOOD, schema)
        assert (await client.get("/schemas/other.json")).status_code == 404
