"""Faults of workers: killed, frozen, joining and leaving, with wrong clocks; and a rebuild beside them."""

from __future__ import annotations

import random
import signal
import threading
import time
from pathlib import Path

from tests.forks import Forked, run_cdr
from tests.long.chaos.arena import Arena
from tests.worker.deployment import WorkerProcess

# Between every two steps of a batch.
STEPS = ("archive", "announce", "call_logs", "calls", "feed", "forward", "dead_letters", "raw_events")
FAKETIME = next((str(file) for file in Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), "")


def calm(arena: Arena) -> int:
    """No fault at all: what the suite itself gets right."""
    arena.begin()
    arena.working(arena.worker())
    while not arena.over:
        time.sleep(0.5)
    return 0


def kills(arena: Arena) -> int:
    """kill -9 of two workers, each again and again: half of the time at a forced point between two steps,
    half of it at any moment. Each comes back at once under its name, so that nobody waits for the group."""
    arena.begin()
    done = [0, 0]

    def again_and_again(number: int) -> None:
        chance = random.Random(f"{arena.load.seed}-{number}")
        while not arena.done(sum(done)):
            forced = (
                {"crash_after": f"{chance.choice(STEPS)}:{chance.randrange(1, 4)}"} if chance.random() < 0.5 else {}
            )
            worker = arena.worker(group_instance=f"w{number}", **forced)
            if forced:
                deadline = time.monotonic() + 5
                while worker.running and time.monotonic() < deadline:
                    time.sleep(0.05)
            elif arena.working(worker, seconds=15):
                time.sleep(chance.random())
            worker.kill()
            done[number] += 1

    together = [threading.Thread(target=again_and_again, args=(number,)) for number in range(2)]
    for each in together:
        each.start()
    for each in together:
        each.join()
    return sum(done)


def kills_among_three(arena: Arena) -> int:
    """kill -9 of one of three workers, again and again; static membership for some."""
    arena.begin()
    workers = [arena.worker(group_instance=f"w{n}" if n else "") for n in range(3)]
    done = 0
    while not arena.done(done):
        number = arena.chance.randrange(3)
        arena.working(workers[number])
        arena.pause(0, 3)
        workers[number].kill()
        done += 1
        arena.pause(0, 8)  # shorter or longer than the session time-out
        workers[number] = arena.worker(group_instance=f"w{number}" if number else "")
    return done


def freezes(arena: Arena) -> int:
    """SIGSTOP for longer than the session time-out, then SIGCONT: a zombie that writes late."""
    arena.begin()
    workers = [arena.worker() for _ in range(2)]
    done = 0
    while not arena.done(done):
        worker = arena.chance.choice(workers)
        arena.working(worker)
        arena.pause(0.2, 2)
        worker.signal(signal.SIGSTOP)
        arena.pause(7, 12)
        worker.signal(signal.SIGCONT)
        done += 1
        arena.pause(4, 8)
        workers = [each if each.running else arena.worker() for each in workers]
    return done


def come_and_go(arena: Arena) -> int:
    """Workers join and leave in good order and in bad, with and without static membership."""
    arena.begin()
    workers: list[WorkerProcess] = [arena.worker()]
    done = 0
    while not arena.over:
        if len(workers) < 3 and (len(workers) < 2 or arena.chance.random() < 0.5):
            static = arena.chance.random() < 0.5
            workers.append(arena.worker(group_instance=f"s{done}" if static else ""))
            arena.working(workers[-1], seconds=15)
        else:
            leaving = workers.pop(arena.chance.randrange(len(workers)))
            if arena.chance.random() < 0.7:
                leaving.stop()
            else:
                leaving.kill()
        done += 1
        arena.pause(1, 4)
    return done


def rebuilds(arena: Arena) -> int:
    """`cdr rebuild` of all there is while the worker works, killed again and again; it goes on where it was."""
    deployment = arena.begin()
    arena.working(arena.worker())
    done = 0
    while not arena.over:
        rebuild = Forked(["rebuild", *arena.period], env=deployment.environment)
        arena.pause(0.5, 4)
        done += rebuild.poll() is None
        rebuild.kill()
        rebuild.wait()
    whole = run_cdr("rebuild", *arena.period, env=deployment.environment)
    if whole.returncode != 0:
        arena.broken.append(f"cdr rebuild: {whole.stderr[-500:]!r}")
    return done


def clocks(arena: Arena) -> int:
    """Workers whose clocks are hours wrong take over from one another (needs libfaketime)."""
    arena.begin(group_instance="only")
    done = 0
    while not arena.over:
        hours = arena.chance.choice((-20, -3, -1, 1, 3, 20))
        worker = arena.worker(process={"LD_PRELOAD": FAKETIME, "FAKETIME": f"{hours:+d}h"})
        arena.working(worker)
        arena.pause(1, 4)
        worker.kill()
        done += 1
    return done
