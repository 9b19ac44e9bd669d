"""The HEP listener."""

from __future__ import annotations

from ipaddress import ip_address

from pydantic import Field

from pipeline.settings.base import Group


class HepSettings(Group):
    """The HEP listener."""

    hep_host: str = Field(
        "127.0.0.1",
        description="Where it listens; 0.0.0.0 for all, but then with a password or senders.",
    )
    hep_port: int = Field(9060, ge=0, le=65535)
    hep_password: str = Field(
        "", repr=False, description="Capture password; packets with another are refused. Empty: any."
    )
    hep_senders: str = Field(
        "",
        description="Addresses and networks that may send, comma-separated. Empty: any. Of UDP they can be forged.",
    )
    hep_waiting_mb: int = Field(64, ge=1, description="Memory for packets that wait for Kafka; more are dropped.")
    hep_metrics_port: int = Field(9465, ge=-1, le=65535, description="Where the listener serves /metrics; -1: nowhere.")

    @property
    def hep_is_open(self) -> bool:
        """Whether anyone who reaches the port can send calls that never were."""
        try:
            loopback = self.hep_host == "localhost" or ip_address(self.hep_host).is_loopback
        except ValueError:  # a name: of whatever interface
            loopback = False
        return not (loopback or self.hep_password or self.hep_senders.strip(" ,"))
