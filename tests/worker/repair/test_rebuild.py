"""`cdr verify` finds what differs from the archive, `cdr rebuild` mends it, while a worker runs."""

from __future__ import annotations

import json
import random
import threading
import time
from functools import partial
from typing import Any

import pytest

from pipeline.calls import fold
from pipeline.sources import canonical
from pipeline.warehouse.storage.period import period
from pipeline.worker.repair import rebuild as rebuilding
from pipeline.worker.repair.correction_writer import Corrections
from pipeline.worker.repair.rebuild import rebuild
from pipeline.worker.repair.refold import Difference
from pipeline.worker.repair.verify import verify
from tests import forks
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment
from tests.worker.phone_calls import JsonEvent, event, in_time, now_ms, phone_calls

ALL = ("2020-01-01", "")
AT_ONCE = {"mutations_sync": 2}


def joined_calls(count: int, at: int) -> list[JsonEvent]:
    """Attended transfers: two ids that turn out to be one call."""
    events: list[JsonEvent] = []
    for number in range(count):
        one, two = f"one-{number}", f"two-{number}"
        events += [
            event(one, "started", at, 0, leg_id="a", caller="200", callee="300"),
            event(one, "answered", at + 1000, 1, leg_id="a"),
            event(two, "started", at + 5000, 0, leg_id="b", caller="300", callee="301"),
            event(two, "answered", at + 6000, 1, leg_id="b"),
            event(two, "ended", at + 9000, 2, leg_id="b", linked_ids=[one]),
            event(one, "ended", at + 9500, 2, leg_id="a"),
        ]
    return events


def different(deployment: Deployment, tenant: str = "") -> list[Difference]:
    found: list[Difference] = []
    verdict = verify(deployment.settings, period(*ALL, tenant), found.append)
    assert bool(verdict.wrong) == bool(found)
    return found


def filled(deploy: Deploy, **env: Any) -> Deployment:
    deployment = deploy(**env)
    deployment.worker()
    events = in_time(phone_calls(300))
    random.Random(4).shuffle(events)
    deployment.produce([*joined_calls(5, now_ms() - 60_000), *events])
    deployment.wait_done()
    deployment.wait_done()
    return deployment


def alter(deployment: Deployment, table: str, change: str, where: str) -> None:
    """Write live rows again under the version they have, changed."""
    deployment.client.command(
        f"INSERT INTO {table} SELECT * REPLACE ({change}) FROM {table} FINAL WHERE retired = 0 AND {where}"
    )


@pytest.mark.slow
def test_what_was_spoilt_is_found_and_mended(deploy: Deploy) -> None:
    deployment = filled(deploy)
    assert different(deployment) == []
    deployment.workers[0].stop()  # it would retire what belongs to nobody by itself
    ids = [row[0] for row in deployment.client.query("SELECT call_id FROM calls ORDER BY id LIMIT 6").result_rows]
    changed, lost, orphan = ids[0], ids[1], ids[2]
    alter(deployment, "call_rows", "'999' AS destination, 77 AS talk_ms", f"call_id = '{changed}'")
    for table in ("call_rows", "call_log_rows"):
        deployment.client.command(f"ALTER TABLE {table} DELETE WHERE call_id = '{lost}'", settings=AT_ONCE)
    alter(deployment, "call_log_rows", "id + 1 AS id, version - 2 AS version", f"call_id = '{orphan}'")
    alter(deployment, "call_rows", "id + 1 AS id, version - 2 AS version", "call_id = 'one-3'")
    found = different(deployment)
    assert {each.call_id for each in found} == {changed, lost, orphan, "one-3"}
    fields = {each.field: (each.stored, each.folded) for each in found if each.call_id == changed}
    assert fields.keys() == {"destination", "talk_ms"} and fields["talk_ms"][0] == 77
    assert {each.what.split()[0] for each in found if each.call_id == lost} == {"call", "log"}
    assert {(each.field, each.folded) for each in found if each.call_id == orphan} == {("row", None)}

    outcome = rebuild(deployment.settings, period(*ALL))
    assert outcome.corrected == 4 and not outcome.left and outcome.looked >= 305
    assert different(deployment) == []
    told = [json.loads(record.value)["call_id"] for record in deployment.feed()]
    assert told.count(changed) >= 2 and told.count(lost) >= 2
    assert rebuild(deployment.settings, period(*ALL)).corrected == 0


