"""What makes a webhook: the same rules over HTTP and on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from pipeline import clock
from pipeline.errors import BadField
from pipeline.push import signing
from pipeline.push.addresses import check_url
from pipeline.push.events import TEST, TYPES, Message, message_id
from pipeline.push.store import PushStore, Webhook, new_id
from pipeline.settings import Settings
from pipeline.settings.push import PushSettings
from schemas.call import rfc3339

# More would make every call as many requests.
MOST = 50


async def made(
    settings: Settings, store: PushStore, tenant: str, url: Any, events: Any, secret: Any = None, numbers: str = ""
) -> Webhook:
    """A new webhook, kept; told phone numbers as whoever makes it sees them. Raises BadField."""
    url, chosen = checked_url(settings, url), TYPES if events is None else checked_events(events)
    if secret is not None:
        try:
            signing.key_of(secret if isinstance(secret, str) else "")
        except ValueError as error:
            raise BadField("secret", None, str(error)) from None
    if len(await store.listed(tenant)) >= MOST:
        raise BadField("url", url, f"is one too many: a tenant has {MOST} webhooks at most; delete one")
    webhook = Webhook(
        tenant, new_id(), url, secret or signing.new_secret(), chosen, created_at=clock.now_ms(), numbers=numbers
    )
    await store.save(webhook)
    return webhook


async def changed(
    settings: Settings, store: PushStore, webhook: Webhook, wish: Mapping[str, Any], numbers: str | None = None
) -> Webhook:
    """The webhook with these of `url`, `events`, `enabled`, kept. It is told phone numbers as whoever changed it last
    sees them (`numbers`; None for no change): nobody has a webhook tell what it may not see. Raises BadField."""
    changes: dict[str, Any] = {} if numbers is None else {"numbers": numbers}
    if "url" in wish:
        changes["url"] = checked_url(settings, wish["url"])
    if "events" in wish:
        changes["events"] = checked_events(wish["events"])
    if "enabled" in wish:
        if not isinstance(wish["enabled"], bool):
            raise BadField("enabled", None, "is neither true nor false")
        changes |= {"enabled": wish["enabled"], "reason": "" if wish["enabled"] else "disabled by its owner"}
    changed_ = replace(webhook, **changes)
    if changed_ != webhook:
        await store.save(changed_)
    return changed_


def checked_url(settings: PushSettings, url: Any) -> str:
    """A URL that webhooks may go to. Raises BadField."""
    if not isinstance(url, str):
        raise BadField("url", None, "is missing or no text; write it like https://example.com/hook")
    try:
        return check_url(url, private=settings.webhook_private)
    except ValueError as error:
        raise BadField("url", url, str(error)) from None


def checked_events(events: Any) -> tuple[str, ...]:
    """Event types, each once. Raises BadField."""
    if not isinstance(events, Sequence) or isinstance(events, str) or not events:
        raise BadField("events", None, f"is no list of event types; there are {', '.join(TYPES)}")
    for each in events:
        if each not in TYPES:
            raise BadField("events", str(each), f"is none of {', '.join(TYPES)}")
    return tuple(dict.fromkeys(events))


def trial(webhook: Webhook) -> Message:
    """A message that only shows that it arrives."""
    now = clock.now_ms()
    body = {"type": TEST, "timestamp": rfc3339(now), "data": {"tenant": webhook.tenant, "webhook": webhook.id}}
    id_ = message_id(webhook.tenant, webhook.id, TEST, str(now))
    return Message(webhook.tenant, id_, TEST, "", orjson.dumps(body))


def shown(webhook: Webhook, *, secret: bool = False) -> dict[str, Any]:
    """The webhook as JSON; with its secret only where it was made."""
    found = {
        "id": webhook.id,
        "url": webhook.url,
        "events": list(webhook.events),
        "enabled": webhook.enabled,
        "reason": webhook.reason or None,
        "created_at": rfc3339(webhook.created_at),
    }
    return found | ({"secret": webhook.secret} if secret else {})
