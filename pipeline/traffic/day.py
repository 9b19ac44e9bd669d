"""Calls of a simulated company: a whole day, a scenario over and over, or live, as time passes.

All of it is a function of the seed and of times given: the same call has the same events, ids
included, so producing it twice changes nothing.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from pipeline.errors import USAGE, Problem
from pipeline.instants import DAY_MS
from pipeline.traffic.company import Outside
from pipeline.traffic.scenarios import SCENARIOS, WEIGHTS
from pipeline.traffic.scene import Scene
from schemas.event import Event

DAY: Final = "day"
CALLS_A_DAY: Final = 600

# Share of the day's calls in each hour, UTC: office hours with a dip at lunch.
HOURS: Final = (0.2, 0.1, 0.1, 0.1, 0.1, 0.2, 0.5, 2, 8, 13, 14, 12, 7, 8, 12, 11, 8, 4, 1.5, 0.8, 0.5, 0.4, 0.3, 0.2)

# Live, at most about so many calls are open at once: there are twenty phones.
OPEN_AT_ONCE: Final = 12
MEAN_CALL_S: Final = 130

Call = list[Event]
EMPTY: Final = Event("ended", 0, "-", q850_cause=41, hung_up_by="system", reason="")


def call(
    seed: int, number: int, start: int, scenario: str = DAY, *, tenant: str = "default", pace: float = 1.0
) -> Call:
    """The events of one call. `scenario` DAY draws one as the company's day has them."""
    rng = random.Random(f"{seed}-{start}-{number}")
    if scenario == DAY:
        scenario = rng.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))[0]
    if scenario not in SCENARIOS:
        raise Problem(f"There is no scenario {scenario!r}.", hint=f"Known: {DAY}, {', '.join(SCENARIOS)}.", code=USAGE)
    outside = Outside.of(random.Random(seed))
    outside.recent = [outside.caller(rng) for _ in range(3)]
    scene = Scene(f"sim-{seed}-{start}-{number}", start, rng, outside, tenant, pace)
    SCENARIOS[scenario](scene)
    scene.events.sort(key=lambda event: (event.at, event.seq))
    return scene.events


def day(seed: int, midnight: int, calls: int | None = None, *, tenant: str = "default") -> list[Call]:
    """All calls of the day that begins at `midnight` (ms), by start; without `calls`, as many as such a day has."""
    rng = random.Random(f"{seed}-{midnight}")
    weekend = dt.datetime.fromtimestamp(midnight / 1000, dt.UTC).weekday() >= 5
    number = calls if calls is not None else CALLS_A_DAY // 10 if weekend else CALLS_A_DAY
    hours = rng.choices(range(24), HOURS, k=number)
    starts = sorted(midnight + hour * 3_600_000 + rng.randrange(3_600_000) for hour in hours)
    return [call(seed, position, start, tenant=tenant) for position, start in enumerate(starts)]


def before(seed: int, now: int, *, tenant: str = "default") -> Iterator[Event]:
    """The last 24 hours: events of calls that are over by `now`, in order."""
    midnight = now - now % DAY_MS
    calls = day(seed, midnight - DAY_MS, tenant=tenant) + day(seed, midnight, tenant=tenant)
    past = [one for one in calls if one[-1].at < now and one[0].at >= now - DAY_MS]
    yield from sorted((event for one in past for event in one), key=lambda event: (event.at, event.call_id, event.seq))


def shut_down(last: Iterable[Event], now: int) -> Iterator[Event]:
    """The PBX ends: every leg that lives is hung up. `last` is the newest event of each of them."""
    for event in last:
        yield msgspec.structs.replace(
            EMPTY,
            at=now,
            call_id=event.call_id,
            leg_id=event.leg_id,
            tenant=event.tenant,
            node=event.node,
            seq=1000,
            event_id=f"{event.leg_id}-shutdown",
        )


def series(
    seed: int, start: int, rate: float, scenario: str = DAY, calls: int | None = None, *, tenant: str = "default"
) -> Iterator[Call]:
    """Calls one after another from `start` (ms), at `rate` a second on average; endless without `calls`."""
    rng = random.Random(f"{seed}-{start}-{rate}")
    pace = min(1.0, OPEN_AT_ONCE / (rate * MEAN_CALL_S))
    at = float(start)
    number = 0
    while calls is None or number < calls:
        yield call(seed, number, int(at), scenario, tenant=tenant, pace=pace)
        at += rng.expovariate(rate) * 1000
        number += 1
