"""Where a running worker's CPU goes, sampled from outside by py-spy."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

from bench.stage import ROOT, say

# The innermost frame that one of these matches says what a sample was spent on.
STEPS: tuple[tuple[str, str], ...] = (
    ("decode JSON into events", r"sources/(canonical|json_record|sip/tcp|sip/frames)\.py"),
    ("fold events into calls", r"pipeline/calls/"),
    ("rows of calls and logs", r"warehouse/storage/rows\.py"),
    ("call documents", r"schemas/call\.py"),
    ("read: match events to calls, archive lines", r"worker/core/(batch|open_calls)\.py"),
    ("folding: supersede, JSON of the feed", r"worker/core/folding\.py"),
    ("insert: encode and send to ClickHouse", r"storage/writer\.py|clickhouse_connect/|urllib3/|http/client\.py"),
    ("publish the change feed", r"worker/core/publisher\.py|aiokafka/producer/"),
    ("fetch from Kafka", r"aiokafka/(consumer|record)/"),
    ("Kafka connections, shared", r"aiokafka/"),
    ("worker's loop", r"pipeline/worker/"),
    ("event loops, sockets (uvloop)", r"mode/(threads|worker)\.py"),
    ("Faust", r"faust/|mode/"),
)


def find_pyspy() -> str | None:
    """The py-spy program, if there is one."""
    own = ROOT / ".cache" / "bench" / "bin" / "py-spy"
    return str(own) if own.exists() else shutil.which("py-spy")


class Sampling:
    """Samples a process until `stop`."""

    def __init__(self, pid: int, stacks: Path) -> None:
        program = find_pyspy()
        self.stacks = stacks
        stacks.parent.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        if program is None:
            say("no profile: py-spy is not there (pip install -r bench/requirements.txt)")
            return
        command = [program, "record", "--pid", str(pid), "--format", "raw", "--rate", "100", "--nonblocking"]
        self._process = subprocess.Popen(
            [*command, "--full-filenames", "--output", str(self.stacks)],
            stdout=subprocess.DEVNULL,
            stderr=stacks.with_suffix(".log").open("wb"),
            start_new_session=True,
        )

    def stop(self) -> dict[str, float]:
        """The share of samples each step had, largest first; empty when there was no profile."""
        if self._process is None:
            return {}
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGINT)  # as Ctrl-C: it writes what it has
        self._process.wait(30)
        if not self.stacks.exists():
            log = self.stacks.with_suffix(".log").read_text(errors="replace").strip()
            say(f"no profile: {log.splitlines()[-1] if log else 'py-spy wrote nothing'}")
            return {}
        return shares(self.stacks.read_text().splitlines())


def shares(stacks: list[str]) -> dict[str, float]:
    """Shares of samples by step, from lines of `frame;frame;frame count`."""
    found: Counter[str] = Counter()
    for line in stacks:
        frames, _, count = line.rpartition(" ")
        found[_step(frames.split(";"))] += int(count)
    total = sum(found.values()) or 1
    return {step: number / total for step, number in found.most_common()}


def _step(frames: list[str]) -> str:
    for frame in reversed(frames):
        for step, pattern in STEPS:
            if re.search(pattern, frame):
                return step
    return "everything else"
