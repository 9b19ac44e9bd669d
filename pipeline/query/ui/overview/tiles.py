"""The figures of a period, each with its change against the period before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.session import Visitor

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Kind:
    """A figure: measure, label, form (number, percent, span, money), whether more is better (1), worse (-1) or neither,
    the filter of its calls, and a share that stands beside it."""

    measure: str
    label: str
    form: str
    way: int
    filter: Pairs = ()
    share: str = ""


KINDS: Final = (
    Kind("calls", N_("Calls"), "number", 0),
    Kind("talked", N_("Talked to somebody"), "number", 1, (("talk_started_at[exists]", "true"),), "human_answer_rate"),
    Kind("missed", N_("Reached nobody"), "number", -1, (("state", "closed"), ("talk_started_at[exists]", "false"))),
    Kind("failed", N_("Failed"), "number", -1, (("status", "failed"),)),
    Kind("asr", N_("Answered (ASR)"), "percent", 1, (("answered_at[exists]", "true"),)),
    Kind("acd_ms", N_("Average call (ACD)"), "span", 0, (("answered_at[exists]", "true"),)),
    Kind(
        "asa_ms",
        N_("Wait until served"),
        "span",
        -1,
        (("wait_ms[exists]", "true"), ("talk_started_at[exists]", "true")),
    ),
    Kind("abandon_rate", N_("Lost in the queue"), "percent", -1, (("status", "abandoned"),)),
)
MEASURES: Final = tuple(dict.fromkeys([*(kind.measure for kind in KINDS), "human_answer_rate"]))


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure as it is shown. `change`: against the period before, `was`: the figure then; "" where unknown."""

    label: str
    value: str
    filter: Pairs
    share: str = ""
    change: str = ""
    was: str = ""
    tone: str = ""


def tiles_of(visitor: Visitor, now: Mapping[str, Any], then: Mapping[str, Any]) -> Iterator[Tile]:
    """The tiles of what `/v1/aggregate` said; those that nothing is known about are left out."""
    for kind in KINDS:
        value, was = now[kind.measure], then[kind.measure]
        if value is None or (value == 0 and not was and kind.measure not in ("calls", "talked", "missed")):
            continue
        change, tone = ("", "") if was is None or not then["calls"] else change_of(visitor, kind, value, was)
        share = visitor.figures.percent(now[kind.share]) if kind.share and now[kind.share] is not None else ""
        before = shown(visitor, kind.form, was) if change else ""
        yield Tile(kind.label, shown(visitor, kind.form, value), kind.filter, share, change, before, tone)


def money_of(visitor: Visitor, now: list[dict[str, Any]], then: list[dict[str, Any]]) -> Iterator[Tile]:
    """What the calls cost, a tile a currency. Rows of `cost` by `currency`."""
    before = {row["currency"]: row["cost"] for row in then}
    for row in now:
        if row["cost"] is None or not row["currency"]:
            continue
        was, change, tone = before.get(row["currency"]), "", ""
        if was is not None:
            change, tone = change_of(
                visitor, Kind("cost", "", "money", 0), float(Decimal(row["cost"])), float(Decimal(was))
            )
        filter_ = (("currency", str(row["currency"])),)
        value = visitor.figures.money(row["cost"], row["currency"])
        was_shown = visitor.figures.money(was, row["currency"]) if change else ""
        yield Tile(N_("Cost"), value, filter_, "", change, was_shown, tone)


def shown(visitor: Visitor, form: str, value: float | None) -> str:
    """A figure of this form."""
    if form == "percent":
        return visitor.figures.percent(value)
    return visitor.figures.span(value) if form == "span" else visitor.figures.number(value)


def change_of(visitor: Visitor, kind: Kind, value: float, was: float) -> tuple[str, str]:
    """The change in words, and its tone: of counts in per cent, of shares in points, of lengths as a length."""
    difference = value - was
    sign = "+" if difference > 0 else "−" if difference < 0 else "±"
    tone = "" if not kind.way or not difference else "good" if difference * kind.way > 0 else "bad"
    if kind.form == "percent":
        points = visitor.figures.number(abs(difference), 1)
        return visitor.language.say(N_("%(sign)s%(n)s points"), sign=sign, n=points), tone
    if kind.form == "span":
        return f"{sign}{visitor.figures.span(abs(difference))}", tone
    if not was:
        return (f"{sign}{visitor.figures.number(abs(difference))}", tone) if kind.form == "number" else ("", "")
    return f"{sign}{visitor.figures.percent(100 * abs(difference) / was, 0)}", tone
