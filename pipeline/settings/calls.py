"""How events become calls: zones, tenants, when a call is over."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings.base import Group


class CallSettings(Group):
    """How events become calls: zones, tenants, when a call is over."""

    tenant: str = Field("default", description="Tenant of raw sources that carry none.")
    zone: str = Field("UTC", description="IANA zone of local times that a PBX writes without one.")
    zones: dict[str, str] = Field({}, description='The same for single nodes, as JSON: {"pbx-2": "Europe/Paris"}.')
    join_sip_ids: bool = Field(
        False, description="Calls through several FreeSWITCH nodes are one by SIP Call-ID; a look-up for each call."
    )
    call_id_suffixes: list[str] = Field(
        [],
        description='What a B2BUA appends to a Call-ID for its other side, as JSON: ["-leg#"]; # for digits.',
    )
    country: str = Field("", description="ISO country for numbers without country code.")
    grace_s: float = Field(300.0, ge=0, description="How long a closed call stays in memory.")
    open_limit_s: float = Field(4 * 3600.0, gt=0, description="A call silent for so long is closed as incomplete.")
    max_events_per_call: int = Field(20_000, ge=10, description="Further events of one call are dead letters.")
