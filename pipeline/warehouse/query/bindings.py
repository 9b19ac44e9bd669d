"""Values bound to the parameters of a query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

MOST_BYTES: Final = 100_000  # of one bound array


class Bindings:
    """The bound parameters of one query, and the tables that it looks into."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.tables: set[str] = set()

    def copy(self) -> Bindings:
        """For another query with the same conditions and more."""
        other = Bindings()
        other.values, other.tables = dict(self.values), set(self.tables)
        return other

    def bind(self, value: Any, type_: str) -> str:
        """The placeholder of `value` as ClickHouse type `type_`."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{type_}}}"

    def bind_list(self, values: Sequence[Any], item_type: str) -> str:
        """The placeholders of a list of any length, as one array of `item_type`. A long one is bound in pieces:
        ClickHouse takes at most 128 KiB a form field (http_max_field_value_size)."""
        pieces: list[str] = []
        begin = size = 0
        for place, value in enumerate(values):
            width = 3 * len(str(value)) + 4  # escaped, in quotes
            if size + width > MOST_BYTES:
                pieces.append(self.bind(list(values[begin:place]), f"Array({item_type})"))
                begin, size = place, 0
            size += width
        pieces.append(self.bind(list(values[begin:]), f"Array({item_type})"))
        return pieces[0] if len(pieces) == 1 else f"arrayConcat({', '.join(pieces)})"
