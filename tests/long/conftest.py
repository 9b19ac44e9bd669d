"""Tests that take many minutes: collected only when they are asked for by their path."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Nothing here belongs to a plain `pytest`."""
    asked = any("long" in Path(argument.partition("::")[0]).parts for argument in config.args)
    return None if asked else True
