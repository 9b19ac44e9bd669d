"""Apache Kafka on one machine: jars from Maven Central, one KRaft node, a data directory of its own.

The jars are fetched once, into `.cache/kafka` of the working copy, or where CDR_KAFKA_LIBS says.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pipeline.embedded.process import HOST, Child, accepts, free_port, start, wait_until
from pipeline.errors import DEPENDENCY, Problem

ROOT: Final = Path(__file__).resolve().parents[2]
JAVA: Final = 17  # Kafka 4 brokers need it
HEAP: Final = "-Xmx1g"
BRIEF: Final = "-XX:TieredStopAtLevel=1"  # for a JVM that will not live long: a third less CPU to start


def libs_folder() -> Path:
    """Where the jars are kept."""
    return Path(os.environ.get("CDR_KAFKA_LIBS") or ROOT / ".cache" / "kafka" / "libs")


def find_java() -> str:
    """The java program, of version 17 or later."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    hint = f"Install Java {JAVA} (Debian: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17)."
    if java is None or not Path(java).exists():
        raise Problem("Apache Kafka needs Java, and there is none.", hint=hint, code=DEPENDENCY)
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version.group(1)) < JAVA:
        raise Problem(f"Apache Kafka needs Java {JAVA}; this is {said.splitlines()[:1]}.", hint=hint, code=DEPENDENCY)
    return java


def fetch_kafka() -> Path:
    """The folder with the jars; fetched with Maven when they are not there yet."""
    libs = libs_folder()
    pom = ROOT / "deploy" / "kafka" / "pom.xml"
    stamp = libs / ".complete"
    if stamp.exists() and (not pom.exists() or stamp.read_text() == pom.read_text()):
        return libs
    maven = shutil.which("mvn")
    if maven is None or not pom.exists():
        raise Problem(
            f"The jars of Apache Kafka are not in {libs}.",
            hint="Install Maven (Debian: apt-get install maven) and run again in a working copy, "
            "or set CDR_KAFKA_LIBS to the libs folder of a Kafka 4 distribution.",
            code=DEPENDENCY,
        )
    shutil.rmtree(libs, ignore_errors=True)
    libs.mkdir(parents=True)
    command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime"]
    done = subprocess.run([*command, f"-DoutputDirectory={libs}"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise Problem(f"Maven could not fetch Apache Kafka: {said[0] if said else 'no message'}", code=DEPENDENCY)
    stamp.write_text(pom.read_text())
    return libs


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
    properties.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    if not (folder / "log" / "meta.properties").exists():
        tool = ["kafka.tools.StorageTool", "format", "--cluster-id", cluster or cluster_id(), "--config"]
        command = [find_java(), BRIEF, "-cp", f"{fetch_kafka()}/*", *tool, str(properties)]
        command += [part for user in users for part in ("--add-scram", user)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Problem(f"Apache Kafka could not format {folder}: {done.stderr.strip()[-500:]}", code=DEPENDENCY)
    return properties


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
    """Start one node over `folder` and wait until it accepts connections. Its topics survive a restart.

    `options` are more of the JVM's; `more`, `cluster` and `users` are those of `format_kafka`.
    """
    java, libs = find_java(), fetch_kafka()
    properties = format_kafka(folder, port, controller_port or free_port(), more, cluster, users)
    given = [HEAP, "-XX:+UseG1GC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", *options]
    child = start("kafka", [java, *given, "-cp", f"{libs}/*", "kafka.Kafka", str(properties)], log)
    wait_until(child, lambda: accepts(port), 180)  # a busy machine takes its time over a JVM
    return child


def main() -> None:
    """Fetch the jars now, so that a later start need not."""
    try:
        find_java()
        fetch_kafka()
    except Problem as problem:
        print(f"kafka: {problem}", file=sys.stderr)
        raise SystemExit(problem.code if os.environ.get("CI") == "true" else 0) from None


if __name__ == "__main__":
    main()
