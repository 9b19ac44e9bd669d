"""Programs as children of this process: what they said last, and that they end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.embedded import process
from pipeline.errors import Problem


def test_program_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    child = process.start("part", [sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path / "log")
    with pytest.raises(Problem, match="part ended: no such thing"):
        process.wait_until(child, lambda: False)
    child.kill()


def test_children_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from pipeline.embedded.process import start\n"
        f"print(start('x', ['sleep', '600'], Path({str(tmp_path / 'log')!r})).pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    while Path(f"/proc/{child}").exists() and b"sleep" not in Path(f"/proc/{child}/cmdline").read_bytes():
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _alive(child):
        time.sleep(0.05)
    alive = _alive(child)
    if alive:
        os.kill(child, signal.SIGKILL)
    assert not alive


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
