"""Queue: who waits, whom it rings, how it ends (apps/app_queue.c)."""

from __future__ import annotations

from tests.pbx.asterisk import manager
from tests.pbx.asterisk.channel import Channel
from tests.pbx.asterisk.pbx import Pbx
from tests.pbx.asterisk.scene import Scene


def told(pbx: Pbx, name: str, caller: Channel, agent: Channel, queue: str, **further: str) -> None:
    """An event of an agent."""
    interface = agent.name.rpartition("-")[0] or agent.name
    parts = manager.snapshot(caller), manager.snapshot(agent, "Dest")
    pbx.event(name, *parts, Queue=queue, Interface=interface, MemberName=f"Agent {agent.number}", **further)


def joins(scene: Scene, caller: Channel, queue: str, wait_s: int = 300) -> None:
    pbx = scene.pbx
    pbx.runs(caller, "Queue", f"{queue},tT,,,{wait_s}")
    scene.queues[caller] = queue
    pbx.event("QueueCallerJoin", manager.snapshot(caller), Queue=queue, Position="1", Count="1")


def offers(scene: Scene, caller: Channel, number: str, *, through: bool) -> Channel:
    """The queue rings an agent; with `through` by a Local channel. Returns the phone's channel."""
    pbx, dialler, queue = scene.pbx, scene.dialler, scene.queues[caller]
    if through:
        near = dialler.local(caller, number, "AppQueue")
        told(pbx, "AgentCalled", caller, near, queue)
        far = near.pair
        assert far is not None
        pbx.runs(far, "Dial", dialler.string(number, "", through=False))
        return dialler.outgoing(far, number, "", "AppDial")
    agent = dialler.outgoing(caller, number, "", "AppQueue")
    told(pbx, "AgentCalled", caller, agent, queue)
    return agent


def withdraws(scene: Scene, caller: Channel) -> None:
    """Nobody answered: the agents stop ringing, the caller waits on."""
    queue = scene.queues[caller]
    for agent in list(caller.dialled):
        scene.dialler.ends(agent, "NOANSWER")
        told(scene.pbx, "AgentRingNoAnswer", caller, agent, queue, RingTime="15000")
        scene.dialler.drops(agent, 0)


def connected(scene: Scene, agent: Channel) -> None:
    """An agent answered and gets the caller."""
    caller = agent.dialled_by
    assert caller is not None
    queue = scene.queues.pop(caller)
    scene.served[agent] = queue, caller
    scene.dialler.won(agent)
    left(scene, caller, queue)
    told(scene.pbx, "AgentConnect", caller, agent, queue, RingTime="4", HoldTime="4")
    scene.pbx.answers(caller)
    bridge = scene.pbx.bridge()
    scene.pbx.enters(agent, bridge)
    scene.pbx.enters(caller, bridge)


def left(scene: Scene, caller: Channel, queue: str) -> None:
    scene.pbx.event("QueueCallerLeave", manager.snapshot(caller), Queue=queue, Position="1", Count="0")


def abandoned(scene: Scene, caller: Channel) -> None:
    """The caller gave up."""
    queue = scene.queues.pop(caller)
    scene.dialler.abandons(caller, "CANCEL", 0)
    further = {"Queue": queue, "Position": "1", "OriginalPosition": "1", "HoldTime": "7"}
    scene.pbx.event("QueueCallerAbandon", manager.snapshot(caller), **further)
    left(scene, caller, queue)


def over(scene: Scene, caller: Channel) -> None:
    """The queue's time is over, or the caller pressed the exit key."""
    withdraws(scene, caller)
    left(scene, caller, scene.queues.pop(caller))


def completes(scene: Scene, agent: Channel) -> None:
    """The end of an agent's talk, if the channel is an agent's."""
    served = scene.served.pop(agent, None)
    if served is not None:
        told(scene.pbx, "AgentComplete", served[1], agent, served[0], HoldTime="0", TalkTime="0", Reason="agent")
