"""Apache Kafka on one machine: one KRaft node, with a data directory of its own."""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pipeline.embedded import maven
from pipeline.embedded.java import find_java
from pipeline.embedded.process import HOST, Child, accepts, free_port, start, wait_until
from pipeline.embedded.run_file import write_private
from pipeline.errors import DEPENDENCY, Problem

PINS: Final = Path(__file__).with_name("kafka-jars.txt")
HEAP: Final = "-Xmx1g"
BRIEF: Final = "-XX:TieredStopAtLevel=1"  # for a JVM that will not live long: a third less CPU to start
USER: Final = "cdr"
PATIENCE_S: Final = 180.0  # a busy machine takes its time over a JVM
_SCRAM: Final = "org.apache.kafka.common.security.scram.ScramLoginModule"
_PLAIN: Final = "org.apache.kafka.common.security.plain.PlainLoginModule"


def classpath() -> str:
    """Where Java finds Apache Kafka: the libs folder of CDR_KAFKA_LIBS, else the pinned jars. Raises Problem."""
    if libs := os.environ.get("CDR_KAFKA_LIBS"):
        return f"{libs}/*"
    return os.pathsep.join(map(str, maven.fetch(maven.read_pins(PINS), "Apache Kafka")))


def cluster_id() -> str:
    """An id for a new cluster: a random UUID in base64. None that begins with a hyphen, as Kafka's own generator
    (org.apache.kafka.common.Uuid.randomUuid), since the storage tool would take it for an option."""
    while (made := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return made


def format_kafka(
    folder: Path,
    port: int,
    controller_port: int,
    more: Mapping[str, str] | None = None,
    cluster: str = "",
    users: Sequence[str] = (),
) -> Path:
    """Write the configuration, and format the log directory unless it is. Gives the configuration file.

    `more` are properties of this node beside the usual ones, or instead of them; nodes of one `cluster` bear its id.
    `users` are SCRAM credentials as the storage tool takes them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "log.dirs": str(folder / "log"),
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        "auto.create.topics.enable": "false",
        "broker.session.timeout.ms": "2000",  # how long a killed node keeps its successor waiting
        "broker.heartbeat.interval.ms": "500",
        "num.network.threads": "2",
        "num.io.threads": "2",
        "log.segment.bytes": "67108864",
        **(more or {}),
    }
    properties = folder / "server.properties"
    write_private(properties, "".join(f"{name}={value}\n" for name, value in lines.items()).encode())
    if not (folder / "log" / "meta.properties").exists():
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", cluster or cluster_id(), "--config"]
        command = [find_java(), BRIEF, "-cp", classpath(), *tool, str(properties)]
        command += [part for user in users for part in ("--add-scram", user)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Problem(f"Apache Kafka could not format {folder}: {done.stderr.strip()[-500:]}", code=DEPENDENCY)
    return properties


def begin_kafka(
    folder: Path,
    port: int,
    log: Path,
    controller_port: int | None = None,
    options: Sequence[str] = (),
    more: Mapping[str, str] | None = None,
    cluster: str = "",
    users: Sequence[str] = (),
) -> Child:
    """Start one node over `folder`; it accepts connections some seconds later. Its topics survive a restart.

    `options` are more of the JVM's; `more`, `cluster` and `users` are those of `format_kafka`.
    """
    properties = format_kafka(folder, port, controller_port or free_port(), more, cluster, users)
    given = [HEAP, "-XX:+UseG1GC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", *options]
    return start("kafka", [find_java(), *given, "-cp", classpath(), "kafka.Kafka", str(properties)], log)


def start_kafka(
    folder: Path,
    port: int,
    log: Path,
    controller_port: int | None = None,
    options: Sequence[str] = (),
    more: Mapping[str, str] | None = None,
    cluster: str = "",
    users: Sequence[str] = (),
) -> Child:
    """The same, and wait until it accepts connections."""
    child = begin_kafka(folder, port, log, controller_port, options, more, cluster, users)
    wait_until(child, lambda: accepts(port), PATIENCE_S)
    return child


def begin_private_kafka(folder: Path, port: int, log: Path) -> Child:
    """Start a node that asks every client, and itself, for a password: other users of the machine stay out."""
    controller_port = free_port()
    password, inner = password_of(folder), secrets.token_urlsafe(24)
    scram = f'{_SCRAM} required username="{USER}" password="{password}";'
    # The controllers' listener cannot have SCRAM, whose users are in the log that it serves; this password is used
    # by this one process, and once.
    plain = f'{_PLAIN} required username="{USER}" password="{inner}" user_{USER}="{inner}";'
    more = {
        "listeners": f"CLIENT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"CLIENT://{HOST}:{port}",
        "inter.broker.listener.name": "CLIENT",
        "listener.security.protocol.map": "CLIENT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "listener.name.client.sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "listener.name.client.scram-sha-512.sasl.jaas.config": scram,
        "listener.name.client.plain.sasl.jaas.config": f'{_PLAIN} required user_{USER}="{password}";',
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": plain,
    }
    users = [f"SCRAM-SHA-512=[name={USER},password={password}]"]
    return begin_kafka(folder, port, log, controller_port, more=more, users=users)


def client_settings(folder: Path, port: int) -> dict[str, str]:
    """What a process of ours needs in its environment to reach such a node."""
    return {
        "CDR_KAFKA": f"{HOST}:{port}",
        "CDR_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "CDR_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "CDR_KAFKA_SASL_USERNAME": USER,
        "CDR_KAFKA_SASL_PASSWORD": password_of(folder),
    }


def write_client_config(folder: Path, port: int) -> Path:
    """The same for clients over librdkafka: `kcat -F FILE`. Only its owner may read it.

    PLAIN, for Kafka 4 refuses the SCRAM of librdkafka before 2.6.1 (librdkafka #4895), as distributions have it.
    """
    lines = {
        "bootstrap.servers": f"{HOST}:{port}",
        "security.protocol": "sasl_plaintext",
        "sasl.mechanism": "PLAIN",
        "sasl.username": USER,
        "sasl.password": password_of(folder),
    }
    file = folder / "client.conf"
    write_private(file, "".join(f"{name}={value}\n" for name, value in lines.items()).encode())
    return file


def password_of(folder: Path) -> str:
    """The password of the node's clients: random, in a file that only its owner may read."""
    file = folder / "secret"
    if file.exists():
        return file.read_text().strip()
    if (folder / "log" / "meta.properties").exists():
        raise Problem(
            f"{folder} was made by a version whose Apache Kafka had no password, or has lost its file {file.name}.",
            hint=f"Remove {folder} (unread events are lost with it; calls are not), and start again.",
            code=DEPENDENCY,
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_private(file, f"{secrets.token_urlsafe(24)}\n".encode())
    return file.read_text().strip()
