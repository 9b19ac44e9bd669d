"""`--data DIR`: which settings of a running product a command takes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from pipeline.cli import ALONE, app
from pipeline.cli.product import use_product
from pipeline.embedded.run_file import RunState, write_run_file
from pipeline.errors import Problem
from pipeline.settings import settings

SETTINGS = {
    "CDR_KAFKA": "127.0.0.1:1111",
    "CDR_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "CDR_KAFKA_SASL_USERNAME": "cdr",
    "CDR_KAFKA_SASL_PASSWORD": "secret",
    "CDR_CLICKHOUSE": "http://cdr:secret@127.0.0.1:2222",
    "CDR_DATABASE": "mine",
    "CDR_TENANT": "acme",
    "CDR_METRICS_PORT": "3333",
}


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The directory of a product that runs: of this process, as far as anyone can tell."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("CDR_")]:
        monkeypatch.delenv(name)
    for name in SETTINGS | {"CDR_DATA": ""}:  # what a command sets is taken back
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    folder = tmp_path / "data"
    folder.mkdir()
    state = RunState(os.getpid(), str(folder), "2026-03-10T12:00:00Z", {}, "", {}, {}, SETTINGS)
    write_run_file(folder, state)
    settings.cache_clear()
    yield folder
    settings.cache_clear()


def leaves(command: Any, *names: str) -> Iterator[tuple[str, Any]]:
    for name, each in getattr(command, "commands", {}).items():
        yield from leaves(each, *names, name)
    if not hasattr(command, "commands"):
        yield " ".join(names), command


def test_every_command_that_speaks_to_a_server_takes_it() -> None:
    alone = {command.__name__ for command in ALONE} - {"run", "status"}
    for name, command in leaves(typer.main.get_command(app)):
        options = {option for parameter in command.params for option in parameter.opts}
        assert ("--data" in options) is (name not in alone), name


def test_the_product_on_data_is_found(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    use_product(None)
    chosen = settings()
    assert (chosen.kafka, chosen.kafka_sasl_password) == ("127.0.0.1:1111", "secret")
    assert (chosen.clickhouse, chosen.database) == ("http://cdr:secret@127.0.0.1:2222", "mine")
    assert (chosen.tenant, chosen.metrics_port) == ("acme", 3333)
    assert capsys.readouterr().err == "cdr: the product on data\n"


def test_what_listens_takes_no_port_of_it(data: Path) -> None:
    use_product(None, listens=True)
    assert (settings().kafka, settings().metrics_port) == ("127.0.0.1:1111", 9464)


def test_settings_win_with_all_that_belongs_to_them(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CDR_KAFKA", "kafka.example.com:9092")
    monkeypatch.setenv("CDR_TENANT", "other")
    use_product(None)
    chosen = settings()
    assert (chosen.kafka, chosen.kafka_security_protocol) == ("kafka.example.com:9092", "PLAINTEXT")
    assert (chosen.database, chosen.tenant) == ("mine", "other")
    assert capsys.readouterr().err == "cdr: the product on data, Kafka as CDR_KAFKA says\n"


def test_with_both_servers_set_nothing_is_taken_or_said(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CDR_KAFKA", "kafka.example.com:9092")
    monkeypatch.setenv("CDR_CLICKHOUSE", "http://clickhouse.example.com:8123")
    use_product(data)
    assert (settings().database, settings().tenant, settings().data) == ("cdr", "default", data)
    assert capsys.readouterr().err == ""


def test_a_directory_that_is_named_and_has_no_product(data: Path, tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"Nothing runs on .*elsewhere"):
        use_product(tmp_path / "elsewhere")
    (data / "run.json").unlink()
    use_product(None)
    assert settings().kafka == "127.0.0.1:9092"
