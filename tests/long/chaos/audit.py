"""Compares everything the pipeline wrote with the truth: what is lost, doubled or wrong."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field, fields
from typing import Any

import orjson

from pipeline.calls.fold import fold
from pipeline.calls.grouping import group
from pipeline.warehouse.storage import rows
from pipeline.worker.core.folding import published
from schemas.call import Call
from tests.long.chaos.load import Load
from tests.worker.deployment import Deployment, call_fields, log_fields
from tests.worker.phone_calls import CallKey

EXAMPLES = 8


@dataclass
class Audit:
    """Numbers of what is not as it must be."""

    lost: int = 0  # calls, events of the archive, dead letters, words of the change feed
    doubled: int = 0  # rows that a call has too many
    wrong: int = 0  # calls with a field that is not what the fold of all their events says
    strange: int = 0  # calls, events and dead letters that nobody sent
    examples: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong or self.strange)

    def say(self, what: str, where: object) -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append(f"{what}: {where}")

    def __add__(self, other: Audit) -> Audit:
        numbers = {each.name: getattr(self, each.name) + getattr(other, each.name) for each in fields(self)}
        return Audit(**numbers)


def audit(deployment: Deployment, load: Load) -> Audit:
    """Everything in the tables, the archive, the feed and the dead letters against the ledger."""
    found = Audit()
    calls = {(call.tenant, call.call_id): call for call in map(fold, group(load.events))}
    _calls(found, deployment, calls)
    _logs(found, deployment, calls)
    _archive(found, deployment, load)
    _dead_letters(found, deployment, load)
    _feed(found, deployment, calls)
    return found


def _calls(found: Audit, deployment: Deployment, calls: dict[CallKey, Call]) -> None:
    stored: dict[CallKey, list[dict[str, Any]]] = defaultdict(list)
    for row in deployment.stored("call_rows", rows.CALL_COLUMNS):
        stored[row["tenant"], row["call_id"]].append(row | {"detail": orjson.loads(row["detail"] or "{}")})
    for key, call in calls.items():
        have = stored.pop(key, [])
        if not have:
            found.lost += 1
            found.say("call lost", key)
            continue
        found.doubled += len(have) - 1
        if len(have) > 1:
            found.say("call doubled", key)
        want = call_fields(call)
        differ = {name: (have[0][name], value) for name, value in want.items() if have[0][name] != value}
        if differ and len(have) == 1:
            found.wrong += 1
            found.say("call wrong", (key, differ))
    found.strange += len(stored)
    for key in stored:
        found.say("call that nobody made", key)


def _logs(found: Audit, deployment: Deployment, calls: dict[CallKey, Call]) -> None:
    stored: dict[CallKey, list[dict[str, Any]]] = defaultdict(list)
    for row in deployment.stored("call_log_rows", rows.LOG_COLUMNS):
        stored[row["tenant"], row["call_id"]].append(row)
    for key, call in calls.items():
        have = sorted(stored.pop(key, []), key=_place)
        want = sorted((log_fields(log) for log in call.logs), key=_place)
        if len(have) > len(want):
            found.doubled += len(have) - len(want)
            found.say("call log too many", key)
        elif len(have) < len(want):
            found.lost += len(want) - len(have)
            found.say("call log lost", key)
        elif have != want:
            found.wrong += 1
            found.say("call log wrong", key)
    found.strange += sum(map(len, stored.values()))
    for key in stored:
        found.say("call log that nobody made", key)


def _place(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["position"], row["id"]


def _archive(found: Audit, deployment: Deployment, load: Load) -> None:
    query = "SELECT DISTINCT tenant, call_id, event_id FROM event_rows WHERE NOT startsWith(event_id, 'joined:')"
    archived = {tuple(row) for row in deployment.client.query(query).result_rows}
    sent = {(each.tenant, each.call_id, each.event_id) for each in load.events}
    found.lost += len(sent - archived)
    found.strange += len(archived - sent)
    for key in list(sent - archived)[:2]:
        found.say("event not archived", key)
    for key in list(archived - sent)[:2]:
        found.say("event that nobody sent", key)


def _dead_letters(found: Audit, deployment: Deployment, load: Load) -> None:
    values = {record.value for record in deployment.dead_letters()}
    found.lost += len(load.poison - values)
    found.strange += len(values - load.poison)
    for value in list(values ^ load.poison)[:2]:
        found.say("dead letter", value)


def _feed(found: Audit, deployment: Deployment, calls: dict[CallKey, Call]) -> None:
    """The newest word on each call is its document; versions of one call never go back, but for repetitions."""
    newest: dict[CallKey, dict[str, Any]] = {}
    for record in deployment.feed():
        shown = orjson.loads(record.value)
        key = (shown["tenant"], shown["call_id"])
        if key not in newest or shown["version"] >= newest[key]["version"]:
            newest[key] = shown
    wrong = Counter[str]()
    for key, call in calls.items():
        shown = newest.pop(key, {})
        if not shown:
            found.lost += 1
            found.say("call not in the feed", key)
        elif shown != orjson.loads(published(call)):
            wrong["feed"] += 1
            found.say("feed wrong", key)
    found.wrong += wrong["feed"]
    for key, shown in newest.items():
        if not shown.get("retired"):
            found.strange += 1
            found.say("feed tells of", key)
