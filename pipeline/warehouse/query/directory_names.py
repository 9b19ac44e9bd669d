"""Names as the tenant's directory has them today, as SQL: where it has one for a number, it goes before what the PBX
called the party.

The SQL holds the parameter `names_tenant`, which `clauses.matching` binds.
"""

from __future__ import annotations

from typing import Final

from pipeline.warehouse.query.callers import MADE_BY
from pipeline.warehouse.query.masking import SQL_FUNCTIONS

TENANT: Final = "names_tenant"
_KINDS: Final = "['extension', 'queue', 'ring_group', 'did']"


def _names_sql(number: str, name: str, functions: str = "") -> str:
    """(numbers, names) of the tenant's directory as they are shown, as one constant; of a number that is there twice,
    or looks like another, the first name counts."""
    return (
        "(SELECT (groupArray(number), groupArray(name))"
        f" FROM ({functions} SELECT {number} AS number, {name} AS name"
        " FROM (SELECT kind, key, JSONExtractString(body, 'name') AS called FROM directory_rows FINAL"
        f" WHERE tenant = {{{TENANT}:String}} AND deleted = 0 AND kind IN {_KINDS} AND called != '')"
        f" ORDER BY indexOf({_KINDS}, toString(kind)), number, name))"
    )


_NAMES: Final = _names_sql("key", "called")
_MASKED_NAMES: Final = _names_sql("masked_text(key)", "masked_text(called)", f"WITH {SQL_FUNCTIONS}")
# Whose name it is: the extension that called, and who was called, by extension or else by number (queues, groups).
CALLER: Final = MADE_BY
CALLEE: Final = "if(callee_extension != '', toString(callee_extension), callee_number)"
# Of a call log: a caller from outside is of no extension, whatever the number looks like.
LOG_CALLER: Final = "if(direction IN ('internal', 'outbound'), caller_number, '')"


def named_sql(sql: str, number: str, *, masked: bool) -> str:
    """The directory's name of a number, or what is stored where it has none; `masked` as the view that it is shown
    through."""
    names = names_of(masked=masked)
    return f"transform(toString({number}), {names}.1, {names}.2, toString({sql}))"


def names_of(*, masked: bool) -> str:
    """SQL of all numbers and names of the directory, as a pair of arrays."""
    return _MASKED_NAMES if masked else _NAMES
