"""Scenario files: raw events of a dialect and the call they must give. See scenarios/README.md."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import yaml

from tests.sources import sip_scenario

FOLDER = Path(__file__).parent / "scenarios"
CORE = "0d1f6d3a-1f5e-4c8b-9a51-7a3f8c2e4b60"
# What FreeSWITCH stamps on a channel when it sends an event.
STAMPS = {
    "CHANNEL_CREATE": "Created",
    "CHANNEL_PROGRESS": "Progress",
    "CHANNEL_PROGRESS_MEDIA": "Progress-Media",
    "CHANNEL_ANSWER": "Answered",
    "CHANNEL_BRIDGE": "Bridged",
    "CHANNEL_HANGUP": "Hangup",
}


def names(dialect: str) -> list[str]:
    """The scenarios of a dialect."""
    return sorted(path.stem for path in (FOLDER / dialect).glob("*.yaml"))


def load(dialect: str, name: str) -> dict[str, Any]:
    """A scenario, its times as ms since the epoch, `values` the raw events as bytes."""
    scenario: dict[str, Any] = yaml.safe_load((FOLDER / dialect / f"{name}.yaml").read_text("utf-8"))
    t0 = scenario["t0"]
    start = t0 if isinstance(t0, dt.datetime) else dt.datetime.fromisoformat(str(t0))
    if start.tzinfo is None:
        start = start.replace(tzinfo=dt.UTC)
    scenario["t0_ms"] = round(start.timestamp() * 1000)
    write = WRITERS[dialect]
    scenario["values"] = [json.dumps(event).encode() for event in write(scenario, name)]
    return scenario


def _freeswitch(scenario: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Events as FreeSWITCH would send them: with the headers of the leg, its stamps, and a sequence number."""
    start = scenario["t0_ms"] * 1000
    legs: dict[str, dict[str, Any]] = scenario.get("legs", {})
    ids = {
        leg: headers.get("Unique-ID") or str(uuid.uuid5(uuid.NAMESPACE_OID, f"{name} {leg}"))
        for leg, headers in legs.items()
    }
    stamps: dict[str, dict[str, str]] = {leg: {} for leg in legs}

    def filled(value: Any) -> Any:
        if isinstance(value, str):
            for leg, id_ in ids.items():
                value = value.replace(f"${leg}", id_)
            return value
        if isinstance(value, dict):
            return {key: filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner) for inner in value]
        if isinstance(value, float):
            return str(start + round(value * 1_000_000))  # seconds after t0, as microseconds
        return str(value)

    events: list[dict[str, Any]] = []
    for sequence, line in enumerate(scenario["events"], scenario.get("first_sequence", 101)):
        at, leg, event_name, *rest = line
        stamp = str(start + round(at * 1_000_000))
        own = {key: value for item in rest if isinstance(item, dict) for key, value in item.items()}
        word, _, subclass = event_name.partition(" ")
        if word == "json_cdr":
            events.append(filled(own))
            continue
        if word in STAMPS:
            stamps[leg].setdefault(STAMPS[word], stamp)
        if word == "CHANNEL_HANGUP_COMPLETE":
            stamps[leg].setdefault("Hangup", stamp)
        times = {f"Caller-Channel-{key}-Time": stamps[leg].get(key, "0") for key in STAMPS.values()}
        event = {
            "Event-Name": word,
            "Core-UUID": CORE,
            "FreeSWITCH-Hostname": "fs1",
            "FreeSWITCH-Switchname": "fs1",
            "Event-Date-Timestamp": stamp,
            "Event-Sequence": str(sequence),
            "Unique-ID": ids[leg],
            "Channel-Call-UUID": ids[leg],
            **times,
            **filled(legs[leg]),
            **filled(own),
        }
        if subclass:
            event["Event-Subclass"] = subclass
        if "lost" not in rest:
            events.append(event)
    return events


