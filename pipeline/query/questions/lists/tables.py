"""What can be listed: calls and call logs."""

from __future__ import annotations

from typing import Final

from pipeline.query.questions.fields import CALL_FIELDS, CALL_GROUPS, CALL_SORTS, LOG_FIELDS, LOG_GROUPS, LOG_SORTS
from pipeline.query.questions.lists.included import PARTS
from pipeline.query.questions.lists.table import Table
from pipeline.warehouse.query.clauses import CALL_LOGS, CALLS

CALL_TABLE: Final = Table("calls", CALLS, CALL_FIELDS, CALL_GROUPS, CALL_SORTS, PARTS, is_searched=True)
LOG_TABLE: Final = Table("call-logs", CALL_LOGS, LOG_FIELDS, LOG_GROUPS, LOG_SORTS)
