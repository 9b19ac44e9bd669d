"""What can be seen of the PBX nodes: when each told something last, wrong clocks, nodes that fell silent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request
from starlette.responses import Response

from pipeline import clock
from pipeline.doctor.nodes import SILENT_S, unusual, wrong_clocks
from pipeline.query.http.problems import RequestProblem
from pipeline.query.questions.endpoint import reader_of
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting, Visitor
from pipeline.warehouse.analytics.nodes import Node, nodes_of
from pipeline.warehouse.identity.access import ADMIN, OPERATE

router = pages()

FRESH_MS = 120_000  # an event that is no older: the whole way works


@dataclass(frozen=True, slots=True)
class Seen:
    """A node with what is to be said of it. `skew_s`: how far its clock is behind, negative ahead; 0 when it is right.
    `silent`: it tells nothing where it told something a week ago."""

    node: Node
    skew_s: float
    silent: bool

    @property
    def state(self) -> tuple[str, str]:
        """In a word, with its tone."""
        if self.silent:
            return N_("Silent"), "bad"
        if self.skew_s:
            return (N_("Clock ahead"), "warn") if self.skew_s < 0 else (N_("Clock behind, or sends late"), "warn")
        return N_("Well"), "good"


def seen(nodes: Sequence[Node], now_ms: int) -> list[Seen]:
    """The nodes as `cdr doctor` judges them; those that need a look first."""
    wrong = wrong_clocks([(each.name, each.events_hour, each.late_s) for each in nodes if each.late_s is not None])
    now_s = now_ms // 1000
    found = []
    for each in nodes:
        silent = now_ms - each.last_at >= SILENT_S * 1000 and unusual(each.slots, each.last_at // 1000, now_s)
        # of a node that tells nothing, how late the last event came says nothing of its clock
        found.append(Seen(each, 0.0 if silent else wrong.get(each.name, 0.0), silent))
    return sorted(found, key=lambda each: (not each.silent, not each.skew_s, each.node.name))


@router.get("/health")
async def show(request: Request, visitor: Visiting) -> Response:
    """The nodes of the company."""
    caretaker(visitor)
    now = clock.now_ms()
    found = seen(await nodes_of(reader_of(request), visitor.caller.view), now)
    usual = [each.node.usual_s for each in found if each.state[1] == "good" and each.node.usual_s is not None]
    newest = max((each.node.archived_at for each in found), default=None)
    return page(
        visitor,
        request,
        "health/nodes.html",
        title=visitor.language.say(N_("Health")),
        nodes=found,
        newest=newest,
        fresh=newest is not None and now - newest <= FRESH_MS,
        usual_ms=max(usual) * 1000 if usual else None,
        events=sum(each.node.events_hour for each in found),
        operates=visitor.caller.may(OPERATE),
    )


def caretaker(visitor: Visitor) -> None:
    """403 for whoever does not look after the company's telephony."""
    if not (visitor.caller.sees_all and visitor.caller.may(ADMIN)):
        raise RequestProblem(403, "forbidden", "This is for administrators; the token lacks the scope admin.")


def operator(visitor: Visitor) -> None:
    """403 for whoever does not look after the installation, in which there may be other companies."""
    caretaker(visitor)
    if not visitor.caller.may(OPERATE):
        why = "This tells of the whole installation; the token or user lacks the scope operate."
        raise RequestProblem(403, "forbidden", why)
