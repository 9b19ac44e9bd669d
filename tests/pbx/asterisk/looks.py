"""What is called otherwise at other people's Asterisk: drivers, trunks, contexts; and rows that are not logged.

The stories are told by a PBX with PJSIP, trunks called `carrier-…` and contexts `from-internal` and `from-trunk`. A
look rewrites what it tells, row by row, into what another set-up tells of the same call; None is a row that it does not
tell.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Callable
from typing import Final

Row = dict[str, str]
Look = Callable[[Row], Row | None]

_DIALLED: Final = r"PJSIP/([+*#0-9A-Za-z]+)@(carrier-\w)"
_NUMBERED: Final = {"carrier-a": "441632960000", "carrier-b": "4930123456789"}
_SPANS: Final = {f"carrier-{letter}": f"DAHDI/i{number}" for number, letter in enumerate("abc", 1)}
_SPACED: Final = {"carrier-a": "Zadarma usa", "carrier-b": "SIP-PROVIDER-AAA880B194BA809EA72C0FCC4D6363AB"}
_NAMED: Final = {"carrier-a": "voipfone", "carrier-b": "twilio0"}


def _written(*pairs: tuple[str, str | Callable[[re.Match[str]], str]]) -> Callable[[Row], Row]:
    patterns = [(re.compile(pattern), text) for pattern, text in pairs]

    def look(row: Row) -> Row:
        found = {}
        for name, value in row.items():
            for pattern, text in patterns:
                value = pattern.sub(text, value)
            found[name] = value
        return found

    return look


def _dial_string_by_slash(row: Row) -> Row:
    """`trunk/number`, as Dial has it for all drivers but PJSIP."""
    string = re.sub(r"^([^@]+)@(carrier-\w)$", r"\2/\1", row.get("DialString", ""))
    return row | {"DialString": string} if string else row


def _in_macros(row: Row) -> Row:
    """FreePBX: Dial runs at `s` in macro-dial-one and macro-dialout-trunk, and so is what a trunk's leg shows."""
    application = row.get("Application") or row.get("appname") or ""
    trunk = "carrier" in (row.get("AppData") or row.get("appdata") or row.get("Channel") or row.get("channame") or "")
    if application not in ("Dial", "AppDial"):
        return row
    changes = {name: "s" for name in row if name.lower() in ("exten", "extension") and row[name]}
    if application == "Dial":
        changes |= {
            name: "macro-dialout-trunk" if trunk else "macro-dial-one" for name in row if name.lower() == "context"
        }
    elif trunk:
        changes |= {name: "s" for name in row if name.lower() in ("calleridnum", "cid_num")}
    return row | changes


def _in_whole_seconds(row: Row) -> Row:
    """Rows of CEL as most databases keep them; over the manager, where `timestampevents` is off."""
    if row.get("Event") == "CEL":
        return {name: value for name, value in row.items() if name != "Timestamp"}
    if "eventtime" not in row:
        return row
    at = dt.datetime.fromtimestamp(int(float(row["eventtime"])), dt.UTC)
    return row | {"eventtime": f"{at:%Y-%m-%d %H:%M:%S}"}


def _over_isdn(row: Row) -> Row:
    """Carriers as spans of DAHDI: a group of lines is dialled, and the channel's name has the number that calls."""
    row = _written(
        (_DIALLED, lambda found: f"DAHDI/g{_place(found[2])}/{found[1]}"),
        (r"PJSIP/(carrier-\w)-0*", lambda found: f"DAHDI/i{_place(found[1])}/07700900999-"),
    )(row)
    dialled = re.match(r"([^@]+)@(carrier-\w)$", row.get("DialString", ""))
    return row | {"DialString": f"g{_place(dialled[2])}/{dialled[1]}"} if dialled else row


def _place(trunk: str) -> int:
    return ord(trunk[-1]) - ord("a") + 1


def _without(*events: str) -> Look:
    return lambda row: None if (row.get("EventName") or row.get("eventtype")) in events else row


def _all(*looks: Look) -> Look:
    def look(row: Row) -> Row | None:
        told: Row | None = row
        for each in looks:
            told = None if told is None else each(told)
        return told

    return look


def _contexts(inside: str, outside: str) -> Look:
    return _written((r"\bfrom-internal\b", inside), (r"\bfrom-trunk\b", outside))


# Name → how rows are rewritten, and what trunks are called then.
LOOKS: Final[dict[str, tuple[Look, dict[str, str]]]] = {
    "chan_sip": (_all(_written((_DIALLED, r"SIP/\2/\1"), ("PJSIP/", "SIP/")), _dial_string_by_slash), {}),
    "iax2 trunks": (
        _all(_written((_DIALLED, r"IAX2/\2/\1"), (r"PJSIP/(carrier-\w)-0000", r"IAX2/\1-")), _dial_string_by_slash),
        {},
    ),
    "isdn": (_over_isdn, _SPANS),
    "ids with the server's name": (_written((r"\b(177\d{7}\.\d{1,3})\b", r"pbx-\1"), *_SPACED.items()), _SPACED),
    "sip uris": (_written((_DIALLED, r"PJSIP/\2/sip:\1@198.51.100.7:5060")), {}),
    "one context": (_all(_contexts("default", "default"), _written(*_NAMED.items())), _NAMED),
    "contexts of their own": (_contexts("office", "wan"), {}),
    "trunks called by a number": (_written(*_NUMBERED.items()), _NUMBERED),
    "freepbx": (_all(_in_macros, _contexts("from-internal", "from-pstn")), {}),
    "whole seconds": (_in_whole_seconds, {}),
    "no APP_END": (_without("APP_END", "LINKEDID_END"), {}),
}


def seen(values: list[bytes], look: Look) -> list[bytes]:
    """The values as a PBX of this look tells them."""
    rows = (look(json.loads(value)) for value in values)
    return [json.dumps(row).encode() for row in rows if row is not None]
