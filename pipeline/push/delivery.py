"""Sending webhooks: what is due is posted, what fails is tried again later, and in the end is a dead letter.

Each webhook is sent on its own, so that one that is slow or away holds up none but itself. What became of an attempt
is noted right after it: killed in between, the same message goes again, under the same webhook-id.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import aiohttp
import structlog

from pipeline import clock
from pipeline.push import metrics, signing
from pipeline.push.addresses import AddressRefused, PublicResolver, check_url
from pipeline.push.events import masked_body
from pipeline.push.store import DEAD, DELIVERED, Delivery, PushStore, Webhook
from pipeline.settings import Settings
from pipeline.warehouse.identity.access import is_masked
from pipeline.warehouse.query.reader import QueryFailed, TooCostly, Unavailable

log = structlog.get_logger("cdr.push")

POLL_S: Final = 1.0
_NOTE_EVERY_S: Final = 0.5
_AT_ONCE: Final = 8  # calls of one webhook
_GONE: Final = 410


class Sender:
    """Posts the due deliveries of the webhooks that are ours."""

    def __init__(self, settings: Settings, store: PushStore, is_mine: Callable[[Webhook], bool]) -> None:
        self._settings, self._store, self._is_mine = settings, store, is_mine
        self._waits = [float(each) for each in settings.webhook_retry_s.split(",")]
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._session: aiohttp.ClientSession | None = None

    async def run(self, look: Callable[[list[Webhook]], object], news: asyncio.Event) -> None:
        """Until cancelled. `look` is called with the webhooks that are ours, each time they are read."""
        try:
            while True:
                try:
                    mine = [one for one in await self._store.webhooks() if self._is_mine(one)]
                    found = look(mine)
                    if asyncio.iscoroutine(found):
                        await found
                    await self.begin(mine)
                except (Unavailable, TooCostly, QueryFailed) as error:
                    log.info("webhooks wait for ClickHouse", error=str(error))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_S):
                        await news.wait()
                news.clear()
        finally:
            await self.close()

    async def begin(self, webhooks: Sequence[Webhook]) -> None:
        """Begin sending what is due of these, each on its own."""
        self._tasks = {id_: task for id_, task in self._tasks.items() if not task.done()}
        idle = {one.id: one for one in webhooks if one.id not in self._tasks}
        if not idle:
            return
        due = await self._store.due(list(idle))
        metrics.OVERDUE_SECONDS.set(max(0, clock.now_ms() - min(due.values())) / 1000 if due else 0)
        for id_ in due:
            self._tasks[id_] = asyncio.create_task(self._drain(idle[id_]))

    async def settled(self) -> None:
        """Wait until what was begun is over."""
        await asyncio.gather(*self._tasks.values())

    async def close(self) -> None:
        """Stop; what is under way is sent again by whoever is next."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _drain(self, webhook: Webhook) -> None:
        """Send page after page until nothing is due."""
        try:
            while self._is_mine(webhook):
                page = await self._store.page(webhook)
                if not page or not await self._send_page(webhook, page):
                    return
        except (Unavailable, TooCostly, QueryFailed) as error:
            log.info("a webhook waits for ClickHouse", webhook=webhook.id, error=str(error))

    async def _send_page(self, webhook: Webhook, page: Sequence[tuple[Delivery, bytes]]) -> bool:
        """Send these, those of one call one after the other; False when the webhook was disabled."""
        by_call: dict[str, list[tuple[Delivery, bytes]]] = defaultdict(list)
        for item in page:
            by_call[item[0].call_id or item[0].id].append(item)
        room = asyncio.Semaphore(_AT_ONCE)
        done: list[Delivery] = []

        async def send_call(items: Sequence[tuple[Delivery, bytes]]) -> None:
            async with room:
                for delivery, body in items:
                    if not self._is_mine(webhook):
                        return
                    done.append(await self.attempt(webhook, delivery, body))

        pending = {asyncio.ensure_future(send_call(items)) for items in by_call.values()}
        gone = False
        try:
            while pending:
                finished, pending = await asyncio.wait(pending, timeout=_NOTE_EVERY_S)
                for task in finished:
                    task.result()
                gone = gone or any(one.status == _GONE for one in done)
                noted, done[:] = list(done), []
                await self._store.record(noted)
        finally:
            for task in pending:
                task.cancel()
        if gone:
            await self._disable(webhook)
        return not gone

    async def attempt(self, webhook: Webhook, delivery: Delivery, body: bytes) -> Delivery:
        """Post once; what became of it."""
        status, error = await self.post(webhook, delivery.id, body)
        attempts = delivery.attempts + 1
        now = replace(delivery, attempts=attempts, status=status, error=error)
        if not error:
            metrics.ATTEMPTS.labels("delivered").inc()
            return replace(now, state=DELIVERED)
        if status == _GONE or attempts > len(self._waits):
            log.warning("webhook gives up", webhook=webhook.id, message=delivery.id, attempts=attempts, error=error)
            metrics.ATTEMPTS.labels("dead").inc()
            return replace(now, state=DEAD)
        metrics.ATTEMPTS.labels("retried").inc()
        wait_s = self._waits[attempts - 1] * random.uniform(1.0, 1.1)
        return replace(now, next_at=clock.now_ms() + int(wait_s * 1000))

    async def post(self, webhook: Webhook, id_: str, body: bytes) -> tuple[int, str]:
        """Status (0: no answer) and what went wrong; "" for 2xx. What the receiver says is not read: it might be
        of a server that the tenant may not see."""
        if not body:
            return 0, "the message is kept no longer"
        if not webhook.secret:
            return 0, "its secret cannot be opened: it was sealed under another CDR_WEBHOOK_KEY"
        if is_masked(webhook.numbers, self._settings.mask_numbers):
            body = masked_body(body)
        headers = signing.headers(webhook.secret, id_, int(time.time()), body)
        try:
            check_url(webhook.url, private=self._settings.webhook_private)
            async with self._connected().post(webhook.url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status, "" if 200 <= answer.status < 300 else f"answered {answer.status}"
        except TimeoutError:
            return 0, f"no answer within {self._settings.webhook_timeout_s:g} s"
        except ValueError as error:
            return 0, f"the URL {error}"[:300]
        except (aiohttp.ClientError, OSError) as error:
            inner = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            return 0, str(inner)[:300] if isinstance(
                inner, AddressRefused
            ) else f"no connection: {type(error).__name__}"

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = None if self._settings.webhook_private else PublicResolver()
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=256, limit_per_host=32, resolver=resolver),
                timeout=aiohttp.ClientTimeout(total=self._settings.webhook_timeout_s),
                trust_env=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        return self._session

    async def _disable(self, webhook: Webhook) -> None:
        """The receiver said that it is gone for good."""
        current = await self._store.webhook(webhook.tenant, webhook.id)
        if current is not None and current.enabled:
            await self._store.save(replace(current, enabled=False, reason="its receiver answered 410 Gone"))
            metrics.DISABLED.inc()
            log.warning("webhook disabled: its receiver answered 410 Gone", webhook=webhook.id)
