"""Ports of the one-machine product: the usual ones, or any that are free."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum

from pipeline.embedded.process import free_port, port_is_free
from pipeline.errors import DEPENDENCY, Problem
from pipeline.settings import Settings


class Ports(StrEnum):
    """How ports are chosen."""

    fixed = "fixed"
    auto = "auto"


@dataclass(frozen=True)
class PortMap:
    """Port of each part."""

    broker: int
    clickhouse: int
    api: int
    metrics: int
    hep: int


NAMES = {
    "broker": "the broker",
    "clickhouse": "ClickHouse",
    "api": "the query service",
    "metrics": "the worker's metrics",
    "hep": "the HEP listener",
}


def choose_ports(how: Ports, settings: Settings) -> PortMap:
    """The ports to use; Problem when a fixed one is taken."""
    if how is Ports.auto:
        return PortMap(*(free_port() for _ in range(5)))
    chosen = PortMap(
        broker=_port_of(settings.kafka, 9092),
        clickhouse=_port_of(settings.clickhouse, 8123),
        api=settings.api_port,
        metrics=settings.metrics_port,
        hep=settings.hep_port,
    )
    for name, port in asdict(chosen).items():
        if not port_is_free(port):
            raise Problem(
                f"Port {port}, for {NAMES[name]}, is in use.",
                hint="End what listens there, or let free ports be chosen: cdr run --ports auto (make run PORTS=auto).",
                code=DEPENDENCY,
            )
    return chosen


def _port_of(address: str, default: int) -> int:
    port = address.rstrip("/").rpartition(":")[2]
    return int(port) if port.isdigit() else default
