"""What is looked for by a part of a number or name: the same calls as by reading all, whatever is skipped."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pipeline.warehouse.query.clauses import CALLS
from pipeline.warehouse.query.columns import CALL
from pipeline.warehouse.query.expressions import (
    NOTHING,
    All,
    Any_,
    Call,
    Compare,
    Contains,
    In,
    Literal,
    Node,
    Not,
    Within,
)
from pipeline.warehouse.query.pages import terms
from pipeline.warehouse.query.pages.listing import Listing, count_of, page_of
from pipeline.warehouse.query.pages.numbered import page
from pipeline.warehouse.query.pages.terms import Narrowed, narrowed
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import View
from pipeline.warehouse.storage.rows import call_key, call_row, retired_call
from pipeline.warehouse.storage.writer import write_calls
from schemas.call import Call as StoredCall
from tests.query.stored_calls import MINUTE, NOON, stored_call, write

pytestmark = pytest.mark.embedded

TENANT = "terms"
CALLER, CALLEE, NAME = CALL["caller_number"], CALL["callee_number"], CALL["caller_name"]


@pytest.fixture(scope="module")
def stored(client: Any) -> list[StoredCall]:
    """400 calls of two years with numbers of their own, and one of another tenant; newest first."""
    chance = random.Random(3)
    calls = [
        stored_call(
            TENANT,
            f"id-{n}",
            NOON - n * 1777 * MINUTE,
            caller_number=f"+4416329{chance.randrange(10**5):05}",
            callee_number=str(100 + n % 9),
            caller_name=f"Zoë {n}" if n % 40 == 0 else "",
        )
        for n in range(400)
    ]
    write(client, calls)
    write(client, [stored_call("stranger", "theirs", NOON, caller_number="+15550001111")])
    return calls


def _has(column: Any, text: str) -> Node:
    return Call("contains", (column, Literal(text)))


def questions(stored: list[StoredCall]) -> list[tuple[Node, Any]]:
    some, other = stored[7], stored[311]
    number = some.caller_number
    return [
        (_has(CALLER, number[4:]), lambda call: number[4:] in call.caller_number),
        (_has(CALLER, "29012"), lambda call: "29012" in call.caller_number),
        (_has(CALLER, "41632"), lambda call: True),
        (_has(CALLER, "1632"), lambda call: True),
        (Contains((CALLER, CALLEE), "632901"), lambda call: "632901" in call.caller_number),
        (Contains((NAME,), "ZOË"), lambda call: bool(call.caller_name)),
        (Compare("eq", CALLER, Literal(number)), lambda call: call.caller_number == number),
        (Call("endswith", (CALLER, Literal(number[-4:]))), lambda call: call.caller_number.endswith(number[-4:])),
        (
            In(CALLER, (Literal(number), Literal(other.caller_number))),
            lambda call: call.caller_number in (number, other.caller_number),
        ),
        (
            Any_((Compare("eq", CALL["call_id"], Literal("id-300")), _has(CALLER, number[5:]))),
            lambda call: call.call_id == "id-300" or number[5:] in call.caller_number,
        ),
        (
            Any_((Compare("eq", CALL["id"], Literal(str(other.id))), Contains((NAME,), "Zoë 80"))),
            lambda call: call.id == other.id or call.caller_name == "Zoë 80",
        ),
        (
            All((_has(CALLER, number[4:]), Compare("eq", CALLEE, Literal("999")))),
            lambda call: False,
        ),
        (Not(_has(CALLER, number[4:])), lambda call: number[4:] not in call.caller_number),
        (Any_((_has(CALLER, number[4:]), Compare("eq", CALL["trunk"], Literal("none")))), lambda call: call is some),
        (_has(CALLER, "5550001111"), lambda call: False),
        (Compare("eq", CALL["call_id"], Literal("theirs")), lambda call: False),
    ]


async def test_the_same_calls_are_found(reader: Reader, stored: list[StoredCall]) -> None:
    for where, fits in questions(stored):
        expected = [str(call.id) for call in stored if fits(call)]
        found = await page(reader, View(TENANT), CALLS, (CALL["id"],), where, skip=0, top=500)
        assert ([str(row["id"]) for row in found.rows], found.count) == (expected, len(expected)), where
        listing = Listing(View(TENANT), CALLS, "toString(id) AS id", where)
        lines = await page_of(reader, listing, 500)
        assert [line.decode() for line in lines.rows] == [f'{{"id":"{id_}"}}' for id_ in expected], where
        assert await count_of(reader, listing) == len(expected)


async def test_what_is_skipped(reader: Reader, stored: list[StoredCall], monkeypatch: pytest.MonkeyPatch) -> None:
    number = stored[7].caller_number
    found = await narrowed(reader, View(TENANT), CALLS, _has(CALLER, number[4:]))
    assert found.is_narrow and isinstance(found.where, All) and isinstance(found.where.parts[0], Within)
    assert number in found.where.parts[0].terms and len(found.where.parts[0].months) <= 2
    assert await narrowed(reader, View(TENANT), CALLS, _has(CALLER, "5550001111")) == Narrowed(NOTHING, is_narrow=True)
    for unchanged in (_has(CALLER, "29"), Compare("eq", CALLEE, Literal("101")), Not(_has(CALLER, "12345")), All(())):
        assert await narrowed(reader, View(TENANT), CALLS, unchanged) == Narrowed(unchanged)
    monkeypatch.setattr(terms, "_MOST_TERMS", 10)
    common = _has(CALLER, "41632")
    assert await narrowed(reader, View(TENANT), CALLS, common) == Narrowed(common)


async def test_a_number_that_came_by_a_correction_is_found(client: Any, reader: Reader) -> None:
    """The row moves to another key, and a block that is written twice is searched all the same."""
    first = stored_call("moved", "m", NOON, caller_number="+441632960777")
    later = stored_call("moved", "m", NOON - 40 * 24 * 60 * MINUTE, caller_number="+441632960888", version=9)
    for _ in range(2):
        write_calls(client, [call_row(first)])
    write_calls(client, [retired_call("moved", call_key(first), "m", 8), call_row(later)])
    for text, count in (("960888", 1), ("960777", 0)):
        found = await page(reader, View("moved"), CALLS, (CALL["id"],), _has(CALLER, text), skip=0, top=5)
        assert found.count == count
