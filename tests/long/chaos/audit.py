"""Compares everything that the pipeline wrote with the truth: what is lost, doubled, wrong or strange. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

import msgspec
import orjson

from pipeline.calls.fold import fold
from pipeline.calls.grouping import group
from pipeline.sources import canonical
from pipeline.worker.core.folding import published
from schemas.call import Call
from schemas.event import Event
from tests.long.chaos.observed import Observed, Truth
from tests.worker.deployment import call_fields, log_fields
from tests.worker.phone_calls import CallKey

EXAMPLES = 1_000
# A webhook message of each of these types is sent once a call; corrections as often as there are any.
ONCE = ("call.started", "call.answered", "call.ended")


@dataclass
class Audit:
    """Numbers of what is not as it must be."""

    lost: int = 0  # calls, call logs, archived events, dead letters, feed messages, posts, reports that are missing
    doubled: int = 0  # rows, archived events, posts and reports that are there once too often
    wrong: int = 0  # calls, logs, archived events, documents with a field that is not what all events together say
    strange: int = 0  # what no event accounts for
    examples: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong or self.strange)

    def found(self, kind: str, what: str, where: object, number: int = 1) -> None:
        """Count a difference of a kind (a field of this class), and keep the first ones as examples."""
        setattr(self, kind, getattr(self, kind) + number)
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{what}: {where}")

    def __add__(self, other: Audit) -> Audit:
        return Audit(**{each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)})


def audit(truth: Truth, observed: Observed) -> Audit:
    """The tables, the archive, the change feed, the dead letters, the posts and the reports against the truth."""
    found = Audit()
    together = group(truth.events)
    calls = {(call.tenant, call.call_id): call for call in map(fold, together)}
    home = {  # call id as sent → call id it is stored under
        (event.tenant, event.call_id): call.call_id
        for call, events in zip(calls.values(), together, strict=True)
        for event in events
    }
    _calls(found, observed.calls, calls)
    _logs(found, observed.logs, calls)
    _archive(found, observed, truth.events)
    _dead_letters(found, observed.dead_letters, truth.poison)
    newest = _feed(found, observed.feed, calls, home)
    if observed.posts is not None:
        _posts(found, observed, truth, calls, newest)
    if observed.runs is not None:
        _runs(found, observed, truth.reports)
    return found


def _by_call(rows: Iterable[dict[str, Any]]) -> dict[CallKey, list[dict[str, Any]]]:
    found: dict[CallKey, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        found[row["tenant"], row["call_id"]].append(row)
    return found


def _differences(have: dict[str, Any], want: dict[str, Any]) -> dict[str, str]:
    """Field → as found, and as it must be; long values in short."""
    return {
        name: f"{repr(have.get(name))[:70]} for {repr(value)[:70]}"
        for name, value in want.items()
        if have.get(name) != value
    }


def _calls(found: Audit, rows: list[dict[str, Any]], calls: dict[CallKey, Call]) -> None:
    stored = _by_call(rows)
    for key, call in calls.items():
        have = stored.pop(key, [])
        if not have:
            found.found("lost", "call", key)
        elif len(have) > 1:
            found.found("doubled", "call", (key, [(row["id"], row["version"]) for row in have]), len(have) - 1)
        elif differ := _differences(have[0], call_fields(call)):
            found.found("wrong", "call", (key, differ))
    for key, have in stored.items():
        found.found("strange", "call that no event tells of", (key, [row["version"] for row in have]), len(have))


def _logs(found: Audit, rows: list[dict[str, Any]], calls: dict[CallKey, Call]) -> None:
    stored = _by_call(rows)
    for key, call in calls.items():
        have = {row["id"]: row for row in stored.get(key, ())}
        want = {row["id"]: row for row in map(log_fields, call.logs)}
        if (number := len(stored.pop(key, ())) - len(have)) > 0:
            found.found("doubled", "call log", key, number)
        for id_ in want.keys() - have.keys():
            found.found("lost", "call log", (key, id_, want[id_]["position"]))
        for id_ in have.keys() - want.keys():
            found.found("doubled", "call log too many", (key, id_, have[id_]["version"]))
        for id_ in want.keys() & have.keys():
            if differ := _differences(have[id_], want[id_]):
                found.found("wrong", "call log", (key, id_, differ))
    for key, left in stored.items():
        found.found("strange", "call log that no event tells of", key, len(left))


def _archive(found: Audit, observed: Observed, events: list[Event]) -> None:
    """Each event once, as it was sent. Two reports of one fact (the same event_id) with two moments are two."""
    sent: dict[tuple[str, str, str, int], list[Event]] = defaultdict(list)
    for event in events:
        sent[event.tenant, event.call_id, event.event_id, event.at].append(event)
    seen: set[tuple[str, str, str, int]] = set()
    decoded = canonical.decode([row.raw for row in observed.archive])
    for rejected in decoded.rejected:
        found.found("wrong", "archived event cannot be read", (observed.archive[rejected.index], rejected.reason))
    for place, event in zip(decoded.origin, decoded.events, strict=True):
        row = observed.archive[place]
        # The tenant may have come with a header, and an id be made of the bytes: neither stands in them.
        event = msgspec.structs.replace(event, tenant=row.tenant, event_id=row.event_id)
        key = (row.tenant, row.call_id, row.event_id, event.at)
        if key not in sent:
            found.found("strange", "archived event that nobody sent", (key, row.raw[:300]))
        elif key in seen:
            found.found("doubled", "event archived more than once", key)
        elif event not in sent[key]:
            found.found("wrong", "archived event", (key, row.raw[:300]))
        seen.add(key)
    for key in sent.keys() - seen:
        found.found("lost", "event not archived", key)


def _dead_letters(found: Audit, values: list[bytes], poison: list[bytes]) -> None:
    for value in set(poison) - set(values):
        found.found("lost", "dead letter", value)
    for value in set(values) - set(poison):
        found.found("strange", "dead letter of a sound event", value)


def _feed(
    found: Audit, feed: list[bytes], calls: dict[CallKey, Call], home: dict[CallKey, str]
) -> dict[CallKey, dict[str, Any]]:
    """The newest message on each call is its document; on an id that another call took in, that it did. Gives the
    newest message of each id: of equal versions the last, since a message may be repeated."""
    newest: dict[CallKey, dict[str, Any]] = {}
    for value in feed:
        shown = orjson.loads(value)
        key = (shown["tenant"], shown["call_id"])
        if key not in newest or shown["version"] >= newest[key]["version"]:
            newest[key] = shown
    for key, call in calls.items():
        if key not in newest:
            found.found("lost", "call not in the feed", key)
        elif differ := _differences(newest[key], orjson.loads(published(call))):
            kind = "lost" if newest[key]["version"] < call.version else "wrong"
            found.found(kind, "newest feed message", (key, differ))
    for key in newest.keys() - calls.keys():
        shown = newest[key]
        if not shown.get("retired"):
            found.found("strange", "feed shows a call that is none", (key, shown["version"]))
        elif shown["merged_into"]["call_id"] != home.get(key):
            found.found("wrong", "feed names another call than took it in", (key, shown["merged_into"]))
    return newest


def _posts(
    found: Audit,
    observed: Observed,
    truth: Truth,
    calls: dict[CallKey, Call],
    newest: dict[CallKey, dict[str, Any]],
) -> None:
    """A receiver that keeps the webhook-id and the newest version knows each call as it is."""
    assert observed.posts is not None
    ids: dict[tuple[CallKey, str], set[str]] = defaultdict(set)
    shown: dict[CallKey, dict[str, Any]] = {}
    bodies: dict[str, bytes] = {}
    for post in observed.posts:
        data = orjson.loads(post.body)["data"]
        if post.type not in (*ONCE, "cdr.corrected"):
            continue
        key = (data["tenant"], data["call_id"])
        ids[key, post.type].add(post.id)
        if bodies.setdefault(post.id, post.body) != post.body:
            found.found("wrong", "a webhook-id with two contents", (key, post.type, post.id))
        if key not in shown or data["version"] >= shown[key]["version"]:
            shown[key] = data
    repeated = len(observed.posts) - len({post.id for post in observed.posts})
    if repeated > truth.repeats:
        found.found("doubled", "posts under an id that was taken before", repeated, repeated - truth.repeats)
    for (key, type_), several in ids.items():
        if type_ in ONCE and len(several) > 1:
            found.found("doubled", type_, (key, several), len(several) - 1)
        if key not in newest and key not in calls:
            found.found("strange", f"{type_} of a call that no event tells of", key)
    for key, call in calls.items():
        wanted = ["call.started", *(["call.answered"] if call.answered_at else [])]
        wanted += ["call.ended"] if call.state == "closed" else []
        for type_ in wanted:
            if (key, type_) not in ids:
                found.found("lost", type_, key)
        if call.state != "closed" or key not in shown:
            continue
        if differ := _differences(shown[key], orjson.loads(published(call))):
            kind = "lost" if shown[key]["version"] < call.version else "wrong"
            found.found(kind, "newest document posted", (key, differ))
    for key, document in newest.items():
        if document.get("retired") and key in shown and not shown[key].get("retired"):
            found.found("lost", "no post says that the call went into another", key)


def _runs(found: Audit, observed: Observed, reports: list[str]) -> None:
    """Each report that was asked for was made once, and mailed once where it has a mail."""
    assert observed.runs is not None
    done = Counter(run.report_id for run in observed.runs if run.state == "done")
    for report in reports:
        if not done[report]:
            found.found("lost", "report", report)
        elif done[report] > 1:
            found.found("doubled", "report", report, done[report] - 1)
    for run in observed.runs:
        if run.report_id not in reports:
            found.found("strange", "report that nobody asked for", run)
        if run.state != "done":
            found.found("wrong", "report that was not made", run)
        if run.mails > 1:
            found.found("doubled", "mail of a report", run, run.mails - 1)
