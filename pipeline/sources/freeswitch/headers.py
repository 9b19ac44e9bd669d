"""The headers of one FreeSWITCH event, and what every event of a leg shares: ids, node, parties.

Event-socket JSON is one flat object of texts. Where a header repeats, FreeSWITCH writes a list, or one text
`ARRAY::first|:second`. Times are microseconds since the epoch as text; 0 means never.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final

from pipeline.sources.contract import Malformed, Options
from pipeline.sources.freeswitch.links import others
from pipeline.sources.freeswitch.values import as_text, microseconds, number_of
from schemas.event import EARLIEST_MS, Event

LONGEST_ID: Final = 256

# What changes between two reports of one event: it is no part of what the event says.
_VOLATILE: Final = ("Event-Sequence", "Event-Date-Local", "Event-Date-GMT", "Event-Calling-Line-Number")


class Headers:
    """One event: its headers by name, and what is made of them."""

    __slots__ = (
        "_call_id",
        "_ids",
        "_node",
        "_originator",
        "_outward",
        "_report",
        "_sequence",
        "at",
        "latest",
        "leg",
        "options",
        "raw",
    )

    def __init__(self, raw: dict[str, Any], options: Options, latest: int) -> None:
        self.raw = raw
        self.options = options
        self.latest = latest
        self.leg = ""
        self.at = 0
        self._call_id = self._report = self._node = ""
        self._outward: bool | None = None
        self._sequence = -1
        self._originator: str | None = None
        self._ids: list[str] | None = None

    def text(self, name: str) -> str:
        """A header as text, "" when it is not there."""
        value = self.raw.get(name, "")
        if value.__class__ is str:
            return value
        return "" if value is None else as_text(value)

    def variable(self, name: str) -> str:
        """A channel variable as text, "" when it is not set."""
        return self.text("variable_" + name)

    def first(self, *names: str) -> str:
        """The first of these headers that says something."""
        raw = self.raw
        for name in names:
            if name in raw:
                value = self.text(name)
                if value:
                    return value
        return ""

    def ms(self, *names: str) -> int:
        """The first of these times that is set, as ms; 0 for never."""
        for name in names:
            at = microseconds(self.text(name)) // 1000
            if EARLIEST_MS <= at <= self.latest:
                return at
        return 0

    def begin(self) -> None:
        """Find the leg and the instant of a channel event; raises Malformed where there are none."""
        self.leg = self.id_of("Unique-ID", "Caller-Unique-ID", "variable_uuid")
        self.instant()

    def id_of(self, *names: str) -> str:
        """The first of these ids; it must be there, and usable."""
        value = self.first(*names)
        if not value:
            raise Malformed(f"/{names[0]}: is missing; send the whole event, as `events json` gives it")
        if len(value) > LONGEST_ID:
            raise Malformed(
                f"/{names[0]}: {value[:40]!r}… has {len(value)} characters; at most {LONGEST_ID} are allowed"
            )
        if not value.isprintable():
            raise Malformed(f"/{names[0]}: {value[:60]!r} has control characters; send printable text")
        return value

    def instant(self) -> None:
        """Find when the event happened."""
        stamp = self.text("Event-Date-Timestamp")
        at = microseconds(stamp) // 1000
        if not EARLIEST_MS <= at <= self.latest:
            what = "is missing" if not stamp else f"{stamp[:40]!r} is no time since 2000 that has come"
            raise Malformed(
                f"/Event-Date-Timestamp: {what}; send microseconds since 1970 UTC as FreeSWITCH does, and set its clock"
            )
        self.at = at

    # Who and what

    @property
    def outward(self) -> bool:
        """Whether FreeSWITCH called this leg; the other legs called FreeSWITCH."""
        if self._outward is None:
            direction = self.raw.get("Call-Direction")
            if not direction or direction.__class__ is not str:
                direction = self.first("Call-Direction", "Caller-Direction", "variable_direction")
            self._outward = direction == "outbound"
        return self._outward

    @property
    def agent(self) -> bool:
        """Whether the leg calls an agent of a queue (mod_callcenter)."""
        return self.text("variable_cc_side") == "agent"

    @property
    def node(self) -> str:
        """The switch that tells."""
        if not self._node:
            for name in ("FreeSWITCH-Switchname", "FreeSWITCH-Hostname", "Core-UUID"):
                found = self.usable(name)
                if found:
                    self._node = found
                    break
            else:
                self._node = self.options.node
        return self._node

    def originator(self) -> str:
        """The leg for which FreeSWITCH called this one, "" when it was called for none."""
        if self._originator is None:
            self._originator = self._find_originator() if self.outward else ""
        return self._originator

    def _find_originator(self) -> str:
        if self.agent:
            return self.usable("variable_cc_member_session_uuid")
        found = self.usable("variable_originator") or self.usable("variable_originating_leg_uuid")
        if not found and self.text("Other-Type") == "originator":
            found = self.usable("Other-Leg-Unique-ID")
        return "" if found == self.leg else found

    def call_id(self) -> str:
        """The id of the call: the caller's leg, see `links`."""
        if not self._call_id:
            call_uuid = ""
            if not self.agent:  # an agent is called by the queue, as a call of its own
                call_uuid = self.usable("Channel-Call-UUID") or self.usable("variable_call_uuid")
            self._call_id = call_uuid or self.originator() or self.leg
        return self._call_id

    def ids(self, call_id: str) -> list[str] | None:
        """The other ids that this event shows to be its call."""
        if self._ids is None:
            self._ids = others(self, call_id)
        return list(self._ids) or None

    def usable(self, name: str) -> str:
        """A header as an id, "" when it is not there or cannot be one."""
        value = self.raw.get(name)
        if not value:
            return ""
        if value.__class__ is not str:
            value = as_text(value)
        return value if len(value) <= LONGEST_ID and value.isprintable() else ""

    def peer(self) -> str:
        """The leg that this one hears or heard."""
        for name in ("Other-Leg-Unique-ID", "variable_signal_bond", "variable_bridge_uuid", "variable_last_bridge_to"):
            found = self.usable(name)
            if found and found != self.leg:
                return found
        return ""

    def number(self, *names: str) -> str:
        """The first of these headers as a number."""
        value = self.first(*names)
        return number_of(value)

    # Events

    def event(self, type_: str, at: int = 0, *, mark: str = "", linked: bool = False) -> Event:
        """An event of this leg. `mark` tells it from the others of the same report; without a mark it is the
        report itself. `linked`: with the other ids of its call."""
        call_id = self._call_id or self.call_id()
        return Event(
            type_,
            at or self.at,
            call_id,
            f"{self.report_id()}-{mark}" if mark else self.report_id(),
            self.leg,
            self.options.tenant,
            self.node,
            self.sequence(),
            linked_ids=self.ids(call_id) if linked else None,
        )

    def remembered(self, type_: str, at: int, *, linked: bool = False) -> Event:
        """An event that the end of the leg remembers: the same from whichever record it is read."""
        call_id = self._call_id or self.call_id()
        id_ = f"fs-{self.leg}-{type_}"
        others = self.ids(call_id) if linked else None
        return Event(type_, at, call_id, id_, self.leg, self.options.tenant, self.node, linked_ids=others)

    def sequence(self) -> int:
        """Event-Sequence: a number, although it is written as text (so 1000 follows 999)."""
        if self._sequence < 0:
            number = self.text("Event-Sequence")
            self._sequence = int(number) if number.isascii() and number.isdigit() and len(number) < 16 else 0
        return self._sequence

    def report_id(self) -> str:
        """Equal for every delivery of one event: the switch's own counter, else what the event says."""
        if not self._report:
            self._report = self._make_report_id()
        return self._report

    def _make_report_id(self) -> str:
        core, number = self.usable("Core-UUID"), self.sequence()
        if core and number:
            return f"fs-{core[:64]}-{number}"
        said = "\n".join(f"{key}={self.raw[key]}" for key in sorted(self.raw) if key not in _VOLATILE)
        return "fs-" + blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
