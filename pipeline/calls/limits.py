"""What the tables can hold."""

from __future__ import annotations

from schemas.call import Call

_LONGEST_MS = 4_294_967_295  # 49 days: durations are unsigned 32-bit columns


def fit(call: Call) -> None:
    """Cap the durations of a call that lasted longer than a column can say; flags it."""
    if call.last_event_at - call.started_at <= _LONGEST_MS:
        return
    call.flags.append("duration_capped")
    for item in (call, *call.logs):
        for field in item.__struct_fields__:
            if field.endswith("_ms"):
                value = getattr(item, field)
                if value is not None:
                    setattr(item, field, min(value, _LONGEST_MS))
