"""What calls do: each scenario writes one call into a scene."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipeline.traffic.company import CONFERENCE, EXTENSIONS, MENU, QUEUE, QUEUE_NAME, RING_GROUP, SALES, SUPPORT, TRUNKS
from pipeline.traffic.company import extension as party
from pipeline.traffic.scene import (
    BUSY,
    NO_ANSWER,
    NO_ROUTE,
    NORMAL,
    REJECTED,
    SIP_BUSY,
    SIP_CANCELLED,
    SIP_DECLINED,
    SIP_NO_ANSWER,
    SIP_NO_ROUTE,
    Scene,
)
from schemas.event import Party

RING_LIMIT = (20, 25)


def answered(scene: Scene) -> None:
    """Somebody calls a phone, which answers: from outside, between extensions, or to the outside."""
    kind = scene.rng.choices(("in", "inside", "out"), (5, 3, 4))[0]
    one, other = scene.rng.sample(EXTENSIONS, 2)
    if kind == "out":
        number = Party(number=scene.rng.choice(scene.outside.regulars))
        scene.from_extension(one, number, outside=True)
        trunk = scene.rng.choice(TRUNKS)
        begin = scene.start + 150
        leg = {"role": "target", "kind": "outside", "direction": "outbound", "trunk": trunk}
        scene.at(begin, "b", "started", callee=number, peer_leg_id=scene.leg_id("a"), **leg)
        scene.at(begin + 600, "b", "progress")
        rings = begin + 1500
        scene.at(rings, "b", "rang")
    else:
        if kind == "in":
            scene.from_outside(other)
        else:
            scene.from_extension(one, party(other))
        rings = scene.try_phone(scene.start + 80, "b", other)
    at = rings + scene.seconds(2, 14)
    scene.answer(at, "b")
    _finish(scene, at, "b")


def _finish(scene: Scene, at: int, leg: str, low: float = 15, high: float = 420) -> None:
    """Talk, be measured, hang up."""
    end = at + scene.seconds(low, high)
    mos = round(scene.rng.triangular(3.1, 4.4, 4.3), 2)
    scene.at(end - 50, "a", "quality", quality={"mos": mos, "jitter_ms": round(scene.rng.expovariate(0.4), 1)})
    scene.hang_up(end, leg)


def busy(scene: Scene) -> None:
    """The phone is busy."""
    target = scene.rng.choice(EXTENSIONS)
    scene.from_outside(target)
    begin = scene.start + 80
    leg = {"role": "target", "kind": "extension"}
    scene.at(begin, "b", "started", callee=party(target), peer_leg_id=scene.leg_id("a"), **leg)
    scene.unanswered(begin + 120, "b", BUSY, SIP_BUSY)
    scene.unanswered(begin + 150, "a", BUSY, SIP_BUSY)


def no_answer(scene: Scene) -> None:
    """Nobody answers until the PBX gives up."""
    target = scene.rng.choice(EXTENSIONS)
    scene.from_outside(target)
    end = scene.try_phone(scene.start + 80, "b", target) + scene.seconds(*RING_LIMIT)
    scene.unanswered(end, "b", NO_ANSWER, SIP_NO_ANSWER)
    scene.unanswered(end + 20, "a", NO_ANSWER, SIP_NO_ANSWER)


def cancelled(scene: Scene) -> None:
    """The caller gives up while it rings."""
    target = scene.rng.choice(EXTENSIONS)
    scene.from_outside(target)
    end = scene.try_phone(scene.start + 80, "b", target) + scene.seconds(3, 18)
    scene.at(end, "a", "ended", q850_cause=NORMAL, sip_status=SIP_CANCELLED, hung_up_by="party")
    scene.at(end + 20, "b", "ended", q850_cause=NORMAL, sip_status=SIP_CANCELLED, hung_up_by="peer")


def rejected(scene: Scene) -> None:
    """The callee presses reject."""
    caller, target = scene.rng.sample(EXTENSIONS, 2)
    scene.from_extension(caller, party(target))
    end = scene.try_phone(scene.start + 80, "b", target) + scene.seconds(1, 6)
    scene.at(end, "b", "ended", q850_cause=REJECTED, sip_status=SIP_DECLINED, hung_up_by="party")
    scene.at(end + 20, "a", "ended", q850_cause=REJECTED, sip_status=SIP_DECLINED, hung_up_by="peer")


def failed(scene: Scene) -> None:
    """A number that no route leads to."""
    number = Party(number="+44163296" + str(scene.rng.randrange(10)))
    scene.from_extension(scene.rng.choice(EXTENSIONS), number, outside=True)
    begin = scene.start + 150
    leg = {"role": "target", "kind": "outside", "trunk": TRUNKS[0]}
    scene.at(begin, "b", "started", callee=number, peer_leg_id=scene.leg_id("a"), **leg)
    scene.unanswered(begin + 300, "b", NO_ROUTE, SIP_NO_ROUTE)
    scene.unanswered(begin + 320, "a", NO_ROUTE, SIP_NO_ROUTE)


def forward(scene: Scene) -> None:
    """The phone is not answered and forwards to a colleague, who answers."""
    first, second = scene.rng.sample(EXTENSIONS, 2)
    scene.from_outside(first)
    moved = scene.try_phone(scene.start + 80, "b", first) + scene.seconds(12, 18)
    scene.unanswered(moved, "b", NO_ANSWER, SIP_NO_ANSWER)
    scene.at(moved + 10, "a", "rerouted", reason="forward_no_answer", from_=first, to=second, by=first)
    at = scene.try_phone(moved + 60, "c", second) + scene.seconds(2, 10)
    scene.answer(at, "c")
    _finish(scene, at, "c")


def voicemail(scene: Scene) -> None:
    """The phone is not answered and the caller leaves a message."""
    target = scene.rng.choice(EXTENSIONS)
    scene.from_outside(target)
    moved = scene.try_phone(scene.start + 80, "b", target) + scene.seconds(15, 20)
    scene.unanswered(moved, "b", NO_ANSWER, SIP_NO_ANSWER)
    box = f"vm:{target}"
    scene.at(moved + 10, "a", "rerouted", reason="forward_no_answer", from_=target, to=box, by=target)
    scene.at(moved + 50, "a", "voicemail", to=target)
    scene.at(moved + 60, "a", "answered", answered_by="pbx")
    end = moved + scene.seconds(8, 50)
    scene.at(end, "a", "ended", q850_cause=NORMAL, hung_up_by="party")


def ring_group(scene: Scene) -> None:
    """All of sales ring; the first to answer has the call."""
    scene.from_outside(RING_GROUP)
    winner = scene.rng.choice(SALES)
    rings = [scene.try_phone(scene.start + 80, f"b{n}", n, kind="ring_group_member") for n in SALES]
    at = max(rings) + scene.seconds(2, 12)
    for number in SALES:
        if number != winner:
            end = {"q850_cause": 26, "sip_status": SIP_CANCELLED, "cause": "LOSE_RACE", "hung_up_by": "system"}
            scene.at(at + 30, f"b{number}", "ended", **end)
    scene.answer(at, f"b{winner}")
    _finish(scene, at, f"b{winner}")


def _join_queue(scene: Scene) -> int:
    scene.from_outside(QUEUE)
    joined = scene.start + 200
    scene.at(joined, "a", "answered", answered_by="pbx")
    scene.at(joined + 10, "a", "queue_joined", queue=QUEUE_NAME, to=QUEUE)
    return joined


def queue(scene: Scene) -> None:
    """The caller waits for support; one agent may miss the call before another takes it."""
    at = _join_queue(scene) + scene.seconds(2, 60)
    agents = scene.rng.sample(SUPPORT, 2)
    if scene.rng.random() < 0.3:
        missed = agents.pop(0)
        scene.at(at, f"b{missed}", "queue_agent_rang", queue=QUEUE_NAME, agent=missed)
        at = scene.try_phone(at + 10, f"b{missed}", missed, kind="queue_agent") + scene.seconds(12, 15)
        scene.unanswered(at, f"b{missed}", NO_ANSWER, SIP_NO_ANSWER)
        at += 500
    agent = agents[0]
    scene.at(at, f"b{agent}", "queue_agent_rang", queue=QUEUE_NAME, agent=agent)
    at = scene.try_phone(at + 10, f"b{agent}", agent, kind="queue_agent") + scene.seconds(2, 8)
    scene.answer(at, f"b{agent}")
    scene.at(at + 50, "a", "queue_left", queue=QUEUE_NAME, reason="answered", agent=agent)
    _finish(scene, at, f"b{agent}", 60, 600)


def queue_abandoned(scene: Scene) -> None:
    """The caller hangs up before an agent is free."""
    end = _join_queue(scene) + scene.seconds(20, 150)
    scene.at(end, "a", "queue_left", queue=QUEUE_NAME, reason="abandoned")
    scene.at(end + 10, "a", "ended", q850_cause=NORMAL, hung_up_by="party")


def transfer(scene: Scene) -> None:
    """The callee hands the caller over without announcing it."""
    first, second = scene.rng.sample(EXTENSIONS, 2)
    scene.from_outside(first)
    at = scene.try_phone(scene.start + 80, "b", first) + scene.seconds(2, 10)
    scene.answer(at, "b")
    moved = at + scene.seconds(10, 60)
    joined = {"transferee_leg_id": scene.leg_id("a"), "from_": first, "to": second, "by": first}
    scene.at(moved, "b", "transferred", reason="blind_transfer", **joined)
    scene.at(moved + 10, "a", "unbridged", peer_leg_id=scene.leg_id("b"))
    scene.at(moved + 20, "b", "ended", q850_cause=NORMAL, hung_up_by="party")
    at = scene.try_phone(moved + 60, "c", second) + scene.seconds(2, 10)
    scene.answer(at, "c")
    _finish(scene, at, "c")


def attended_transfer(scene: Scene) -> None:
    """The callee asks a colleague first, then hands the caller over."""
    first, second = scene.rng.sample(EXTENSIONS, 2)
    scene.from_outside(first)
    at = scene.try_phone(scene.start + 80, "b", first) + scene.seconds(2, 10)
    scene.answer(at, "b")
    asked = at + scene.seconds(10, 60)
    scene.at(asked, "a", "held")
    scene.at(asked + 50, "b2", "started", role="caller", caller=party(first), callee=party(second))
    at = scene.try_phone(asked + 100, "c", second, peer="b2") + scene.seconds(2, 8)
    scene.at(at, "c", "answered", answered_by="party")
    scene.at(at + 20, "b2", "answered", answered_by="party")
    scene.at(at + 40, "b2", "bridged", peer_leg_id=scene.leg_id("c"))
    moved = at + scene.seconds(4, 30)
    scene.at(
        moved,
        "b",
        "transferred",
        reason="attended_transfer",
        second_leg_id=scene.leg_id("b2"),
        transferee_leg_id=scene.leg_id("a"),
        target_leg_id=scene.leg_id("c"),
        from_=first,
        to=second,
        by=first,
    )
    scene.at(moved + 10, "a", "resumed")
    scene.at(moved + 15, "b2", "unbridged", peer_leg_id=scene.leg_id("c"))
    scene.at(moved + 20, "a", "bridged", peer_leg_id=scene.leg_id("c"))
    scene.at(moved + 30, "b", "ended", q850_cause=NORMAL, hung_up_by="party")
    scene.at(moved + 30, "b2", "ended", q850_cause=NORMAL, hung_up_by="party")
    _finish(scene, moved, "c")


def ivr(scene: Scene) -> None:
    """A menu answers; most callers choose a person, some hang up in it."""
    scene.from_outside(MENU, kind="ivr")
    answered_at = scene.start + 300
    scene.at(answered_at, "a", "answered", answered_by="pbx")
    chosen = answered_at + scene.seconds(4, 30)
    if scene.rng.random() < 0.3:
        scene.at(chosen, "a", "ended", q850_cause=NORMAL, hung_up_by="party")
        return
    target = scene.rng.choice(EXTENSIONS)
    scene.at(chosen, "a", "rerouted", reason="redirect", from_=MENU, to=target, by=MENU)
    at = scene.try_phone(chosen + 60, "b", target) + scene.seconds(2, 10)
    scene.answer(at, "b")
    _finish(scene, at, "b")


def hold(scene: Scene) -> None:
    """The callee looks something up while the caller hears music."""
    target = scene.rng.choice(EXTENSIONS)
    scene.from_outside(target)
    at = scene.try_phone(scene.start + 80, "b", target) + scene.seconds(2, 10)
    scene.answer(at, "b")
    held = at + scene.seconds(10, 60)
    scene.at(held, "a", "held")
    resumed = held + scene.seconds(5, 60)
    scene.at(resumed, "a", "resumed")
    _finish(scene, resumed, "b")


def conference(scene: Scene) -> None:
    """An extension dials into the conference room."""
    scene.from_extension(scene.rng.choice(EXTENSIONS), Party(number=CONFERENCE))
    joined = scene.start + 200
    scene.at(joined, "a", "answered", answered_by="pbx")
    scene.at(joined + 10, "a", "conference_joined", conference=CONFERENCE)
    end = joined + scene.seconds(120, 1800)
    scene.at(end, "a", "conference_left", conference=CONFERENCE)
    scene.at(end + 10, "a", "ended", q850_cause=NORMAL, hung_up_by="party")


Scenario = Callable[[Scene], None]

SCENARIOS: Final[dict[str, Scenario]] = {
    scenario.__name__: scenario
    for scenario in (
        *(answered, busy, no_answer, cancelled, rejected, forward, voicemail, ring_group, queue, queue_abandoned),
        *(transfer, attended_transfer, ivr, hold, conference, failed),
    )
}

# How often each happens in a day of the company, in a hundred calls.
WEIGHTS: Final[dict[str, float]] = {
    "answered": 42,
    "queue": 14,
    "ring_group": 8,
    "cancelled": 6,
    "voicemail": 5,
    "no_answer": 4,
    "ivr": 4,
    "busy": 3,
    "hold": 3,
    "queue_abandoned": 3,
    "transfer": 2,
    "attended_transfer": 2,
    "forward": 1.5,
    "rejected": 1,
    "conference": 1,
    "failed": 0.5,
}
