"""Plays a story on the PBX: what each step of it makes Asterisk do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.pbx.asterisk import ending, manager, queue, transfers
from tests.pbx.asterisk.channel import RING, UP, Channel
from tests.pbx.asterisk.dial import CAUSES
from tests.pbx.asterisk.pbx import NORMAL_CLEARING, Told
from tests.pbx.asterisk.scene import Scene
from tests.pbx.story import Step, Story

# What the dial plan plays, by the words of the stories.
_SOUNDS: Final = {
    "greeting": ("Playback", "welcome"),
    "announcement": ("Playback", "closed"),
    "echo": ("Echo", ""),
    "mailbox": ("VoiceMailMain", "1001@default"),
    "spy": ("ChanSpy", "PJSIP/1002"),
    "music": ("MusicOnHold", "default"),
    "directory": ("Directory", "default"),
    "time": ("SayUnixTime", ""),
    "fax": ("ReceiveFAX", "/var/spool/fax/in.tif"),
    "disa": ("DISA", "no-password,from-internal"),
    "machine": ("AMD", ""),
    "blocked": ("Zapateller", "answer"),
    "recording": ("MixMonitor", "calls/in.wav,b"),
}


def play(story: Story) -> list[Told]:
    """Everything that the PBX tells, in order."""
    scene = Scene(story.devices)
    for step in story.steps:
        scene.pbx.at(step.at)
        _VERBS[step.does](scene, step)
    return scene.pbx.told


def _calls(scene: Scene, step: Step) -> None:
    pbx, over = scene.pbx, step.given.get("over", "")
    number = "" if step.given.get("withheld") or step.given.get("nameless") else step.who.partition("/")[0]
    device = over or scene.dialler.names.get(step.who.partition("/")[0], step.who.partition("/")[0])
    name = "" if over or not number else f"Phone {number}"
    context = "from-trunk" if over else "from-internal"
    fields = {"number": number, "caller_name": name, "exten": step.to[0], "context": context, "state": RING}
    fields["account"] = step.given.get("account", "")
    channel = pbx.channel(step.given.get("device", device), **fields)
    channel.ani, channel.dnid = number, step.to[0]
    pbx.parties[step.who] = channel
    scene.plans.pop(step.who, None)


def _originate(scene: Scene, step: Step) -> None:
    """A call file or manager action: `to` rings first."""
    pbx, dialler, (first,) = scene.pbx, scene.dialler, step.to
    over = step.given.get("over", "")
    if step.given.get("through"):
        near = dialler.local(None, step.given.get("named", "s"), "AppDial2", "click2call")
        far = near.pair
        assert far is not None
        pbx.runs(far, "Dial", dialler.string(first, over, through=False))
        pbx.parties[first] = dialler.outgoing(far, first, over, "AppDial")
        scene.plans[first], scene.plans[f"{first}'"] = near, far
        return
    channel = dialler.outgoing(None, first, over, "AppDial2")
    channel.number = step.given.get("shows", channel.number if not over else "")
    channel.exten = "s"
    pbx.parties[first] = channel


def _rings(scene: Scene, step: Step) -> None:
    scene.dialler.rings(scene.party(step.who))


def _progresses(scene: Scene, step: Step) -> None:
    channel = scene.party(step.who)
    caller = [] if channel.dialled_by is None else [manager.snapshot(channel.dialled_by)]
    scene.pbx.event("DialState", *caller, manager.snapshot(channel, "Dest"), DialStatus="PROGRESS")


def _answers(scene: Scene, step: Step) -> None:
    pbx, channel = scene.pbx, scene.party(step.who)
    pbx.answers(channel)
    if channel in scene.screened:
        scene.dialler.won(channel)
        return
    _accepts(scene, step)


def _accepts(scene: Scene, step: Step) -> None:
    channel = scene.party(step.who)
    caller = channel.dialled_by
    if caller is None:
        scene.dialler.ends(channel, "ANSWER")
    elif caller in scene.queues:
        queue.connected(scene, channel)
    elif caller.pair is not None and caller.pair is scene.plans.get(step.who):
        scene.dialler.originated(channel)
    elif caller.pair is not None and caller.pair.bridge is not None and caller.pair.dialled_by is None:
        scene.dialler.consulted(channel)
    elif caller.pair is not None and caller.pair.dialled_by in scene.queues:
        scene.dialler.reaches(channel)
        scene.pbx.answers(caller.pair)
        queue.connected(scene, caller.pair)
        if caller.pair not in scene.dialler.kept:
            scene.dialler.optimize(caller.pair)
    else:
        scene.dialler.connects(channel)
        plan = scene.plans.get(step.given.get("for", ""))
        if plan is not None and step.given.get("optimizes"):
            scene.dialler.optimize(plan, towards_far=True)


def _refuses(scene: Scene, step: Step) -> None:
    channel = scene.party(step.who)
    pair = channel.dialled_by.pair if channel.dialled_by is not None else None
    scene.dialler.refused(channel, step.given.get("cause", "busy"))
    far = channel.dialled_by
    if pair is not None and pair.dialled_by is not None and far is not None and not pair.bridge:
        # The dial plan of the Local channel has nothing else to try.
        scene.pbx.hangs_up(far, channel.cause, "dialplan/builtin")
        scene.dialler.ends(pair, {17: "BUSY"}.get(channel.cause, "CONGESTION"))
        scene.pbx.hangs_up(pair, channel.cause, "")


def _forwards(scene: Scene, step: Step) -> None:
    """302: Dial goes on with a Local channel to the new number (app_dial.c do_forward)."""
    pbx, dialler, callee = scene.pbx, scene.dialler, scene.party(step.who)
    caller, (to,), over = callee.dialled_by, step.to, step.given.get("over", "")
    assert caller is not None
    near = dialler.local(caller, to, "AppDial")
    pbx.row(caller, "FORWARD", {"forward": to})
    dialler.ends(callee, "CANCEL", to)
    pbx.hangs_up(callee, 0, "")
    far = near.pair
    assert far is not None
    pbx.runs(far, "Dial", dialler.string(to, over, through=False))
    pbx.parties[to] = dialler.outgoing(far, to, over, "AppDial")


def _hangs_up(scene: Scene, step: Step) -> None:
    ending.bye(scene, scene.party(step.who))


def _held(name: str) -> Callable[[Scene, Step], None]:
    def does(scene: Scene, step: Step) -> None:
        scene.pbx.event(name, manager.snapshot(scene.party(step.who)))

    return does


def _transfers(scene: Scene, step: Step) -> None:
    transfers.blind(scene, scene.party(step.who), step.to[0], step.given.get("how", "refer"))


def _consults(scene: Scene, step: Step) -> None:
    """`over` a trunk; with `app` the number leads to an application (a step tells which)."""
    pbx, dialler, by, (to,) = scene.pbx, scene.dialler, scene.party(step.who), step.to
    over, app = step.given.get("over", ""), step.given.get("app", False)
    if step.given.get("how", "refer") == "key":
        far = transfers.consults_by_key(scene, by, to)
        if app:
            scene.plans[to] = far
            return
        caller = far
    else:
        pbx.event("Hold", manager.snapshot(by))
        _calls(scene, Step(step.at, "calls", f"{step.who}/2", (to,)))
        caller = scene.party(f"{step.who}/2")
        if app:
            return
    pbx.runs(caller, "Dial", dialler.string(to, over, through=False))
    pbx.parties[to] = dialler.outgoing(caller, to, over, "AppDial")


def _joins(scene: Scene, step: Step) -> None:
    by = scene.party(step.who)
    if by in scene.homes:
        transfers.joins_by_key(scene, by, stays=False)
    else:
        second = scene.party(f"{step.who}/2")
        transfers.joins_by_refer(scene, by, second)


def _confers(scene: Scene, step: Step) -> None:
    transfers.joins_by_key(scene, scene.party(step.who), stays=True)


def _returns(scene: Scene, step: Step) -> None:
    by = scene.party(step.who)
    if by in scene.homes:
        transfers.returns_by_key(scene, by)
    else:
        ending.bye(scene, scene.party(f"{step.who}/2"))
        scene.pbx.event("Unhold", manager.snapshot(by))


def _parks(scene: Scene, step: Step) -> None:
    transfers.parks(scene, scene.party(step.who), step.to[0], step.given.get("how", "key"))


def _park_times_out(scene: Scene, step: Step) -> None:
    transfers.park_times_out(scene, scene.party(step.who))


def _takes_back(scene: Scene, step: Step) -> None:
    _calls(scene, step)
    transfers.takes_back(scene, scene.party(step.who), step.to[0])


def _picks_up(scene: Scene, step: Step) -> None:
    target = scene.party(step.to[0])
    _calls(scene, Step(step.at, "calls", step.who, ("*8",)))
    transfers.picks_up(scene, scene.party(step.who), target)


# The dial plan


def _answer(scene: Scene, step: Step) -> None:
    channel = scene.plan(step.who)
    scene.pbx.runs(channel, "Answer")
    _up(scene, channel)


def _up(scene: Scene, channel: Channel) -> None:
    """An application answers its channel; on the far half of a Local channel, whoever dialled that as well."""
    scene.pbx.answers(channel)
    near = channel.pair
    if near is None or near.state == UP:
        return
    scene.pbx.answers(near)
    if near.dialled_by is not None and near.dialled_by in scene.queues:
        queue.connected(scene, near)
    elif near.dialled_by is not None:
        scene.dialler.connects(near)


def _play(scene: Scene, step: Step) -> None:
    channel = scene.plan(step.who)
    scene.pbx.runs(channel, *_SOUNDS[step.given["sound"]])
    if step.given.get("answers", True):
        _up(scene, channel)


def _menu(scene: Scene, step: Step) -> None:
    channel = scene.plan(step.who)
    if channel.state != UP:
        scene.pbx.runs(channel, "Answer")
        scene.pbx.answers(channel)
    scene.pbx.runs(channel, "BackGround", "menu")
    scene.pbx.runs(channel, "WaitExten", "10")


def _tries(scene: Scene, step: Step) -> None:
    """`shows`: the caller id that the dial plan sets before; `goes_on`: option g."""
    pbx, dialler, caller = scene.pbx, scene.dialler, scene.plan(step.who)
    over, given = step.given.get("over", ""), step.given
    through = set(given.get("through") or ())
    if given.get("shows"):
        caller.number, caller.caller_name = given["shows"], "Example Ltd"
    if given.get("at"):
        caller.exten = given["at"]
    outside = given.get("outside", {})
    strings = [dialler.string(number, outside.get(number, over), number in through) for number in step.to]
    options = "tT" + ("g" if given.get("goes_on") else "") + ("U(screen)" if given.get("screened") else "")
    scene.going_on.discard(caller)
    if given.get("goes_on"):
        scene.going_on.add(caller)
    pbx.runs(caller, "Dial", "&".join(strings) + f",20,{options}")
    for number in step.to:
        if number in through:
            near = dialler.local(caller, number, "AppDial")
            far = near.pair
            assert far is not None
            if given.get("kept"):
                dialler.kept.add(near)
            own = given.get("outside", {}).get(number, "")
            if number in given.get("apps", ()):
                scene.plans[number] = far
                continue
            pbx.runs(far, "Dial", dialler.string(number, own, through=False))
            pbx.parties[number] = dialler.outgoing(far, number, own, "AppDial")
            scene.plans[f"{number}'"] = far
        else:
            own = given.get("outside", {}).get(number, over)
            pbx.parties[number] = dialler.outgoing(caller, number, own, "AppDial")
        if given.get("screened"):
            scene.screened.add(pbx.parties[number])


def _gives_up(scene: Scene, step: Step) -> None:
    """`who`: the caller, or a phone with ' for the Local channel through which it is rung."""
    scene.dialler.abandons(scene.plan(step.who), "NOANSWER", 0)


