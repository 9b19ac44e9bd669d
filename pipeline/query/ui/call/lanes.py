"""The timeline of a call: a lane for the caller and for each of its targets, states in colours, moves as arrows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from markupsafe import Markup, escape

from pipeline.instants import instant
from pipeline.query.ui.call.story import party
from pipeline.query.ui.call.zoom import Zoom
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.session import Visitor
from pipeline.query.ui.frame.words import OUTCOME, word

WIDTH: Final = 960
LEFT, RIGHT, _TOP, _LANE, _BAR = 210, 24, 34, 34, 16
_TICKS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400)
# State → how it is called in the key.
STATES: Final = {
    "ring": N_("Ringing"),
    "wait": N_("Queue"),
    "good": N_("Talk"),
    "hold": N_("Hold"),
    "calm": N_("Menu, voicemail"),
    "bad": N_("Not reached"),
}
_OF_KIND: Final = {"queue": "wait", "ivr": "calm", "voicemail": "calm", "park": "hold", "ring_group": "ring"}
_HELD, _FREED = ("held",), ("resumed", "ended")


@dataclass(frozen=True, slots=True)
class Span:
    """A state from one moment to another, ms."""

    state: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Lane:
    """A party and its states."""

    name: str
    about: str
    number: str
    leg_id: str
    spans: tuple[Span, ...]
    mark: str = ""  # what became of it


def lanes_of(
    visitor: Visitor, call: Mapping[str, Any], now: int, events: Sequence[Mapping[str, Any]] = ()
) -> list[Lane]:
    """The lanes of a call document; holds are known where the events are."""
    say = visitor.language.say
    end = instant(call["ended_at"]) if call["ended_at"] else now
    holds = _holds(events, end)
    first_leg = call["legs"][0]["leg_id"] if call["legs"] else ""
    caller = _caller(call, end) + tuple(holds.get(first_leg, ()))
    found = [Lane(party(call["caller"]) or "?", say(N_("Caller")), call["caller"]["number"], first_leg, caller)]
    for log in call["logs"]:
        spans = _target(log, end) + tuple(holds.get(log["leg_id"] or "", ()))
        mark = "" if log["outcome"] in ("answered", None) else say(OUTCOME.get(log["outcome"], log["outcome"]))
        about = say(word("kind", log["kind"]))
        found.append(Lane(party(log) or "?", about, log["number"], log["leg_id"] or "", spans, mark))
    return found


def _caller(call: Mapping[str, Any], end: int) -> tuple[Span, ...]:
    begun = instant(call["started_at"])
    answered = instant(call["answered_at"]) if call["answered_at"] else end
    talked = instant(call["talk_started_at"]) if call["talk_started_at"] else end
    between = "wait" if call["queue_visits"] else "calm"
    spans = (Span("ring", begun, answered), Span(between, answered, talked), Span("good", max(answered, talked), end))
    return tuple(span for span in spans if span.end > span.first)


def _target(log: Mapping[str, Any], end: int) -> tuple[Span, ...]:
    begun, left = instant(log["started_at"]), instant(log["ended_at"]) if log["ended_at"] else end
    answered = instant(log["answered_at"]) if log["answered_at"] else None
    waiting = "bad" if answered is None and log["outcome"] in ("failed", "unreachable") else "ring"
    spans = [Span(waiting, begun, left if answered is None else answered)]
    if answered is not None:
        spans.append(Span(_OF_KIND.get(log["kind"], "good"), answered, left))
    return tuple(span for span in spans if span.end >= span.first)


def _holds(events: Sequence[Mapping[str, Any]], end: int) -> dict[str, list[Span]]:
    """The holds of each leg, as its events tell them."""
    found: dict[str, list[Span]] = {}
    since: dict[str, int] = {}
    for each in events:
        leg = str((each.get("event") or {}).get("leg_id") or "")
        if each["type"] in _HELD:
            since.setdefault(leg, instant(each["at"]))
        elif each["type"] in _FREED and leg in since:
            found.setdefault(leg, []).append(Span("hold", since.pop(leg), instant(each["at"])))
    for leg, begun in since.items():
        found.setdefault(leg, []).append(Span("hold", begun, end))
    return found


def length_of(call: Mapping[str, Any], lanes: Sequence[Lane], now: int) -> int:
    """How long the timeline is, ms."""
    begin = instant(call["started_at"])
    ends = (span.end for lane in lanes for span in lane.spans)
    return max([begin + 1000, now if call["state"] == "open" else 0, *ends]) - begin


def drawn(visitor: Visitor, call: Mapping[str, Any], lanes: Sequence[Lane], zoom: Zoom) -> Markup:
    """What the zoom shows of the lanes, as SVG, to stand in a page."""
    begun = instant(call["started_at"])
    begin, end = begun + zoom.first, begun + zoom.end
    height = _TOP + len(lanes) * _LANE + 8

    def x(ms: int) -> float:
        within = min(max(ms, begin), end)
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (within - begin) / (end - begin), 1)

    parts: list[str] = []
    for at in _ticks(zoom):
        place = x(begun + at)
        parts.append(f'<line class="grid" x1="{place}" x2="{place}" y1="{_TOP - 8}" y2="{height}"/>')
        label = f"{visitor.figures.duration(at)}"
        parts.append(f'<text x="{place}" y="{_TOP - 14}" text-anchor="middle">{escape(label)}</text>')
    for place, lane in enumerate(lanes):
        seen = tuple(span for span in lane.spans if span.first <= end and span.end >= begin)
        parts += _lane(visitor, replace(lane, spans=seen), place, x)
    moves = [move for move in call["reroutes"] if move["at"] and begin <= instant(move["at"]) <= end]
    parts += _arrows(visitor, moves, lanes, x)
    title = escape(visitor.language.say(N_("Timeline of the call")))
    return Markup(
        f'<svg class="plot" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img"'
        f' aria-label="{title}" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _lane(visitor: Visitor, lane: Lane, place: int, x: Any) -> Iterator[str]:
    top = _TOP + place * _LANE
    yield f'<text class="who-is" x="0" y="{top + 12}">{escape(_short(lane.name))}</text>'
    about = lane.about if lane.number in ("", lane.name) else f"{lane.about} {lane.number}"
    yield f'<text x="0" y="{top + 25}">{escape(_short(about))}</text>'
    for span in lane.spans:
        width = max(2.0, round(x(span.end) - x(span.first), 1))
        tip = f"{visitor.language.say(STATES[span.state])} {visitor.figures.span(span.end - span.first)}"
        tip += f" ({visitor.figures.exact(span.first)} – {visitor.figures.exact(span.end)})"
        yield (
            f'<rect class="fill-{span.state}" x="{x(span.first)}" y="{top + 4}" width="{width}" height="{_BAR}" rx="2">'
            f"<title>{escape(tip)}</title></rect>"
        )
    if lane.mark and lane.spans:
        last = x(max(span.end for span in lane.spans))
        anchor, at = ("end", last - 6) if last > WIDTH - 140 else ("start", last + 6)
        yield f'<text class="mark-of" x="{at}" y="{top + 16}" text-anchor="{anchor}">{escape(lane.mark)}</text>'


def _arrows(visitor: Visitor, moves: Sequence[Mapping[str, Any]], lanes: Sequence[Lane], x: Any) -> Iterator[str]:
    for move in moves:
        at = instant(move["at"])
        source = _lane_of(lanes, move["from"], at, ending=True)
        target = _lane_of(lanes, move["to"], at, ending=False)
        if source is None or target is None or source == target:
            continue
        way = 1 if target > source else -1
        place = x(at)
        first, last = _TOP + source * _LANE + 12 + way * 8, _TOP + target * _LANE + 12 - way * 9
        tip = f"{visitor.language.say(word('reroute', move['kind']))} {visitor.figures.time(at)}"
        yield (
            f'<g class="move"><title>{escape(tip)}</title><line x1="{place}" x2="{place}" y1="{first}" y2="{last}"/>'
            f'<path d="M{place - 4} {last - way * 6}L{place} {last}L{place + 4} {last - way * 6}"/></g>'
        )


def _lane_of(lanes: Sequence[Lane], number: str | None, at: int, *, ending: bool) -> int | None:
    """The lane of a number that ends, or begins, nearest to a moment."""
    found = [place for place, lane in enumerate(lanes) if number and lane.number == number and lane.spans]
    if not found:
        return None
    edge = max if ending else min
    return min(
        found, key=lambda place: abs(edge(span.end if ending else span.first for span in lanes[place].spans) - at)
    )


def _ticks(zoom: Zoom) -> Iterator[int]:
    step = next((each for each in _TICKS if (zoom.end - zoom.first) / 1000 / each <= 8), _TICKS[-1]) * 1000
    yield from range(-(-zoom.first // step) * step, zoom.end + 1, step)


def _short(text: str) -> str:
    return text if len(text) <= 28 else text[:27] + "…"
