"""How Asterisk tells: the four set-ups that people have."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Final

from tests.pbx.asterisk.pbx import T0, Told

# configs/samples/cel.conf.sample: apps=dial,park
_SAMPLE: Final = frozenset(("APP_START", "CHAN_START", "CHAN_END", "ANSWER", "HANGUP", "BRIDGE_ENTER", "BRIDGE_EXIT"))
_SAMPLE_APPS: Final = frozenset(("dial", "park"))
_COLUMNS: Final = {  # cel/cel_odbc.c, cel/cel_pgsql.c
    "EventName": "eventtype",
    "AccountCode": "accountcode",
    "CallerIDnum": "cid_num",
    "CallerIDname": "cid_name",
    "CallerIDani": "cid_ani",
    "CallerIDrdnis": "cid_rdnis",
    "CallerIDdnid": "cid_dnid",
    "Exten": "exten",
    "Context": "context",
    "Channel": "channame",
    "Application": "appname",
    "AppData": "appdata",
    "AMAFlags": "amaflags",
    "UniqueID": "uniqueid",
    "LinkedID": "linkedid",
    "Userfield": "userfield",
    "Peer": "peer",
    "PeerAccount": "peeraccount",
    "Extra": "extra",
}


def _is_row(fields: dict[str, str]) -> bool:
    return fields["Event"] == "CEL"


def _column_row(at: float, fields: dict[str, str]) -> dict[str, str]:
    """A row as the database back-ends write it: epoch seconds with microseconds."""
    row = {_COLUMNS[name]: value for name, value in fields.items() if name != "Event"}
    return {"eventtime": f"{T0 + at:.6f}", **row}


def _timed(at: float, fields: dict[str, str]) -> dict[str, str]:
    """An event of the manager with `timestampevents = yes`; EventTime of CEL is local, here UTC, in whole seconds."""
    told = {"Event": fields["Event"], "Timestamp": f"{T0 + at:.6f}"} | fields
    if _is_row(fields):
        told["EventTime"] = f"{dt.datetime.fromtimestamp(T0 + int(at), dt.UTC):%Y-%m-%d %H:%M:%S}"
    return told


def _in_sample(fields: dict[str, str]) -> bool:
    name = fields["EventName"]
    return name in _SAMPLE and (name != "APP_START" or fields["Application"].lower() in _SAMPLE_APPS)


def _all_rows(told: list[Told]) -> list[dict[str, str]]:
    return [_column_row(at, fields) for at, fields in told if _is_row(fields)]


def _sample_rows(told: list[Told]) -> list[dict[str, str]]:
    return [_column_row(at, fields) for at, fields in told if _is_row(fields) and _in_sample(fields)]


def _manager(told: list[Told]) -> list[dict[str, str]]:
    return [_timed(at, fields) for at, fields in told if not _is_row(fields)]


def _both(told: list[Told]) -> list[dict[str, str]]:
    return [_timed(at, fields) for at, fields in told]


MODES: Final[dict[str, Callable[[list[Told]], list[dict[str, str]]]]] = {
    "asterisk cel": _all_rows,
    "asterisk cel sample": _sample_rows,
    "asterisk manager": _manager,
    "asterisk both": _both,
}


def values(told: list[Told], mode: str) -> list[bytes]:
    """The values that `cdr fold --source asterisk` and the topic of raw events take."""
    return [json.dumps(fields).encode() for fields in MODES[mode](told)]
