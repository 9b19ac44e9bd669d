"""Transfers, parking and pickup (main/bridge.c, main/bridge_basic.c, res/parking, main/pickup.c)."""

from __future__ import annotations

from typing import Any

from tests.pbx.asterisk import manager, queue
from tests.pbx.asterisk.channel import Bridge, Channel
from tests.pbx.asterisk.pbx import ELSEWHERE, NORMAL_CLEARING
from tests.pbx.asterisk.scene import Scene


def blind(scene: Scene, by: Channel, to: str, how: str) -> None:
    """A REFER, or the feature key: the other party's dial plan goes on at `to`."""
    pbx, other, bridge = scene.pbx, scene.other(by), by.bridge
    assert bridge is not None
    extra = {
        "extension": to,
        "context": "from-internal",
        "bridge_id": bridge.id,
        "transferee_channel_name": other.name,
        "transferee_channel_uniqueid": other.unique_id,
    }
    pbx.row(by, "BLINDTRANSFER", extra)
    parts = manager.snapshot(by, "Transferer"), manager.snapshot(other, "Transferee"), manager.bridge_snapshot(bridge)
    external = "Yes" if how == "refer" else "No"
    result = {"Result": "Success"}
    pbx.event("BlindTransfer", result, *parts, IsExternal=external, Context="from-internal", Extension=to)
    other.exten = to
    pbx.leaves(other)
    pbx.leaves(by)
    queue.completes(scene, by)
    scene.served.pop(other, None)
    pbx.hangs_up(by, NORMAL_CLEARING, "")


def consults_by_key(scene: Scene, by: Channel, to: str) -> Channel:
    """The transfer key: who presses it leaves the bridge and meets a Local channel in another. Returns the far half."""
    pbx = scene.pbx
    home = pbx.leaves(by)
    assert home is not None
    away = pbx.bridge()
    pbx.enters(by, away)
    near = scene.dialler.local(by, to, "")
    near.dialled_by = None
    pbx.enters(near, away)
    far = near.pair
    assert far is not None
    scene.homes[by] = home
    return far


def _attended(
    scene: Scene, by: Channel, second: Channel, extra: dict[str, Any], *, dest: str, **parties: Channel
) -> None:
    pbx = scene.pbx
    pbx.row(by, "ATTENDEDTRANSFER", extra)
    parts = [manager.snapshot(by, "OrigTransferer"), manager.snapshot(second, "SecondTransferer")]
    parts += [manager.snapshot(channel, name) for name, channel in parties.items()]
    pbx.event("AttendedTransfer", {"Result": "Success"}, *parts, IsExternal="No", DestType=dest)


def _extra(by: Bridge, second: Channel, transferee: Channel, target: Channel | None) -> dict[str, Any]:
    return {
        "bridge1_id": by.id,
        "channel2_name": second.name,
        "channel2_uniqueid": second.unique_id,
        "transferee_channel_name": transferee.name,
        "transferee_channel_uniqueid": transferee.unique_id,
        "transfer_target_channel_name": target.name if target else "N/A",
        "transfer_target_channel_uniqueid": target.unique_id if target else "N/A",
    }


def joins_by_key(scene: Scene, by: Channel, *, stays: bool) -> None:
    """Who consulted hangs up and leaves the two together, or (`stays`) makes it a call of three."""
    pbx, home, away = scene.pbx, scene.homes.pop(by), by.bridge
    assert away is not None
    target = scene.other(by)
    guest = home.inside[0]
    extra = _extra(home, by, guest, target) | {"bridge2_id": away.id}
    if not stays:
        _attended(scene, by, by, extra, dest="Bridge", Transferee=guest, TransferTarget=target)
    pbx.leaves(by)
    if stays:
        pbx.enters(by, home)
        _attended(scene, by, by, extra, dest="Threeway", Transferee=guest, TransferTarget=target)
    else:
        pbx.hangs_up(by, NORMAL_CLEARING, by.name)
    pbx.leaves(target)
    pbx.enters(target, home)


def returns_by_key(scene: Scene, by: Channel) -> None:
    """The consultation is over: who was consulted is dropped, the two talk on."""
    pbx, home = scene.pbx, scene.homes.pop(by)
    away = pbx.leaves(by)
    pbx.enters(by, home)
    for each in list(away.inside) if away is not None else []:
        pbx.leaves(each)
        scene.dialler.drops(each, NORMAL_CLEARING)


