"""HEP packets as JSON, in the forms that capture servers pass on.

`rcinfo` form: `{"rcinfo": {...}, "payload": "..."}`, with the spellings of both generations of it; flat form:
the packet structure with `SrcIP`, `Tsec`, `Tmsec`, `Payload`, `CID`, `NodeName`, `NodeID`; a row of Homer
7's table, `protocol_header` and `raw`. In all the fraction of the
second is microseconds, whatever its name says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from pipeline.sources.sip.hep import MalformedHep, Packet

_RCINFO = {
    "kind": ("payloadType", "payload_type", "proto_type"),
    "seconds": ("timeSeconds", "time_sec"),
    "micros": ("timeUseconds", "time_usec"),
    "src": ("srcIp", "src_ip"),
    "dst": ("dstIp", "dst_ip"),
    "src_port": ("srcPort", "src_port"),
    "dst_port": ("dstPort", "dst_port"),
    "protocol": ("protocol", "ip_protocol"),
    "capture_id": ("captureId", "capt_id"),
    "password": ("capturePass", "capt_pass"),
    "correlation": ("correlation_id", "correlationId"),
    "node": ("hepNodeName", "node_name", "nodeName"),
}
_FLAT = {
    "kind": ("ProtoType",),
    "seconds": ("Tsec",),
    "micros": ("Tmsec",),
    "src": ("SrcIP",),
    "dst": ("DstIP",),
    "src_port": ("SrcPort",),
    "dst_port": ("DstPort",),
    "protocol": ("Protocol",),
    "capture_id": ("NodeID",),
    "password": ("NodePW",),
    "correlation": ("CID",),
    "node": ("NodeName",),
}
_TEXTS = frozenset({"src", "dst", "password", "correlation", "node"})


def parse(data: bytes) -> Packet:
    """Read one packet of either form. Raises `MalformedHep`."""
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise MalformedHep(f"neither HEP nor JSON: {error}; send HEP version 3 or its JSON form") from None
    if not isinstance(document, dict):
        raise MalformedHep(f"JSON {type(document).__name__}, expected an object with rcinfo and payload")
    rcinfo = document.get("rcinfo")
    if isinstance(rcinfo, dict):
        return _packet(rcinfo, _RCINFO, document.get("payload"), "payload")
    header = document.get("protocol_header")
    if isinstance(header, dict):  # a row of Homer 7's table
        return _packet(header, _RCINFO, document.get("raw"), "raw")
    if "Payload" in document:
        return _packet(document, _FLAT, document["Payload"], "Payload")
    raise MalformedHep(
        f"JSON object with the fields {sorted(document)[:8]}, expected rcinfo and payload, Payload,"
        " or protocol_header and raw"
    )


def _packet(fields: dict[str, Any], names: Mapping[str, tuple[str, ...]], payload: Any, where: str) -> Packet:
    if not isinstance(payload, str):
        raise MalformedHep(f"field {where} is {type(payload).__name__}, expected the SIP message as text")
    packet = Packet(payload=payload.encode("utf-8", "replace"))
    for field, spellings in names.items():
        for name in spellings:
            value = fields.get(name)
            if value is None:
                continue
            if field in _TEXTS:
                setattr(packet, field, str(value)[:1024].replace("\0", "\ufffd"))
            else:
                setattr(packet, field, _number(name, value))
                if field == "capture_id" and not packet.capture_id and isinstance(value, str):
                    packet.node = packet.node or value[:1024].replace("\0", "\ufffd")  # an id in words is a name
            break
    return packet


def _number(name: str, value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return value
    if name in ("captureId", "capt_id", "NodeID"):
        return 0  # an id in words
    raise MalformedHep(f"field {name} is {str(value)[:60]!r}, expected a number that is not negative")
