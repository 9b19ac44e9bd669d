"""The auditor of the fault suite finds what it is there to find: one planted fault at a time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from pipeline.calls.fold import fold
from pipeline.calls.grouping import group
from pipeline.push.events import Place, Published, message, news
from pipeline.sources import canonical
from pipeline.warehouse.storage import rows, writer
from pipeline.worker.core.folding import published
from pipeline.worker.core.joining import absorbed
from schemas.call import Call
from tests.long.chaos.audit import Audit, audit
from tests.long.chaos.load import Load, Message
from tests.long.chaos.observed import Observed, Post, ReportRun, Truth, load, observe_tables, save
from tests.servers import ClickHouseServer
from tests.worker.deployment import TIMES


@dataclass
class Tables:
    """One database, read as `Deployment` reads its own."""

    client: Any

    def stored(self, table: str, columns: tuple[str, ...]) -> list[dict[str, Any]]:
        listed = ", ".join(f"toUnixTimestamp64Milli({name})" if name in TIMES else f"`{name}`" for name in columns)
        found = self.client.query(f"SELECT {listed} FROM {table} FINAL WHERE retired = 0").result_rows
        return [dict(zip(columns, row, strict=True)) for row in found]


@dataclass
class Stored:
    """What a sound pipeline leaves of a load: tables of ClickHouse, and the topics' records."""

    client: Any
    truth: Truth
    calls: list[Call]
    feed: list[bytes]
    dead_letters: list[bytes]
    posts: list[Post]
    runs: list[ReportRun]

    def observed(self) -> Observed:
        found = observe_tables(
            self.client, Tables(self.client), feed=list(self.feed), dead_letters=list(self.dead_letters)
        )
        found.posts, found.runs = list(self.posts), list(self.runs)
        return found


@pytest.fixture
def stored(clickhouse_endpoint: ClickHouseServer, database: str) -> Iterator[Stored]:
    client = clickhouse_endpoint.client(database)
    yield filled(client)
    client.close()


def filled(client: Any) -> Stored:
    told = Load(seed=5, calls_a_tick=20, dialects=())
    messages: list[Message] = []
    for _ in range(4):
        messages += told.tick()
    for more in told.rest():
        messages += more
    values = [each.value for each in messages if each.value not in told.poison]
    random.Random(1).shuffle(values)
    body = b"\n".join(
        orjson.dumps(
            {
                "tenant": event.tenant, "call_id": event.call_id, "event_id": event.event_id,
                "at": event.at / 1000,
                "type": event.type, "node": event.node, "topic": "events", "partition": 0, "offset": place,
                "raw": value.decode(),
            }
        )
        for place, (event, value) in enumerate(zip(canonical.decode(values).events, values, strict=True))
    )  # fmt: skip
    writer.insert(client, "event_rows", rows.EVENT_COLUMNS, body, "JSONEachRow")
    together = group(told.events)
    calls = [fold(events) for events in together]
    writer.write_call_logs(client, [row for call in calls for row in rows.log_rows(call)])
    writer.write_calls(client, [rows.call_row(call) for call in calls])
    feed: list[bytes] = []
    for call, events in zip(calls, together, strict=True):
        for other in {event.call_id for event in events} - {call.call_id}:
            alone = fold([event for event in events if event.call_id == other])
            feed += [published(alone), absorbed(other, call)]
        feed.append(published(call))
    truth = Truth(told.events, sorted(told.poison), ["7"])
    runs = [ReportRun("7", "2026-03-01", "70", "done", 1)]
    return Stored(client, truth, calls, feed, list(truth.poison), posts_of(feed), runs)


def posts_of(feed: list[bytes]) -> list[Post]:
    """What the webhooks of all tenants post of this feed."""
    told: dict[tuple[str, str], Published] = {}
    posts: list[Post] = []
    for offset, value in enumerate(feed):
        document = orjson.loads(value)
        key = (document["tenant"], document["call_id"])
        place = Place(0, offset, 0)
        types, now = news(told.get(key), document, str(hash(value)), place)
        if now is not None:
            told[key] = now
        for type_, which in types:
            one = message(document, type_, which, place, "2026-03-01T00:00:00.000Z")
            posts.append(Post(one.id, one.type, one.body))
    return posts


def closed(stored: Stored) -> Call:
    """A call with logs that did not take another one in."""
    return next(call for call in stored.calls if call.state == "closed" and call.logs and not call.merged_call_ids)


