"""What vendors call an answered call and its seconds: columns of closed calls over their rows.

The vendors say "answered" when a person was reached; that the PBX itself picked up (a menu, a queue) is not
enough. Each moment is cut to its second first, so that ringing and talking add up to the whole.
"""

from __future__ import annotations

from typing import Final

from pipeline.warehouse.query.expressions import Column


def epoch(moment: str) -> str:
    """Whole seconds since the epoch of a moment that is there."""
    return f"intDiv(toUnixTimestamp64Milli(assumeNotNull({moment})), 1000)"


def lasting(begin: str) -> str:
    """Whole seconds from a moment to the end of the call; 0 where one of them is missing, and never less: skewed
    clocks may leave an end before its beginning."""
    return f"if(isNull({begin}) OR isNull(ended_at), 0, greatest(toInt64({epoch('ended_at')} - {epoch(begin)}), 0))"


ANSWERED: Final = "isNotNull(talk_started_at)"
# Status words of an unanswered call yield to a code that says more: 486 and 600 are busy, 603 a refusal by
# a person, which vendors count with calls that nobody took.
_REFUSED: Final = "sip_status IN (408, 480, 487, 603) OR (sip_status = 0 AND q850_cause IN (18, 19, 20, 21))"
_DISPOSITION: Final = (
    f"multiIf({ANSWERED}, 'ANSWERED', status = 'voicemail', 'VOICEMAIL',"
    " status = 'busy' OR sip_status IN (486, 600), 'BUSY',"
    f" status = 'failed' AND NOT ({_REFUSED}), 'FAILED', 'NO ANSWER')"
)
DISPOSITIONS: Final = ("ANSWERED", "NO ANSWER", "BUSY", "FAILED", "VOICEMAIL")

DISPOSITION: Final = Column("disposition", _DISPOSITION)
# Whole seconds, start to end.
TOTAL_S: Final = Column("total_s", lasting("started_at"), "number")
# Whole seconds with a person: from when one answered to the end.
TALK_S: Final = Column("talk_s", lasting("talk_started_at"), "number")
# The same, or with the voicemail box that took the call.
HEARD_S: Final = Column(
    "heard_s", f"if(status = 'voicemail', {lasting('answered_at')}, {lasting('talk_started_at')})", "number"
)
# The rest: ringing, menus and queues.
RING_S: Final = Column("ring_s", f"greatest(({TOTAL_S.sql}) - ({HEARD_S.sql}), 0)", "number")
