"""`cdr fold`: raw events in, call documents out, and what is wrong with the rest."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipeline.calls.grouping import group
from schemas.event import Event
from tests.forks import cdr
from tests.sip_wire import Talk, Wire

T0 = 1_773_144_000_000


def line(type_: str, at: int, **fields: Any) -> str:
    return json.dumps({"type": type_, "at": T0 + at, "call_id": "c-1", "leg_id": "a"} | fields)


CALL = [
    line("started", 0, caller="1001", callee="1002"),
    line("answered", 5_000),
    line("ended", 65_000, hung_up_by="party", q850_cause=16),
]


def cdr_fold(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return cdr("fold", *arguments, given=given)


def test_a_file_of_events_gives_a_line_for_each_call(tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson"
    other = [json.dumps(json.loads(each) | {"call_id": "c-2", "tenant": "acme"}) for each in CALL]
    file.write_text("\n".join([*CALL, "", *other[:2]]) + "\n")
    done = cdr_fold(str(file))
    first, second = map(json.loads, done.stdout.splitlines())
    assert (done.returncode, done.stderr) == (0, "")
    assert (first["call_id"], first["state"], first["talk_ms"]) == ("c-1", "closed", 60_000)
    assert (second["tenant"], second["state"], second["ended_at"]) == ("acme", "open", None)


def test_open_calls_can_be_closed_at_their_last_evidence() -> None:
    done = cdr_fold("--expired", "-", given="\n".join(CALL[:2]))
    assert json.loads(done.stdout)["flags"] == ["incomplete", "end_estimated"]


def test_wrong_lines_are_told_with_their_number_and_cost_only_themselves() -> None:
    done = cdr_fold(given="\n".join([CALL[0], "nonsense", *CALL[1:], line("rang", 0, call_id="")]))
    assert done.returncode == 1
    assert [told.split(":")[0] for told in done.stderr.splitlines()] == ["2", "5"]
    assert json.loads(done.stdout)["talk_ms"] == 60_000


def test_what_cannot_be_read_is_one_line_of_error() -> None:
    for arguments in (("/nowhere/at/all",), ("--source", "pigeon", "-")):
        done = cdr_fold(*arguments)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr


def test_a_capture_of_sip_is_folded_too(tmp_path: Path) -> None:
    wire, talk = Wire(), Talk("k-1")
    wire.invite(0, talk)
    wire.reply(0.5, 180, talk)
    wire.reply(5, 200, talk)
    wire.ack(5.1, talk)
    wire.bye(65, talk)
    file = tmp_path / "capture.hep"
    file.write_bytes(b"".join(wire.packets))
    done = cdr_fold("--source", "sip", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    call = json.loads(done.stdout)
    assert (call["caller"]["number"], call["requested"], call["status"]) == ("1001", "1002", "answered")


def event(call_id: str, number: int, links: list[str], tenant: str = "default") -> Event:
    return Event("rang", T0, call_id, f"e-{number}", tenant=tenant, linked_ids=links or None)


def test_calls_that_share_an_id_are_one_over_any_number_of_steps() -> None:
    chain = [event("a", 1, ["x"]), event("b", 2, ["y"]), event("c", 3, []), event("d", 4, ["x", "y", ""])]
    assert [[e.call_id for e in call] for call in group(chain)] == [["a", "b", "d"], ["c"]]


def test_tenants_never_share_a_call() -> None:
    assert len(group([event("a", 1, ["b"], "one"), event("b", 2, [], "two"), event("a", 3, [], "two")])) == 3


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdefxyz"), max_size=3))), st.randoms())
def test_the_order_of_events_does_not_matter(told: list[tuple[str, list[str]]], chance: Any) -> None:
    events = [event(call_id, number, links) for number, (call_id, links) in enumerate(told)]

    def calls() -> set[frozenset[str]]:
        return {frozenset(e.event_id for e in call) for call in group(events)}

    before = calls()
    chance.shuffle(events)
    assert calls() == before
