"""Numbers, durations, times and money as people read them, in one language and one zone.

Inside, times are ms since the epoch or RFC 3339 text and durations whole ms; here they become words. What is absent is
a dash everywhere.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Final
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time, get_day_names
from babel.numbers import format_decimal, get_currency_symbol

from pipeline.instants import instant

ABSENT: Final = "–"
_NARROW: Final = "\u202f"  # no-break space between a number and its unit

Moment = int | str | None


@dataclass(frozen=True, slots=True)
class Figures:
    """How one viewer reads figures."""

    language: str
    zone: ZoneInfo

    def number(self, value: float | Decimal | None, digits: int = 0) -> str:
        """A number, grouped; `digits` behind the point, neither more nor fewer."""
        if value is None:
            return ABSENT
        return format_decimal(value, "#,##0" + ("." + "0" * digits if digits else ""), locale=self.language)

    def percent(self, value: float | None, digits: int = 1) -> str:
        """A share in per cent, given as 0 to 100."""
        return ABSENT if value is None else f"{self.number(value, digits)}{_NARROW}%"

    def money(self, amount: str | Decimal | None, currency: str | None = None) -> str:
        """An exact amount with its currency: every digit that is there, two at least."""
        if amount in (None, ""):
            return ABSENT
        exact = Decimal(str(amount))
        digits = max(2, -int(exact.normalize().as_tuple().exponent))
        with localcontext(prec=100):  # as many digits as a sum of money may have
            shown = format_decimal(exact, f"#,##0.{'0' * digits}", locale=self.language)
        if not currency:
            return shown
        symbol = get_currency_symbol(currency, locale=self.language)
        return f"{symbol}{shown}" if self.language == "en" else f"{shown}\u00a0{symbol}"

    def term(self, amount: str) -> str:
        """A part of a price that was not rounded yet: eight digits at most, with a sign where there are more."""
        exact = Decimal(amount)
        with localcontext(prec=100):
            cut = exact.quantize(Decimal("1e-8")) if int(exact.as_tuple().exponent) < -8 else exact
        return self.money(cut) if cut == exact else f"≈{_NARROW}{self.money(cut)}"

    def aligned(self, amount: str | Decimal | None, currency: str | None = None) -> str:
        """Money in a column: the points stand below each other, to five digits behind them, as many as costs have."""
        shown, exact = self.money(amount, currency), str(amount or "")
        missing = 5 - max(2, len(exact.partition(".")[2].rstrip("0")))
        return shown + "\u2007" * missing if self.language == "en" else shown

    def duration(self, ms: float | None) -> str:
        """A length as clocks show it: 0:42, 3:07, 1:02:10. Cut to whole seconds, as counters are."""
        if ms is None:
            return ABSENT
        seconds = int(ms) // 1000
        hours, rest = divmod(seconds, 3600)
        minutes, seconds = divmod(rest, 60)
        return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"

    def span(self, ms: float | None) -> str:
        """A length in a sentence: 42 s, 3 min 7 s, 1 h 2 min, 3 d 4 h: the largest unit and the next one. Below
        ten seconds with its tenths."""
        if ms is None:
            return ABSENT
        if ms < 10_000 and ms % 1000:
            return f"{self.number(int(ms) // 100 / 10, 1)}{_NARROW}s"
        seconds = int(ms) // 1000
        parts: list[str] = []
        for size, unit in ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s")):
            amount, seconds = divmod(seconds, size)
            if amount or parts:
                parts.append(f"{self.number(amount)}{_NARROW}{unit}" if amount else "")
        return " ".join(filter(None, parts[:2])) or f"0{_NARROW}s"

    def about(self, ms: int) -> str:
        """A length that only matters roughly: 42 s, 49 min, 2 h 48 min, 22 h, 12 d."""
        for least, size in ((864_000_000, 86_400_000), (36_000_000, 3_600_000), (60_000, 60_000)):
            if ms >= least:
                return self.span(ms // size * size)
        return self.span(max(0, ms // 1000 * 1000))

    def bytes(self, size: int | None) -> str:
        """A size of a file."""
        if size is None:
            return ABSENT
        for unit, each in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
            if size >= each:
                return f"{self.number(size / each, 1)}{_NARROW}{unit}"
        return f"{self.number(size)}{_NARROW}B"

    def local(self, at: Moment) -> dt.datetime | None:
        """The moment on the viewer's clock."""
        if at is None or at == "":
            return None
        ms = instant(at) if isinstance(at, str) else at
        return dt.datetime.fromtimestamp(ms // 1000, dt.UTC).replace(microsecond=ms % 1000 * 1000).astimezone(self.zone)

    def day_of(self, at: int) -> dt.date:
        """The viewer's day."""
        return dt.datetime.fromtimestamp(at / 1000, self.zone).date()

    def time(self, at: Moment) -> str:
        """14:36:05."""
        local = self.local(at)
        return ABSENT if local is None else local.strftime("%H:%M:%S")

    def exact(self, at: Moment) -> str:
        """14:36:05.250."""
        local = self.local(at)
        return ABSENT if local is None else f"{local:%H:%M:%S}.{local.microsecond // 1000:03}"

    def minute(self, at: Moment) -> str:
        """14:36, as the language writes it on a 24-hour clock."""
        local = self.local(at)
        return ABSENT if local is None else format_time(local.time(), "HH:mm", locale=self.language)

    def day(self, at: Moment) -> str:
        """1 Dec 2026, in the order of the language."""
        local = self.local(at)
        return ABSENT if local is None else format_date(local.date(), "medium", locale=self._dates)

    def short_day(self, at: Moment) -> str:
        """Tue 1 Dec."""
        local = self.local(at)
        if local is None:
            return ABSENT
        pattern = {"en": "EEE d MMM", "de": "EEE d. MMM", "fr": "EEE d MMM", "es": "EEE d MMM"}[self.language]
        return format_date(local.date(), pattern, locale=self._dates)

    def weekday(self, at: Moment) -> str:
        """Tuesday, 1 December 2026."""
        local = self.local(at)
        return ABSENT if local is None else format_date(local.date(), "full", locale=self._dates)

    def weekday_name(self, day: int) -> str:
        """Mon; Monday is 0."""
        return str(get_day_names("abbreviated", locale=self._dates)[day])

    def moment(self, at: Moment) -> str:
        """1 Dec 2026 14:36:05."""
        return ABSENT if at is None or at == "" else f"{self.day(at)} {self.time(at)}"

    def iso(self, at: Moment) -> str:
        """RFC 3339 with the zone's offset of that moment: for `datetime` attributes and for titles."""
        local = self.local(at)
        return "" if local is None else local.isoformat(timespec="milliseconds")

    def offset(self, at: Moment) -> str:
        """The zone's offset then, as UTC+01:00."""
        local = self.local(at)
        return "" if local is None else format_datetime(local, "'UTC'xxx", tzinfo=self.zone, locale=self.language)

    @property
    def _dates(self) -> str:
        return "en_GB" if self.language == "en" else self.language
