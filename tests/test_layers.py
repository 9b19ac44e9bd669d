"""Imports run downwards only: each part knows those above it in this list, and no other."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Lowest first; parts of one line do not know each other. What has no folder of its own stands where it is used first.
LAYERS = (
    ("schemas",),
    ("pipeline.errors", "pipeline.settings", "pipeline.instants", "pipeline.clock"),
    ("pipeline.kafka_security",),
    ("pipeline.logs", "pipeline.output", "pipeline.kafka", "pipeline.files", "pipeline.probes", "pipeline.spreadsheet"),
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
# Within a part the same holds for its folders, and for the modules that stand beside them.
ROOMS = {
    "sources": (
        ("contract", "instants", "cloud_events", "complaint", "visible"),
        ("canonical", "json_record", "registry", "sip"),
        ("asterisk", "freeswitch", "kamailio", "portsip", "yeastar"),
    ),
    "calls": (
        ("numbering",),
        ("causes", "channels", "column_limits", "event_set", "id_reuse", "sip", "withheld"),
        ("grouping", "steps"),
        ("fast_path", "transfers"),
        ("fold",),
    ),
    "warehouse": (("storage",), ("query",), ("analytics", "identity", "privacy", "reference")),
    "ingest": (("bodies", "producing", "signals"), ("intake",), ("outbox", "sender"), ("bridges", "files", "hep")),
    "reports": (
        ("blobs", "ranges", "schedule"),
        ("definition", "rendering"),
        ("store", "types"),
        ("catalogue", "mail"),
        ("runs",),
        ("jobs",),
        ("once",),
    ),
    "worker": (("failpoints", "metrics"), ("core",), ("repair", "stream")),
    "query": (
        ("http", "local_time", "names", "report_models", "same_number", "stable_numbers"),
        ("access",),
        ("ingest", "questions"),
        ("erased_files", "prices"),
        ("commpeak", "ipcortex", "portsip", "ui", "v1", "yeastar"),  # no surface knows another
        ("routes",),
        ("app",),
        ("serve",),
    ),
}
LAYER = {part: number for number, parts in enumerate(LAYERS) for part in parts}
# What is computed here depends on arguments only: no Kafka, no ClickHouse, no HTTP; and what each may know of ours.
PURE = {
    "schemas": {"schemas"},
    "pipeline.calls": {"schemas", "pipeline.instants"},
    "pipeline.sources": {"schemas", "pipeline.errors", "pipeline.instants", "pipeline.calls"},
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
            module = node.module
            inner = (ROOT / module.replace(".", "/")).is_dir()  # what is imported from a folder is a module of it
            names = [f"{module}.{name.name}" if inner else module for name in node.names]
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


def room_of(module: str) -> str:
    """The folder, or the module beside folders, that a module of a part belongs to."""
    return [*module.split("."), "", ""][2]


@pytest.mark.parametrize("part", sorted(ROOMS))
def test_imports_within_a_part_run_downwards(part: str) -> None:
    level = {room: number for number, rooms in enumerate(ROOMS[part]) for room in rooms}
    wrong = []
    for file in FILES:
        room = room_of(module_of(file))
        if part_of(module_of(file)) != f"pipeline.{part}" or room == "__init__":
            continue
        if room not in level:
            wrong.append(f"{file.relative_to(ROOT)} has no place in ROOMS")
            continue
        for line, name in imports(file):
            other = room_of(name)
            if part_of(name) == f"pipeline.{part}" and other and other != room and level.get(other, -1) >= level[room]:
                wrong.append(f"{file.relative_to(ROOT)}:{line} imports {name}")
    assert not wrong, "\n".join(wrong)


def test_what_reads_pages_lies_above_single_rows() -> None:
    """`warehouse/query/pages` asks for many rows with the columns, conditions and clauses beside it."""
    folder = ROOT / "pipeline" / "warehouse" / "query"
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in folder.glob("*.py")
        for line, name in imports(file)
        if name.startswith("pipeline.warehouse.query.pages")
    ]
    assert not wrong, "\n".join(wrong)


IMPURE = {
    "open",
    "print",
    "input",
    "stdin",
    "stdout",
    "stderr",
    "read_bytes",
    "read_text",
    "write_text",
    "time_ns",
    "monotonic",
}
OWN_DATA = {"pipeline/calls/causes.py"}  # tables that lie beside the code


@pytest.mark.parametrize("part", sorted(PURE.keys() - {"schemas"}))
def test_pure_parts_read_no_file_and_no_clock(part: str) -> None:
    wrong = []
    for file in FILES:
        if part_of(module_of(file)) != part or str(file.relative_to(ROOT)) in OWN_DATA:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
            if name in IMPURE:
                wrong.append(f"{file.relative_to(ROOT)} uses {name}: {ast.unparse(node)}")
    assert not wrong, "\n".join(wrong)


def test_no_folder_is_too_full() -> None:
    """At most 16 modules a folder, `__init__` not counted: whoever opens one reads its list at a glance."""
    counts = Counter(file.parent for file in FILES if file.name != "__init__.py")
    assert {str(folder.relative_to(ROOT)): count for folder, count in counts.items() if count > 16} == {}


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
