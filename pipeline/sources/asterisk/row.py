"""One row of Asterisk's channel event logging, with what `extra` says."""

from __future__ import annotations

from typing import Any

import orjson

from pipeline.sources.asterisk.fields import LONGEST_TEXT, NOTHING, Fields
from pipeline.sources.asterisk.parties import CALLED, parties
from schemas.event import Event


class Row:
    """One row of CEL."""

    __slots__ = ("application", "channel", "data", "extra", "fields", "first", "linked_id", "unique_id")

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        raw = fields.raw
        self.channel = fields.text("channel")
        unique_id, linked_id = raw.get("uniqueid"), raw.get("linkedid")
        if not unique_id or unique_id.__class__ is not str:
            unique_id = fields.required("uniqueid")
        if not linked_id or linked_id.__class__ is not str:
            linked_id = fields.first("linkedid") or unique_id
        self.unique_id, self.linked_id = unique_id, linked_id
        self.first = unique_id == linked_id
        self.application = fields.text("application")
        self.data = fields.text("appdata")
        extra = raw.get("extra")
        self.extra: dict[str, Any] = _extra(extra) if extra else {}

    @property
    def called(self) -> bool:
        """Whether the channel was called for another and never began a call of its own.

        Who began one has the number it dialled; a phone that picks a call up runs AppDial from then on.
        """
        if self.application not in CALLED:
            return False
        asked = self.fields.text("calleriddnid")
        return not asked or asked in NOTHING or asked == self.fields.text("exten")

    def event(self, type_: str, *, what: str = "", mark: str = "", linked: bool = False) -> Event:
        return self.fields.event(type_, self.unique_id, self.linked_id, what=what, mark=mark, linked=linked)

    def known(self, event: Event) -> Event:
        """Say on an event who the party is."""
        fields = self.fields
        number, name = fields.number("calleridnum", "calleridani"), fields.number("calleridname")
        application = self.application
        return parties(fields, event, self.channel, first=self.first, number=number, name=name, application=application)

    def id(self, name: str) -> str:
        """A unique id of `extra`."""
        value = self.extra.get(name)
        return self.fields.id(value) if isinstance(value, str) else ""

    def said(self, name: str) -> str:
        """A text of `extra`."""
        value = self.extra.get(name)
        return value[:LONGEST_TEXT] if isinstance(value, str) and value != "N/A" else ""


def _extra(raw: Any) -> dict[str, Any]:
    if isinstance(raw, str) and raw.startswith("{"):
        try:
            raw = orjson.loads(raw)
        except orjson.JSONDecodeError:
            return {}
    return raw if isinstance(raw, dict) else {}
