"""The servers that rounds share, and the lines that lead to them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.embedded.process import HOST
from tests.long.chaos.network import Line
from tests.servers import ClickHouseServer, KafkaServer


@dataclass(frozen=True, slots=True)
class Parts:
    """What all rounds share: servers, and the lines that lead to them."""

    folder: Path
    broker: KafkaServer
    clickhouse: ClickHouseServer
    kafka_line: Line
    clickhouse_line: Line


@contextmanager
def servers() -> Iterator[Parts]:
    """Apache Kafka and the ClickHouse endpoint until the block ends; their folder goes with them."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    kafka_line, clickhouse_line = Line(0), Line(0)
    broker, clickhouse = (
        KafkaServer(folder / "kafka", f"{HOST}:{kafka_line.port}"),
        ClickHouseServer(folder / "clickhouse"),
    )
    kafka_line.target, clickhouse_line.target = broker.far, clickhouse.port
    try:
        yield Parts(folder, broker, clickhouse, kafka_line, clickhouse_line)
    finally:
        for line in (kafka_line, clickhouse_line):
            line.close()
        broker.stop()
        clickhouse.stop()
        shutil.rmtree(folder, ignore_errors=True)
