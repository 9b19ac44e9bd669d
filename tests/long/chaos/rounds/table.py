"""The faults. Each acts on an arena until its time is over and says how many times it struck."""

from __future__ import annotations

import os
from pathlib import Path

from tests.long.chaos.arena import Fault
from tests.long.chaos.rounds import servers, workers
from tests.long.chaos.rounds.floods import floods

FAULTS: dict[str, Fault] = {
    "calm": workers.calm,
    "kills": workers.kills,
    "kills-among-three": workers.kills_among_three,
    "freezes": workers.freezes,
    "come-and-go": workers.come_and_go,
    "clickhouse-answers": servers.clickhouse_answers,
    "clickhouse-dies": servers.clickhouse_dies,
    "broker-dies": servers.broker_dies,
    "clocks": workers.clocks,
    "network": servers.network,
    "leader-dies": servers.leader_dies,
    "disk-full": servers.disk_full,
    "topics-lose": servers.topics_lose,
    "clickhouse-away": servers.clickhouse_away,
    "rebuilds": workers.rebuilds,
    "floods": floods,
}

# What a round needs that not every machine has.
NEEDS = {"clocks": f"which needs {workers.FAKETIME}", "disk-full": "which needs root, to mount a small disk"}


def possible(name: str) -> bool:
    """Whether this machine has what the round needs."""
    if name == "clocks":
        return Path(workers.FAKETIME).exists()
    return name != "disk-full" or os.geteuid() == 0
