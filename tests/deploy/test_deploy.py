"""What is deployed fits what is built: settings, commands, health, users, metrics."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import typer
import yaml

from pipeline.cli import app
from pipeline.settings import Settings
from pipeline.warehouse.storage.migrate import migrations, views

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("call-detail-pipeline")}
SETTINGS = {f"CDR_{name.upper()}" for name in Settings.model_fields}
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
COMMANDS = typer.main.get_command(app)


def _check_command(words: list[str]) -> None:
    """Each word is a command, each `--option` one of its options."""
    command: Any = COMMANDS
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("-"):
            assert word.partition("=")[0] in options, f"{command.name} has no option {word}"
    assert command is not COMMANDS, f"{words} is no command"


def test_the_services_are_those_of_the_product() -> None:
    assert {"kafka", "clickhouse", "migrate", "worker", "api", "hep", "traffic"} <= set(SERVICES)
    assert SERVICES["traffic"]["profiles"] == ["traffic"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "cap_add", "pid", "network_mode", "devices"} & set(service)
    assert not any("docker.sock" in str(volume) for volume in service.get("volumes", []))


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_is_pinned(name: str) -> None:
    assert re.search(r":(\$\{\w+:-)?\d+\.\d+(\.\d+)?\}?$", SERVICES[name]["image"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_waits_for_what_it_needs(name: str) -> None:
    for needed, how in SERVICES[name].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[needed]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert SERVICES[needed]["restart"] == "no"


@pytest.mark.parametrize("name", OURS)
def test_settings_of_a_service_exist(name: str) -> None:
    environment = OURS[name]["environment"]
    assert set(environment) <= SETTINGS
    assert environment.get("CDR_METRICS_PORT", "9464") == "9464"


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_that_exists(name: str) -> None:
    entrypoint = OURS[name].get("entrypoint", ["cdr"])
    assert entrypoint[0] == "cdr"
    _check_command([*entrypoint[1:], *OURS[name]["command"]])


def test_every_variable_of_compose_is_in_the_example() -> None:
    used = set(re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
    offered = (ROOT / "deploy" / "compose.env.example").read_text(encoding="utf-8")
    assert used == set(re.findall(r"^#?([A-Z_]+)=", offered, re.M))
    assert not re.search(r"PASSWORD=.+", offered)


def test_volumes_and_mounted_files_exist() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"]


def test_the_image_is_unprivileged_and_locked() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", text, re.M)
    assert "--require-hashes" in text
    assert "ADD " not in text
    copied = {word for words in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M) for word in words.split()}
    let_in = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.M)
    assert copied == {name.removesuffix("/**") for name in let_in}


def _pins(file: Path) -> set[str]:
    return set(re.findall(r"^[\w.-]+==\S+", file.read_text(encoding="utf-8"), re.M))


def test_the_image_has_what_was_tested_and_no_tools() -> None:
    pins = _pins(ROOT / "deploy" / "requirements.lock")
    assert pins <= _pins(ROOT / "requirements.lock"), "run: make lock"
    names = {pin.partition("==")[0] for pin in pins}
    assert {"faust-streaming", "clickhouse-connect", "fastapi"} <= names
    assert names.isdisjoint({"chdb", "pytest", "mypy", "ruff", "hypothesis"})


def test_a_unit_runs_a_command_that_exists_confined() -> None:
    assert [unit.name for unit in UNITS] == [
        "cdr-api.service",
        "cdr-asterisk.service",
        "cdr-freeswitch.service",
        "cdr-hep.service",
        "cdr-worker@.service",
    ]
    for unit in UNITS:
        text = unit.read_text(encoding="utf-8")
        (line,) = re.findall(r"^ExecStart=/opt/cdr/bin/cdr (.+)$", text, re.M)
        _check_command(shlex.split(line))
        for setting in ("DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet="):
            assert f"\n{setting}\n" in text, unit.name


def test_settings_of_the_units_exist() -> None:
    text = (ROOT / "deploy" / "systemd" / "cdr.env.example").read_text(encoding="utf-8")
    assert set(re.findall(r"^#?(CDR_\w+)=", text, re.M)) <= SETTINGS


def test_the_users_of_clickhouse() -> None:
    root = ElementTree.parse(ROOT / "deploy" / "clickhouse" / "users.d" / "cdr.xml").getroot()
    users, profiles = root.find("users"), root.find("profiles")
    assert users is not None and profiles is not None
    assert [user.tag for user in users] == ["default", "cdr_writer", "cdr_reader", "cdr_analyst"]
    assert users[0].get("remove") == "remove"
    environment = SERVICES["clickhouse"]["environment"]
    for user in users[1:]:
        password = user.find("password")
        assert password is not None and password.get("from_env") in environment
        assert not password.text
    assert [profiles.findtext(f"{name}/readonly") for name in ("cdr_writer", "cdr_reader", "cdr_analyst")] == [
        None,
        None,
        "1",
    ]
    written = {
        table for query in users[2].iter("query") for table in re.findall(r"INSERT ON cdr\.(\w+)", query.text or "")
    }
    tables = set(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", "\n".join(map(str, migrations()))))
    assert written <= tables - {"event_rows", "call_rows", "call_log_rows", "api_token_rows", "user_rows"}
    inserted = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "pipeline").rglob("*.py"))
    assert set(re.findall(r"reader\.insert\(\"(\w+)\"", inserted)) <= written
    granted = " ".join(query.text or "" for query in users[3].iter("query"))
    for view in views():
        assert f"cdr.{view}" in granted
    assert "api_token" not in granted and "cdr.*" not in granted
    ElementTree.parse(ROOT / "deploy" / "clickhouse" / "config.d" / "cdr.xml")


def made_metrics() -> set[str]:
    """Names of the metrics that the program makes, without their endings."""
    text = "\n".join(file.read_text(encoding="utf-8") for file in (ROOT / "pipeline").rglob("*.py"))
    return {without_ending(name) for name in re.findall(r'"(cdr_\w+)"', text)}


def without_ending(name: str) -> str:
    """A metric as the program names it; Prometheus adds the ending."""
    return re.sub(r"_(total|bucket|sum|count)$", "", name)


def alerts() -> list[dict[str, Any]]:
    """The rules of alerts.yml."""
    text = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


def test_metrics_of_the_alerts_exist() -> None:
    made = made_metrics()
    for rule in alerts():
        assert {"alert", "expr", "labels", "annotations"} <= set(rule)
        assert set(rule["annotations"]) == {"summary", "action"}
        for name in re.findall(r"\bcdr_\w+", rule["expr"]):
            assert without_ending(name) in made, name


def test_the_runbook_has_every_alert_and_no_other() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^## (\w+)$", text, re.MULTILINE)) == sorted(rule["alert"] for rule in alerts())


def test_metrics_of_the_dashboard_exist() -> None:
    board = json.loads((ROOT / "deploy" / "grafana" / "cdr.json").read_text(encoding="utf-8"))
    panels = [panel for panel in board["panels"] if panel["type"] != "row"]
    source = yaml.safe_load(
        (ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text(encoding="utf-8")
    )
    made, shown = made_metrics(), set()
    for panel in panels:
        assert panel["description"] and panel["datasource"]["uid"] == source["datasources"][0]["uid"]
        for target in panel["targets"]:
            shown |= {without_ending(name) for name in re.findall(r"\bcdr_\w+", target["expr"])}
    assert shown <= made
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


def test_the_scraped_ports_are_those_of_compose() -> None:
    text = (ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    targets = [
        target for job in yaml.safe_load(text)["scrape_configs"] for target in job["static_configs"][0]["targets"]
    ]
    assert targets == ["worker:9464", "api:9468", "hep:9465", "freeswitch:9466", "asterisk:9467"]
