"""The worker: batches, metrics."""

from __future__ import annotations

from pydantic import Field

from pipeline.settings.base import Group


class WorkerSettings(Group):
    """The worker: batches, metrics."""

    batch_events: int = Field(30_000, ge=1, description="Most events of one batch.")
    batch_wait_s: float = Field(0.02, ge=0, description="How long a batch waits to fill when events trickle.")
    metrics_host: str = Field("127.0.0.1", description="Where the worker serves /metrics and health.")
    metrics_port: int = Field(9464, ge=0, le=65535)
