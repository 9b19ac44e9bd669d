"""Items of lists as models: the call document without what only a whole call shows, and call logs."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, create_model

from pipeline.query.questions.fields import CALL_FIELDS, LOG_FIELDS
from pipeline.query.questions.lists.included import PARTS
from schemas.call_model import CallDocument, CallLogDocument, PartyDocument, Snowflake


def _any_may_miss(schema: dict[str, Any]) -> None:
    schema.pop("required", None)
    for described in schema["properties"].values():
        described.pop("default", None)


class Chosen(BaseModel):
    """What has the fields that were asked for: any may be left out by `fields`."""

    model_config = ConfigDict(json_schema_extra=_any_may_miss)


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
# Shown when `fields` names them, or `include`.
_MORE: Final[dict[str, str]] = {
    "rate_class": "LOCAL, NATIONAL, INTERNATIONAL, MOBILE; INTERNAL, FEATURE, EMERGENCY; null when unknown.",
    "rate_prefix": "Prefix of the tariff line that priced it.",
    "carrier_cost": "What the carrier takes for it, decimal as text; null when unknown.",
    "carrier_currency": "ISO 4217 currency of carrier_cost.",
    "service_number": "Queue or ring group that took it.",
    "reroute_reason": "Why its first target was left, as PortSIP calls it.",
}
_NAMED: Final[dict[str, Any]] = {
    name: (str | None, Field(default=None, description=f"{about} Only when `fields` names it."))
    for name, about in _MORE.items()
}
_PARTS: Final[dict[str, Any]] = {
    name: (
        CallDocument.model_fields[name].annotation,
        Field(default=None, description=f"{CallDocument.model_fields[name].description} Only by `include`{also}."),
    )
    for name in PARTS
    for also in [", or when `fields` names it" if name in CALL_FIELDS else ""]
}
CallSummary: Any = create_model(
    "CallSummary",
    __base__=Chosen,
    __doc__="One call of a list: of the call document what `fields` and `include` name, else all but its parts.",
    **(_SUMMARY | _NAMED | _PARTS),
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
CallLogItem: Any = create_model(
    "CallLogItem",
    __base__=Chosen,
    __doc__="One target of a call, with what its call has; without what `fields` leaves out.",
    **_LOG,
)
_LOGS: Final[dict[str, Any]] = {"data": (list[CallLogItem], Field(description="Call logs, newest first.")), **_NEXT}
CallLogPage: Any = create_model("CallLogPage", __doc__="Call logs, and where the next page begins.", **_LOGS)
