"""The commands of the documentation, typed one after another at a running product.

A block is typed when the line before it is `<!-- run -->`; `<!-- run: words -->` says what it must
print, within half a minute, typed again until it does.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.forks import cdr

pytestmark = pytest.mark.embedded

ROOT = Path(__file__).parents[2]
RUN = re.compile(r"^<!-- run(?:: (.+?))? -->\n```sh\n(.*?)^```", re.M | re.S)
BLOCKS = [
    pytest.param(block, wanted, id=f"{page.name}-{number}")
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    for number, (wanted, block) in enumerate(RUN.findall(page.read_text(encoding="utf-8")), 1)
]
PATIENCE_S = 300.0


def _status(folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    said = cdr("status", "--output", "json", cwd=folder, env=environment)
    found: dict[str, Any] = json.loads(said.stdout) if said.stdout.strip() else {}
    return found


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str], str]]:
    """A folder in which the product runs, the environment of a user there, and the address of the query service."""
    folder = tmp_path_factory.mktemp("product")
    (folder / "bin").mkdir()
    command = folder / "bin" / "cdr"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pipeline.cli "$@"\n')
    command.chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CDR_")}
    environment |= {"PATH": f"{folder / 'bin'}:{environment['PATH']}", "PYTHONPATH": str(ROOT)}
    messages = folder / "messages"
    with messages.open("w") as said:
        product = subprocess.Popen(
            ["cdr", "run", "--ports", "auto", "--no-traffic"], cwd=folder, env=environment, stdout=said, stderr=said
        )
    try:
        until = time.monotonic() + PATIENCE_S
        while not (found := _status(folder, environment)).get("healthy"):
            assert product.poll() is None and time.monotonic() < until, messages.read_text()
            time.sleep(0.5)
        environment["TOKEN"] = found["token"]
        yield folder, environment, found["urls"]["api"]
    finally:
        product.send_signal(signal.SIGTERM)
        product.wait(20)


@pytest.mark.parametrize(("block", "wanted"), BLOCKS)
def test_the_block_does_what_the_page_says(shell: tuple[Path, dict[str, str], str], block: str, wanted: str) -> None:
    folder, environment, api = shell
    typed = block.replace("http://127.0.0.1:8000", api).replace("$PWD/.venv/bin", str(folder / "bin"))
    until = time.monotonic() + PATIENCE_S / 2
    while True:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", typed],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == 0, f"{typed}\n{done.stdout}\n{done.stderr}"
        if wanted in done.stdout:
            return
        assert time.monotonic() < until, f"{typed}\n{done.stdout}\n{done.stderr}"
        time.sleep(0.5)


def test_some_blocks_are_typed() -> None:
    assert len(BLOCKS) >= 5
