"""How legs end: who hangs up, who is left alone, and what their applications do then."""

from __future__ import annotations

from tests.pbx.asterisk import queue
from tests.pbx.asterisk.channel import UP, Channel
from tests.pbx.asterisk.pbx import INTERWORKING, NORMAL_CLEARING
from tests.pbx.asterisk.scene import Scene


def bye(scene: Scene, channel: Channel) -> None:
    """A phone or a carrier ends its leg."""
    pbx = scene.pbx
    bridge = channel.bridge
    channel.source = channel.name
    if bridge is None:
        _leaves_application(scene, channel)
        return
    channel.cause = NORMAL_CLEARING
    for each in bridge.inside:
        each.source = channel.name
    pbx.requested(channel)
    pbx.leaves(channel)
    rest = list(bridge.inside)
    queue.completes(scene, channel)
    if bridge.kind == "basic":  # dissolved when anybody hangs up (ast_bridge_basic_new)
        for each in rest:
            left_alone(scene, each)
    pbx.hangs_up(channel)


def left_alone(scene: Scene, channel: Channel) -> None:
    """Whom a bridge is dissolved around: an outgoing channel ends; a caller goes on behind Dial, or ends."""
    pbx = scene.pbx
    pbx.leaves(channel)
    queue.completes(scene, channel)
    if channel in scene.going_on:
        channel.source = ""
        return
    pair = channel.pair
    pbx.hangs_up(channel, NORMAL_CLEARING)
    if pair is not None and not pair.gone:
        pair.source = channel.source
        bridge = pbx.leaves(pair)
        if bridge is not None and len(bridge.inside) == 1:
            bridge.inside[0].source = channel.source
            left_alone(scene, bridge.inside[0])
        scene.dialler.abandons(pair, "CANCEL", NORMAL_CLEARING)
        pbx.hangs_up(pair, NORMAL_CLEARING)


def _leaves_application(scene: Scene, channel: Channel) -> None:
    """Who hangs up while an application has the channel: BYE if it was answered, else CANCEL (SIP 487 is cause 127)."""
    pbx = scene.pbx
    channel.cause = 0 if channel.state == UP else INTERWORKING
    pbx.requested(channel)
    if channel in scene.queues:
        queue.abandoned(scene, channel)
    else:
        scene.dialler.abandons(channel, "CANCEL", channel.cause)
    pair = channel.pair
    pbx.hangs_up(channel)
    if pair is not None and not pair.gone:
        pbx.hangs_up(pair, NORMAL_CLEARING, "")
