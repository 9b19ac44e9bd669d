"""Apache Kafka behind TLS and SCRAM: everything works through it, and whoever is not let in is told why."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from pipeline import kafka
from pipeline.embedded import kafka as apache
from pipeline.embedded.process import HOST, Child, free_port
from pipeline.errors import DEPENDENCY, USAGE, Problem
from pipeline.kafka_security import KafkaRefused
from pipeline.query.app import create_app
from pipeline.settings import Settings
from pipeline.warehouse.identity.tokens import create_token
from tests.certificates import Certificates, make_certificates
from tests.servers import BrokerServer, ClickHouseServer
from tests.worker.deployment import Deployment, WorkerProcess, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.embedded, pytest.mark.slow]

USER, PASSWORD = "worker", "correct-horse-9Xk"


class SecureKafka(BrokerServer):
    """One node whose clients speak TLS and log in with SCRAM-SHA-512; its own listener has neither."""

    name = "kafka"

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self.certificates, self.secure_port = certificates, free_port()
        super().__init__(folder)

    @property
    def bootstrap(self) -> str:
        return f"{HOST}:{self.secure_port}"

    def _start(self) -> Child:
        controller = free_port()
        listeners = f"PLAINTEXT://{HOST}:{self.port},SASL_SSL://{HOST}:{self.secure_port}"
        more = {
            "listeners": f"{listeners},CONTROLLER://{HOST}:{controller}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL",
            "inter.broker.listener.name": "PLAINTEXT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram."
            "ScramLoginModule required;",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(self.certificates.server),
            "ssl.client.auth": "none",
        }
        users = [f"SCRAM-SHA-512=[name={USER},password={PASSWORD}]"]
        log = self.folder.with_suffix(".log")
        return apache.start_kafka(self.folder, self.port, log, controller, more=more, users=users)


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    folder = tmp_path_factory.mktemp("secure")
    server = SecureKafka(folder / "data", make_certificates(folder))
    yield server
    server.stop()


def settings_of(server: SecureKafka, **changes: Any) -> Settings:
    given = {
        "kafka": server.bootstrap,
        "kafka_security_protocol": "SASL_SSL",
        "kafka_ca": str(server.certificates.ca),
        "kafka_sasl_username": USER,
        "kafka_sasl_password": PASSWORD,
    }
    return Settings(**(given | changes), _env_file=None)


def cdr(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline.cli", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def deployment(secure: SecureKafka, clickhouse_endpoint: ClickHouseServer, tmp_path: Path) -> Iterator[Deployment]:
    secured = settings_of(secure).model_dump(include={name for name in Settings.model_fields if "kafka_" in name})
    found = Deployment(secure, clickhouse_endpoint, tmp_path, **secured)
    yield found
    found.close()


def test_everything_works_through_tls_and_scram(deployment: Deployment) -> None:
    worker = deployment.worker()
    made = cdr(deployment.environment, "produce", "--scenario", "answered", "--calls", "20", "--tenant", "acme")
    assert made.returncode == 0, made.stderr
    wait_for(lambda: _calls(deployment) == 20, lambda: f"{_calls(deployment)} calls: {deployment.said}")

    asyncio.run(_ingest(deployment))
    wait_for(
        lambda: _calls(deployment, "call_id = 'by-http'") == 1, lambda: f"{_calls(deployment)} calls: {deployment.said}"
    )

    doctor = cdr(deployment.environment, "doctor", "--output", "json")
    assert f"answers at {deployment.settings.kafka}, SASL_SSL" in doctor.stdout, doctor.stdout
    letters = cdr(deployment.environment, "dead-letters", "list")
    assert letters.returncode == 0, letters.stderr
    assert worker.stop() == 0
    for said in (worker.said, doctor.stdout, doctor.stderr, made.stdout, made.stderr, letters.stderr):
        assert PASSWORD not in said


def _calls(deployment: Deployment, where: str = "1") -> int:
    return int(deployment.client.command(f"SELECT count() FROM calls WHERE {where}"))


async def _ingest(deployment: Deployment) -> None:
    token = create_token(deployment.client, "acme", "pbx", scopes=("cdr:ingest",))
    app = create_app(deployment.settings)
    event = {
        "type": "started", "at": "2026-03-10T12:00:00.000Z", "call_id": "by-http", "leg_id": "a", "node": "pbx-1",
        "event_id": "by-http-1", "direction": "internal", "from": "101", "to": "102",
    }  # fmt: skip
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://cdr") as client,
    ):
        answer = await client.post("/ingest/canonical", json=event, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code in (200, 202), answer.text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kafka_sasl_password": "wrong"}, r"refuses the user 'worker'.*CDR_KAFKA_SASL_PASSWORD"),
        ({"kafka_sasl_username": "nobody"}, r"refuses the user 'nobody'.*CDR_KAFKA_SASL_USERNAME"),
        ({"kafka_ca": ""}, r"certificate .* not trusted.*CDR_KAFKA_CA"),
        ({"kafka_ca": "stranger"}, r"certificate .* not trusted.*CDR_KAFKA_CA"),
        ({"kafka_sasl_mechanism": "PLAIN"}, r"does not take PLAIN.*CDR_KAFKA_SASL_MECHANISM"),
        (
            {"kafka_security_protocol": "SASL_PLAINTEXT"},
            r"ends the connection when SASL_PLAINTEXT begins.*CDR_KAFKA_SECURITY_PROTOCOL",
        ),
        (
            {"kafka_security_protocol": "PLAINTEXT", "kafka_sasl_username": ""},
            r"ends the connection when PLAINTEXT begins.*CDR_KAFKA_SECURITY_PROTOCOL",
        ),
        ({"kafka": "plain"}, r"ends the connection when SASL_SSL begins.*CDR_KAFKA_SECURITY_PROTOCOL"),
    ],
)
async def test_who_is_not_let_in_is_told_why(secure: SecureKafka, changes: dict[str, str], said: str) -> None:
    changes = {name: {"stranger": str(secure.certificates.stranger), "plain": f"{HOST}:{secure.port}"}.get(value, value)
               for name, value in changes.items()}  # fmt: skip
    with pytest.raises(KafkaRefused, match=said) as caught:
        await kafka.ensure_topics(settings_of(secure, **changes))
    assert caught.value.code == DEPENDENCY and "\n" not in str(caught.value) and PASSWORD not in str(caught.value)


def test_commands_say_it_in_a_line_and_end(deployment: Deployment, tmp_path: Path) -> None:
    wrong = deployment.environment | {"CDR_KAFKA_SASL_PASSWORD": "wrong-horse"}
    made = cdr(wrong, "produce", "--calls", "1")
    assert made.returncode == DEPENDENCY
    assert len(made.stderr.strip().splitlines()) == 1 and "refuses the user 'worker'" in made.stderr
    doctor = cdr(wrong, "doctor")
    assert doctor.returncode != 0 and "refuses the user 'worker'" in doctor.stdout.replace("\n", " ")
    worker = WorkerProcess({**deployment.env, "CDR_KAFKA_SASL_PASSWORD": "wrong-horse"}, tmp_path / "refused.log")
    assert worker.wait() == DEPENDENCY
    assert "refuses the user 'worker'" in worker.said and "Traceback" not in worker.said
    for text in (made.stderr, doctor.stdout, doctor.stderr, worker.said):
        assert "wrong-horse" not in text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kafka_ca": "/nowhere/ca.pem"}, "CDR_KAFKA_CA '/nowhere/ca.pem' cannot be used"),
        ({"kafka_sasl_password": ""}, "there is no user to log in as"),
        ({"kafka_security_protocol": "SSL"}, "nobody would log in"),
        ({"kafka_certificate": "/nowhere/own.pem"}, "CDR_KAFKA_CERTIFICATE"),
    ],
)
def test_settings_that_do_not_fit_together(changes: dict[str, str], said: str) -> None:
    given = {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_username": USER, "kafka_sasl_password": PASSWORD}
    with pytest.raises(Problem, match=said) as caught:
        kafka.connection(Settings(**(given | changes), _env_file=None))  # type: ignore[arg-type]
    assert caught.value.code == USAGE
