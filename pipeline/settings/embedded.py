"""The one-machine product, and logs."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from pipeline.settings.base import Group


class EmbeddedSettings(Group):
    """The one-machine product, and logs."""

    data: Path = Field(Path("data"), description="Data directory of the one-machine product.")
    log_level: str = Field("info")
