"""Manager events, as main/manager_channels.c, main/manager_bridges.c and the applications make them."""

from __future__ import annotations

from tests.pbx.asterisk.channel import STATES, Bridge, Channel


def snapshot(channel: Channel, prefix: str = "") -> dict[str, str]:
    """The fields of a channel (ast_manager_build_channel_state_string_prefix)."""
    unknown = "<unknown>"
    fields = {
        "Channel": channel.name,
        "ChannelState": str(channel.state),
        "ChannelStateDesc": STATES[channel.state],
        "CallerIDNum": channel.number or unknown,
        "CallerIDName": channel.caller_name or unknown,
        "ConnectedLineNum": unknown,
        "ConnectedLineName": unknown,
        "Language": "en",
        "AccountCode": channel.account,
        "Context": channel.context,
        "Exten": channel.exten,
        "Priority": "1",
        "Uniqueid": channel.unique_id,
        "Linkedid": channel.linked_id,
    }
    return {prefix + name: value for name, value in fields.items()}


def bridge_snapshot(bridge: Bridge, prefix: str = "") -> dict[str, str]:
    """The fields of a bridge (ast_manager_build_bridge_state_string_prefix)."""
    fields = {
        "Uniqueid": bridge.id,
        "Type": bridge.kind,
        "Technology": bridge.technology,
        "Creator": "<unknown>",
        "Name": "<unknown>",
        "NumChannels": str(len(bridge.inside)),
        "VideoSourceMode": "none",
    }
    return {f"{prefix}Bridge{name}": value for name, value in fields.items()}


def event(name: str, *parts: dict[str, str], **further: str) -> dict[str, str]:
    """One event."""
    found = {"Event": name, "Privilege": "call,all"}
    for part in parts:
        found |= part
    return found | further
