"""Schedules of reports in words, and the choices of the form that writes their cron expressions.

Expressions that the form does not write are shown as they are, with the times that follow from them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from babel.dates import get_day_names, get_timezone_location
from babel.lists import format_list

from pipeline.errors import BadField
from pipeline.query.ui.frame.language import N_, Language

ONCE, DAILY, WEEKDAYS, WEEKLY, MONTHLY, CRON = "once", "daily", "weekdays", "weekly", "monthly", "cron"
HOW: Final[Mapping[str, str]] = {
    ONCE: N_("Once, as soon as it is saved"),
    DAILY: N_("Every day"),
    WEEKDAYS: N_("Monday to Friday"),
    WEEKLY: N_("Every week on"),
    MONTHLY: N_("Every month on day"),
    CRON: N_("As a cron expression says"),
}
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NICKNAMES: Final = {"@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0", "@daily": "0 0 * * *", "@midnight": "0 0 * * *",
                     "@hourly": "0 * * * *"}  # fmt: skip
_NUMBER: Final = re.compile(r"\d{1,2}", re.ASCII)
_TIME: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)", re.ASCII)
_WORKDAYS: Final = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the form has chosen. `days`: days of the week, 0 is Sunday as in cron; `day`: of the month."""

    how: str
    time: str = "07:00"
    days: tuple[int, ...] = (1,)
    day: int = 1
    cron: str = ""

    @property
    def expression(self) -> str:
        """Its cron expression; "" for once. Raises BadField."""
        if self.how == ONCE:
            return ""
        if self.how == CRON:
            if not self.cron.strip():
                raise BadField("cron_expr", None, "is empty; write minute hour day month weekday, such as 0 6 * * 1")
            return self.cron.strip()
        found = _TIME.fullmatch(self.time.strip())
        if found is None:
            raise BadField("time", self.time, "is no time of day; write it like 07:00")
        if not 1 <= self.day <= 31:
            raise BadField("day", str(self.day), "is no day of a month; write 1 to 31")
        if not self.days:
            raise BadField("weekday", None, "is not said; choose a day of the week")
        days = {DAILY: "*", WEEKDAYS: "1-5", MONTHLY: "*", WEEKLY: ",".join(str(day) for day in self.days)}[self.how]
        return f"{int(found[2])} {int(found[1])} {self.day if self.how == MONTHLY else '*'} * {days}"


def choice_of(cron: str) -> Choice:
    """The choice that a cron expression stands for."""
    if not cron.strip():
        return Choice(ONCE)
    parts = _NICKNAMES.get(cron.strip().lower(), cron.strip().lower()).split()
    other = Choice(CRON, cron=cron.strip())
    if len(parts) != 5 or not all(_NUMBER.fullmatch(part) for part in parts[:2]) or parts[3] != "*":
        return other
    time, day, days = f"{int(parts[1]):02}:{int(parts[0]):02}", parts[2], _weekdays(parts[4])
    if day != "*":
        return Choice(MONTHLY, time, day=int(day)) if parts[4] == "*" and _NUMBER.fullmatch(day) else other
    if parts[4] == "*" or len(days) == len(_DAYS):
        return Choice(DAILY, time)
    if days == _WORKDAYS:
        return Choice(WEEKDAYS, time)
    return Choice(WEEKLY, time, days) if days else other


def _weekdays(text: str) -> tuple[int, ...]:
    """The days of the week of a cron field, Sunday first; none when it is no list of days."""
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        ends = [
            _DAYS.index(end) if end in _DAYS else int(end) if end.isdecimal() else -1 for end in (first, last or first)
        ]
        if (dash and not last) or not all(0 <= end <= 7 for end in ends) or ends[1] < ends[0]:
            return ()
        found |= {day % 7 for day in range(ends[0], ends[1] + 1)}
    return tuple(sorted(found))


def day_names(language: Language) -> dict[int, str]:
    """Days of the week by cron's number, Monday first."""
    names = get_day_names("wide", "format", locale=language.tag)
    return {(day + 1) % 7: names[day] for day in range(7)}


def in_words(cron: str, language: Language, zone: str) -> str:
    """A schedule as people say it, with the city whose clock it follows; "" where only the expression says it."""
    choice, say = choice_of(cron), language.say
    match choice.how:
        case "once":
            return say(N_("Once"))
        case "daily":
            words = say(N_("Every day at %(time)s"), time=choice.time)
        case "weekdays":
            words = say(N_("Monday to Friday at %(time)s"), time=choice.time)
        case "weekly":
            names = day_names(language)
            listed = format_list(
                [names[day] for day in sorted(choice.days, key=lambda day: day or 7)], locale=language.tag
            )
            words = say(N_("Every %(days)s at %(time)s"), days=listed, time=choice.time)
        case "monthly":
            words = say(N_("On day %(day)s of every month at %(time)s"), day=choice.day, time=choice.time)
        case _:
            return ""
    return f"{words} ({city(zone, language)})"


def city(zone: str, language: Language) -> str:
    """The city that a zone is named after."""
    return str(get_timezone_location(zone, locale=language.tag, return_city=True)) if "/" in zone else zone
