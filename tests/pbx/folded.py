"""Values of a dialect → call documents, by the real decoders and the real fold."""

from __future__ import annotations

from typing import Any, Final

from pipeline.calls.fold import fold
from pipeline.calls.grouping import group
from pipeline.sources.contract import Options
from pipeline.sources.registry import source
from schemas.call import document

T0_MS: Final = 1_773_144_000_000  # when the stories begin: 2026-03-10T12:00:00Z


def documents(dialect: str, values: list[bytes]) -> list[dict[str, Any]]:
    """The calls, by their beginning."""
    decoded = source(dialect, Options(zone="UTC", sip_ids=True))(values)
    assert not decoded.rejected, decoded.rejected
    found = [document(fold(events)) for events in group(decoded.events)]
    return sorted(found, key=lambda call: (call["started_at"], call["caller"]["number"], call["call_id"]))
