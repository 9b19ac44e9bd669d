"""What the tables can hold."""

from __future__ import annotations

from pipeline.instants import DAY_MS
from schemas.call import Call

_LONGEST_MS = 4_294_967_295  # 49 days: durations are unsigned 32-bit columns
LONG_MS = _LONGEST_MS - DAY_MS  # only calls with events further apart than this can exceed it


def fit(call: Call) -> None:
    """Cap the durations of a call that lasted longer than a column can say; flags it."""
    for item in (call, *call.logs):
        for field in item.__struct_fields__:
            if field.endswith("_ms"):
                value = getattr(item, field)
                if value is not None and value > _LONGEST_MS:
                    setattr(item, field, _LONGEST_MS)
                    if "duration_capped" not in call.flags:
                        call.flags.append("duration_capped")