def joins_by_refer(scene: Scene, first: Channel, second: Channel) -> None:
    """REFER with Replaces: the phone joins its two calls and is gone."""
    pbx, home, away = scene.pbx, first.bridge, second.bridge
    assert home is not None
    guest = scene.other(first)
    if away is not None:
        target = scene.other(second)
        extra = _extra(home, second, guest, target) | {"bridge2_id": away.id}
        pbx.leaves(target)
        pbx.leaves(first)
        pbx.enters(target, home)
        pbx.leaves(second)
        _attended(scene, first, second, extra, dest="Bridge", Transferee=guest, TransferTarget=target)
        pbx.hangs_up(second, NORMAL_CLEARING, "")
        pbx.hangs_up(first, NORMAL_CLEARING, "")
        scene.served.pop(first, None)
        return
    # The second call is not answered yet, or is with an application: the guest takes its channel's place.
    extra = _extra(home, second, guest, None) | {"app": second.application}
    pbx.leaves(first)
    pbx.leaves(guest)
    _attended(scene, first, second, extra, dest="App", Transferee=guest)
    application, data = second.application, second.data
    for callee in second.dialled:
        callee.dialled_by = guest
    guest.dialled, second.dialled = [*guest.dialled, *second.dialled], []
    if second in scene.queues:
        scene.queues[guest] = scene.queues.pop(second)
    guest.exten, guest.outgoing = second.exten, False
    pbx.runs(guest, application, data)
    second.name += "<ZOMBIE>"
    pbx.hangs_up(second, NORMAL_CLEARING, "")
    pbx.hangs_up(first, NORMAL_CLEARING, "")


def parks(scene: Scene, by: Channel, place: str, how: str) -> None:
    """The other party waits on a parking place."""
    pbx, other, bridge = scene.pbx, scene.other(by), by.bridge
    assert bridge is not None
    dial = by.name.rpartition("-")[0]
    if how == "refer":
        extra = {"extension": "700", "context": "from-internal", "bridge_id": bridge.id}
        extra |= {"transferee_channel_name": other.name, "transferee_channel_uniqueid": other.unique_id}
        pbx.row(by, "BLINDTRANSFER", extra)
        parts = (
            manager.snapshot(by, "Transferer"),
            manager.snapshot(other, "Transferee"),
            manager.bridge_snapshot(bridge),
        )
        pbx.event("BlindTransfer", {"Result": "Success"}, *parts, IsExternal="Yes", Context="x", Extension="700")
    pbx.leaves(other)
    pbx.row(other, "PARK_START", {"parker_dial_string": dial, "parking_lot": "default"})
    _parking(scene, "ParkedCall", other, dial, place)
    pbx.enters(other, pbx.bridge("holding_bridge", "parking"))
    pbx.parked[place] = other
    pbx.leaves(by)
    scene.served.pop(by, None)
    pbx.hangs_up(by, NORMAL_CLEARING, "")
    scene.parkers[other] = dial


def _parking(scene: Scene, name: str, parkee: Channel, dial: str, place: str, *parts: dict[str, str]) -> None:
    further = {"ParkerDialString": dial, "Parkinglot": "default", "ParkingSpace": place}
    scene.pbx.event(
        name, manager.snapshot(parkee, "Parkee"), *parts, **further, ParkingTimeout="45", ParkingDuration="0"
    )


def takes_back(scene: Scene, by: Channel, place: str) -> None:
    """Somebody dials the place."""
    pbx, parkee = scene.pbx, scene.pbx.parked.pop(place)
    pbx.runs(by, "ParkedCall", f"default,{place}")
    pbx.answers(by)
    pbx.row(parkee, "PARK_END", {"reason": "ParkedCallUnparked", "retriever": by.name})
    _parking(scene, "UnParkedCall", parkee, scene.parkers[parkee], place, manager.snapshot(by, "Retriever"))
    pbx.leaves(parkee)
    bridge = pbx.bridge()
    pbx.enters(parkee, bridge)
    pbx.enters(by, bridge)


def park_times_out(scene: Scene, parkee: Channel) -> str:
    """Nobody came: the PBX rings who parked the call. Returns what it dials."""
    pbx, dial = scene.pbx, scene.parkers[parkee]
    place = next(place for place, channel in pbx.parked.items() if channel is parkee)
    del pbx.parked[place]
    pbx.row(parkee, "PARK_END", {"reason": "ParkedCallTimeOut"})
    _parking(scene, "ParkedCallTimeOut", parkee, dial, place)
    pbx.leaves(parkee)
    parkee.exten, parkee.context = dial.replace("/", "_"), "park-dial"
    return dial


def picks_up(scene: Scene, by: Channel, target: Channel) -> None:
    """`by` takes the place of the channel that rings (a masquerade: name and ids go with the phone)."""
    pbx, caller = scene.pbx, target.dialled_by
    assert caller is not None
    pbx.runs(by, "Pickup")
    pbx.answers(by)
    by.cause = ELSEWHERE
    extra = {"pickup_channel": by.name, "pickup_channel_uniqueid": by.unique_id}
    pbx.row(target, "PICKUP", extra)
    pbx.event("Pickup", manager.snapshot(by), manager.snapshot(target, "Target"))
    by.dialled_by, by.outgoing = caller, True
    caller.dialled[caller.dialled.index(target)] = by
    name = target.name
    target.name += "<ZOMBIE>"
    pbx.hangs_up(target, ELSEWHERE, "")
    target.name = name
    pbx.runs(by, "AppDial", "(Outgoing Line)")
    scene.dialler.connects(by)