def _queue(scene: Scene, step: Step) -> None:
    caller = scene.plan(step.who)
    if step.given.get("at"):
        caller.exten = step.given["at"]
    queue.joins(scene, caller, step.to[0], step.given.get("wait_s", 300))


def _offers(scene: Scene, step: Step) -> None:
    for number in step.to:
        through = bool(step.given.get("through"))
        scene.pbx.parties[number] = queue.offers(scene, scene.plan(step.who), number, through=through)


def _withdraws(scene: Scene, step: Step) -> None:
    queue.withdraws(scene, scene.plan(step.who))


def _leaves_queue(scene: Scene, step: Step) -> None:
    queue.over(scene, scene.plan(step.who))


def _voicemail(scene: Scene, step: Step) -> None:
    channel = scene.plan(step.who)
    scene.pbx.runs(channel, "VoiceMail", f"{step.to[0]}@default,u")
    _up(scene, channel)


def _conference(scene: Scene, step: Step) -> None:
    pbx, channel, (room,) = scene.pbx, scene.plan(step.who), step.to
    pbx.runs(channel, "ConfBridge", room)
    pbx.answers(channel)
    bridge = scene.rooms.setdefault(room, pbx.bridge("softmix", "base"))
    pbx.enters(channel, bridge)
    pbx.event("ConfbridgeJoin", manager.bridge_snapshot(bridge), manager.snapshot(channel), Conference=room, Admin="No")


