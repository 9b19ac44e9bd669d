"""Imports run downwards only: each part knows those above it in this list, and no other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Lowest first; parts of one line do not know each other. What has no folder of its own stands where it is used first.
LAYERS = (
    ("schemas",),
    ("pipeline.errors", "pipeline.settings", "pipeline.instants"),
    ("pipeline.kafka_security",),
    ("pipeline.logs", "pipeline.output", "pipeline.kafka", "pipeline.files", "pipeline.probes"),
    ("pipeline.jobs",),
    ("pipeline.calls",),
    ("pipeline.sources",),
    ("pipeline.directory",),
    ("pipeline.rating",),
    ("pipeline.warehouse",),
    ("pipeline.worker", "pipeline.traffic"),
    ("pipeline.doctor",),
    ("pipeline.reports", "pipeline.push", "pipeline.ingest"),
    ("pipeline.query",),
    ("pipeline.embedded",),
    ("pipeline.cli",),
)
LAYER = {part: number for number, parts in enumerate(LAYERS) for part in parts}
# What is computed here depends on arguments only: no Kafka, no ClickHouse, no HTTP; and what each may know of ours.
PURE = {
    "schemas": {"schemas"},
    "pipeline.calls": {"schemas"},
    "pipeline.sources": {"schemas", "pipeline.errors", "pipeline.calls"},
    "pipeline.directory": {"schemas", "pipeline.errors", "pipeline.instants"},
    "pipeline.rating": {"schemas", "pipeline.errors", "pipeline.instants", "pipeline.directory"},
}
OUTSIDE = {"faust", "aiokafka", "clickhouse_connect", "fastapi", "starlette", "aiohttp", "chdb", "fsspec", "httpx"}
WAREHOUSE = {"faust", "aiokafka", "fastapi", "starlette", "aiohttp"}  # not known there


def part_of(module: str) -> str:
    """The part that a module belongs to."""
    first, _, rest = module.partition(".")
    return "schemas" if first == "schemas" else f"pipeline.{rest.partition('.')[0]}"


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Line and module of each import in the file, those inside functions too."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"pipeline.{name.name}" for name in node.names] if node.module == "pipeline" else [node.module]
        else:
            continue
        for name in names:
            yield node.lineno, name


def is_ours(name: str) -> bool:
    """Whether the module is of this repository's program, and not only its version."""
    return name.partition(".")[0] in ("schemas", "pipeline") and name not in ("pipeline", "pipeline.__version__")


FILES = sorted(path for folder in ("schemas", "pipeline") for path in (ROOT / folder).rglob("*.py"))


def module_of(file: Path) -> str:
    """The file's name as a module."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def test_every_part_has_its_layer() -> None:
    assert {part_of(module_of(file)) for file in FILES} - {"pipeline.__init__"} <= set(LAYER)


@pytest.mark.parametrize("part", sorted(LAYER))
def test_imports_run_downwards(part: str) -> None:
    wrong = []
    for file in FILES:
        if part_of(module_of(file)) != part:
            continue
        for line, name in imports(file):
            other = part_of(name)
            if is_ours(name) and other != part and LAYER[other] >= LAYER[part]:
                wrong.append(f"{file.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("part", [*PURE, "pipeline.warehouse"])
def test_what_knows_no_service(part: str) -> None:
    outside = OUTSIDE if part in PURE else WAREHOUSE
    wrong = []
    for file in FILES:
        if part_of(module_of(file)) != part:
            continue
        for line, name in imports(file):
            unknown = part in PURE and is_ours(name) and part_of(name) not in {part, *PURE[part]}
            if name.partition(".")[0] in outside or unknown:
                wrong.append(f"{file.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)
