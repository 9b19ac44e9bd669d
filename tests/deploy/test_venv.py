"""`.ci/venv` where Debian's Python has no `ensurepip`: the word comes first, and nothing half-made stays behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "venv"

# A Python that is new enough; what it cannot import stands in WITHOUT. `-m venv` leaves a half environment and fails.
PYTHON = """#!/bin/bash
case "$*" in
  *ensurepip*) [ -z "${WITHOUT:-}" ] ;;
  *"-m venv"*) mkdir -p "${@: -1}/bin"; touch "${@: -1}/bin/python"; exit 1 ;;
esac
"""


def run(tmp_path: Path, **env: str) -> subprocess.CompletedProcess[str]:
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    (tmp_path / "bin").mkdir()
    for name in ("bash", "mkdir", "touch", "rm", "id"):  # and no apt-get
        (tmp_path / "bin" / name).symlink_to(shutil.which(name) or name)
    return subprocess.run(
        ["/bin/bash", str(SCRIPT), str(tmp_path / "made")],
        env={"PATH": str(tmp_path / "bin"), "PYTHON": str(python), **env},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_missing_package_is_named_and_nothing_is_made(tmp_path: Path) -> None:
    done = run(tmp_path, WITHOUT="ensurepip")
    assert done.returncode == 3
    assert "apt-get install python3-venv" in done.stderr
    assert not (tmp_path / "made").exists()


def test_a_half_made_environment_is_removed(tmp_path: Path) -> None:
    done = run(tmp_path)
    assert done.returncode == 3
    assert "made no virtual environment" in done.stderr
    assert not (tmp_path / "made").exists(), "the next make would take it for a whole one"


def test_an_environment_is_made_anew_over_what_is_left_of_one(tmp_path: Path) -> None:
    made = tmp_path / "made"
    (made / "bin").mkdir(parents=True)
    (made / "bin" / "python").symlink_to(sys.executable)
    subprocess.run([str(SCRIPT), str(made)], env={**os.environ, "PYTHON": sys.executable}, check=True, timeout=300)
    assert list((made / "lib").glob("python*/site-packages/pip")), "it has pip"