def joined(stored: Stored) -> tuple[Call, str]:
    """A call, and the id that it took in."""
    call = next(call for call in stored.calls if call.merged_call_ids)
    return call, next(id_ for id_ in call.merged_call_ids if id_ != call.call_id)


def where(call: Call) -> str:
    return f"tenant = '{call.tenant}' AND call_id = '{call.call_id}'"


def delete(stored: Stored, table: str, condition: str) -> None:
    stored.client.command(f"DELETE FROM {table} WHERE {condition}", settings={"mutations_sync": 2})


def again(stored: Stored, table: str, change: str, condition: str) -> None:
    """Write live rows once more, changed."""
    stored.client.command(
        f"INSERT INTO {table} SELECT * REPLACE ({change})"
        f" FROM (SELECT * FROM {table} FINAL WHERE retired = 0 AND {condition})"
    )


# What is planted → what must be found, and the word that tells where.
def event_dropped(stored: Stored) -> None:
    event = stored.truth.events[0]
    delete(stored, "event_rows", f"tenant = '{event.tenant}' AND event_id = '{event.event_id}'")


def event_changed(stored: Stored) -> None:
    event = next(each for each in stored.truth.events if each.type == "started" and each.leg_id)
    which = f"tenant = '{event.tenant}' AND event_id = '{event.event_id}'"
    change = "replaceOne(raw, '\"leg_id\"', '\"leg_xx\"') AS raw, `offset` + 1000000 AS `offset`"
    stored.client.command(f"INSERT INTO event_rows SELECT * REPLACE ({change}) FROM event_rows WHERE {which} LIMIT 1")


def event_invented(stored: Stored) -> None:
    event = stored.truth.events[0]
    which = f"tenant = '{event.tenant}' AND event_id = '{event.event_id}'"
    stored.client.command(
        "INSERT INTO event_rows SELECT * REPLACE (event_id || '-x' AS event_id)"
        f" FROM (SELECT * FROM event_rows WHERE {which} LIMIT 1)"
    )


def event_twice(stored: Stored) -> None:
    """In another partition of the table, where merges and FINAL do not meet it."""
    event = stored.truth.events[0]
    which = f"tenant = '{event.tenant}' AND event_id = '{event.event_id}'"
    stored.client.command(
        "INSERT INTO event_rows SELECT * REPLACE (at + INTERVAL 40 DAY AS at)"
        f" FROM (SELECT * FROM event_rows WHERE {which} LIMIT 1)"
    )


def call_dropped(stored: Stored) -> None:
    delete(stored, "call_rows", where(closed(stored)))


def row_doubled(stored: Stored) -> None:
    again(stored, "call_rows", "id + 1 AS id", where(closed(stored)))


def row_doubled_elsewhere(stored: Stored) -> None:
    """What a start that became earlier leaves, when its old row is not retired."""
    again(stored, "call_rows", "started_at + INTERVAL 7 SECOND AS started_at", where(closed(stored)))


def log_doubled(stored: Stored) -> None:
    again(stored, "call_log_rows", "id + 1 AS id", where(closed(stored)))


def log_dropped(stored: Stored) -> None:
    delete(stored, "call_log_rows", where(closed(stored)))


def field_changed(stored: Stored) -> None:
    again(stored, "call_rows", "talk_ms + 1 AS talk_ms", where(closed(stored)))


def detail_changed(stored: Stored) -> None:
    """In what is no column of its own."""
    again(stored, "call_rows", "'{}' AS detail", where(closed(stored)))


def log_field_changed(stored: Stored) -> None:
    again(stored, "call_log_rows", "'x' AS name", where(closed(stored)))


def stale_row(stored: Stored) -> None:
    """The row of an id that another call took in."""
    into, absorbed_id = joined(stored)
    change = f"'{absorbed_id}' AS call_id, id + 1 AS id"
    again(stored, "call_rows", change, where(into))


def old_version(stored: Stored) -> None:
    """The row of a call as it was before its last event; the last write is lost."""
    call = closed(stored)
    delete(stored, "call_rows", where(call))
    events = [each for each in stored.truth.events if (each.tenant, each.call_id) == (call.tenant, call.call_id)]
    writer.write_calls(stored.client, [rows.call_row(fold(sorted(events, key=lambda each: each.at)[:-1]))])


