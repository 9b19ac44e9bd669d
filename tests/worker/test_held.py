"""A worker held (SIGSTOP) at each step of a batch for longer than its session time-out, and let go on when another has
taken over: nothing lost, nothing doubled, no field wrong. As state machines: `core/test_machine.py`,
`core/test_two_owners.py`; for minutes: round `freezes` of the fault suite."""

from __future__ import annotations

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson
import pytest

from pipeline.sources import canonical
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment, WorkerProcess, wait_for
from tests.worker.phone_calls import JsonEvent, phone_calls
from tests.worker.test_joined_calls import transfers

STEPS = ("poll", "archive", "claim", "calls", "feed", "batch")
# When the one that was held goes on: before the new owner has begun, or once it has loaded, written, committed.
MOMENTS = ("alone", "loaded", "written", "committed")
SESSION_S = 6


def story(seed: int) -> list[JsonEvent]:
    """Calls and transfers, their events out of order: most lie under another key before all is known."""
    events = [each for call in phone_calls(60, seed) for each in call] + transfers(20, seed)
    random.Random(seed).shuffle(events)
    return events


def is_held(worker: WorkerProcess) -> bool:
    status = Path(f"/proc/{worker.pid}/stat").read_text()
    return status.rpartition(")")[2].split()[0] == "T"


def hold(deployment: Deployment, step: str, moment: str, seed: int) -> None:
    """Held in its second batch of news; a third of the events comes meanwhile."""
    events = story(seed)
    third = len(events) // 3
    deployment.produce(events[:third])
    first = deployment.worker(ready=False, crash_after=f"{step}:3:hold", batch_events=150)
    wait_for(lambda: is_held(first) or deployment.caught_up(), "first third")
    deployment.produce(events[third : 2 * third])
    wait_for(lambda: is_held(first) or deployment.caught_up(), "second third")
    deployment.produce(events[2 * third :])
    wait_for(lambda: is_held(first), lambda: f"held at {step}: {first.said[-1500:]}")
    if moment == "alone":
        time.sleep(SESSION_S + 1)
        first.signal(signal.SIGCONT)
    second = deployment.worker(ready=False)
    match moment:
        case "loaded":
            wait_for(lambda: "partitions loaded" in second.said, lambda: f"loaded: {second.said[-1500:]}")
        case "written":
            wait_for(lambda: second.metric("cdr_batches_total") >= 1, lambda: f"written: {second.said[-1500:]}")
        case "committed":
            wait_for(deployment.caught_up, lambda: f"committed: {second.said[-1500:]}")
    first.signal(signal.SIGCONT)
    for _ in range(3):
        deployment.wait_done()
    deployment.verify_joined(canonical.decode([orjson.dumps(each) for each in events]).events)


def made(deploy: Deploy, folder: Path, name: str) -> Deployment:
    deployment = deploy(partitions=2)
    deployment.folder = folder / name
    deployment.folder.mkdir()
    return deployment


def test_held_at_each_step(deploy: Deploy, tmp_path: Path) -> None:
    """All of them at once: what takes its time is that a session times out."""
    pairs = list(zip(STEPS, ("committed", "loaded", "committed", "written", "alone", "committed"), strict=True))
    deployments = [made(deploy, tmp_path, step) for step in STEPS]
    with ThreadPoolExecutor(len(pairs)) as pool:
        held = [
            pool.submit(hold, deployment, step, moment, seed)
            for seed, (deployment, (step, moment)) in enumerate(zip(deployments, pairs, strict=True))
        ]
        for each in held:
            each.result()


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("step", STEPS)
def test_held_at_any_step_until_any_moment(deploy: Deploy, tmp_path: Path, step: str, moment: str) -> None:
    hold(made(deploy, tmp_path, step), step, moment, STEPS.index(step) + 10)
