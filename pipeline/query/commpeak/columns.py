"""What CommPeak calls the parts of a call, as columns of our rows.

Vendor page "Aggregate CDRs". `status` is FreeSWITCH's name of the cause, `q850` its text, `sip_term_status`
the final SIP status; calls that were answered ended by normal clearing, 200.
"""

from __future__ import annotations

from typing import Final

from pipeline.calls.causes import q850_name, q850_token
from pipeline.warehouse.analytics.dispositions import ANSWERED, TALK_S, TOTAL_S, epoch
from pipeline.warehouse.query.callers import MADE_BY
from pipeline.warehouse.query.expressions import Column

_CANCELLED: Final = 487  # FreeSWITCH's own cause for a caller who gave up
_UNSPECIFIED: Final = 31

# The SIP status that FreeSWITCH answers for a cause; 480 for those not named.
_SIP: Final = {1: 404, 2: 404, 3: 404, 16: 200, 17: 486, 18: 408, 21: 603, 22: 410, 23: 410, 25: 483} | {
    **{27: 502, 28: 484, 29: 501, 34: 503, 38: 503, 41: 503, 42: 503, 44: 503, 52: 403, 54: 403, 57: 403},
    **{58: 503, 65: 488, 69: 501, 79: 501, 88: 488, 102: 504, _CANCELLED: 487},
}
_TEXTS: Final = {19: "No answer from user", _CANCELLED: "Originator cancel"}
_CODES: Final = (*(cause for cause in range(1, 128) if q850_name(cause)), _CANCELLED)


def _quoted(texts: list[str]) -> str:
    """An array of texts of this program's own."""
    assert not any("'" in text or "\\" in text for text in texts)
    return "[" + ", ".join(f"'{text}'" for text in texts) + "]"


def _looked_up(values: list[str], otherwise: str) -> str:
    return f"transform({_CODE}, {list(_CODES)}, {_quoted(values)}, '{otherwise}')"


_CODE: Final = (
    f"toInt32(multiIf(isNotNull(answered_at), 16, status = 'cancelled', {_CANCELLED},"
    " q850_cause NOT IN (0, 16), q850_cause, status = 'busy', 17, status = 'no_answer', 19,"
    f" status = 'abandoned', {_CANCELLED}, {_UNSPECIFIED}))"
)
_INWARD: Final = "direction IN ('inbound', 'inbound_outbound')"
_TRANSFERS: Final = (
    "arrayFilter(move -> JSONExtractString(move, 'kind') IN ('blind_transfer', 'attended_transfer',"
    " 'semi_attended_transfer'), JSONExtractArrayRaw(detail, 'reroutes'))"
)
_TRANSFERRED_AT: Final = (
    f"JSONExtractInt(arrayFirst(move -> JSONExtractString(move, 'result') = 'answered', {_TRANSFERS}), 'at')"
)

USER: Final = Column("caller_user_id", f"if(length({MADE_BY}) < 10, toUInt32OrZero({MADE_BY}), 0)", "number")
STATUS: Final = Column(
    "status",
    _looked_up([q850_token(code) or "UNSPECIFIED" for code in _CODES[:-1]] + ["ORIGINATOR_CANCEL"], "UNSPECIFIED"),
)
Q850: Final = Column("q850", _looked_up([_TEXTS.get(code) or q850_name(code).replace("'", "") for code in _CODES], ""))
SIP: Final = Column(
    "sip_term_status",
    "toInt32(multiIf(isNotNull(answered_at), 200, sip_status >= 300, sip_status,"
    f" transform({_CODE}, {list(_SIP)}, {list(_SIP.values())}, 480)))",
    "number",
)
# Who released the client, who is the party outside; the PBX where the call was refused or nobody took it.
HANGUP: Final = Column(
    "client_hangup_disposition",
    "multiIf(isNull(answered_at) AND status != 'cancelled', 'system',"
    f" hung_up_by = 'caller', if({_INWARD}, 'client', 'agent'),"
    " hung_up_by = 'callee', if(direction IN ('outbound', 'inbound_outbound'), 'client', 'agent'), 'system')",
)
DST: Final = Column("dst", f"if({_INWARD} AND did != '', did, callee_number)")
CALLER_ID: Final = Column(
    "client_callerid_number",
    "if(direction = 'outbound' AND outbound_caller_id != '', outbound_caller_id, caller_number)",
)
# The extension that made the call, or the one that took it.
SRC: Final = Column(
    "src",
    f"multiIf({MADE_BY} != '', {MADE_BY}, direction = 'inbound' AND {ANSWERED}, answered_by, '')",
)
TRANSFER_TO: Final = Column("transfer_to", f"JSONExtractString(arrayElement({_TRANSFERS}, -1), 'to')")
CONFERENCE_TO: Final = Column("conference_to", "JSONExtractString(detail, 'conferences', 1, 1)")
TRUNK: Final = Column("trunk", "toString(trunk)")
DURATION: Final = Column("duration", TOTAL_S.sql, "number")
BILL_DURATION: Final = Column("bill_duration", TALK_S.sql, "number")
# 2 phonebook, 3 manual call, 4 incoming, 7 missed call, 8 internal call.
CALL_TYPE: Final = Column(
    "callsType",
    f"toInt32(multiIf(direction = 'internal', 8, {_INWARD}, if({ANSWERED}, 4, 7),"
    " positionCaseInsensitive(user_data, 'phonebook') > 0, 2, 3))",
    "number",
)
TRANSFERS: Final = Column("transfers", f"length({_TRANSFERS})", "number")
CONFERENCES: Final = Column("conferences", "JSONLength(detail, 'conferences')", "number")
TRANSFER_S: Final = Column(
    "transfer_s",
    f"if({_TRANSFERRED_AT} = 0 OR isNull(ended_at), 0,"
    f" greatest(toInt64({epoch('ended_at')} - intDiv({_TRANSFERRED_AT}, 1000)), 0))",
    "number",
)
CONFERENCE_S: Final = Column(
    "conference_s",
    "arraySum(room -> if(JSONExtractInt(room, 2) = 0 OR JSONExtractInt(room, 3) = 0, 0,"
    " greatest(intDiv(JSONExtractInt(room, 3), 1000) - intDiv(JSONExtractInt(room, 2), 1000), 0)),"
    " JSONExtractArrayRaw(detail, 'conferences'))",
    "number",
)
