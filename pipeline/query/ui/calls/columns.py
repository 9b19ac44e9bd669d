"""The columns that a list of calls can have, and which it has when nobody chose."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pipeline.query.http.problems import invalid
from pipeline.query.questions.fields import CALL_FIELDS
from pipeline.query.ui.frame.language import N_


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `form`: how its cells are written (a macro of calls/cells.html); `fields`: what of a call it needs;
    `sort`: what lists can be ordered by it; `place`: 1 shown everywhere, 2 from a tablet on, 3 on a desk."""

    name: str
    title: str
    form: str
    fields: tuple[str, ...]
    sort: str = ""
    place: int = 1
    usual: bool = True

    @property
    def is_figure(self) -> bool:
        return self.form in ("duration", "money", "number")


def _length(name: str, title: str, *, usual: bool = False, place: int = 3) -> Column:
    return Column(name, title, "duration", (name,), name, place, usual)


def _text(name: str, title: str, form: str = "text", *, usual: bool = False, place: int = 3) -> Column:
    return Column(name, title, form, (name,), "", place, usual)


ALL: Final = (
    Column("started_at", N_("Time"), "time", ("started_at",), "started_at"),
    Column("direction", N_("Direction"), "direction", ("direction",), place=2),
    Column("caller", N_("From"), "party", ("caller",)),
    Column("callee", N_("To"), "reached", ("callee", "requested", "answered_by", "destination")),
    Column("status", N_("Result"), "status", ("status", "state")),
    _length("wait_ms", N_("Waited"), usual=True),
    _length("talk_ms", N_("Talked"), usual=True, place=2),
    _length("duration_ms", N_("Length"), usual=True),
    _text("trunk", N_("Trunk"), usual=True),
    Column("cost", N_("Cost"), "money", ("cost", "currency"), "cost", 2),
    _text("did", N_("Dialled number")),
    _text("answered_by", N_("Answered by")),
    _text("destination", N_("Last target")),
    _text("service_number", N_("Queue or group")),
    _text("hung_up_by", N_("Hung up by"), "hung_up_by"),
    _text("end_reason", N_("How it ended"), "end_reason"),
    _text("sip_status", N_("SIP status")),
    _text("q850_cause", N_("Cause"), "cause"),
    _length("ring_ms", N_("Rang")),
    _length("setup_ms", N_("Until answered")),
    _length("hold_ms", N_("On hold")),
    _length("billable_ms", N_("Billable")),
    Column("ended_at", N_("Ended"), "moment", ("ended_at",), "ended_at", 3, False),
    _text("outbound_caller_id", N_("Number shown")),
    _text("billed_account", N_("Account")),
    _text("rate_class", N_("Class of rate")),
    _text("user_data", N_("User data")),
    _text("flags", N_("Flags"), "list"),
    _text("call_id", N_("Call id"), "code"),
    _text("id", N_("Id"), "code"),
)
_BY_NAME: Final = {column.name: column for column in ALL}
USUAL: Final = tuple(column for column in ALL if column.usual)
_ALWAYS: Final = ("id", "state", "status", "started_at")  # what each row needs


def chosen(names: Iterable[str]) -> tuple[Column, ...]:
    """The columns of these names, in their order; the usual ones for none. RequestProblem for an unknown one."""
    found = []
    for name in dict.fromkeys(names):
        if name not in _BY_NAME:
            raise invalid("col", name, f"is no column; there are {', '.join(_BY_NAME)}")
        found.append(_BY_NAME[name])
    return tuple(found) or USUAL


def fields_of(columns: Iterable[Column]) -> list[str]:
    """The fields of `/v1/calls` that these columns need."""
    wanted = dict.fromkeys([*_ALWAYS, *(name for column in columns for name in column.fields)])
    return [name for name in wanted if name in CALL_FIELDS or any(path.startswith(f"{name}.") for path in CALL_FIELDS)]


def file_fields(columns: Iterable[Column]) -> list[str]:
    """What a file of these columns has: id first, so that a row can be found again."""
    return list(dict.fromkeys(["id", *(name for column in columns for name in column.fields)]))
