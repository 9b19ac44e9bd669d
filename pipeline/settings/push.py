"""Webhooks, and the erasure of numbers."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings.base import Group


class PushSettings(Group):
    """Webhooks, and the erasure of numbers."""

    webhook_retry_s: str = Field(
        "5,300,1800,7200,18000,36000,50400,72000,86400",
        pattern=r"^\d+(\.\d+)?(,\d+(\.\d+)?)*$",
        description="Seconds to wait after each failed attempt of a webhook; after the last it is a dead letter.",
    )
    webhook_timeout_s: float = Field(15.0, gt=0, le=120, description="How long a webhook's receiver may take.")
    webhook_private: bool = Field(False, description="Webhooks may go to private and loopback addresses.")
    webhook_key: str = Field(
        "",
        repr=False,
        description="Keys that secrets of webhooks are sealed under (secret), between commas: the first seals, all "
        "open. Empty: they are stored in clear.",
    )
    erasure_key: str = Field(
        "",
        repr=False,
        description="Key of the hashes of erased numbers (secret); empty: a random one that is thrown away.",
    )
