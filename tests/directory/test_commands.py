"""`cdr directory` as typed in a shell."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path

import pytest

from tests import forks
from tests.directory.sample import sample, written
from tests.servers import ClickHouseServer


@pytest.mark.slow
def test_load_show_export(clickhouse_endpoint: ClickHouseServer, database: str, tmp_path: Path) -> None:
    client = clickhouse_endpoint.client(database)
    client.close()
    environment = os.environ | {"CDR_CLICKHOUSE": clickhouse_endpoint.url, "CDR_DATABASE": database}

    cdr = partial(forks.cdr, "directory", env=environment)

    file = str(written(tmp_path, "acme.yaml", sample("acme.yaml")))
    dry = cdr("load", file, "--dry-run", "--output", "json")
    assert (dry.returncode, dry.stderr) == (0, "14 to add (dry run).\n")
    assert {change["action"] for change in json.loads(dry.stdout)} == {"add"}
    assert json.loads(cdr("show", "extensions", "--tenant", "acme", "--output", "json").stdout) == []
    assert cdr("load", file).stderr == "14 added.\n"
    assert (cdr("load", file).stdout, cdr("load", file, "--prune").stderr) == ("", "Nothing to change.\n")
    (queue,) = json.loads(cdr("show", "queues", "--tenant", "acme", "--output", "json").stdout)
    assert queue == {"number": "6000", "name": "Support", "sla_s": 20, "members": ["101", "102"]}
    assert "Ann Archer" in cdr("show", "extension", "101", "--tenant", "acme").stdout
    assert cdr("show", "phones").returncode == 2
    missing = cdr("show", "extensions", "999", "--tenant", "acme")
    assert (missing.returncode, "There is no extension '999'" in missing.stderr) == (1, True)

    again = written(tmp_path, "again.yaml", cdr("export").stdout)
    assert cdr("load", str(again), "--prune").stderr == "Nothing to change.\n"
    wrong = written(tmp_path, "wrong.yaml", "tenant: acme\nqueues: []\nextensions: [{number: '101', company: '9'}]\n")
    refused = cdr("load", str(wrong), "--prune")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "extension 101: company '9' is none of '1', '2'; add it to companies" in refused.stderr
    assert len(json.loads(cdr("show", "queues", "--tenant", "acme", "--output", "json").stdout)) == 1
