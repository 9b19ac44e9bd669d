"""What is new in a version of a call."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pipeline.push.events import LARGEST_BODY, Place, Published, message, message_id, news

AT = "2026-03-10T12:00:00.000Z"


def document(version: int, state: str = "open", *, answered: bool = False, **more: Any) -> dict[str, Any]:
    return {
        "call_id": "c-1",
        "tenant": "acme",
        "version": version,
        "state": state,
        "started_at": AT,
        "answered_at": AT if answered else None,
        "ended_at": AT if state == "closed" else None,
        **more,
    }


def tell(
    documents: list[dict[str, Any]], published: Published | None = None, first: int = 0
) -> tuple[list[str], Published | None]:
    """The types told of these versions, in order."""
    found: list[str] = []
    for offset, one in enumerate(documents, first):
        types, published = news(published, one, str(hash(orjson.dumps(one))), Place(0, offset, 0))
        found += [type_ if not which else f"{type_} {which.partition(chr(0))[0]}" for type_, which in types]
    return found, published


def test_a_call_is_told_step_by_step() -> None:
    steps = [document(1), document(2, answered=True), document(3, answered=True), document(4, "closed", answered=True)]
    assert tell(steps)[0] == ["call.started", "call.answered", "call.ended"]


def test_a_call_seen_when_it_is_over_is_told_whole() -> None:
    assert tell([document(9, "closed", answered=True)])[0] == ["call.started", "call.answered", "call.ended"]
    assert tell([document(9, "closed")])[0] == ["call.started", "call.ended"]


def test_newer_versions_of_an_ended_call_are_corrections() -> None:
    steps = [document(4, "closed"), document(4, "closed"), document(3, "closed"), document(6, "closed")]
    assert tell(steps)[0] == ["call.started", "call.ended", "cdr.corrected 6"]


def test_the_same_version_with_another_price_is_a_correction() -> None:
    steps = [document(4, "closed", cost="1"), document(4, "closed", cost="2")]
    found, published = tell(steps)
    assert found == ["call.started", "call.ended", "cdr.corrected 4"]
    assert tell(steps, published)[0] == []  # read again after a crash


def test_a_call_that_goes_on_is_corrected_when_it_ends_again() -> None:
    steps = [document(4, "closed"), document(5), document(6, "closed", answered=True)]
    assert tell(steps)[0] == ["call.started", "call.ended", "call.answered", "cdr.corrected 6"]


def test_an_absorbed_call_is_a_correction_if_it_was_told_of() -> None:
    gone = retired(8)
    assert tell([gone])[0] == []
    assert tell([document(1), gone, gone])[0] == ["call.started", "cdr.corrected 8"]


def test_an_absorbed_call_that_comes_back_still_ends() -> None:
    """Which of two joined ids the call bears depends on what is known of them, and may change."""
    steps = [document(1), retired(8), document(9, "closed")]
    assert tell(steps)[0] == ["call.started", "cdr.corrected 8", "call.ended"]
    assert tell([document(1), retired(8), document(7, "closed")])[0] == [
        "call.started",
        "cdr.corrected 8",
    ]  # a late word


def retired(version: int) -> dict[str, Any]:
    return {
        "call_id": "c-1",
        "tenant": "acme",
        "version": version,
        "retired": True,
        "merged_into": {"call_id": "c-2"},
    }


VERSIONS = st.lists(
    st.one_of(
        st.builds(
            document,
            st.integers(1, 6),
            st.sampled_from(["open", "closed"]),
            answered=st.booleans(),
            cost=st.sampled_from(["1", "2"]),
        ),
        st.builds(retired, st.integers(1, 6)),
    ),
    max_size=8,
)


@given(VERSIONS, st.data())
def test_reading_again_tells_no_new_ids(steps: list[dict[str, Any]], data: st.DataObject) -> None:
    """Killed after what was told was kept and before the commit, the feed is read again from an earlier record."""
    found, published = tell(steps)
    back = data.draw(st.integers(0, len(steps)))
    again, _ = tell(steps[back:], published, back)
    assert set(again) <= set(found)


@given(VERSIONS)
def test_steps_are_told_once(steps: list[dict[str, Any]]) -> None:
    found = [each for each in tell(steps)[0] if not each.startswith("cdr.corrected")]
    assert len(found) == len(set(found))


def test_the_id_is_of_the_fact() -> None:
    assert message_id("acme", "c-1", "call.ended") == message_id("acme", "c-1", "call.ended")
    parts = [("acme", "c-1", "call.ended"), ("acme", "c-1", "call.started"), ("other", "c-1", "call.ended")]
    assert len({message_id(*each) for each in parts}) == 3


def test_a_large_document_goes_without_its_lists() -> None:
    large = document(4, "closed", logs=[{"number": "201" * 50}] * 5_000, flags=["odd"], caller={"number": "200"})
    made = message(large, "call.ended", "", Place(0, 1, 0), AT)
    assert len(made.body) < LARGEST_BODY
    data = orjson.loads(made.body)["data"]
    assert data["logs"] == [] and data["flags"] == ["odd", "lists_left_out"] and data["caller"] == {"number": "200"}
