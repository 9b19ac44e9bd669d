"""What the simulated company has written down: it fits its calls, and is stored where there is nothing yet."""

from __future__ import annotations

import dataclasses
from typing import Any

from pipeline.calls.fold import fold
from pipeline.directory.model import Queue, build, key_of, kind_of
from pipeline.directory.validate import dangling
from pipeline.instants import DAY_MS
from pipeline.rating.calls import price
from pipeline.rating.deck import Deck
from pipeline.rating.directions import direct
from pipeline.rating.tariffs import Tariffs
from pipeline.traffic import books, day
from pipeline.traffic.company import QUEUE
from pipeline.warehouse.reference.decks import known
from pipeline.warehouse.reference.directories import load, save
from tests.servers import ClickHouseServer

TENANT = "default"


def test_every_party_of_a_day_has_a_name_and_every_answered_call_outside_a_price_on_both_sides() -> None:
    directory = build(TENANT, {(kind_of(each), key_of(each)): each for each in books.entries(TENANT)})
    assert dangling(directory) == []
    tariffs = Tariffs([Deck(*each) for each in books.decks(TENANT)], {TENANT: directory})
    priced = 0
    for events in day.day(1, 20_000 * DAY_MS, 300):
        call = fold(events)
        direct(call, tariffs)
        for log in call.logs:
            if log.kind in ("extension", "queue", "ring_group_member", "queue_agent"):
                assert directory.name_of(log.number), log
        assert not call.trunk or call.trunk in directory.trunks
        if call.direction == "outbound" and call.answered_at:
            price(call, tariffs)
            assert call.cost and call.currency == "GBP" and call.billed_account in ("office", "sales", "support")
            priced += 1
    assert priced > 20


def test_they_are_stored_where_there_is_nothing_yet(clickhouse_endpoint: ClickHouseServer, database: str) -> None:
    client: Any = clickhouse_endpoint.client(database)
    books.store(client, TENANT)
    first = load(client, TENANT)
    assert first.queues[QUEUE].name == "Support"
    assert [deck.header.name for deck in known(client)] == ["carrier of trunk-a", "carrier of trunk-b", "retail"]
    other = dataclasses.replace(first.queues[QUEUE], name="Help")
    assert isinstance(other, Queue)
    save(client, TENANT, {("queue", QUEUE): other}, "somebody")
    books.store(client, TENANT)
    assert load(client, TENANT).queues[QUEUE].name == "Help"
    assert len(known(client)) == 3
    client.close()
