"""Dead letters: listed, shown byte for byte, sent again."""

from __future__ import annotations

import json

import pytest

from pipeline.worker.core.batch import DeadLetter
from pipeline.worker.core.publisher import as_record
from tests.worker.commands import cdr, listed
from tests.worker.conftest import Deploy
from tests.worker.phone_calls import event, now_ms

BAD = b'{"type": "started", "call_id": "c\xff"}\n\x00end'


def test_dead_letters_are_listed_shown_and_sent_again(deploy: Deploy) -> None:
    deployment = deploy(partitions=1)
    assert listed(deployment) == []
    worker = deployment.worker()
    late = event("c", "started", now_ms(), 0) | {"at": "yesterday"}
    deployment.send([(b"k\xfe", BAD), (b"c", json.dumps(late).encode()), (None, b"[]")])
    deployment.wait_done()
    letters = listed(deployment)
    assert [letter["offset"] for letter in letters] == ["0", "1", "2"]
    assert [letter["source"] for letter in letters] == [f"{deployment.settings.events_topic}/0/{n}" for n in range(3)]
    assert "/at" in str(letters[1]["reason"]) and "yesterday" in str(letters[1]["reason"])
    assert listed(deployment, "--limit", "1", "--reason", "yesterday") == [letters[1]]

    shown = cdr(deployment, "dead-letters", "show", "0")
    assert shown.stdout == BAD
    assert b"reason: " in shown.stderr and b"key: k\\xfe" in shown.stderr

    again = cdr(deployment, "dead-letters", "replay", "0")
    assert again.returncode == 0 and again.stderr == b"1 dead letters sent again.\n"
    assert [record.key for record in deployment.records(deployment.settings.events_topic)][-1] == b"k\xfe"
    deployment.ends = {0: 4}
    deployment.wait_done()
    # It failed again: the letter that was replayed is gone from the list, the new one is there.
    assert [letter["offset"] for letter in listed(deployment)] == ["1", "2", "4"]

    assert worker.stop() == 0
    assert cdr(deployment, "dead-letters", "replay", "--all").stderr == b"3 dead letters sent again.\n"
    assert listed(deployment) == []
    assert cdr(deployment, "dead-letters", "replay", "--all").stderr == b"0 dead letters sent again.\n"
    assert [record.value for record in deployment.records(deployment.settings.events_topic)][-1] == BAD


def test_mistakes_are_explained(deploy: Deploy) -> None:
    deployment = deploy()
    unknown = cdr(deployment, "dead-letters", "show", "77")
    assert unknown.returncode == 2
    assert unknown.stderr == b"cdr: No dead letter at 77. See the offsets of cdr dead-letters list.\n"
    assert cdr(deployment, "dead-letters", "replay", "77").returncode == 2
    assert b"--all" in cdr(deployment, "dead-letters", "replay").stderr
    deployment.env["CDR_KAFKA"] = "127.0.0.1:1"
    away = cdr(deployment, "dead-letters", "list")
    assert away.returncode == 3
    assert b"CDR_KAFKA" in away.stderr and b"Traceback" not in away.stderr


@pytest.mark.parametrize("room", [1_024, 100_000, 4 << 20])
@pytest.mark.parametrize(
    ("key", "value", "header"), [(10, 8 << 20, 10), (5 << 20, 10, 10), (10, 10, 5 << 20), (10, 10, 10)]
)
def test_a_letter_never_grows_beyond_what_the_topic_takes(room: int, key: int, value: int, header: int) -> None:
    letter = DeadLetter("events", 1, 2, b"k" * key, b"v" * value, "reason", [("tenant", b"acme"), ("x", b"h" * header)])
    record = as_record(letter, room)
    size = len(record["key"]) + len(record["value"]) + sum(len(told) for _, told in record["headers"][4:])
    assert size <= room
    headers = dict(record["headers"])
    assert headers["header.tenant"] == b"acme" and headers["error"] == b"reason"
    assert ("value_bytes" in headers) == (key + value + header > room)
    if "value_bytes" not in headers:
        assert record["value"] == letter.value and record["key"] == letter.key
