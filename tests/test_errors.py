"""Every error of the product has its place in the tree that `pipeline.errors` draws."""

from __future__ import annotations

import ast
import re
from importlib import import_module
from pathlib import Path

import pytest

from pipeline import errors

ROOT = Path(__file__).resolve().parents[1]
TREE = re.findall(r"^([│├└─ ]*)(\w+)", (errors.__doc__ or "").partition("\n\n")[2], re.M)


def parents() -> dict[str, str]:
    """Each error of the drawing with the one it hangs from."""
    found: dict[str, str] = {}
    path: list[str] = []
    for branch, name in TREE:
        depth = len(branch) // 4
        path[depth:] = [name]
        found[name] = path[depth - 1] if depth else ""
    return found


def defined() -> list[tuple[str, str]]:
    """Module and name of each exception class of the program, but for private ones."""
    found = []
    for file in sorted((ROOT / "pipeline").rglob("*.py")):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.ClassDef) or node.name.startswith("_"):
                continue
            bases = [ast.unparse(base).rpartition(".")[2] for base in node.bases]
            # what derives from BaseException alone is no error, but a way out
            if any(base in parents() or base == "Exception" or base.endswith("Error") for base in bases):
                found.append((module, node.name))
    return found


def test_the_drawing_has_every_error_once() -> None:
    names = [name for _, name in defined()]
    assert sorted(names) == sorted(parents())


@pytest.mark.parametrize(("module", "name"), [pair for pair in defined() if pair[1] != "CdrError"])
def test_an_error_hangs_where_it_is_drawn(module: str, name: str) -> None:
    class_ = getattr(import_module(module), name)
    assert class_.__mro__[1].__name__ == parents()[name]
    assert issubclass(class_, errors.CdrError)
    assert class_.__doc__
