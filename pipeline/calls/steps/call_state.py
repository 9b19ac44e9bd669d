"""The course of a call: what is known of it while it is being understood."""

from __future__ import annotations

import msgspec

from pipeline.calls.steps.legs import Leg, Story
from pipeline.calls.steps.moves import Move
from pipeline.calls.steps.queue_visits import Visit
from pipeline.calls.steps.roles import Roles
from pipeline.calls.steps.targets import Target


class Course(msgspec.Struct, gc=False):
    """Filled step by step, see `fold`. Times in ms."""

    story: Story
    roles: Roles
    caller: Leg
    expired: bool
    flags: list[str]
    moves: list[Move]
    joins: list[Move] = []  # by which a party consulted came in, and nobody left
    started: int = 0
    ended: int | None = None
    now: int = 0  # the end, or of an open call its newest event
    handed_over: bool = False  # the caller transferred the call and left it to the others
    click_to_dial: bool = False  # the caller's own phone was called first
    answered: int | None = None
    targets: list[Target] = []
    consultations: list[Target] = []
    talking: list[Target] = []  # those who talked with the caller, in order
    visits: list[Visit] = []