def last_message_left_out(stored: Stored) -> None:
    """Of an id of which the feed spoke before."""
    call = closed(stored)
    events = [each for each in stored.truth.events if (each.tenant, each.call_id) == (call.tenant, call.call_id)]
    earlier = published(fold(sorted(events, key=lambda each: each.at)[:-1]))
    stored.feed[stored.feed.index(published(call))] = earlier


def message_left_out(stored: Stored) -> None:
    stored.feed.remove(published(closed(stored)))


def message_changed(stored: Stored) -> None:
    place = stored.feed.index(published(closed(stored)))
    document = orjson.loads(stored.feed[place])
    document["logs"] = document["logs"][:-1]
    stored.feed[place] = orjson.dumps(document)


def absorption_left_out(stored: Stored) -> None:
    into, absorbed_id = joined(stored)
    stored.feed.remove(absorbed(absorbed_id, into))


def absorbed_by_another(stored: Stored) -> None:
    into, absorbed_id = joined(stored)
    place = stored.feed.index(absorbed(absorbed_id, into))
    stored.feed[place] = absorbed(absorbed_id, closed(stored))


def poison_swallowed(stored: Stored) -> None:
    stored.dead_letters.pop()


def post_left_out(stored: Stored) -> None:
    stored.posts.pop(next(place for place, post in enumerate(stored.posts) if post.type == "call.ended"))


def post_twice(stored: Stored) -> None:
    """Taken, and sent again though nobody died."""
    stored.posts.append(stored.posts[0])


def post_under_two_ids(stored: Stored) -> None:
    first = next(post for post in stored.posts if post.type == "call.ended")
    stored.posts.append(msgspec.structs.replace(first, id="msg_other"))


def report_twice(stored: Stored) -> None:
    stored.runs.append(msgspec.structs.replace(stored.runs[0], id="71"))


def report_left_out(stored: Stored) -> None:
    stored.runs.clear()


def report_mailed_twice(stored: Stored) -> None:
    stored.runs[0] = msgspec.structs.replace(stored.runs[0], mails=2)


PLANTED: tuple[tuple[Callable[[Stored], None], str, str], ...] = (
    (event_dropped, "lost", "event not archived"),
    (event_changed, "wrong", "archived event"),
    (event_invented, "strange", "archived event that nobody sent"),
    (event_twice, "doubled", "event archived more than once"),
    (call_dropped, "lost", "call:"),
    (row_doubled, "doubled", "call:"),
    (row_doubled_elsewhere, "doubled", "call:"),
    (log_doubled, "doubled", "call log too many"),
    (log_dropped, "lost", "call log:"),
    (field_changed, "wrong", "talk_ms"),
    (detail_changed, "wrong", "detail"),
    (log_field_changed, "wrong", "call log:"),
    (stale_row, "strange", "call that no event tells of"),
    (old_version, "wrong", "call:"),
    (last_message_left_out, "lost", "newest feed message"),
    (message_left_out, "lost", "call not in the feed"),
    (message_changed, "wrong", "newest feed message"),
    (absorption_left_out, "strange", "feed shows a call that is none"),
    (absorbed_by_another, "wrong", "feed names another call"),
    (poison_swallowed, "lost", "dead letter"),
    (post_left_out, "lost", "call.ended"),
    (post_twice, "doubled", "posts under an id"),
    (post_under_two_ids, "doubled", "call.ended"),
    (report_twice, "doubled", "report"),
    (report_left_out, "lost", "report"),
    (report_mailed_twice, "doubled", "mail of a report"),
)


def test_nothing_is_found_in_what_is_sound(stored: Stored, tmp_path: Path) -> None:
    assert any(call.merged_call_ids for call in stored.calls)
    observed = stored.observed()
    found = audit(stored.truth, observed)
    assert found == Audit(), found.examples
    save(tmp_path / "evidence", stored.truth, observed)
    assert load(tmp_path / "evidence") == (stored.truth, observed)


@pytest.mark.parametrize(("plant", "kind", "says"), PLANTED, ids=[plant.__name__ for plant, _, _ in PLANTED])
def test_a_planted_fault_is_found(stored: Stored, plant: Callable[[Stored], None], kind: str, says: str) -> None:
    plant(stored)
    found = audit(stored.truth, stored.observed())
    assert getattr(found, kind) >= 1, found
    assert any(says in example for example in found.examples), found.examples
    # One fault is one fault: it is not told as several. (A call without its logs lost each of them.)
    assert sum((found.lost, found.doubled, found.wrong, found.strange)) <= 2 or plant is log_dropped, found
