"""ClickHouse: where it is, and how long rows are kept."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings.base import Group


class ClickHouseSettings(Group):
    """ClickHouse: where it is, and how long rows are kept."""

    clickhouse: str = Field(
        "http://127.0.0.1:8123",
        repr=False,
        description="URL: http(s)://user:password@host:port; over TLS ?ca_cert=FILE is its authority's PEM.",
    )
    database: str = Field("cdr", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Database name.")
    retention_days: int = Field(0, ge=0, description="Calls older than this are dropped; 0 keeps all.")
    archive_retention_days: int = Field(
        0, ge=0, description="Archived events older than this are dropped; 0 keeps all."
    )
