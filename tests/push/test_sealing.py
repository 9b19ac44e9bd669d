"""Secrets of webhooks are sealed where there is a key, and kept of no webhook that is gone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.push import signing
from pipeline.push.delivery import Sender
from pipeline.push.jobs import push_reader
from pipeline.push.sealing import SEALED, seal, unseal
from pipeline.push.store import PushStore, Webhook, new_id
from pipeline.settings import Settings


@given(
    secret=st.text(min_size=1, max_size=90),
    keys=st.lists(st.text("abc", min_size=1, max_size=5), min_size=1, max_size=3),
)
def test_any_of_the_keys_opens(secret: str, keys: list[str]) -> None:
    stored = seal(secret, keys[-1], "webhook of acme")
    assert stored.startswith(SEALED)
    assert unseal(stored, ",".join(keys), "webhook of acme") == secret
    assert unseal(stored, "another", "webhook of acme") == ""
    assert unseal(stored, ",".join(keys), "webhook of other") == ""  # moved to another webhook, it opens nothing
    assert seal(secret, keys[-1], "webhook of acme") != stored


def test_without_a_key_it_is_stored_as_it_is() -> None:
    assert seal("whsec_x", "", "a") == "whsec_x"
    assert unseal("whsec_x", "key", "a") == "whsec_x"


@pytest.mark.embedded
async def test_stored_secrets(settings: Settings) -> None:
    reader = push_reader(settings)
    clear, sealing = PushStore(reader), PushStore(reader, "new,old")
    webhook = Webhook("sealed", new_id(), "http://127.0.0.1:9/", signing.new_secret(), ("call.ended",))

    async def stored() -> list[str]:
        rows = await reader.rows(
            "t", "SELECT secret FROM webhook_rows FINAL WHERE tenant = 'sealed' ORDER BY deleted", {}, by_key=True
        )
        return [row["secret"] for row in rows]

    await clear.save(webhook)
    assert await stored() == [webhook.secret]
    assert await sealing.seal() == 1
    assert await sealing.seal() == 0
    (sealed,) = await stored()
    assert sealed.startswith(SEALED) and webhook.secret not in sealed
    assert await sealing.webhook("sealed", webhook.id) == webhook
    without = await clear.webhook("sealed", webhook.id)
    assert without == replace(webhook, secret="")
    sender = Sender(settings, clear, lambda _: True)
    assert "CDR_WEBHOOK_KEY" in (await sender.post(without, "msg", b"{}"))[1]
    await sender.close()
    await sealing.save(webhook, deleted=True)
    assert await stored() == [""]
    reader.close()
