"""Rows of channel event logging, as main/cel.c makes them."""

from __future__ import annotations

import json
from typing import Any

from tests.pbx.asterisk.channel import Channel


def row(channel: Channel, event: str, extra: dict[str, Any] | None = None, peer: str = "") -> dict[str, str]:
    """The fields of a row, by their names over the manager (cel/cel_manager.c)."""
    return {
        "Event": "CEL",
        "EventName": event,
        "AccountCode": channel.account,
        "CallerIDnum": channel.number,
        "CallerIDname": channel.caller_name,
        "CallerIDani": channel.ani,
        "CallerIDrdnis": "",
        "CallerIDdnid": channel.dnid,
        "Exten": channel.exten,
        "Context": channel.context,
        "Channel": channel.name,
        "Application": channel.application,
        "AppData": channel.data,
        "AMAFlags": "DOCUMENTATION",
        "UniqueID": channel.unique_id,
        "LinkedID": channel.linked_id,
        "Userfield": "",
        "Peer": peer,
        "PeerAccount": "",
        "Extra": json.dumps(extra, separators=(",", ":")) if extra else "",
    }
