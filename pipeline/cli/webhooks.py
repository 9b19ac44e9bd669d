"""`cdr webhook`: who is told of calls, and what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from pipeline.cli.options import OutputOption, tenant_of
from pipeline.errors import USAGE, BadField, Problem
from pipeline.output import Output

if TYPE_CHECKING:
    from pipeline.push.store import PushStore, Webhook

app = typer.Typer(no_args_is_help=True, help="Webhooks: signed messages about calls as they happen.")

TenantOption = Annotated[str, typer.Option(help="Whose; CDR_TENANT when left out.")]
Id = Annotated[str, typer.Argument(metavar="ID", help="See cdr webhook list.")]
T = TypeVar("T")


@app.command("create")
def create(
    url: Annotated[str, typer.Option(help="Where messages are posted.")],
    tenant: TenantOption = "",
    events: Annotated[list[str] | None, typer.Option("--event", help="May be repeated; all when left out.")] = None,
    secret: Annotated[str, typer.Option(help="whsec_ and base64; made when left out.")] = "",
    output: OutputOption = Output.table,
) -> None:
    """Make a webhook and print its secret. This is the one time it can be read."""
    from pipeline.output import print_json
    from pipeline.push.webhooks import made, shown
    from pipeline.settings import settings

    wanted = [part for each in events or () for part in each.split(",")] or None

    async def work(store: PushStore) -> Webhook:
        try:
            return await made(settings(), store, tenant_of(tenant), url, wanted, secret or None)
        except BadField as error:
            raise Problem(f"{error}.", code=USAGE) from None

    webhook = _with_store(work)
    if output in (Output.table, Output.csv):
        typer.echo(f"{webhook.id}\n{webhook.secret}")
    else:
        print_json(shown(webhook, secret=True) | {"tenant": webhook.tenant})


@app.command("list")
def list_webhooks(tenant: TenantOption = "", output: OutputOption = Output.table) -> None:
    """Print the webhooks of a tenant, without their secrets."""
    from pipeline.output import print_rows

    rows = _with_store(lambda store: store.listed(tenant_of(tenant)))
    print_rows(rows, ("id", "url", "events", "enabled", "reason", "created_at"), output)


@app.command("delete")
def delete(id_: Id, tenant: TenantOption = "") -> None:
    """Take a webhook out: nothing more is sent to it."""

    async def work(store: PushStore) -> None:
        await store.save(await _found(store, tenant, id_), deleted=True)

    _with_store(work)
    typer.echo(f"Deleted {id_}.", err=True)


@app.command("enable")
def enable(id_: Id, tenant: TenantOption = "") -> None:
    """Send to a webhook again that was disabled, as one whose receiver answered 410 Gone."""
    _switch(id_, tenant, True)


@app.command("disable")
def disable(id_: Id, tenant: TenantOption = "") -> None:
    """Send nothing to a webhook until it is enabled again."""
    _switch(id_, tenant, False)


def _switch(id_: str, tenant: str, enabled: bool) -> None:
    from pipeline.push.webhooks import changed
    from pipeline.settings import settings

    async def work(store: PushStore) -> None:
        await changed(settings(), store, await _found(store, tenant, id_), {"enabled": enabled})

    _with_store(work)
    typer.echo(f"{'Enabled' if enabled else 'Disabled'} {id_}.", err=True)


@app.command("test")
def test(id_: Id, tenant: TenantOption = "") -> None:
    """Post a signed message of type webhook.test now and print the answer's status. Exit status 1 unless it is 2xx."""
    from pipeline.push.delivery import Sender
    from pipeline.push.webhooks import trial
    from pipeline.settings import settings

    async def work(store: PushStore) -> tuple[int, str]:
        webhook = await _found(store, tenant, id_)
        sender = Sender(settings(), store, lambda _: True)
        message = trial(webhook)
        try:
            return await sender.post(webhook, message.id, message.body)
        finally:
            await sender.close()

    status, error = _with_store(work)
    typer.echo(error or f"answered {status}")
    raise typer.Exit(1 if error else 0)


@app.command("deliveries")
def deliveries(
    id_: Id,
    tenant: TenantOption = "",
    state: Annotated[str, typer.Option(help="Only those: waiting, delivered, dead.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="The newest so many.")] = 50,
    replay: Annotated[str, typer.Option(metavar="MESSAGE", help="Send this dead one again, or all.")] = "",
    output: OutputOption = Output.table,
) -> None:
    """Print what was sent to a webhook, and what became of it."""
    from pipeline.output import print_rows
    from pipeline.push.store import DEAD

    if state not in ("", "waiting", "delivered", "dead"):
        raise Problem(f"state {state[:40]!r} is none of waiting, delivered, dead.", code=USAGE)

    async def work(store: PushStore) -> list[dict[str, Any]]:
        webhook = await _found(store, tenant, id_)
        if replay:
            dead = await store.deliveries(webhook.tenant, webhook.id, DEAD, 10_000)
            again = [row["id"] for row in dead if replay in ("all", row["id"])]
            if not again and replay != "all":
                raise Problem(f"{replay[:60]!r} is no dead delivery of {id_}.", code=USAGE)
            for each in again:
                found = await store.delivery(webhook.tenant, webhook.id, each)
                if found is not None:
                    await store.replay(found)
        return await store.deliveries(webhook.tenant, webhook.id, state, limit)

    columns = ("id", "type", "call_id", "state", "attempts", "status", "error", "next_at", "created_at")
    print_rows(_with_store(work), columns, output)


async def _found(store: PushStore, tenant: str, id_: str) -> Webhook:
    found = await store.webhook(tenant_of(tenant), id_)
    if found is None:
        raise Problem(f"Tenant {tenant_of(tenant)!r} has no webhook {id_[:60]!r}.", hint="See cdr webhook list.")
    return found


def _with_store(work: Callable[[PushStore], Awaitable[T]]) -> T:
    from pipeline.errors import DEPENDENCY
    from pipeline.push.jobs import push_reader
    from pipeline.push.store import PushStore
    from pipeline.settings import settings
    from pipeline.warehouse.query.reader import QueryFailed, TooCostly, Unavailable

    async def run() -> T:
        reader = push_reader(settings())
        try:
            return await work(PushStore(reader, settings().webhook_key))
        except (Unavailable, TooCostly, QueryFailed) as error:
            raise Problem(f"ClickHouse: {error}.", hint="Start it, run cdr migrate.", code=DEPENDENCY) from None
        finally:
            reader.close()

    return asyncio.run(run())
