"""All rounds: what each needs of the machine, and how long it takes at its full length."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from tests.long.chaos.arena import Fault
from tests.long.chaos.packets import missing as missing_namespaces
from tests.long.chaos.rounds import servers, workers
from tests.long.chaos.rounds.embedded import embedded
from tests.long.chaos.rounds.floods import floods
from tests.long.chaos.rounds.packets import packets
from tests.long.chaos.rounds.partitions import partitions_grow
from tests.long.chaos.rounds.query import query_dies
from tests.long.chaos.rounds.upgrade import upgrade

FULL_S = 180.0


@dataclass(frozen=True, slots=True)
class Round:
    """A fault and its full length: so many seconds, or so many strikes with each seed."""

    strike: Fault
    seconds: float = FULL_S
    strikes: int = 0
    missing: Callable[[], str] = lambda: ""  # what this machine lacks, "" when nothing


def _faketime() -> str:
    return "" if workers.FAKETIME else "libfaketime (Debian: the package of that name)"


def _root() -> str:
    return "" if os.geteuid() == 0 else "root, to mount a small disk"


ROUNDS: dict[str, Round] = {
    "calm": Round(workers.calm),
    "kills": Round(workers.kills, strikes=334),
    "kills-among-three": Round(workers.kills_among_three, strikes=100),
    "freezes": Round(workers.freezes, strikes=34),
    "come-and-go": Round(workers.come_and_go),
    "clickhouse-answers": Round(servers.clickhouse_answers),
    "clickhouse-dies": Round(servers.clickhouse_dies),
    "clickhouse-away": Round(servers.clickhouse_away, seconds=600),
    "broker-dies": Round(servers.broker_dies),
    "leader-dies": Round(servers.leader_dies),
    "network": Round(servers.network),
    "packets": Round(packets, missing=missing_namespaces),
    "disk-full": Round(servers.disk_full, missing=_root),
    "topics-lose": Round(servers.topics_lose),
    "clocks": Round(workers.clocks, missing=_faketime),
    "full-disk-of-clickhouse": Round(servers.full_disk_of_clickhouse, missing=_root),
    "partitions-grow": Round(partitions_grow),
    "upgrade": Round(upgrade),
    "embedded": Round(embedded),
    "query-dies": Round(query_dies),
    "rebuilds": Round(workers.rebuilds),
    "floods": Round(floods),
}
