"""Plays a story on the switch: what each step of it makes FreeSWITCH do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.pbx.freeswitch.channel import PBX, Channel
from tests.pbx.freeswitch.switch import CAUSES, Switch
from tests.pbx.story import Step, Story

_CAUSES: Final = {
    "busy": "USER_BUSY",
    "rejected": "CALL_REJECTED",
    "congested": "NORMAL_TEMPORARY_FAILURE",
    "unknown_number": "UNALLOCATED_NUMBER",
    "unavailable": "USER_NOT_REGISTERED",
}
_SOUNDS: Final = {
    "greeting": ("playback", "welcome.wav"),
    "announcement": ("playback", "closed.wav"),
    "echo": ("echo", ""),
    "mailbox": ("voicemail", f"check default {PBX} 1001"),
    "spy": ("eavesdrop", "1002"),
    "music": ("playback", "local_stream://moh"),
    "directory": ("playback", "directory.wav"),
    "time": ("playback", "time.wav"),
    "fax": ("rxfax", "/var/spool/fax/in.tif"),
    "blocked": ("playback", "tone_stream://%(330,15,950)"),
}


@dataclass
class Scene:
    """A story while it is played. `waiting`: who is in which queue; `screened`: legs that must accept first."""

    switch: Switch = field(default_factory=Switch)
    devices: Mapping[str, str] = field(default_factory=dict)
    waiting: dict[Channel, str] = field(default_factory=dict)
    screened: set[Channel] = field(default_factory=set)
    going_on: set[Channel] = field(default_factory=set)
    rooms: dict[Channel, str] = field(default_factory=dict)
    at: dict[Channel, str] = field(default_factory=dict)  # the extension that the dial plan is at

    def party(self, who: str) -> Channel:
        return self.switch.parties[who]


def play(story: Story) -> Switch:
    """The switch after the story. Raises KeyError where the story needs what this switch cannot do."""
    for step in story.steps:
        if step.does not in _VERBS or any(step.given.get(word) for word in _NOT_PLAYED):
            raise KeyError(step.does)
    scene = Scene(devices=story.devices)
    for step in story.steps:
        scene.switch.at(step.at)
        _VERBS[step.does](scene, step)
    return scene.switch


# What is rung `through` the dial plan is rung directly here: FreeSWITCH needs no channels between.
_NOT_PLAYED: Final = ("device", "app", "optimizes")


def _calls(scene: Scene, step: Step) -> None:
    over, number = step.given.get("over", ""), step.who.partition("/")[0]
    user = "" if over else scene.devices.get(number, number)
    shown = "anonymous" if step.given.get("withheld") else user if step.given.get("nameless") else number
    channel = scene.switch.channel(
        outward=False,
        number=shown,
        dialled=step.to[0],
        context="public" if over else "default",
        gateway=over,
        user=user,
        name="" if over else f"Phone {number}",
        variables={"accountcode": step.given["account"]} if "account" in step.given else {},
    )
    scene.switch.parties[step.who] = channel


def _tries(scene: Scene, step: Step) -> None:
    caller, switch = scene.party(step.who), scene.switch
    switch.executes(caller, "bridge", ",".join(step.to))
    caller.variables["originate_disposition"] = "failure"  # until an attempt says more (switch_ivr_originate.c)
    if "at" in step.given:
        scene.at[caller] = step.given["at"]
    if step.given.get("goes_on"):
        scene.going_on.add(caller)
    for number in step.to:
        gateway = step.given.get("over") or step.given.get("outside", {}).get(number, "")
        leg = switch.channel(
            outward=True,
            number=step.given.get("shows", caller.number),
            dialled=number,
            gateway=gateway,
            user="" if gateway else number,
            originator=caller,
        )
        switch.parties[number] = leg
        if step.given.get("screened"):
            scene.screened.add(leg)


def _rings(scene: Scene, step: Step) -> None:
    scene.switch.rings(scene.party(step.who))


def _progresses(scene: Scene, step: Step) -> None:
    scene.switch.rings(scene.party(step.who), "Progress-Media")


def _answers(scene: Scene, step: Step) -> None:
    leg = scene.party(step.who)
    scene.switch.answers(leg)
    if leg in scene.screened:
        scene.switch.executes(leg, "play_and_get_digits")
    else:
        _accepts(scene, step)


def _accepts(scene: Scene, step: Step) -> None:
    """The leg is bridged with the one for which it was called; the others lose the race."""
    switch, leg = scene.switch, scene.party(step.who)
    caller = leg.agent_of or leg.originator
    if caller is None:  # originated: its dial plan goes on
        return
    if leg.agent_of is not None:
        _queue_event(scene, caller, "bridge-agent-start", CC_Agent=f"{leg.user}@{PBX}", CC_Agent_UUID=leg.uuid)
        caller.variables |= {"cc_queue_answered_epoch": str(switch.now // 1_000_000), "cc_agent": f"{leg.user}@{PBX}"}
    for other in _ringing(scene, caller):
        if other is not leg:
            switch.ends(other, "LOSE_RACE", "send_cancel" if not other.answered else "send_bye")
    switch.answers(caller, "bridge")
    switch.bridges(caller, leg)


def _ringing(scene: Scene, caller: Channel) -> list[Channel]:
    agents = [leg for leg in scene.switch.parties.values() if leg.agent_of is caller]
    legs = [leg for leg in (*caller.called, *agents) if not leg.ended and leg.peer is None]
    return [leg for leg in legs if not leg.answered or leg in scene.screened]


def _refuses(scene: Scene, step: Step) -> None:
    cause = _CAUSES[step.given.get("cause", "busy")]
    scene.switch.ends(scene.party(step.who), cause, "recv_refuse")


def _forwards(scene: Scene, step: Step) -> None:
    """302: the leg ends, and the switch calls the contact for the same caller (sofia.c, sip_redirected_to)."""
    leg, (to,) = scene.party(step.who), step.to
    caller, gateway = leg.originator, step.given.get("over", "")
    assert caller is not None
    leg.variables |= {"sip_redirected_to": f"<sip:{to}@{PBX}>", "sip_redirect_contact_user_0": to}
    scene.switch.ends(leg, "NORMAL_UNSPECIFIED", "recv_refuse")
    scene.switch.parties[to] = scene.switch.channel(
        outward=True, number=caller.number, dialled=to, gateway=gateway, user="" if gateway else to, originator=caller
    )


def _gives_up(scene: Scene, step: Step) -> None:
    for leg in _ringing(scene, scene.party(step.who)):
        scene.switch.ends(leg, "NO_ANSWER", "send_cancel")


def _hangs_up(scene: Scene, step: Step) -> None:
    switch, leg = scene.switch, scene.party(step.who)
    _leaves(scene, leg)
    if not leg.answered:
        switch.ends(leg, "ORIGINATOR_CANCEL", "recv_cancel" if not leg.outward else "recv_refuse")
        for each in _ringing(scene, leg):
            switch.ends(each, "ORIGINATOR_CANCEL", "send_cancel")
        return
    for each in _ringing(scene, leg):
        switch.ends(each, "ORIGINATOR_CANCEL", "send_cancel")
    peer = switch.parts(leg)
    switch.ends(leg, "NORMAL_CLEARING", "recv_bye")
    if peer is not None and peer not in scene.going_on:
        _leaves(scene, peer)
        switch.ends(peer, "NORMAL_CLEARING", "send_bye")


def _hangup(scene: Scene, step: Step) -> None:
    """The dial plan ends the call: with the cause of the last attempt, where the caller was not answered."""
    leg = scene.party(step.who)
    _leaves(scene, leg)
    cause = leg.last_cause if leg.last_cause in CAUSES and not leg.answered else "NORMAL_CLEARING"
    cause = _CAUSES.get(step.given.get("cause", ""), cause)
    peer = scene.switch.parts(leg)
    scene.switch.ends(leg, cause, "send_bye" if leg.answered else "send_refuse")
    if peer is not None:
        scene.switch.ends(peer, "NORMAL_CLEARING", "send_bye")


def _leaves(scene: Scene, leg: Channel) -> None:
    """A member that is gone leaves its queue and its room."""
    room = scene.rooms.pop(leg, "")
    if room:
        _room_event(scene, leg, "del-member", room)
    if leg.agent_of is not None and leg.peer is leg.agent_of:
        leg, served = leg.agent_of, True
    else:
        served = leg.peer is not None
    if leg not in scene.waiting:
        return
    if served:
        _queue_event(scene, leg, "bridge-agent-end")
    else:
        leg.variables |= {
            "cc_queue_canceled_epoch": str(scene.switch.now // 1_000_000),
            "cc_cancel_reason": "BREAK_OUT",
        }
    was, leg.ended = leg.ended, not served
    told = {"CC_Cause": "Terminated"} if served else {"CC_Cause": "Cancel", "CC_Cancel_Reason": "BREAK_OUT"}
    _queue_event(scene, leg, "member-queue-end", **told)
    leg.ended = was
    del scene.waiting[leg]


def _answer(scene: Scene, step: Step) -> None:
    scene.switch.answers(scene.party(step.who), "answer")


def _play(scene: Scene, step: Step) -> None:
    application, data = _SOUNDS[step.given["sound"]]
    leg = scene.party(step.who)
    scene.switch.executes(leg, application, data)
    scene.switch.answers(leg, application)


def _menu(scene: Scene, step: Step) -> None:
    leg = scene.party(step.who)
    scene.switch.executes(leg, "ivr", "demo")
    scene.switch.answers(leg, "ivr")


def _voicemail(scene: Scene, step: Step) -> None:
    leg, data = scene.party(step.who), f"default {PBX} {step.to[0]}"
    leg.variables |= {"last_app": "voicemail", "last_arg": data}
    scene.switch.executes(leg, "voicemail", data)
    scene.switch.answers(leg, "voicemail")


def _held(name: str) -> Callable[[Scene, Step], None]:
    def does(scene: Scene, step: Step) -> None:
        leg = scene.party(step.who)
        leg.holds.append(scene.switch.now)
        scene.switch.tell(leg, name)

    return does


def _transfers(scene: Scene, step: Step) -> None:
    """REFER: the leg ends, and its peer's dial plan goes on (sofia.c, sofia_handle_sip_i_refer)."""
    leg, (to,) = scene.party(step.who), step.to
    peer = scene.switch.parts(leg)
    assert peer is not None
    leg.variables |= {
        "transfer_disposition": "recv_replace",
        "transfer_to": f"blind:{peer.uuid}",
        "transfer_destination": f"blind:{to}",
    }
    scene.switch.ends(leg, "BLIND_TRANSFER", "send_bye")
    scene.switch.parties[step.who] = leg


