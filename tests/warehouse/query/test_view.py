"""What a view shows: every column is a number, a text or neither; SQL masks as Python does; nothing else asks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.warehouse.query import view as views
from pipeline.warehouse.query.clauses import CALL_LOGS, CALLS
from pipeline.warehouse.query.columns import CALL, CALL_LOG
from pipeline.warehouse.query.events import events_of
from pipeline.warehouse.query.expressions import Any_, Call, Compare, Contains, In, Literal, Node, Not
from pipeline.warehouse.query.from_row import as_call
from pipeline.warehouse.query.masking import SQL_FUNCTIONS, masked_text, masked_value
from pipeline.warehouse.query.pages.keyset import oldest_first
from pipeline.warehouse.query.pages.numbered import page
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import HiddenNumbers, View, document_of
from pipeline.warehouse.query.whole_calls import call, logs_of
from schemas.call import document
from tests.query.rich_calls import NUMBER, rich_call
from tests.query.stored_calls import MINUTE, NOON, write

pytestmark = pytest.mark.embedded

ROOT = Path(__file__).resolve().parents[3] / "pipeline"
MASKED = "+4416****0123"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (NUMBER, MASKED),
        ("441632960123", "4416****0123"),
        ("01632960123", "016****0123"),
        ("1234567", "***4567"),
        ("123456", "123456"),
        ("anonymous", "anonymous"),
        (f"sip:{NUMBER}@10.20.30.40", f"sip:{MASKED}@10.20.30.40"),
        ("192.168.100.200:5060", "192.168.100.200:5060"),
        ("+44 (0)1632 960-123", "+44 (**********-123"),
        (f"Zoë {NUMBER}", f"Zoë {MASKED}"),
        (MASKED, MASKED),
    ],
)
def test_numbers_in_texts(text: str, shown: str) -> None:
    assert masked_text(text) == shown


def test_what_is_told_by_its_name_stays() -> None:
    value = {"leg_id": NUMBER, "at": NUMBER, "cost": "12345678.9", "to": [NUMBER, {"did": NUMBER}], NUMBER: 1}
    assert masked_value(value) == {
        **{"leg_id": NUMBER, "at": NUMBER, "cost": "12345678.9", "to": [MASKED, {"did": MASKED}], MASKED: 1}
    }


_texts = st.text(
    st.sampled_from([*"0123456789", *"0123456789", *"+- ().", '"', "\\", "\n", "\x01", "u", "é", ":", ",", "{", "a"]),
    max_size=40,
)


@given(
    text=_texts,
    value=st.recursive(_texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts | st.sampled_from(
        ["id", "leg_id", "at", "joined_at", "number", "did", "caller_id"]), inner, max_size=3), max_leaves=6),
)  # fmt: skip
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sql_masks_as_python_does(client: Any, text: str, value: Any) -> None:
    (row,) = client.query(
        f"WITH {SQL_FUNCTIONS}"
        " SELECT masked_text({t:String}), masked_number({t:String}), masked_json({j:String})",
        parameters={"t": text, "j": orjson.dumps(value).decode()},
    ).result_rows
    assert row[:2] == (masked_text(text), masked_text(text))
    assert masked_text(masked_text(text)) == masked_text(text)
    assert orjson.loads(row[2]) == masked_value(value)


def test_every_column_is_a_number_a_text_or_neither(client: Any) -> None:
    for table in views.NUMBERS:
        rows = client.query(
            "SELECT name, default_kind FROM system.columns WHERE database = currentDatabase() AND table = {t:String}"
            " AND type LIKE '%String%'",
            parameters={"t": table},
        ).result_rows
        known = [*views.NUMBERS[table], *views.TEXTS[table], *views.LISTS[table], *views.JSON[table]]
        apart = views.JSON_APART[table]
        assert {name for name, kind in rows if kind == "MATERIALIZED"} == set(apart)
        assert {name for name, kind in rows if kind != "MATERIALIZED"} - views.PLAIN == set(known), table
        assert len(known) == len(set(known))


# Knows the tables of calls: the view, what stores and repairs rows, and what erases or prices them by key.
_OF_THE_TABLES = ("warehouse/storage", "warehouse/privacy", "warehouse/reference/rerate.py", "worker", "doctor")
# Read times, counts or keys of a tenant and nothing that is shown.
_NOTHING_SHOWN = {
    "warehouse/query/pages/paging.py": "SELECT started_at",
    "warehouse/query/pages/terms.py": "calls_named",
    "warehouse/query/conditions.py": "def _involving(",
    "warehouse/query/pages/changes.py": "_candidates",
    "warehouse/query/reader.py": "LIMIT 0",
    "warehouse/analytics/visits.py": "AS cut",
    "warehouse/analytics/aggregate.py": "SELECT min(",
}


def test_calls_are_read_through_a_view_only() -> None:
    wrong = []
    for file in sorted(ROOT.rglob("*.py")):
        name = file.relative_to(ROOT).as_posix()
        if name.startswith(_OF_THE_TABLES) or name == "warehouse/query/view.py":
            continue
        text = file.read_text(encoding="utf-8")
        reads = re.search(r"FROM (?:call_rows|call_log_rows|call_term_rows|\{source\.table\})", text)
        if reads and _NOTHING_SHOWN.get(name, "\0") not in text:
            wrong.append(f"{name} reads the tables of calls without a view")
        if re.search(r"FROM event_rows", text) and name not in (
            "warehouse/query/events.py",
            "warehouse/analytics/nodes.py",  # nodes, times and ids, masked as the view is
            "reports/types/quality.py",
        ):
            wrong.append(f"{name} reads events")
    assert not wrong, "\n".join(wrong)


async def test_rows_and_documents_show_the_same(client: Any, reader: Reader) -> None:
    made = rich_call("seen")
    write(client, [made])
    clear, masked = View("seen"), View("seen", masked=True)
    row = await call(reader, clear, made.id)
    assert row is not None
    whole = document(as_call(row, await logs_of(reader, clear, row)))
    assert document_of(clear, whole) == whole
    row = await call(reader, masked, made.id)
    assert row is not None
    shown = document(as_call(row, await logs_of(reader, masked, row)))
    assert shown == document_of(masked, whole)
    text = orjson.dumps(shown).decode()
    assert "960" not in text.replace("20240820-+4416****0787", "")
    assert (shown["caller"]["number"], shown["logs"][0]["number"]) == (MASKED, "+4416****0788")
    assert shown["call_id"] == "rich" and shown["legs"][0]["leg_id"] == "1651057476123"
    assert await call(reader, View("other", masked=True), made.id) is None


async def test_whoever_sees_numbers_masked_recovers_none_by_asking(client: Any, reader: Reader) -> None:
    view = View("guessed", masked=True)
    calls = [
        rich_call("guessed", f"c{n}", NOON + n * MINUTE, caller_number=f"+4416{n:02}96012{n % 2}") for n in range(20)
    ]
    write(client, calls)

    async def found(where: Node) -> set[str]:
        rows = await page(reader, view, CALLS, [CALL["call_id"], CALL["started_at"], CALL["id"]], where, skip=0, top=50)
        return {row["call_id"] for row in rows.rows}

    caller, everything = CALL["caller_number"], {f"c{n}" for n in range(20)}
    hidden = calls[7].caller_number[5:9]
    guesses: tuple[Node, ...] = (
        Contains((caller,), hidden),
        Contains((CALL["caller_name"], CALL["user_data"], CALL["destination"]), "632960"),
        *(Call(name, (caller, Literal(calls[7].caller_number[:10]))) for name in ("startswith", "contains")),
        Call("endswith", (caller, Literal(calls[7].caller_number[4:]))),
    )
    for guess in guesses:
        assert await found(guess) == set(), guess
    # What looks the same is found by any of the numbers: which of them it is, nobody can tell.
    alike = {f"c{n}" for n in range(20) if masked_text(calls[n].caller_number) == masked_text(calls[7].caller_number)}
    assert len(alike) > 1
    for number in (calls[7].caller_number, masked_text(calls[7].caller_number)):
        assert await found(Compare("eq", caller, Literal(number))) == alike
        assert await found(In(caller, (Literal(number), Literal("nobody")))) == alike
        assert await found(Not(Compare("eq", caller, Literal(number)))) == everything - alike
    for operator in ("gt", "ge", "lt", "le"):
        edge = Compare(operator, caller, Literal(calls[7].caller_number))
        assert await found(edge) in (set(), everything)
    assert await found(Any_((Compare("eq", CALL["call_id"], Literal("c7")),))) == {"c7"}
    rows = [row async for rows in oldest_first(
        reader, view, CALL_LOGS, [CALL_LOG["number"], CALL_LOG["started_at"], CALL_LOG["id"]],
        first_ms=NOON, end_ms=NOON + MINUTE) for row in rows]  # fmt: skip
    assert {row["number"] for row in rows} == {"+4416****0788", "201"}


async def test_events_are_shown_in_full_or_not_at_all(reader: Reader) -> None:
    assert await events_of(reader, View("seen"), ["rich"]) == []
    with pytest.raises(HiddenNumbers):
        await events_of(reader, View("seen", masked=True), ["rich"])
