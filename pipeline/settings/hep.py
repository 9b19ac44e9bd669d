"""The HEP listener."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings.base import Group


class HepSettings(Group):
    """The HEP listener."""

    hep_host: str = Field("0.0.0.0")
    hep_port: int = Field(9060, ge=0, le=65535)
    hep_password: str = Field(
        "", repr=False, description="Capture password; packets with another are refused. Empty: any."
    )
    hep_waiting_mb: int = Field(64, ge=1, description="Memory for packets that wait for Kafka; more are dropped.")
    hep_metrics_port: int = Field(9465, ge=-1, le=65535, description="Where the listener serves /metrics; -1: nowhere.")
