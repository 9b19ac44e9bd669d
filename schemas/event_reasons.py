"""Reasons of call events that change how an event is read: what a producer can say beyond the event types."""

from __future__ import annotations

from typing import Final

# Event type, its reasons, and what they mean.
EVENT_REASONS: Final[tuple[tuple[str, tuple[str, ...], str], ...]] = (
    (
        "started",
        ("originate", "click_to_dial", "callback"),
        "The PBX called the caller's own phone first: the call counts as answered when the destination answers. It may "
        "be told afterwards, by `data` with the same reason.",
    ),
    (
        "answered",
        ("hangup_record",),
        "A record made at the hang-up remembers this answer. An `answered` that was seen live takes its place; without "
        "one the call bears the flag `answer_from_hangup_record`.",
    ),
    (
        "ended",
        ("hangup_record",),
        "A record made afterwards says so; of several the last counts. An end that was seen goes before them.",
    ),
    (
        "ended",
        ("refused",),
        "A BYE that was answered with 481, or not at all: the end only where nothing else tells of one.",
    ),
    (
        "rerouted",
        ("forward",),
        "A forward whose kind the PBX does not tell; the target that was left decides it.",
    ),
    (
        "data",
        ("originated",),
        "The PBX began the call under the id `leg_id`, which is nobody's leg, before any party's: the leg that is "
        "started for it (`peer_leg_id`) to the number `to` is the caller's.",
    ),
    (
        "data",
        ("renamed",),
        "A leg goes on under another id: `leg_id` is the new one, `peer_leg_id` the old one. Both are one leg.",
    ),
    (
        "data",
        ("taken_over",),
        "From `at` on, what is told of `leg_id` is of `peer_leg_id`: a call that rang was picked up, or joined to "
        "another.",
    ),
    (
        "data",
        ("dials",),
        "`leg_id` dials the number `to` over `trunk`: the leg that is started over this trunk then calls that number, "
        "whatever it shows. Several numbers at once are several such events of one instant.",
    ),
    (
        "data",
        ("application",),
        "An application of the PBX deals with the leg (`to` names it), and nobody else: its answer is no human's.",
    ),
    (
        "data",
        ("not_bridged",),
        "The caller's leg was never bridged with another: who answered a leg that was called for it (to be asked "
        "first, to hear an announcement) spoke with the PBX alone.",
    ),
    (
        "data",
        ("node_restart",),
        "The node began anew at `at`: its legs of this call ended then. A hang-up that is told later gives the flag "
        "`late_hangup`.",
    ),
    (
        "data",
        ("clock_skew",),
        "The clock of `node` was ahead by `to` milliseconds: its times have been put right. The call bears the flag "
        "`clock_skew`, the node's legs `clock_ahead_ms`.",
    ),
    (
        "data",
        ("implausible",),
        "A value of the report was ignored, since it cannot be: negative, no number, years. The call bears the flag "
        "`implausible_values`.",
    ),
)