@pytest.mark.slow
def test_a_row_of_which_the_archive_lacks_events_is_left_as_it_is(deploy: Deploy) -> None:
    deployment = filled(deploy)
    deployment.client.command(
        "ALTER TABLE event_rows DELETE WHERE call_id = 'call-1-7' AND type = 'ended'", settings={"mutations_sync": 2}
    )
    deployment.client.command(
        "ALTER TABLE event_rows DELETE WHERE call_id = 'call-1-9'", settings={"mutations_sync": 2}
    )
    before = deployment.client.query("SELECT * FROM calls WHERE call_id = 'call-1-7'").result_rows
    assert {each.call_id for each in different(deployment)} == {"call-1-7", "call-1-9"}
    outcome = rebuild(deployment.settings, period(*ALL))
    assert outcome.corrected == 0 and {each.call_id for each in outcome.left} == {"call-1-7"}
    assert deployment.client.query("SELECT * FROM calls WHERE call_id = 'call-1-7'").result_rows == before


@pytest.mark.slow
def test_new_rules_are_applied_to_the_past_and_an_interrupted_rebuild_goes_on(
    deploy: Deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = filled(deploy)
    deployment.workers[0].stop()
    monkeypatch.setattr(fold, "GENERATION", fold.GENERATION + 1)
    monkeypatch.setattr(rebuilding, "PAGE", 50)
    write, pages = Corrections.write, 0

    async def interrupted(self: Corrections, groups: Any) -> None:
        nonlocal pages
        pages += 1
        if pages == 3:
            raise KeyboardInterrupt
        await write(self, groups)

    with monkeypatch.context() as patch:
        patch.setattr(Corrections, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            rebuild(deployment.settings, period("2020-01-01", "2040-01-01"))
    newer = f"SELECT count() FROM calls WHERE version >= {fold.version_of(0, False)}"
    some = int(deployment.client.command(newer))
    assert 0 < some <= 110
    seen: list[int] = []

    async def counted(self: Corrections, groups: Any) -> None:
        seen.append(len(groups))
        await write(self, groups)

    monkeypatch.setattr(Corrections, "write", counted)
    outcome = rebuild(deployment.settings, period("2020-01-01", "2040-01-01"))
    calls = int(deployment.client.command("SELECT count() FROM calls"))
    assert int(deployment.client.command(newer)) == calls == 305
    assert sum(seen) < calls
    assert outcome.corrected >= calls - 60
    assert different(deployment) == []
    deployment.verify_joined(canonical.decode(deployment.values).events)


def test_rebuilt_while_a_worker_writes(deploy: Deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both write the same calls at the same time; in the end each row is the fold of all events."""
    deployment = deploy(batch_events=200, grace_s=1)
    deployment.worker()
    monkeypatch.setattr(rebuilding, "PAGE", 40)
    events = in_time(phone_calls(800))
    random.Random(8).shuffle(events)
    done = threading.Event()
    failures: list[BaseException] = []

    def again_and_again() -> None:
        try:
            while not done.is_set():
                rebuild(deployment.settings, period(*ALL))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=again_and_again)
    thread.start()
    try:
        for start in range(0, len(events), 300):
            deployment.produce(events[start : start + 300])
            time.sleep(0.2)
        deployment.wait_done()
    finally:
        done.set()
        thread.join()
    assert not failures
    deployment.verify(feed=False)
    assert different(deployment) == []


@pytest.mark.slow
def test_commands(deploy: Deploy) -> None:
    deployment = filled(deploy)

    cdr = partial(forks.cdr, env=deployment.environment)

    assert cdr("verify", "--from", "2020-01-01").returncode == 0
    alter(deployment, "call_rows", "5 AS hold_ms", "call_id = 'one-1' OR call_id = 'two-1'")
    said = cdr("verify", "--from", "2020-01-01", "--tenant", "acme", "--output", "ndjson")
    assert said.returncode == 1, said.stderr
    (line,) = said.stdout.splitlines()
    assert json.loads(line)["field"] == "hold_ms" and json.loads(line)["stored"] == 5
    assert cdr("verify", "--from", "2020-01-01", "--tenant", "other").returncode == 0
    mended = cdr("rebuild", "--from", "2020-01-01", "--tenant", "acme")
    assert mended.returncode == 0 and "1 written" in mended.stderr
    assert cdr("verify", "--from", "2020-01-01", "--to", "2040-01-01").returncode == 0
    wrong = cdr("verify", "--from", "yesterday")
    assert wrong.returncode == 2 and "--from" in wrong.stderr
    assert cdr("rebuild", "--from", "2024-02-01", "--to", "2024-01-01").returncode == 2
