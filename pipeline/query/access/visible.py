"""Which calls a caller sees: all of its tenant, or those of its extension. To be put into every query
with `All`; the tenant is in every query anyway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipeline.query.access.authenticator import Caller
from pipeline.warehouse.query.callers import parties
from pipeline.warehouse.query.columns import CALL, CALL_LOG
from pipeline.warehouse.query.expressions import EVERYTHING, NOTHING, Involving, Node
from pipeline.warehouse.query.reader import Row

_SIDES: Final = ("direction", "caller_number", "caller_extension", "callee_extension")


def visible_calls(caller: Caller) -> Node:
    """The calls that the caller sees: of a user, those that the extension made or was a target of."""
    if caller.sees_all:
        return EVERYTHING
    return Involving(CALL["id"], caller.tenant, caller.extension) if caller.extension else NOTHING


def visible_logs(caller: Caller) -> Node:
    """The call logs of those calls, all targets of each."""
    if caller.sees_all:
        return EVERYTHING
    return Involving(CALL_LOG["session_id"], caller.tenant, caller.extension) if caller.extension else NOTHING


def sees(caller: Caller, row: Row, logs: Sequence[Row]) -> bool:
    """Whether the caller sees the call in `row`, given all its call logs."""
    mine = caller.extension
    made = mine in parties(*(row[name] for name in _SIDES))
    return caller.sees_all or (bool(mine) and (made or any(log["number"] == mine for log in logs)))
