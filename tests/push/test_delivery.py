"""Sending, to a real receiver."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import orjson
import pytest

from pipeline.errors import BadField
from pipeline.push.delivery import Sender
from pipeline.push.events import Message, Place, message_id
from pipeline.push.events import message as message_of
from pipeline.push.store import PushStore, Webhook
from pipeline.push.webhooks import changed, made
from pipeline.settings import Settings
from pipeline.warehouse.query.reader import Row
from schemas.call import document
from tests.push.receiver import Got, Receiver
from tests.query.rich_calls import MARKS, rich_call


def message(call_id: str, type_: str = "call.ended") -> Message:
    body = orjson.dumps({"type": type_, "data": {"call_id": call_id, "name": "Zoë"}})
    return Message("acme", message_id("acme", call_id, type_), type_, call_id, body)


async def send(settings: Settings, store: PushStore, *webhooks: Webhook, rounds: int = 1) -> None:
    """Send what is due, so many times."""
    sender = Sender(settings, store, lambda _: True)
    for _ in range(rounds):
        await sender.begin(webhooks)
        await sender.settled()
    await sender.close()


async def states(store: PushStore, webhook: Webhook) -> list[Row]:
    return await store.deliveries("acme", webhook.id)


async def test_messages_are_signed_and_delivered(settings: Settings, store: PushStore, receiver: Receiver) -> None:
    webhook = await made(settings, store, "acme", receiver.url(), ["call.ended"])
    messages = [message(f"c-{number}") for number in range(40)]
    await store.plan([(one, [webhook]) for one in messages])
    await send(settings, store, webhook)
    assert {got.id: got.body for got in receiver.got} == {one.id: one.body for one in messages}
    assert len(receiver.got) == 40
    assert all(got.signed_with(webhook.secret) and abs(got.timestamp - time.time()) < 60 for got in receiver.got)
    assert not receiver.got[0].signed_with("whsec_" + "A" * 32)
    assert {(row["state"], row["attempts"], row["status"]) for row in await states(store, webhook)} == {
        ("delivered", 1, 204)
    }
    await store.plan([(one, [webhook]) for one in messages])  # told again after a crash
    await send(settings, store, webhook)
    assert len(receiver.got) == 40


async def test_who_sees_numbers_masked_is_told_them_masked(
    settings: Settings, store: PushStore, receiver: Receiver
) -> None:
    hooks = [
        await made(settings, store, "acme", receiver.url(f"/{numbers or 'as-set'}"), None, numbers=numbers)
        for numbers in ("clear", "masked", "")
    ]
    place = Place(0, 1, 0)
    (told,) = [message_of(document(rich_call("acme")), "call.ended", "", place, "2024-08-20T12:00:00Z")]
    await store.plan([(told, hooks)])
    await send(settings, store, *hooks)
    await store.plan([(replace(told, id=told.id[:-1] + "x"), hooks[2:])])
    await send(settings.model_copy(update={"mask_numbers": True}), store, hooks[2])
    bodies = [(got.path, [mark for mark in MARKS if mark in got.body.decode()]) for got in receiver.got]
    assert [path for path, marks in bodies if not marks] == ["/masked", "/as-set"], bodies
    assert sorted(path for path, marks in bodies if marks) == ["/as-set", "/clear"]
    assert all(b'"call_id":"rich"' in got.body for got in receiver.got)


async def test_of_one_call_the_order_is_kept(settings: Settings, store: PushStore, receiver: Receiver) -> None:
    webhook = await made(settings, store, "acme", receiver.url(), None)
    types = ["call.started", "call.answered", "call.ended"]
    await store.plan([(message("c-1", type_), [webhook]) for type_ in types])
    receiver.answer = lambda got: (200, 0.2 if got.type == "call.started" else 0.0)
    await send(settings, store, webhook)
    assert [got.type for got in receiver.got] == types


async def test_what_fails_is_tried_again_and_in_the_end_dead(
    settings: Settings, store: PushStore, receiver: Receiver
) -> None:
    webhook = await made(settings, store, "acme", receiver.url(), None)
    first, second = message("c-1"), message("c-2")
    await store.plan([(first, [webhook]), (second, [webhook])])
    failed: list[str] = []

    def answer(got: Got) -> tuple[int, float]:
        failed.append(got.id)
        return (500 if got.id == second.id or failed.count(first.id) < 3 else 200), 0.0

    receiver.answer = answer
    await send(settings, store, webhook, rounds=5)
    found = {row["id"]: (row["state"], row["attempts"], row["status"]) for row in await states(store, webhook)}
    assert found == {first.id: ("delivered", 3, 200), second.id: ("dead", 3, 500)}
    assert failed.count(second.id) == 3
    delivery = await store.delivery("acme", webhook.id, second.id)
    assert delivery is not None
    receiver.answer = lambda _: (200, 0.0)
    await store.replay(delivery)
    await send(settings, store, webhook)
    assert [got.id for got in receiver.got][-1] == second.id
    assert {row["state"] for row in await states(store, webhook)} == {"delivered"}


async def test_the_ladder_puts_the_next_attempt_off(settings: Settings, store: PushStore, receiver: Receiver) -> None:
    webhook = await made(settings, store, "acme", receiver.url(), None)
    await store.plan([(message("c-1"), [webhook])])
    receiver.answer = lambda _: (503, 0.0)
    await send(settings.model_copy(update={"webhook_retry_s": "600"}), store, webhook, rounds=3)
    assert len(receiver.got) == 1
    (row,) = await states(store, webhook)
    assert (row["state"], row["error"]) == ("waiting", "answered 503")


async def test_gone_disables(settings: Settings, store: PushStore, receiver: Receiver) -> None:
    webhook = await made(settings, store, "acme", receiver.url(), None)
    await store.plan([(message("c-1"), [webhook])])
    receiver.answer = lambda _: (410, 0.0)
    await send(settings, store, webhook)
    (row,) = await store.listed("acme")
    assert (row["enabled"], row["reason"]) == (0, "its receiver answered 410 Gone")
    assert await store.webhooks() == []
    assert [row["state"] for row in await states(store, webhook)] == ["dead"]

    receiver.answer = lambda _: (204, 0.0)
    gone = await store.webhook("acme", webhook.id)
    assert gone is not None
    again = await changed(settings, store, gone, {"enabled": True})
    assert [one.id for one in await store.webhooks()] == [webhook.id] and again.reason == ""
    dead = await store.delivery("acme", webhook.id, (await states(store, webhook))[0]["id"])
    assert dead is not None
    await store.replay(dead)
    await send(settings, store, again)
    assert [row["state"] for row in await states(store, webhook)] == ["delivered"]


async def test_redirects_are_not_followed(settings: Settings, store: PushStore, receiver: Receiver) -> None:
    webhook = await made(settings, store, "acme", receiver.url(), None)
    await store.plan([(message("c-1"), [webhook])])
    receiver.answer = lambda _: (307, 0.0)
    await send(settings.model_copy(update={"webhook_retry_s": "60"}), store, webhook)
    assert [got.path for got in receiver.got] == ["/hook"]
    assert [row["error"] for row in await states(store, webhook)] == ["answered 307"]


async def test_a_slow_receiver_holds_up_none_but_itself(
    settings: Settings, store: PushStore, receiver: Receiver
) -> None:
    slow = await made(settings, store, "acme", receiver.url("/slow"), None)
    quick = await made(settings, store, "acme", receiver.url("/quick"), None)
    await store.plan([(message(f"c-{number}"), [slow, quick]) for number in range(20)])
    receiver.answer = lambda got: (200, 30.0 if got.path == "/slow" else 0.0)
    sender = Sender(settings, store, lambda _: True)
    await sender.begin([slow, quick])

    for _ in range(400):
        if [row["state"] for row in await states(store, quick)] == ["delivered"] * 20:
            break
        await asyncio.sleep(0.05)
    assert [row["state"] for row in await states(store, quick)] == ["delivered"] * 20
    assert {row["state"] for row in await states(store, slow)} == {"waiting"}
    await sender.close()


async def test_the_time_limit(settings: Settings, store: PushStore, receiver: Receiver) -> None:
    webhook = await made(settings, store, "acme", receiver.url(), None)
    await store.plan([(message("c-1"), [webhook])])
    receiver.answer = lambda _: (200, 30.0)
    await send(settings.model_copy(update={"webhook_timeout_s": 0.3, "webhook_retry_s": "60"}), store, webhook)
    assert [row["error"] for row in await states(store, webhook)] == ["no answer within 0.3 s"]


async def test_private_addresses_are_refused_when_sending_too(
    settings: Settings, store: PushStore, receiver: Receiver
) -> None:
    webhook = await made(settings, store, "acme", receiver.url(), None)
    careful = settings.model_copy(update={"webhook_private": False, "webhook_retry_s": "60"})
    named = replace(webhook, url=f"http://0x7f.1:{receiver.port}/hook")
    sender = Sender(careful, store, lambda _: True)
    for one in (webhook, named):
        status, error = await sender.post(one, "msg_1", b"{}")
        assert status == 0 and "public internet" in error
    await sender.close()
    assert receiver.got == []
    with pytest.raises(BadField, match="public internet"):
        await made(careful, store, "acme", receiver.url(), None)


async def test_secrets_are_in_no_list_and_no_repr(settings: Settings, store: PushStore, receiver: Receiver) -> None:
    webhook = await made(settings, store, "acme", receiver.url(), None)
    assert webhook.secret not in f"{webhook!r} {await store.listed('acme')} {await states(store, webhook)}"
