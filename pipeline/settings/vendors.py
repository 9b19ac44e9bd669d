"""Where a vendor's servers differ from its document."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.settings.base import Group


class VendorSettings(Group):
    """Where a vendor's servers differ from its document."""

    portsip_blanks: Literal["omit", "empty"] = Field(
        "omit",
        description="An unknown end_reason, reroute_reason or outbound_caller_id under /api: omit is valid by "
        "PortSIP's schema, empty sends an empty text as its servers do.",
    )
    ipcortex_days: Literal["forward", "back"] = Field(
        "forward", description="ipcortex reports of several days: from `day` onwards, or up to it."
    )
    ipcortex_lock: bool = Field(False, description="A second ipcortex report at the same time is told to retry.")