# Queues and rooms


def _queue(scene: Scene, step: Step) -> None:
    leg, number = scene.party(step.who), step.given.get("at", step.to[0])
    scene.switch.executes(leg, "callcenter", f"{number}@{PBX}")
    scene.switch.answers(leg, "callcenter")
    scene.waiting[leg] = f"{number}@{PBX}"
    leg.variables |= {"cc_side": "member", "cc_queue": f"{number}@{PBX}"}
    leg.variables["cc_queue_joined_epoch"] = str(scene.switch.now // 1_000_000)
    _queue_event(scene, leg, "member-queue-start")


def _queue_event(scene: Scene, member: Channel, action: str, **told: str) -> None:
    queue = scene.waiting.get(member, "")
    scene.switch.tell(
        member,
        "CUSTOM",
        "callcenter::info",
        CC_Queue=queue,
        CC_Action=action,
        CC_Member_Session_UUID=member.uuid,
        **told,
    )


def _offers(scene: Scene, step: Step) -> None:
    member = scene.party(step.who)
    for number in step.to:
        _queue_event(scene, member, "agent-offering", CC_Agent=f"{number}@{PBX}")
        scene.switch.parties[number] = scene.switch.channel(
            outward=True, number=member.number, dialled=number, user=number, agent_of=member
        )


def _withdraws(scene: Scene, step: Step) -> None:
    for leg in _ringing(scene, scene.party(step.who)):
        scene.switch.ends(leg, "NO_ANSWER", "send_cancel")


def _leaves_queue(scene: Scene, step: Step) -> None:
    leg = scene.party(step.who)
    reason = "TIMEOUT" if step.given.get("how", "timeout") == "timeout" else "EXIT_WITH_KEY"
    leg.variables |= {"cc_queue_canceled_epoch": str(scene.switch.now // 1_000_000), "cc_cancel_reason": reason}
    for each in _ringing(scene, leg):
        scene.switch.ends(each, "NO_ANSWER", "send_cancel")
    _queue_event(scene, leg, "member-queue-end", CC_Cause="Cancel", CC_Cancel_Reason=reason)
    del scene.waiting[leg]


def _conference(scene: Scene, step: Step) -> None:
    leg, room = scene.party(step.who), step.to[0]
    scene.switch.executes(leg, "conference", f"{room}-{PBX}@default")
    scene.switch.answers(leg, "conference")
    scene.rooms[leg] = room
    _room_event(scene, leg, "add-member", room)


def _room_event(scene: Scene, leg: Channel, action: str, room: str) -> None:
    scene.switch.tell(leg, "CUSTOM", "conference::maintenance", Action=action, Conference_Name=f"{room}-{PBX}")


_VERBS: Final[dict[str, Callable[[Scene, Step], None]]] = {
    "calls": _calls,
    "tries": _tries,
    "rings": _rings,
    "progresses": _progresses,
    "answers": _answers,
    "accepts": _accepts,
    "refuses": _refuses,
    "forwards": _forwards,
    "gives_up": _gives_up,
    "hangs_up": _hangs_up,
    "hangup": _hangup,
    "answer": _answer,
    "play": _play,
    "menu": _menu,
    "voicemail": _voicemail,
    "holds": _held("CHANNEL_HOLD"),
    "resumes": _held("CHANNEL_UNHOLD"),
    "transfers": _transfers,
    "queue": _queue,
    "offers": _offers,
    "withdraws": _withdraws,
    "leaves_queue": _leaves_queue,
    "conference": _conference,
}
