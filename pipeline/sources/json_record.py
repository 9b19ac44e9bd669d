"""One JSON object a value, as PBXs and their scripts write them: fields looked up by any of several names."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import orjson

from pipeline.sources.contract import Decoded, Malformed, Options, Rejected, latest
from pipeline.sources.instants import instant
from schemas.event import EARLIEST_MS, Event

LONGEST_TEXT: Final = 1024
LONGEST_ID: Final = 200
# How Go, SQL and Unix write that a moment never came.
_NEVER: Final = ("0001-01-01", "0000-00-00", "1970-01-01T00:00:00", "1970-01-01 00:00:00")
LONGEST_CALL_S: Final = 7 * 86_400.0
_NOTHING: Final = frozenset(("", "<null>", "null", "none", "<unknown>", "NON-UTF8", "INVALID_JSON"))


def parse(value: bytes, longest: int) -> dict[str, Any]:
    """The object. Raises Malformed."""
    if len(value) > longest:
        raise Malformed(f"the value has {len(value)} bytes; at most {longest} are allowed")
    try:
        raw = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        try:
            raw = orjson.loads(value.decode("utf-8", "replace"))  # names come as the phone sent them
        except orjson.JSONDecodeError:
            raise Malformed(f"the value is no JSON ({error}); send one JSON object for each event") from None
    if not isinstance(raw, dict):
        raise Malformed("the value is no object; send one JSON object for each event")
    return raw


def decoded_each(
    values: Sequence[bytes],
    events_of: Callable[[bytes, Options, int], list[Event]],
    options: Options,
    now_ms: int | None,
) -> Decoded:
    """What `events_of` makes of each value; what it refuses with Malformed is rejected, its neighbours are not. Its
    last argument is the latest instant that is believed."""
    decoded = Decoded()
    until = latest(now_ms)
    for index, value in enumerate(values):
        try:
            events = events_of(value, options, until)
        except Malformed as malformed:
            decoded.rejected.append(Rejected(index, str(malformed)))
            continue
        decoded.events += events
        decoded.origin += [index] * len(events)
    return decoded


_GO_DURATION: Final = re.compile(r"(?a)(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6}(?:\.\d{1,9})?)s)?")


class Record:
    """An object whose fields are looked up in lower case."""

    __slots__ = ("fields", "implausible", "latest", "zone")

    def __init__(self, fields: Mapping[str, Any], zone: str, latest: int) -> None:
        self.fields = {name.lower(): value for name, value in fields.items()}
        self.zone = zone
        self.latest = latest
        self.implausible = False  # a value was ignored that cannot be: negative, NaN, years

    def text(self, *names: str) -> str:
        """The first of these fields that says something, as text of one line; "" where none does."""
        for name in names:
            value = self.fields.get(name)
            if value is None or isinstance(value, (bool, dict, list)):
                continue
            raw = (value if isinstance(value, str) else str(value)).strip()
            if raw not in _NOTHING:
                return raw[:LONGEST_TEXT].replace("\0", "")
        return ""

    def id(self, *names: str) -> str:
        """The first of these fields as an id. Raises Malformed where it cannot be one."""
        raw = self.text(*names)
        if not raw.isprintable():
            raise Malformed(f"/{names[0]}: {raw[:40]!r} has control characters; send printable text")
        if len(raw) <= LONGEST_ID:
            return raw
        return f"{raw[:160]}~{blake2b(raw.encode('utf-8', 'surrogatepass'), digest_size=16).hexdigest()}"

    def number(self, *names: str) -> float:
        """The first of these fields as a number that is not negative; 0 where there is none."""
        raw = self.text(*names).removesuffix("s")
        try:
            value = float(raw) if raw else 0.0
        except ValueError:
            return 0.0
        if 0 < value < 1e9:
            return value
        self.implausible = self.implausible or value != 0
        return 0.0

    def seconds(self, *names: str, longest: float = LONGEST_CALL_S) -> float:
        """The first of these fields as the length of a call, s; 0 where there is none that can be one."""
        value = self.number(*names)
        if value <= longest:
            return value
        self.implausible = True
        return 0.0

    def usage(self, *names: str) -> float:
        """The same as CGRateS has it: as Go writes durations, `1m16s`, in whole nanoseconds, or in seconds."""
        value = _go_duration(self.text(*names))
        return self.seconds(*names) if value is None else value

    def whole(self, *names: str) -> int:
        """The same as a whole number."""
        return int(self.number(*names))

    def at(self, *names: str) -> int:
        """The first of these fields that is set as an instant, ms; 0 for never. Raises Malformed where it is no time
        since 2000 that has come."""
        for name in names:
            raw = self.text(name)
            if not raw or not raw.strip("0.:- ") or raw.startswith(_NEVER):
                continue
            at = instant(raw, self.zone, "")
            if not EARLIEST_MS <= at <= self.latest:
                raise Malformed(
                    f"/{name}: {raw[:40]!r} is no time since 2000 that has come; send epoch seconds or"
                    " YYYY-MM-DD HH:MM:SS, and set the clock of the node"
                )
            return at
        return 0

    def perhaps_at(self, *names: str) -> int:
        """The same; a time that cannot be is ignored."""
        for name in names:
            try:
                at = self.at(name)
            except Malformed:
                self.implausible = True
                continue
            if at:
                return at
        return 0


def _go_duration(raw: str) -> float | None:
    """Seconds of `1h2m3.5s`, or of a number of nanoseconds that can be nothing else; None for other texts."""
    if raw.isascii() and raw.isdigit() and 1e9 <= int(raw[:20]) <= LONGEST_CALL_S * 1e9:
        return int(raw) / 1e9
    found = _GO_DURATION.fullmatch(raw) if "m" in raw or "h" in raw else None
    return (
        None
        if found is None
        else sum(float(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True))
    )


def digest(*parts: object) -> str:
    """A short name for what these parts say together."""
    text = "\n".join(map(str, parts))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
