"""What the documentation says can be typed, can be typed; what it links to, is there."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import typer

from pipeline.cli import app
from pipeline.settings import Settings
from schemas.contract import explain

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMANDS: Any = typer.main.get_command(app)
# `cdr` where a command begins; its words end where the next command, redirection or comment begins.
_TYPED = re.compile(r"(?:^|\$\(|[|;&] )(?:\S+/)?cdr\b([^|)&;<>#]*)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.M | re.S)


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _without_quotes(text: str) -> str:
    return re.sub(r"^```\w*\n.*?^```", "", text, flags=re.M | re.S)


def _spoken(page: Path) -> list[list[str]]:
    """Every `cdr …` of a page, in shell blocks and in running text, as words."""
    text = page.read_text(encoding="utf-8")
    lines = [line for kind, block in BLOCK.findall(text) if kind in ("sh", "text") for line in block.splitlines()]
    lines += re.findall(r"`(cdr [^`]+)`", _without_quotes(text))
    return [shlex.split(rest) for line in lines for rest in _TYPED.findall(line)]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_command_exists_with_its_options(page: Path) -> None:
    for words in _spoken(page):
        command = COMMANDS
        rest = list(words)
        while rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest.pop(0)]
        assert not rest or not hasattr(command, "commands") or rest[0].startswith("-"), f"cdr {' '.join(words)}"
        options = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        for word in rest:
            if word.startswith("-") and word != "-":
                assert word.partition("=")[0] in {*options, "--help"}, f"cdr {' '.join(words)}: no {word}"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_make_target_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([\w-]+):", makefile, re.M))
    text = page.read_text(encoding="utf-8")
    spoken = re.findall(r"`(?:[A-Z]+=\S+ )*make (\w+)[^`]*`|^(?:[A-Z]+=\S+ )*make (\w+)", text, re.M)
    for pair in spoken:
        assert "".join(pair) in targets


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_setting_exists(page: Path) -> None:
    known = {f"CDR_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bCDR_[A-Z_]+\b", page.read_text(encoding="utf-8"))) <= known


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _without_quotes(page.read_text(encoding="utf-8")), re.M)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", _without_quotes(page.read_text(encoding="utf-8"))):
        if re.match(r"https?://", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        if anchor:
            assert anchor in _anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_tables_are_current(page: Path) -> None:
    specification = spec_from_file_location("tables", ROOT / "docs" / "tables.py")
    assert specification is not None and specification.loader is not None
    tables = module_from_spec(specification)
    specification.loader.exec_module(tables)
    text = page.read_text(encoding="utf-8")
    assert tables.filled(text) == text, "run: python docs/tables.py"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_events_shown_are_events(page: Path) -> None:
    for kind, block in BLOCK.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if '"call_id"' in line and kind in ("json", "sh"):
                event = re.search(r"\{.*\}", line)
                assert event and explain(event[0].encode()) == [], line
                json.loads(event[0])


def test_every_metric_exists() -> None:
    sources = [file for file in (ROOT / "pipeline").rglob("*.py") if file.stem in ("metrics", "observation")]
    made = set(re.findall(r'"(cdr_\w+)"', "\n".join(source.read_text(encoding="utf-8") for source in sources)))
    page = (ROOT / "docs" / "operators.md").read_text(encoding="utf-8")
    spoken = {re.sub(r"_total$", "", name) for name in re.findall(r"`(cdr_\w+)", page)}
    assert spoken - {"cdr_reader", "cdr_writer", "cdr_analyst"} <= made


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    packages = {re.split(r"[<>=;\[ ]", line)[0] for packages in lists for line in packages}
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    python, _, _ = page.partition("## Parts that are no Python packages")
    assert set(re.findall(r"^\| ([\w-]+) \| \w", python, re.M)) - {"package"} == packages
