"""FreeSWITCH and Asterisk, read over their own interfaces."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings.base import Group


class BridgeSettings(Group):
    """FreeSWITCH and Asterisk, read over their own interfaces."""

    freeswitch_host: str = Field(
        "127.0.0.1",
        repr=False,
        description="Nodes, comma-separated: [name=][password@]host[:port] of the event socket.",
    )
    freeswitch_port: int = Field(8021, ge=1, le=65535, description="Port of event sockets that are given without one.")
    freeswitch_password: str = Field(
        "ClueCon", repr=False, description="Password of event sockets that are given without one."
    )
    freeswitch_metrics_port: int = Field(
        9466, ge=0, le=65535, description="Where cdr freeswitch serves /metrics and health."
    )
    asterisk_host: str = Field(
        "127.0.0.1",
        repr=False,
        description="Nodes, comma-separated: [name=][user:password@]host[:port] of the manager interface.",
    )
    asterisk_port: int = Field(5038, ge=1, le=65535, description="Port of managers that are given without one.")
    asterisk_user: str = Field("cdr", description="Manager user where none is given.")
    asterisk_password: str = Field("", repr=False, description="Its password (secret).")
    asterisk_metrics_port: int = Field(
        9467, ge=0, le=65535, description="Where cdr asterisk serves /metrics and health."
    )
    bridge_waiting_mb: int = Field(
        64, ge=1, description="Memory for events that wait for Kafka; beyond it the PBX is read no further."
    )
