"""What can be listed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from pipeline.query.questions.fields import Field, Presentation
from pipeline.query.questions.filters import UTC, Language
from pipeline.warehouse.query.clauses import Source
from pipeline.warehouse.query.directory_names import named_sql
from pipeline.warehouse.query.expressions import Column


@dataclass(frozen=True, slots=True)
class Table:
    """What can be listed."""

    name: str
    source: Source
    fields: Mapping[str, Field]
    groups: Mapping[str, tuple[str, ...]]
    sorts: Mapping[str, str]  # beside started_at: name -> SQL, see Listing.by
    parts: tuple[str, ...] = ()  # of the call document, that `include` may name
    is_searched: bool = False  # whether `q` looks for numbers, names and ids

    def language(self, look: Presentation, zone: ZoneInfo = UTC) -> Language:
        """The filters of this table. Names are compared as they are shown; dates alone are days of `zone`."""
        fields = {path: field for path, field in self.fields.items() if path != "tenant"}
        return Language(fields, self.groups, lambda field: _compared(field, look), zone)

    @property
    def orders(self) -> list[str]:
        """The values of `sort`."""
        return [f"{way}{name}" for name in ("started_at", *self.sorts) for way in ("-", "")]

    @property
    def shown(self) -> list[Field]:
        return [field for field in self.fields.values() if field.shown]


def _compared(field: Field, look: Presentation) -> Column:
    if field.named_by and look.named:
        return replace(field.column, sql=named_sql(field.column.sql, field.named_by, masked=look.masked))
    return field.column
