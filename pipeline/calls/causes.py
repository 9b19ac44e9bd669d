"""SIP statuses, Q.850 causes and the names PBXs give them.

The tables are data (`data/*.csv`). SIP to Q.850 follows RFC 3398, section 7.2.4.1, with the widely used values where it
is silent. Names are those of FreeSWITCH and Asterisk; numbers above 127 are FreeSWITCH's own. The SIP status itself is
never replaced by a mapped one: mapping loses information.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Final


def _rows(name: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(files("pipeline.calls").joinpath("data", name).read_text("utf-8").splitlines())


def _token(name: str) -> str:
    """One spelling for all: AST_CAUSE_USER_BUSY, "User busy" and user-busy are USER_BUSY."""
    token = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    return token.removeprefix("AST_CAUSE_").removeprefix("SWITCH_CAUSE_")


_Q850: Final = {int(row["cause"]): row for row in _rows("q850.csv")}


def _by_status() -> tuple[dict[int, int], dict[int, int]]:
    """The cause of each status from 200 to 699, where nothing rang and where something did."""
    silent: dict[int, int] = {}
    rang: dict[int, int] = {}
    rows = list(_rows("sip_to_q850.csv"))
    for row in sorted(rows, key=lambda row: not row["sip_status"].endswith("xx")):  # classes first
        status = row["sip_status"]
        first = int(status.replace("xx", "00"))
        for each in range(first, first + (100 if status.endswith("xx") else 1)):
            silent[each], rang[each] = int(row["cause"]), int(row["cause_if_rang"])
    return silent, rang


def _by_name() -> tuple[dict[str, int], dict[int, int]]:
    names = {_token(row["name"]): cause for cause, row in _Q850.items()}
    names |= {row["token"]: cause for cause, row in _Q850.items() if row["token"]}
    codes = {cause: cause for cause in range(1, 128)}
    for row in _rows("cause_names.csv"):
        names[row["token"]] = int(row["cause"])
        if row["code"]:
            codes[int(row["code"])] = int(row["cause"])
    for row in _rows("sip_to_q850.csv"):  # a SIP reason phrase is a name, too
        names.setdefault(_token(row["reason"]), int(row["cause"]))
    return names, codes


_SILENT, _RANG = _by_status()
_NAMES, _CODES = _by_name()


def q850_from_sip(status: int, rang: bool) -> int:
    """The cause behind a final SIP status; 0 for a provisional or impossible one.

    `rang` (a 18x was seen) tells a phone that nobody picked up (19) from one that did not react.
    487 alone means that the caller cancelled (16): a time-out of the PBX or a call that was
    answered elsewhere shows in what came with it.
    """
    return (_RANG if rang else _SILENT).get(status, 0)


def cause_from_code(code: int) -> int:
    """The Q.850 cause of a PBX's number: itself up to 127, FreeSWITCH's own mapped, 0 when unknown."""
    return _CODES.get(code, 0)


def cause_from_name(name: str) -> int:
    """The Q.850 cause of a PBX's name for it, in any spelling, or of its number as text; 0 when unknown."""
    cause = _NAMES.get(name)
    if cause is not None:
        return cause
    token = _token(name)
    return cause_from_code(int(token)) if token.isdecimal() and len(token) < 6 else _NAMES.get(token, 0)


def q850_name(cause: int) -> str:
    """The name of a cause; "" when Q.850 has none."""
    row = _Q850.get(cause)
    return row["name"] if row else ""


def q850_token(cause: int) -> str:
    """FreeSWITCH's name of a cause; "" when it has none."""
    row = _Q850.get(cause)
    return row["token"] if row else ""
