"""`cdr doctor` finds what is wrong and says what to do."""

from __future__ import annotations

import asyncio
import json

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from pipeline.doctor.checkup import unknown_variables
from tests.worker.commands import cdr
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment
from tests.worker.phone_calls import encoded, in_time, phone_calls

Row = dict[str, str]


def examine(deployment: Deployment, exit_status: int) -> dict[str, Row]:
    done = cdr(deployment, "doctor", "--output", "json")
    assert done.returncode == exit_status, done.stdout + done.stderr
    return {row["what"]: row for row in json.loads(done.stdout)}


def test_all_is_well(deploy: Deploy) -> None:
    deployment = deploy()
    worker = deployment.worker()
    deployment.env["CDR_METRICS_PORT"] = str(worker.port)
    deployment.produce(in_time(phone_calls(20)))
    deployment.wait_done()
    rows = examine(deployment, 0)
    assert {what: row["found"] for what, row in rows.items() if row["state"] != "ok"}.keys() <= {
        "query service",
        "disk",
    }
    assert rows["keys"]["found"] == f"{len(deployment.values)} events looked at"
    assert rows["group"]["found"].endswith("is 0 records behind")
    assert "password" not in str(rows) and deployment.clickhouse.password not in str(rows)


def test_faults_are_found(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.send(encoded(in_time(phone_calls(3))), partition=2)
    deployment.client.command("ALTER TABLE call_rows ADD COLUMN mine String")
    deployment.client.command("DROP TABLE schema_migrations")
    deployment.env["CDR_OPEN_LIMITS"] = "5"
    rows = examine(deployment, 1)
    assert "murmur2" in rows["keys"]["hint"] and rows["keys"]["state"] == "fail"
    assert rows["migrations"]["hint"] == "Run cdr migrate."
    assert "CDR_OPEN_LIMIT_S" in rows["settings"]["hint"]
    assert rows["worker"]["state"] == "warn" and "cdr worker" in rows["worker"]["hint"]


def test_topics_that_do_not_fit_and_wrong_keys(deploy: Deploy) -> None:
    deployment = deploy(partitions=1)
    deployment.send([(b"other", value) for _, value in encoded(in_time(phone_calls(2)))])
    deployment.env |= {"CDR_CDRS_TOPIC": "small-feed", "CDR_DATABASE": deployment.database}
    asyncio.run(_create(deployment.broker.bootstrap))
    rows = examine(deployment, 0)
    assert "small-feed" in rows["topics"]["hint"]
    assert "max.message.bytes" in rows["message size"]["hint"]
    assert rows["retention"]["found"] == "small-feed keeps records for 1.0 h"
    assert rows["keys"]["state"] == "warn"


async def _create(bootstrap: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    config = {"max.message.bytes": "1000", "retention.ms": "3600000"}
    await admin.create_topics([NewTopic("small-feed", 3, 1, topic_configs=config)])
    await admin.close()


def test_everything_away(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.env |= {"CDR_KAFKA": "127.0.0.1:1", "CDR_CLICKHOUSE": "http://127.0.0.1:1"}
    rows = examine(deployment, 1)
    assert rows["Kafka"]["state"] == rows["ClickHouse"]["state"] == "fail"
    assert "CDR_KAFKA" in rows["Kafka"]["hint"] and "CDR_CLICKHOUSE" in rows["ClickHouse"]["hint"]


def test_unknown_variables_have_their_nearest_name() -> None:
    found = unknown_variables({"CDR_CLICKHOSE": "x", "CDR_KAFKA": "y", "PATH": "z", "CDR_XQZWV": "1"})
    assert [check.state for check in found] == ["warn", "warn"]
    assert found[0].hint == "Did you mean CDR_CLICKHOUSE?"
    assert [check.state for check in unknown_variables({"CDR_CRASH_AFTER": "calls"})] == ["fail"]