def _hangup(scene: Scene, step: Step) -> None:
    """The dial plan ends the call; with `as` busy or congestion it says why."""
    channel = scene.plan(step.who)
    scene.pbx.runs(channel, "Hangup")
    cause = CAUSES.get(step.given.get("cause", ""), 0) or channel.cause or NORMAL_CLEARING
    near = channel.pair
    scene.pbx.hangs_up(channel, cause, "dialplan/builtin")
    if near is not None and not near.gone:
        if near.bridge is not None:
            others = [each for each in near.bridge.inside if each is not near]
            scene.pbx.leaves(near)
            for each in others:
                ending.left_alone(scene, each)
        elif near.dialled_by is not None:
            scene.dialler.ends(near, "CHANUNAVAIL")
        scene.pbx.hangs_up(near, cause, "")


_VERBS: Final[dict[str, Callable[[Scene, Step], None]]] = {
    "calls": _calls,
    "rings": _rings,
    "progresses": _progresses,
    "answers": _answers,
    "accepts": _accepts,
    "refuses": _refuses,
    "forwards": _forwards,
    "hangs_up": _hangs_up,
    "holds": _held("Hold"),
    "resumes": _held("Unhold"),
    "transfers": _transfers,
    "consults": _consults,
    "joins": _joins,
    "returns": _returns,
    "confers": _confers,
    "parks": _parks,
    "park_times_out": _park_times_out,
    "takes_back": _takes_back,
    "picks_up": _picks_up,
    "answer": _answer,
    "play": _play,
    "menu": _menu,
    "tries": _tries,
    "gives_up": _gives_up,
    "queue": _queue,
    "offers": _offers,
    "withdraws": _withdraws,
    "leaves_queue": _leaves_queue,
    "voicemail": _voicemail,
    "conference": _conference,
    "hangup": _hangup,
    "originate": _originate,
}
