"""Calls in Yeastar's shape (vendor page "Search Specific CDR"): one row a call, what is 0 or empty left out.

`duration = ring_duration + talk_duration`, whole seconds. A call is ANSWERED when a person was reached.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote, urlsplit

from pipeline.directory.model import Directory
from pipeline.instants import instant
from pipeline.query.local_time import wall_of, zone_of
from pipeline.query.stable_numbers import five_hex, number_of
from pipeline.query.yeastar.times import shown_time
from pipeline.warehouse.analytics.dispositions import DISPOSITION, HEARD_S, RING_S, TOTAL_S
from pipeline.warehouse.query.columns import CALL
from pipeline.warehouse.query.expressions import Column
from pipeline.warehouse.query.reader import Row

# The party that answered, else the one first asked for.
CALL_TO: Final = Column("call_to", "if(answered_by != '', answered_by, callee_number)")
CALL_TYPE: Final = Column(
    "call_type", "transform(toString(direction), ['outbound', 'internal'], ['Outbound', 'Internal'], 'Inbound')"
)
SRC_TRUNK: Final = Column("src_trunk", "if(direction IN ('inbound', 'inbound_outbound'), trunk, '')")
DST_TRUNK: Final = Column(
    "dst_trunk",
    "multiIf(direction = 'outbound', toString(trunk),"
    " direction = 'inbound_outbound', JSONExtractString(detail, 'outward_trunk'), '')",
)
DID_NUMBER: Final = Column("did_number", "if(direction IN ('inbound', 'inbound_outbound'), did, '')")
DOD_NUMBER: Final = Column("dod_number", "if(direction IN ('outbound', 'inbound_outbound'), outbound_caller_id, '')")
SRC_ADDR: Final = Column(
    "src_addr",
    "JSONExtractString(arrayFirst(leg -> JSONExtractString(leg, 'address') != '',"
    " JSONExtractArrayRaw(detail, 'legs')), 'address')",
)
_RECORDING: Final = Column("recording", "JSONExtractString(detail, 'recordings', 1, 'recording')")

COLUMNS: Final = (
    *(CALL[name] for name in ("id", "started_at", "caller_number", "caller_name", "callee_number", "callee_name")),
    *(CALL[name] for name in ("caller_extension", "callee_extension", "direction")),
    *(CALL[name] for name in ("status", "hung_up_by", "sip_status", "q850_cause")),
    *(CALL_TO, CALL_TYPE, SRC_TRUNK, DST_TRUNK, DID_NUMBER, DOD_NUMBER, SRC_ADDR, _RECORDING),
    *(TOTAL_S, RING_S, HEARD_S, DISPOSITION),
)

SORTABLE: Final = {
    "id": CALL["started_at"],  # ids are in the order of time
    "uid": CALL["started_at"],
    "time": CALL["started_at"],
    "duration": TOTAL_S,
    "ring_duration": RING_S,
    "talk_duration": HEARD_S,
    "disposition": DISPOSITION,
    "src_trunk": SRC_TRUNK,
    "dst_trunk": DST_TRUNK,
    "call_type": CALL_TYPE,
    "did_number": DID_NUMBER,
    "dod_number": DOD_NUMBER,
    "src_addr": SRC_ADDR,
}

# Why a call was not taken, by Q.850 cause, in words that agree with the disposition; the vendor's page attests
# extension_busy_no_forward only, of a call that was refused, beside NO ANSWER.
_UNTAKEN: Final = {21: "extension_busy_no_forward", 20: "unreachable"}
_FAILURES: Final = {
    1: "unallocated_number",
    3: "no_route",
    20: "unreachable",
    27: "out_of_order",
    28: "invalid_number",
    34: "congestion",
    38: "network_out_of_order",
    41: "temporary_failure",
    42: "congestion",
}


def cdr(row: Row, directory: Directory) -> dict[str, Any]:
    """A row as an item of `data`."""
    at = instant(row["started_at"])
    wall = wall_of(at, zone_of(directory.tenant.zone))
    # Of a softphone whose SIP user is no number, the number is that of its extension.
    caller = row["caller_extension"] or row["caller_number"]
    first = row["call_to"] == row["callee_number"]
    callee = (row["callee_extension"] if first else "") or row["call_to"]
    callee_name = row["callee_name"] if first else ""
    item = {
        "id": number_of(row["id"]),
        "time": shown_time(wall, directory.tenant.display),
        "call_from": _party(caller, row["caller_name"], directory),
        "call_to": _party(callee, callee_name, directory),
        "timestamp": at // 1000,
        "uid": f"{wall:%Y%m%d%H%M%S}{five_hex(row['id'])}",
        "src_addr": row["src_addr"],
        "src_trunk": row["src_trunk"],
        "dst_trunk": row["dst_trunk"],
        "duration": row["total_s"],
        "ring_duration": row["ring_s"],
        "talk_duration": row["heard_s"],
        "disposition": row["disposition"],
        "call_type": row["call_type"],
        "did_number": row["did_number"],
        "dod_number": row["dod_number"],
        "record_file": _file(row["recording"]),
        "reason": _reason(row),
    }
    return {name: value for name, value in item.items() if value or name == "timestamp"}


def _party(number: str, name: str, directory: Directory) -> str:
    """`Name<number>`, or the one of them that there is."""
    name = directory.name_of(number) or name
    if not name or name == number:
        return number
    return f"{name}<{number}>" if number else name


def _file(recording: str) -> str:
    """The file name at the end of a path or URL."""
    path = urlsplit(recording).path if "://" in recording else recording
    return unquote(path).replace("\\", "/").rstrip("/").rpartition("/")[2]


def _reason(row: Row) -> str:
    """`<who> <what> `, with the space that the vendor leaves at the end. It says the same as the disposition."""
    match row["disposition"]:
        case "ANSWERED" | "VOICEMAIL":
            word = {"caller": "src hangup", "callee": "dst hangup"}.get(row["hung_up_by"], "dst system_hangup")
        case "BUSY":
            word = "dst busy"
        case "FAILED":
            word = f"dst {_FAILURES.get(row['q850_cause'], 'failed')}"
        case _ if row["status"] in ("cancelled", "abandoned") or row["hung_up_by"] == "caller":
            word = "src hangup"
        case _:
            refused = 21 if row["sip_status"] == 603 else row["q850_cause"]
            word = f"dst {_UNTAKEN.get(refused, 'no_answer')}"
    return f"{word} "
