"""The parts of the one-machine product: what to run, and one child process each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pipeline.embedded.ports import Ports
from pipeline.embedded.process import Child


@dataclass(frozen=True)
class Plan:
    """What to run. `rate` is simulated calls per second, `seed` says which simulated company."""

    data: Path
    ports: Ports = Ports.fixed
    traffic: bool = True
    rate: float = 1.0
    seed: int = 1


@dataclass
class Part:
    """One child: how it is started, and how often it has died.

    `health` is a URL that answers 200 when it is ready, host:port that accepts connections, or empty. `again_at` is
    the moment (monotonic, s) at which it is started again; 0 while it runs.
    """

    name: str
    launch: Callable[[], Child]
    health: str
    child: Child | None = None
    deaths: int = 0
    again_at: float = 0.0

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.child is not None and self.child.running
