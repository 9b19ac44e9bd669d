"""SIP statuses, Q.850 causes and their names."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.calls.causes import cause_from_code, cause_from_name, q850_from_sip, q850_name


@pytest.mark.parametrize(
    ("status", "rang", "cause"),
    [
        (200, True, 16),
        (302, False, 23),
        (399, False, 23),
        (404, False, 1),
        (408, False, 102),
        (408, True, 19),
        (480, False, 18),
        (480, True, 19),
        (486, False, 17),
        (487, True, 16),
        (488, False, 88),
        (499, False, 127),
        (503, False, 41),
        (504, False, 102),
        (505, False, 127),
        (599, False, 41),
        (600, True, 17),
        (603, True, 21),
        (699, False, 127),
        (183, True, 0),
        (0, False, 0),
        (700, False, 0),
    ],
)
def test_the_cause_of_a_status(status: int, rang: bool, cause: int) -> None:
    assert q850_from_sip(status, rang) == cause


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("NORMAL_CLEARING", 16),
        ("Normal Clearing", 16),
        ("AST_CAUSE_USER_BUSY", 17),
        ("User busy", 17),
        ("LOSE_RACE", 26),
        ("PICKED_OFF", 26),
        ("ANSWERED_ELSEWHERE", 26),
        ("ORIGINATOR_CANCEL", 16),
        ("USER_NOT_REGISTERED", 20),
        ("PROGRESS_TIMEOUT", 18),
        ("GATEWAY_DOWN", 38),
        ("CHANUNAVAIL", 20),
        ("17", 17),
        ("702", 26),
        ("999", 0),
        ("99999999999999999999999", 0),
        ("", 0),
        ("no such thing", 0),
    ],
)
def test_the_cause_of_a_name(name: str, cause: int) -> None:
    assert cause_from_name(name) == cause


def test_numbers_of_freeswitch_above_127() -> None:
    assert [cause_from_code(code) for code in (16, 127, 128, 142, 487, 502, 605, 806, 0, -1)] == [
        16, 127, 0, 16, 16, 26, 26, 20, 0, 0,
    ]  # fmt: skip


def test_names_of_causes() -> None:
    assert q850_name(16) == "Normal call clearing"
    assert q850_name(19) == "No answer from user (user alerted)"
    assert q850_name(0) == q850_name(999) == ""


@settings(deadline=None)
@given(st.integers(200, 699), st.booleans())
def test_every_final_status_has_a_cause_with_a_name(status: int, rang: bool) -> None:
    assert q850_name(q850_from_sip(status, rang))


@settings(deadline=None)
@given(st.text())
def test_any_name_has_an_answer(name: str) -> None:
    assert 0 <= cause_from_name(name) <= 127


LISTS = Path(__file__).parent
FREESWITCH = (LISTS / "freeswitch_causes.txt").read_text().split()  # name=number, as in switch_types.h
ASTERISK = (LISTS / "asterisk_causes.txt").read_text().split()  # causes.h, and the values of DIALSTATUS
PHRASES = ["User Busy", "DND", "Circuit/channel congestion", "Temporarily Unavailable", "Busy Here", "Gone", "Decline"]


@pytest.mark.parametrize("told", FREESWITCH)
def test_every_cause_of_freeswitch_by_name_and_number(told: str) -> None:
    name, number = told.split("=")
    assert cause_from_name(name) == cause_from_code(int(number)) == cause_from_name(number) != 0
    assert q850_name(cause_from_name(name)) or cause_from_name(name) in (45, 52, 54)


@pytest.mark.parametrize("name", ASTERISK + PHRASES)
def test_every_cause_of_asterisk_and_every_phrase_by_name(name: str) -> None:
    cause = cause_from_name(name)
    assert 1 <= cause <= 127
