"""The query service: address, limits, masking, exports, bodies of POST /ingest."""

from __future__ import annotations

import re
from ipaddress import ip_network

from pydantic import Field, field_validator

from pipeline.settings.base import Group


class QuerySettings(Group):
    """The query service: address, limits, masking, exports, bodies of POST /ingest."""

    api_host: str = Field("127.0.0.1")
    api_port: int = Field(8000, ge=0, le=65535)
    api_rate: int = Field(
        60_000,
        ge=0,
        description="Requests a minute of one user or token, or of one address without a good one; 0: any number.",
    )
    api_concurrent: int = Field(64, ge=1, description="Requests of one caller under way; more are told to wait.")
    api_connections: int = Field(256, ge=0, description="Connections of one address; more are refused. 0: any number.")
    api_origins: str = Field(
        "",
        description="Web origins whose pages may ask, between commas: https://app.example.com; * for any; empty: none.",
    )
    api_metrics_host: str = Field("127.0.0.1", description="Where its metrics are served on a port of their own.")
    api_metrics_port: int = Field(
        0, ge=0, le=65535, description="Port of its metrics; 0: at /metrics of the service, for this machine only."
    )
    trusted_proxies: str = Field(
        "", description="Proxies whose X-Forwarded-For is believed: IP addresses and networks between commas."
    )
    api_streams: int = Field(4, ge=1, description="Files of one tenant under way; more are told to wait.")
    api_followers: int = Field(32, ge=1, description="Streams of changes of one tenant; more are told to wait.")

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, text: str) -> str:
        for part in (each.strip() for each in text.split(",")):
            try:
                if part:
                    ip_network(part, strict=False)
            except ValueError:
                raise ValueError(f"{part!r} is no IP address or network; write 10.0.0.5,10.1.0.0/16") from None
        return text

    @field_validator("api_origins")
    @classmethod
    def _are_origins(cls, text: str) -> str:
        for part in (each.strip() for each in text.split(",")):
            if part and part != "*" and not re.fullmatch(r"https?://[^/\s]+", part):
                raise ValueError(f"{part!r} is no origin; write https://app.example.com, without a path")
        return text

    mask_numbers: bool = Field(False, description="Mask phone numbers for tokens without the scope numbers:clear.")
    export_days: int = Field(7, ge=1, description="How long an export is kept.")
    files: str = Field("", description="Where exports and reports go: a folder or an fsspec URL; empty: data/files.")
    ingest_max_mb: int = Field(8, ge=1, le=1024, description="Largest body of POST /ingest.")
    ingest_max_events: int = Field(10_000, ge=1, description="Most events in one body of POST /ingest.")
    ingest_waiting_mb: int = Field(64, ge=1, description="Memory for what came by HTTP and waits for Kafka.")
