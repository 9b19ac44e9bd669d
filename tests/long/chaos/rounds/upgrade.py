"""Two versions of the worker side by side in one group, as while an upgrade goes from machine to machine."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.calls import fold
from tests.long.chaos.arena import Arena
from tests.long.chaos.results import ROOT
from tests.worker.deployment import Program

# A release that changes calls: the fold's generation grows.
_NEWER = "import pipeline.calls.fold as fold; fold.GENERATION += 1; from pipeline.cli import main; main()"


def upgrade(arena: Arena) -> int:
    """Workers of the version before and of the next one come, are killed and go in any order; the last ones are of the
    next. Then `cdr rebuild`, as a changelog asks for where calls change. The version before is the commit of
    `--older`, where one is given."""
    newer = Program((sys.executable, "-c", _NEWER, "worker"))
    programs = [_older(arena), newer]
    deployment = arena.begin()
    arena.cdr = partial(_run_newer, deployment.environment)
    workers = [arena.worker(program=programs[0]), arena.worker(program=programs[0])]
    done = 0
    while not arena.over:
        arena.working(workers[0])
        arena.pause(2, 6)
        leaving = workers.pop(arena.chance.randrange(2))
        if arena.chance.random() < 0.5:
            leaving.kill()
        else:
            leaving.stop()
        workers.append(arena.worker(program=arena.chance.choice(programs)))
        done += 1
    for worker in workers:
        worker.stop()
    worker = arena.worker(program=newer)
    arena.feeder.stop()
    deployment.wait_done()
    deployment.wait_done()  # what raw events and joined calls send on
    rebuild = arena.cdr("rebuild", *arena.period)
    if rebuild.returncode != 0:
        arena.broken.append(f"cdr rebuild: {rebuild.stderr[-500:]!r}")
    fold.GENERATION += 1  # the truth, too, is what the next version says
    arena.closing.callback(setattr, fold, "GENERATION", fold.GENERATION - 1)
    return done


def _run_newer(environment: dict[str, str], *arguments: str, **_: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", _NEWER, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, check=False)


def _older(arena: Arena) -> Program | None:
    """The version before, from a work tree of its own; None for today's program."""
    if not arena.older:
        return None
    tree = arena.folder / "older"
    git: list[str | Path] = ["git", "-C", ROOT, "worktree"]
    arena.folder.mkdir(parents=True, exist_ok=True)
    subprocess.run([*git, "add", "--detach", tree, arena.older], check=True, capture_output=True)
    arena.closing.callback(subprocess.run, [*git, "remove", "--force", tree], check=False, capture_output=True)
    return Program(folder=tree)
