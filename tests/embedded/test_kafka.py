"""Apache Kafka starts, keeps its records over a kill, and lets nobody in without the password."""

from __future__ import annotations

import asyncio
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError

from pipeline.embedded import kafka as apache
from pipeline.embedded.process import HOST, accepts, free_port, wait_until
from pipeline.errors import Problem
from pipeline.kafka import connection
from pipeline.settings import Settings
from tests.conftest import missing
from tests.servers import KafkaServer


async def create_topic(how: dict[str, Any], topic: str) -> None:
    admin = AIOKafkaAdminClient(**how)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 2, 1)])
    except TopicAlreadyExistsError:
        pass
    finally:
        await admin.close()


async def produce(how: dict[str, Any], topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(**how, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(topic, value, key=value)


async def consume(how: dict[str, Any], topic: str, number: int) -> set[bytes]:
    async with AIOKafkaConsumer(topic, **how, auto_offset_reset="earliest") as consumer:
        got: set[bytes] = set()
        async with asyncio.timeout(60):
            while len(got) < number:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    got |= {record.value for record in records}
        return got


async def test_records_survive_a_kill(kafka: KafkaServer) -> None:
    how = {"bootstrap_servers": kafka.bootstrap}
    values = {b"one", b"two", b"three"}
    await create_topic(how, "kept")
    await produce(how, "kept", [*values])
    kafka.kill()
    kafka.start()
    assert await consume(how, "kept", 3) == values


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """The node of `cdr run`: its folder and port."""
    folder, port = tmp_path_factory.mktemp("private") / "kafka", free_port()
    child = apache.begin_private_kafka(folder, port, folder.with_suffix(".log"))
    wait_until(child, lambda: accepts(port), apache.PATIENCE_S)
    yield folder, port
    child.kill()


def settings_of(folder: Path, port: int, **changes: str) -> Settings:
    given = {name.removeprefix("CDR_").lower(): value for name, value in apache.client_settings(folder, port).items()}
    return Settings(**(given | changes), _env_file=None)  # type: ignore[arg-type]


@pytest.mark.kafka
async def test_the_password_lets_in(private: tuple[Path, int]) -> None:
    how = connection(settings_of(*private))
    await create_topic(how, "private")
    await produce(how, "private", [b"one"])
    assert await consume(how, "private", 1) == {b"one"}


@pytest.mark.kafka
def test_kcat_comes_in_with_the_file_for_it(private: tuple[Path, int]) -> None:
    if shutil.which("kcat") is None:
        missing("kcat (make test-parts)")
    command = ["kcat", "-F", str(apache.write_client_config(*private)), "-L", "-m", "60"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90)
    assert "1 brokers:" in done.stdout, done.stderr


@pytest.mark.kafka
@pytest.mark.parametrize("login", ["none", "wrong"])
async def test_without_it_nobody_comes_in(private: tuple[Path, int], login: str) -> None:
    password = settings_of(*private).kafka_sasl_password
    wrong = settings_of(*private, kafka_sasl_password=password[:-1] + ("a" if password[-1] != "a" else "b"))
    how = connection(wrong) if login == "wrong" else {"bootstrap_servers": wrong.kafka}
    producer = AIOKafkaProducer(**how, request_timeout_ms=2000)
    with pytest.raises(KafkaError):
        await producer.start()
    await producer.stop()


@pytest.mark.kafka
def test_no_listener_is_open(private: tuple[Path, int]) -> None:
    lines = (private[0] / "server.properties").read_text().splitlines()
    properties = dict(line.split("=", 1) for line in lines)
    protocols = dict(each.split(":") for each in properties["listener.security.protocol.map"].split(","))
    for listener in properties["listeners"].split(","):
        name, _, address = listener.partition("://")
        assert (protocols[name], address.rpartition(":")[0]) == ("SASL_PLAINTEXT", HOST)


@pytest.mark.kafka
def test_what_has_the_password_is_for_its_owner(private: tuple[Path, int]) -> None:
    folder, port = private
    assert stat.S_IMODE(apache.write_client_config(folder, port).stat().st_mode) == 0o600
    password = (folder / "secret").read_text().strip()
    holding = [file for file in folder.iterdir() if file.is_file() and password in file.read_text(errors="replace")]
    assert {file.name for file in holding} == {"secret", "client.conf", "server.properties"}
    assert {stat.S_IMODE(file.stat().st_mode) for file in holding} == {0o600}


def test_a_folder_whose_password_is_gone_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "meta.properties").touch()
    with pytest.raises(Problem, match="had no password, or has lost its file secret"):
        apache.password_of(tmp_path)
