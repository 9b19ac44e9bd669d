"""Prices as a worker writes them: by the deck of the day, whatever is loaded later, until somebody orders otherwise."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.directory.model import Did, Entry, Extension, Tenant, Trunk, key_of, kind_of
from pipeline.rating.deck import Header, Scope
from pipeline.rating.deck_file import parse_csv
from pipeline.warehouse.reference import decks
from pipeline.warehouse.reference.directories import save as save_directory
from pipeline.worker.core.pricing import MAX_AGE_S
from tests import forks
from tests.rating.outside_calls import outside
from tests.servers import ClickHouseServer, KafkaServer
from tests.worker.conftest import _deploy
from tests.worker.deployment import Deployment, wait_for
from tests.worker.phone_calls import event, now_ms

TARIFF = (
    "prefix,destination,connect_fee,interval_1,price_1,interval_n,price_n,free_seconds,grace_period,"
    "post_call_surcharge,minimum,currency\n"
    "44,United Kingdom,0.01,60,0.06,6,0.03,0,3,10,0.02,GBP\n"
    "4420,London,,1,0.02,1,0.02,,,,,GBP\n"
)


@pytest.fixture
def deployment(kafka: KafkaServer, clickhouse_endpoint: ClickHouseServer, tmp_path: Path) -> Iterator[Deployment]:
    made = _deploy(kafka, clickhouse_endpoint, tmp_path)
    deploy = next(made)
    yield deploy(country="GB", batch_wait_s=0.01)
    next(made, None)


def load(deployment: Deployment, text: str, name: str = "retail", **scope: str) -> None:
    decks.save(deployment.client, Header(name, Scope(**scope)), parse_csv(text, name), "tests")


def priced(deployment: Deployment, call_id: str) -> dict[str, Any]:
    names = ("cost", "currency", "billed_account", "rate", "rate_class", "rate_prefix", "carrier_cost", "rating")
    columns = ", ".join(("version", "events", *names))
    rows = deployment.client.query(
        f"SELECT {columns} FROM calls WHERE call_id = {{id:String}}", parameters={"id": call_id}
    )
    (row,) = rows.named_results()
    return dict(row)


def cdr(deployment: Deployment, *arguments: str) -> subprocess.CompletedProcess[str]:
    return forks.cdr(*arguments, env=deployment.environment)


def test_closed_calls_are_priced(deployment: Deployment) -> None:
    load(deployment, TARIFF)
    load(deployment, "prefix,price_1,currency\n44,0.006,EUR\n", "wholesale", kind="carrier", trunk="carrier-a")
    directory: list[Entry] = [
        Tenant("acme", country="GB", billed_account="ACME"),
        Extension("101", account="ANN"),
        Trunk("carrier-a", account="TRUNK"),
        Did("+442079460001"),
    ]
    save_directory(deployment.client, "acme", {(kind_of(one), key_of(one)): one for one in directory}, "tests")
    deployment.worker()
    deployment.produce(outside("national", "01632960123", 61_000))
    deployment.produce(outside("local", "+442079460123", 90_000))
    deployment.produce(outside("unknown", "+4930123456", 30_000))
    deployment.produce(outside("emergency", "999", 30_000))
    deployment.produce(outside("short", "+441632960123", 2_000))
    unanswered = [each for each in outside("unanswered", "01632960123", 20_000) if each["type"] != "answered"]
    deployment.produce(unanswered)
    start = now_ms() - 60_000
    deployment.produce(
        [
            event("internal", "started", start, 0, leg_id="a", caller="101", callee="102"),
            event("internal", "answered", start + 1000, 1, leg_id="a"),
            event("internal", "ended", start + 9000, 2, leg_id="a"),
        ]
    )
    deployment.wait_done()
    national = priced(deployment, "national")
    # (0.01 + 60 · 0.06 / 60 + 6 · 0.03 / 60) · 1.1, and for the carrier 61 · 0.006 / 60
    assert (national["cost"], national["currency"], national["rate"]) == ("0.0803", "GBP", "0.03")
    assert (national["rate_class"], national["rate_prefix"], national["billed_account"]) == ("NATIONAL", "44", "ANN")
    assert national["carrier_cost"] == "0.0061"
    local = priced(deployment, "local")
    assert (local["cost"], local["rate_class"], local["rate_prefix"]) == ("0.03", "LOCAL", "4420")
    unknown = priced(deployment, "unknown")
    assert (unknown["cost"], unknown["rate_class"], unknown["billed_account"]) == ("", "INTERNATIONAL", "ANN")
    emergency = priced(deployment, "emergency")
    assert (emergency["cost"], emergency["rate_class"]) == ("0", "EMERGENCY")
    assert priced(deployment, "short")["cost"] == "0"  # within the grace period
    for call_id in ("unanswered", "internal"):
        row = priced(deployment, call_id)
        assert (row["cost"], row["rate_class"], row["rating"], row["billed_account"]) == ("", "", "", "")
    told = {document["call_id"]: document for document in map(orjson.loads, (one.value for one in deployment.feed()))}
    assert (told["national"]["cost"], told["national"]["currency"]) == ("0.0803", "GBP")
    assert told["unknown"]["cost"] is None


def test_the_directory_decides_which_way_a_call_went(deployment: Deployment) -> None:
    """Both numbers are written in full, and nothing else tells: the directory knows which of them is the company's. A
    call stays as it was written when the directory changes, until it is rebuilt."""
    load(deployment, TARIFF)
    did: list[Entry] = [Tenant("acme", country="GB"), Extension("101"), Did("+442079460001")]
    save_directory(deployment.client, "acme", {(kind_of(one), key_of(one)): one for one in did}, "tests")
    deployment.worker()
    start = now_ms() - 60_000
    for call_id, caller, callee in (
        ("in", "+441632960123", "+442079460001"),
        ("out", "+442079460001", "+441632960123"),
    ):
        deployment.produce(
            [
                event(call_id, "started", start, 0, leg_id="a", caller=caller, callee=callee),
                event(call_id, "answered", start + 1000, 1, leg_id="a"),
                event(call_id, "ended", start + 31_000, 2, leg_id="a"),
            ]
        )
    deployment.wait_done()

    def directions() -> dict[str, str]:
        told = deployment.client.query(
            "SELECT call_id, direction FROM calls UNION ALL SELECT call_id, direction FROM call_logs"
        )
        found: dict[str, str] = {}
        for call_id, direction in told.result_rows:
            assert found.setdefault(call_id, direction) == direction
        return found

    assert directions() == {"in": "inbound", "out": "outbound"}
    assert priced(deployment, "in")["cost"] == ""
    assert priced(deployment, "out")["cost"] != ""
    save_directory(deployment.client, "acme", {("did", "+442079460001"): None}, "tests")
    checked = cdr(deployment, "verify", "--from", "2026-01-01")
    assert checked.returncode == 0, checked.stdout
    assert directions() == {"in": "inbound", "out": "outbound"}


def test_a_new_deck_prices_new_calls_only(deployment: Deployment) -> None:
    load(deployment, TARIFF)
    first = deployment.worker(grace_s=0)
    told = outside("old", "+442079460123", 60_000)
    deployment.produce(told[:-1])
    deployment.produce(told[-1:])
    deployment.wait_done()
    assert priced(deployment, "old")["cost"] == "0.02"
    load(deployment, TARIFF.replace("0.02,1,0.02", "0.5,1,0.5"))
    time.sleep(MAX_AGE_S)
    deployment.produce(outside("wakes the worker", "+442079460123", 60_000))
    deployment.wait_done()
    wait_for(lambda: '"decks":1' in first.said.replace(" ", "") or first.said.count("tariffs") > 1, first.said)
    deployment.produce(outside("new", "+442079460123", 60_000))
    late = told[2] | {"event_id": "late", "type": "progress"}
    deployment.produce([late])
    deployment.wait_done()
    assert priced(deployment, "new")["cost"] == "0.5"
    old = priced(deployment, "old")
    assert (old["cost"], old["events"]) == ("0.02", 8)
    # kill -9, everything read again by another group: the same versions, the same prices
    before = {call_id: priced(deployment, call_id) for call_id in ("old", "new")}
    first.kill()
    deployment.worker(group=f"{deployment.settings.group}-again")
    deployment.wait_done(group=f"{deployment.settings.group}-again")
    assert {call_id: priced(deployment, call_id) for call_id in ("old", "new")} == before


@pytest.mark.slow
def test_pricing_again(deployment: Deployment) -> None:
    load(deployment, TARIFF)
    deployment.worker()
    begin = now_ms() - 3600_000
    events = outside("rerated", "+442079460123", 60_000)
    deployment.produce(events)
    deployment.produce(outside("unknown", "+4930123456", 60_000))
    deployment.produce(outside("before", "+442079460123", 60_000, at=begin - 3600_000))
    deployment.wait_done()
    first = priced(deployment, "rerated")
    assert first["cost"] == "0.02"
    load(deployment, TARIFF.replace("0.02,1,0.02", "0.5,1,0.5") + "49,Germany,,,0.6,,,,,,,EUR\n")
    start = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begin / 1000))
    dry = cdr(deployment, "rates", "rerate", "--from", start, "--dry-run", "--output", "json")
    assert json.loads(dry.stdout)["changed"] == 2, dry.stderr
    assert priced(deployment, "rerated") == first
    done = cdr(deployment, "rates", "rerate", "--from", start, "--tenant", "acme", "--output", "json")
    assert json.loads(done.stdout) == {
        "calls": 2,
        "changed": 2,
        "unknown": 0,
        "before": {"GBP": "0.02"},
        "after": {"EUR": "0.6", "GBP": "0.5"},
    }, done.stderr
    second = priced(deployment, "rerated")
    assert (second["cost"], second["version"]) == ("0.5", first["version"] + 1)
    assert priced(deployment, "unknown")["cost"] == "0.6"
    assert priced(deployment, "before")["cost"] == "0.02"
    again = cdr(deployment, "rates", "rerate", "--from", start, "--tenant", "acme", "--output", "json")
    assert json.loads(again.stdout)["changed"] == 0
    assert priced(deployment, "rerated") == second
    told = [orjson.loads(one.value) for one in deployment.feed()]
    assert [each["cost"] for each in told if each["call_id"] == "rerated"] == ["0.02", "0.5"]
    # a later event of a call that the worker has in memory: neither is lost
    load(deployment, TARIFF.replace("0.02,1,0.02", "0.9,1,0.9"))
    deployment.produce([events[2] | {"event_id": "late", "type": "progress"}])
    deployment.wait_done()
    third = priced(deployment, "rerated")
    assert (third["events"], third["cost"]) == (8, "0.5")
    assert third["version"] > second["version"]
    # a worker that starts anew folds the same again, and writes nothing else
    deployment.workers[0].kill()
    deployment.worker(group=f"{deployment.settings.group}-again")
    deployment.wait_done(group=f"{deployment.settings.group}-again")
    assert priced(deployment, "rerated") == third
    assert priced(deployment, "unknown")["cost"] == "0.6"
    total = sum(Decimal(row[0]) for row in deployment.client.query("SELECT cost FROM calls").result_rows)
    assert total == Decimal("1.12")
