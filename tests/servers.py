"""The real parts that tests run against, each a process on free ports in a folder of its own."""

from __future__ import annotations

import itertools
import json
import signal
import urllib.request
from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import clickhouse_connect

from pipeline.embedded import clickhouse, kafka
from pipeline.embedded.process import HOST, Child, free_port
from pipeline.warehouse.storage.migrate import migrate

RESTING = 2  # migrated databases that are not used again yet


class Server(ABC):
    """A process that can be stopped, killed, held and started again on the same port and folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.child: Child | None = None
        self.start()

    @abstractmethod
    def _start(self) -> Child: ...

    def start(self) -> None:
        """Start unless it runs; returns when it is ready."""
        if self.child is None or not self.child.running:
            self.child = self._start()

    def stop(self) -> None:
        """End it as an operator would: SIGTERM, and SIGKILL after 20 s."""
        if self.child is not None:
            self.child.stop(20)

    def kill(self) -> None:
        """kill -9. Call `start` or `restart` afterwards."""
        assert self.child is not None
        self.child.kill()

    def restart(self) -> None:
        """End it if it runs, and start it again."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze it: connections stay open, nothing is answered."""
        assert self.child is not None
        self.child.signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self.child is not None
        self.child.signal(signal.SIGCONT)


class ClickHouseServer(Server):
    """The ClickHouse endpoint over chDB."""

    _names = itertools.count(1)

    def __init__(self, folder: Path) -> None:
        self._given_back: deque[str] = deque()
        self._schema: dict[str, str] = {}
        super().__init__(folder)

    @property
    def url(self) -> str:
        """URL with user and password, as CDR_CLICKHOUSE takes it."""
        return clickhouse.url_of(self.folder, HOST, self.port)

    @property
    def user(self) -> str:
        return clickhouse.USER

    @property
    def password(self) -> str:
        return clickhouse.secret_of(self.folder)

    def _start(self) -> Child:
        log = self.folder.with_suffix(".log")
        return clickhouse.start_clickhouse(self.folder, self.port, log, "tests.clickhouse_faults")

    def client(self, database: str = "default") -> Any:
        """An ordinary clickhouse-connect HTTP client; the caller closes it."""
        return clickhouse_connect.get_client(
            host=HOST, port=self.port, username=self.user, password=self.password, database=database
        )

    def fresh_database(self) -> str:
        """Create an empty database that no other test has, and give its name."""
        name = f"test_{next(self._names)}"
        client = self.client()
        try:
            client.command(f"CREATE DATABASE {name}")
        finally:
            client.close()
        return name

    def migrated_database(self) -> str:
        """A database with this version's schema and no rows: one that was given back, where there is one.

        Migrations take a second of CPU. The last ones given back rest: what their test has killed may still write.
        """
        client = self.client()
        try:
            while len(self._given_back) > RESTING:
                name = self._given_back.popleft()
                if self._emptied(client, name):
                    return name
                client.command(f"DROP DATABASE {name}")
            name = f"test_{next(self._names)}"
            migrate(client, name)
            if not self._schema:
                self._schema = _schema(client, name)
            return name
        finally:
            client.close()

    def give_back(self, database: str) -> None:
        """Let another test have a migrated database; nobody may write to it any more."""
        self._given_back.append(database)

    def _emptied(self, client: Any, database: str) -> bool:
        """Whether it has the schema it had at first; then its rows are gone."""
        if _schema(client, database) != self._schema:
            return False
        filled = client.query(
            "SELECT name FROM system.tables WHERE database = {name:String} AND total_rows > 0"
            " AND name != 'schema_migrations'",
            parameters={"name": database},
        ).result_rows
        for (table,) in filled:
            client.command(f"TRUNCATE TABLE {database}.`{table}`")
        return True

    def fault(self, mode: str, *, count: int = 0, code: int = 999, seconds: float = 1.0, match: str = "") -> None:
        """Let the next `count` statements that contain `match` meet a fault (0: all, until `fault("none")`).

        Modes: none, refuse, error (with `code`), slow and pause (for `seconds`), drop_answer (executed,
        then the connection closes).
        """
        body = {"mode": mode, "count": count, "code": code, "seconds": seconds, "match": match}
        request = urllib.request.Request(f"http://{HOST}:{self.port}/__fault", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()

    def struck(self) -> int:
        """How many statements the fault in force has met."""
        with urllib.request.urlopen(f"http://{HOST}:{self.port}/__fault", timeout=10) as answer:
            return int(json.load(answer)["struck"])


def _schema(client: Any, database: str) -> dict[str, str]:
    """Table or view → how it was made, whatever the database's name; and the migrations it has."""
    tables = client.query(
        "SELECT name, create_table_query FROM system.tables WHERE database = {name:String}",
        parameters={"name": database},
    ).result_rows
    found = {table: made.replace(f"{database}.", "") for table, made in tables}
    if "schema_migrations" in found:
        applied = client.query(f"SELECT number, name FROM {database}.schema_migrations FINAL ORDER BY number")
        found["applied"] = str(applied.result_rows)
    return found


class BrokerServer(Server):
    """A broker that speaks Kafka's protocol."""

    name: str

    @property
    def bootstrap(self) -> str:
        """host:port, as CDR_KAFKA takes it."""
        return f"{HOST}:{self.port}"


class KafkaServer(BrokerServer):
    """Apache Kafka, one KRaft node. Who comes by its port `far` is told to come by `line`, host:port of a relay."""

    name = "kafka"

    def __init__(self, folder: Path, line: str = "") -> None:
        self.line, self.far, self.controller_port = line, free_port(), free_port()
        super().__init__(folder)

    def _start(self) -> Child:
        log = self.folder.with_suffix(".log")
        return kafka.start_kafka(self.folder, self.port, log, self.controller_port, [kafka.BRIEF], self._more())

    def _more(self) -> dict[str, str]:
        if not self.line:
            return {}
        near = f"PLAINTEXT://{HOST}:{self.port}"
        return {
            "listeners": f"{near},CONTROLLER://{HOST}:{self.controller_port},FAR://{HOST}:{self.far}",
            "advertised.listeners": f"{near},FAR://{self.line}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,FAR:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
        }


class KafkaNode(KafkaServer):
    """One of several nodes."""

    def __init__(self, folder: Path, number: int, cluster: str, quorum: dict[int, int]) -> None:
        self.number, self.cluster, self.quorum = number, cluster, quorum
        super().__init__(folder)

    def _start(self) -> Child:
        log, port = self.folder.with_suffix(".log"), self.quorum[self.number]
        return kafka.start_kafka(self.folder, self.port, log, port, [kafka.BRIEF], self._more(), self.cluster)

    def _more(self) -> dict[str, str]:
        return {
            "node.id": str(self.number),
            "controller.quorum.voters": ",".join(f"{number}@{HOST}:{port}" for number, port in self.quorum.items()),
            "offsets.topic.replication.factor": "3",
            "transaction.state.log.replication.factor": "3",
            "transaction.state.log.min.isr": "2",
        }


class KafkaCluster(BrokerServer):
    """Apache Kafka, three KRaft nodes, each broker and controller; CDR_REPLICATION=3 goes with it."""

    name = "kafka cluster"

    def __init__(self, folder: Path) -> None:
        self.nodes: list[KafkaNode] = []
        super().__init__(folder)

    def start(self) -> None:
        """Start the nodes that do not run."""
        if not self.nodes:
            cluster, quorum = kafka.cluster_id(), {number: free_port() for number in (1, 2, 3)}
            # At once: a node waits for a second one. The threads stay, for a child ends with the one that began it.
            self._pool = ThreadPoolExecutor(3)
            begun = [self._pool.submit(KafkaNode, self.folder / f"node{n}", n, cluster, quorum) for n in quorum]
            self.nodes = [each.result() for each in begun]
        for node in self.nodes:
            node.start()

    def _start(self) -> Child:
        raise NotImplementedError

    @property
    def bootstrap(self) -> str:
        return ",".join(node.bootstrap for node in self.nodes)

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()
        self._pool.shutdown()
