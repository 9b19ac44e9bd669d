"""Dial and Queue: outgoing channels, who answers, who is told otherwise (apps/app_dial.c, apps/app_queue.c)."""

from __future__ import annotations

from tests.pbx.asterisk import manager
from tests.pbx.asterisk.channel import DOWN, RING, Channel
from tests.pbx.asterisk.pbx import BUSY, ELSEWHERE, INTERWORKING, NORMAL_CLEARING, Pbx

CAUSES = {"busy": BUSY, "rejected": 21, "congested": 34, "unknown_number": 1, "unavailable": 20}
_STATUS = {"busy": "BUSY", "rejected": "BUSY", "congested": "CONGESTION"}


def is_extension(number: str) -> bool:
    """Whether a number is one of the PBX's own phones."""
    return len(number) == 4 and number.isdigit()


def device_of(number: str, over: str, names: dict[str, str]) -> str:
    """The endpoint of a phone, or the trunk that leads to a number."""
    return over or names.get(number, number)


class Dialler:
    """Rings channels for others."""

    def __init__(self, pbx: Pbx, names: dict[str, str]) -> None:
        self.pbx = pbx
        self.kept: set[Channel] = set()  # Local channels dialled with /n
        self.names = names  # phones whose endpoint is not called like their number

    def string(self, number: str, over: str, through: bool) -> str:
        """What Dial is told to call."""
        if through:
            return f"Local/{number}@from-internal/n"
        return f"PJSIP/{number}@{over}" if over else f"PJSIP/{self.names.get(number, number)}"

    def outgoing(self, caller: Channel | None, number: str, over: str, application: str) -> Channel:
        """A channel towards a phone or over a trunk, as Dial asks for it."""
        pbx = self.pbx
        device = device_of(number, over, self.names)
        context = "from-trunk" if over else "from-internal"
        # An endpoint with a callerid= of its own has it from the beginning; a trunk, and a named phone, have none.
        own = "" if over or number in self.names else number
        fields = {"number": own, "caller_name": f"Phone {own}" if own else "", "exten": "s", "context": context}
        channel = pbx.channel(device, requestor=caller, outgoing=True, **fields)
        channel.ani = own
        if caller is not None:
            channel.exten = caller.exten if caller.exten else number
            if not own:
                channel.number = (
                    channel.exten
                )  # "the new channel has no preset CallerID": the extension that was dialled
        channel.dialled_by = caller
        pbx.runs(channel, application, "(Outgoing Line)")
        self.begins(caller, channel, f"{number}@{over}" if over else device)
        return channel

    def local(self, caller: Channel | None, number: str, application: str, context: str = "from-internal") -> Channel:
        """A Local channel; its far half goes through the dial plan (main/core_local.c). Returns the near half."""
        pbx = self.pbx
        pbx._calls += 1
        base = f"Local/{number}@{context}-{pbx._calls:08x}"
        fields = {"exten": number, "context": context}
        near = pbx.channel("", name=base + ";1", requestor=caller, outgoing=True, **fields)
        far = pbx.channel("", name=base + ";2", requestor=near, state=RING, **fields)
        near.pair, far.pair, near.dialled_by = far, near, caller
        if caller is not None:
            far.number, far.caller_name = caller.number, caller.caller_name
            near.number = number
        if application:
            pbx.runs(near, application, "(Outgoing Line)")
            if application == "AppDial" and caller is not None:
                near.exten = caller.exten
        one, two = manager.snapshot(near, "LocalOne"), manager.snapshot(far, "LocalTwo")
        pbx.event("LocalBridge", one, two, Context=context, Exten=number, LocalOptimization="Yes")
        if application:
            self.begins(caller, near, f"{number}@{context}")
        return near

    def begins(self, caller: Channel | None, callee: Channel, string: str) -> None:
        if caller is not None:
            caller.dialled.append(callee)
        parts = [] if caller is None else [manager.snapshot(caller)]
        self.pbx.event("DialBegin", *parts, manager.snapshot(callee, "Dest"), DialString=string)

    def ends(self, callee: Channel, status: str, forward: str = "") -> None:
        caller = callee.dialled_by
        if caller is not None and callee in caller.dialled:
            caller.dialled.remove(callee)
        if caller is not None:
            caller.dial_status = status if status != "CANCEL" or not forward else caller.dial_status
        parts = [] if caller is None else [manager.snapshot(caller)]
        further = {"Forward": forward} if forward else {}
        self.pbx.event("DialEnd", *parts, manager.snapshot(callee, "Dest"), **further, DialStatus=status)

    def rings(self, callee: Channel) -> None:
        """180: the callee rings, and so do the Local halves through which it was dialled."""
        pbx = self.pbx
        pbx.rings(callee)
        caller = callee.dialled_by
        while caller is not None and caller.pair is not None and caller.pair.state == DOWN:
            pbx.rings(caller.pair)
            caller = caller.pair.dialled_by

    def refused(self, callee: Channel, why: str) -> None:
        """The callee says no."""
        cause = CAUSES[why]
        self.ends(callee, _STATUS.get(why, "CHANUNAVAIL"))
        callee.cause = cause
        self.pbx.requested(callee)
        self.pbx.hangs_up(callee, cause, callee.name)
        if callee.dialled_by is not None:
            callee.dialled_by.cause = cause

    def abandons(self, caller: Channel, status: str, cause: int) -> None:
        """The caller's application stops ringing: a time-out (NOANSWER) or a caller who is gone (CANCEL)."""
        for callee in list(caller.dialled):
            self.ends(callee, status)
            self.drops(callee, cause)

    def drops(self, callee: Channel, cause: int) -> None:
        """An outgoing channel that is not wanted any more; a Local channel takes with it what it rings."""
        far = callee.pair
        self.pbx.hangs_up(callee, cause, "")
        if far is not None and not far.gone:
            self.abandons(far, "CANCEL", NORMAL_CLEARING if cause == 0 else cause)
            self.pbx.hangs_up(far, cause, "")

    def won(self, callee: Channel) -> None:
        """The callee has answered: the others that ring are told "answered elsewhere"."""
        caller = callee.dialled_by
        self.ends(callee, "ANSWER")
        if caller is not None:
            for loser in list(caller.dialled):
                self.ends(loser, "CANCEL")
                self.drops(loser, ELSEWHERE)
            caller.dial_status = "ANSWER"

    def connects(self, callee: Channel) -> None:
        """Dial bridges the callee, who has answered, with its caller, through however many Local channels."""
        pbx, caller = self.pbx, callee.dialled_by
        assert caller is not None
        self.won(callee)
        near = caller.pair
        pbx.answers(caller)
        if near is None or near.dialled_by is None:
            self._bridges(callee, caller)
            return
        pbx.answers(near)
        self._bridges(callee, caller)
        self.connects(near)
        if near not in self.kept:
            self.optimize(near)

    def reaches(self, callee: Channel) -> None:
        """The callee is bridged with the far half of the Local channel through which it was rung."""
        caller = callee.dialled_by
        assert caller is not None
        self.won(callee)
        self.pbx.answers(caller)
        self._bridges(callee, caller)

    def consulted(self, callee: Channel) -> None:
        """Who was called by the transfer key answers: the near half is in the bridge already."""
        self.reaches(callee)
        caller = callee.dialled_by
        assert caller is not None and caller.pair is not None
        self.pbx.answers(caller.pair)
        self.optimize(caller.pair)

    def originated(self, callee: Channel) -> None:
        """The phone that the PBX rang first answers; the near half's dial plan begins."""
        self.reaches(callee)
        caller = callee.dialled_by
        assert caller is not None and caller.pair is not None
        self.pbx.answers(caller.pair)

    def _bridges(self, callee: Channel, caller: Channel) -> None:
        bridge = self.pbx.bridge()
        self.pbx.enters(callee, bridge)
        self.pbx.enters(caller, bridge)

    def optimize(self, near: Channel, *, towards_far: bool = False) -> None:
        """The two halves of a Local channel leave, their peers meet (main/core_local.c, bridge.c)."""
        pbx, far = self.pbx, near.pair
        assert far is not None
        stays, goes = (far, near) if towards_far else (near, far)
        if stays.bridge is None or goes.bridge is None:
            return
        home = stays.bridge
        peers = [each for each in goes.bridge.inside if each is not goes]
        two = {"local_two": far.name, "local_two_uniqueid": far.unique_id}
        pbx.row(near, "LOCAL_OPTIMIZE_BEGIN", two)
        pbx.leaves(peers[0])
        pbx.leaves(stays)
        pbx.enters(peers[0], home)
        pbx.leaves(goes)
        pbx.row(near, "LOCAL_OPTIMIZE", two)
        pbx.hangs_up(near, NORMAL_CLEARING, "")
        pbx.hangs_up(far, NORMAL_CLEARING, "")


__all__ = ["INTERWORKING", "Dialler", "is_extension"]