def _asterisk(scenario: dict[str, Any], _name: str) -> list[dict[str, Any]]:
    """Events as Asterisk would send them. `write`: how times are written, see the README."""
    start, zone = scenario["t0_ms"], scenario.get("zone", "UTC")
    style = scenario.get("write", "cel-epoch")
    channels: dict[str, dict[str, Any]] = scenario.get("channels", {})
    events: list[dict[str, Any]] = []
    for line in scenario["events"]:
        at, channel, event_name, *rest = line
        own = {key: value for item in rest if isinstance(item, dict) for key, value in item.items()}
        ms = start + round(at * 1000)
        local = dt.datetime.fromtimestamp(ms // 1000, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")
        epoch = f"{ms // 1000}.{ms % 1000:03d}000"
        base = channels.get(channel, {})
        if event_name.startswith("CEL "):
            row = {"EventName": event_name[4:], "Channel": base["Channel"], "UniqueID": base["Uniqueid"]}
            row |= {"LinkedID": base.get("Linkedid", base["Uniqueid"]), "EventTime": epoch, "Event": "CEL"}
            for ami, cel in (("CallerIDNum", "CallerIDnum"), ("CallerIDName", "CallerIDname"), ("Context", "Context")):
                row[cel] = base.get(ami, "")
            if event_name == "CEL CHAN_START":
                row["Exten"] = base.get("Exten", "")
            row |= own
            if isinstance(row.get("Extra"), dict):
                row["Extra"] = json.dumps(row["Extra"])
            if style == "cel-local":
                row["EventTime"] = local
            elif style == "cel-columns":
                row = _columns(row, epoch)
        elif "type" in own:
            row = {
                "timestamp": dt.datetime.fromtimestamp(ms / 1000, ZoneInfo(zone)).isoformat("T", "milliseconds"),
                **own,
            }
        else:
            row = {"Event": event_name, "Timestamp": epoch, **base, **own}
        if "node" in scenario:
            row.setdefault("SystemName", scenario["node"])
        if "lost" not in rest:
            events.append(row)
    return events


def _columns(row: dict[str, Any], epoch: str) -> dict[str, Any]:
    """A CEL row with the column names of a database back-end."""
    names_ = {
        "EventName": "eventtype",
        "Channel": "channame",
        "UniqueID": "uniqueid",
        "LinkedID": "linkedid",
        "CallerIDnum": "cid_num",
        "CallerIDname": "cid_name",
        "Exten": "exten",
        "Context": "context",
        "Application": "appname",
        "AppData": "appdata",
        "Extra": "extra",
        "SystemName": "node",
    }
    return {names_[key]: value for key, value in row.items() if key in names_} | {"eventtime": epoch}


def _plain(
    scenario: dict[str, Any], write: Callable[[float, str, dict[str, Any]], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Events with the fields of their leg, if they name one, and their own."""
    events: list[dict[str, Any]] = []
    for line in scenario["events"]:
        at, name, *rest = line
        fields: dict[str, Any] = {}
        for item in rest:
            if isinstance(item, dict):
                fields |= item
            elif item != "lost":
                fields |= scenario["legs"][item]
        if "lost" not in rest:
            events.append(write(at, str(name), fields))
    return events


def _kamailio(scenario: dict[str, Any], _name: str) -> list[dict[str, Any]]:
    """Rows of acc_json with `time_mode` 2, and what scripts send at dialog routes."""
    start = scenario["t0_ms"] / 1000

    def seconds(value: Any) -> Any:
        return f"{start + value:.3f}" if isinstance(value, float) else value

    def write(at: float, name: str, fields: dict[str, Any]) -> dict[str, Any]:
        filled = {key: seconds(value) for key, value in fields.items()}
        if name == "CDR":
            return filled
        if name.startswith("CGR"):
            return {"event": name, **filled}
        if ":" in name:
            return {"event": name, "time": seconds(float(at)), **filled}
        if name.startswith("E_"):
            params = {"time": round(start + at), **filled}
            return {"jsonrpc": "2.0", "method": name, "params": params}
        return {"time": start + at, "method": name, **filled, "sip_code": str(filled.get("sip_code", 200))}

    return _plain(scenario, write)


def _portsip(scenario: dict[str, Any], _name: str) -> list[dict[str, Any]]:
    """Live events of PortSIP: whole seconds as text."""
    start = scenario["t0_ms"] // 1000

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner) for inner in value]
        return str(start + int(value)) if isinstance(value, float) else value

    def write(at: float, name: str, fields: dict[str, Any]) -> dict[str, Any]:
        return {"event_type": name, "time": str(start + int(at)), **filled(fields)}

    return _plain(scenario, write)


def _yeastar(scenario: dict[str, Any], _name: str) -> list[dict[str, Any]]:
    """Reports of Yeastar: the message as text, records in the PBX's local time, states when they were received."""
    start, zone = scenario["t0_ms"], ZoneInfo(scenario.get("zone", "UTC"))

    def write(at: float, name: str, fields: dict[str, Any]) -> dict[str, Any]:
        message = {
            key: dt.datetime.fromtimestamp(start / 1000 + value, zone).strftime("%Y-%m-%d %H:%M:%S")
            if isinstance(value, float)
            else value
            for key, value in fields.items()
        }
        received = {"received_at": start + round(at * 1000)} if name == "30011" else {}
        return {"type": int(name), "sn": "3631A2124", "msg": json.dumps(message), **received}

    return _plain(scenario, write)


WRITERS = {
    "freeswitch": _freeswitch,
    "asterisk": _asterisk,
    "kamailio": _kamailio,
    "portsip": _portsip,
    "yeastar": _yeastar,
    "sip": sip_scenario.write,
}
