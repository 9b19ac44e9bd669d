"""Items of lists as models: the call document without what only a whole call shows, and call logs."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field, create_model

from pipeline.query.questions.fields import CALL_FIELDS, LOG_FIELDS
from schemas.call_model import CallDocument, CallLogDocument, PartyDocument, Snowflake

_NEXT: Final[dict[str, Any]] = {
    "next_cursor": (
        str | None,
        Field(description="Give it back as `cursor` for the next page; null on the last one.", examples=[None]),
    ),
    "count": (int, Field(default=0, description="How many match, on all pages; only when asked for.", examples=[42])),
}
FIELDS: Final = tuple(dict.fromkeys(path.partition(".")[0] for path, field in CALL_FIELDS.items() if field.shown))

_SUMMARY: Final[dict[str, Any]] = {
    name: (field.annotation, field) for name, field in CallDocument.model_fields.items() if name in FIELDS
}
CallSummary: Any = create_model(
    "CallSummary", __doc__="One call of a list: the call document without its logs, legs and other parts.", **_SUMMARY
)
_CALLS: Final[dict[str, Any]] = {"data": (list[CallSummary], Field(description="Calls, newest first.")), **_NEXT}
CallPage: Any = create_model("CallPage", __doc__="Calls, and where the next page begins.", **_CALLS)

_CALLER: Final[dict[str, Any]] = {
    name: (field.annotation, field) for name, field in PartyDocument.model_fields.items() if name != "extension"
}
LogCaller: Any = create_model("LogCaller", __doc__="Who called.", **_CALLER)
_LOG: Final[dict[str, Any]] = {
    "session_id": (Snowflake, Field(description="Id of its call.")),
    "call_id": (str, Field(description="The id that all events of its call share.")),
    "caller": (LogCaller, Field(description="Who called.")),
    "direction": (str, Field(description="Direction of its call.", examples=["inbound"])),
    **{
        name: (str | None, Field(description=CallDocument.model_fields[name].description))
        for name in ("did", "outbound_caller_id", "user_data")
    },
    "service_number": (str | None, Field(description="Queue or ring group that took the call.")),
} | {name: (field.annotation, field) for name, field in CallLogDocument.model_fields.items() if name in LOG_FIELDS}
CallLogItem: Any = create_model("CallLogItem", __doc__="One target of a call, with what its call has.", **_LOG)
_LOGS: Final[dict[str, Any]] = {"data": (list[CallLogItem], Field(description="Call logs, newest first.")), **_NEXT}
CallLogPage: Any = create_model("CallLogPage", __doc__="Call logs, and where the next page begins.", **_LOGS)
