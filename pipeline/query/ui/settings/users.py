"""Users of the company: who there is, new ones, new passwords, shutting out and letting in again."""

from __future__ import annotations

from typing import Any, Final

from clickhouse_connect.driver.client import Client
from fastapi import Request
from starlette.responses import RedirectResponse, Response

from pipeline.query.access.caller import Caller
from pipeline.query.http.problems import RequestProblem, not_found
from pipeline.query.ui.frame import forgery
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting, Visitor
from pipeline.query.ui.settings.doors import admin, ask, check_grants, grantable, keeper
from pipeline.warehouse.identity.access import SCOPES_OF
from pipeline.warehouse.identity.users import Taken, create_user, list_users, made_password, set_disabled, set_password

router = pages()

ROLES: Final = {
    "user": N_("Own calls"),
    "manager": N_("All calls, and reports"),
    "admin": N_("Everything of the company"),
}


@router.get("/settings")
@router.get("/settings/users")
async def show(request: Request, visitor: Visiting) -> Response:
    """All of the company."""
    admin(visitor)
    return await _page(request, visitor)


@router.post("/settings/users")
async def create(request: Request, visitor: Visiting) -> Response:
    """A new user; a password that was made for it is shown this once."""
    names = ("name", "role", "extension", "password", "domain", "scope")
    form = await forgery.checked_form(request, visitor.form_secret, names, ("scope",))
    caller = keeper(visitor)
    name, role, given = (form.text("name") or "").strip(), form.text("role") or "", form.text("password") or ""
    scopes = form.texts("scope")
    check_grants(caller, (*scopes, *SCOPES_OF.get(role, ())))
    password = given or made_password()
    domain, extension = (form.text("domain") or "").strip(), (form.text("extension") or "").strip()

    def work(client: Client) -> None:
        try:
            create_user(
                client, caller.tenant, name, password, domain=domain, role=role, extension=extension, scopes=scopes
            )
        except Taken:  # whose it is, is nobody else's business
            taken = visitor.language.say(
                N_("The name or the domain is taken; choose another, or give a domain of your own.")
            )
            raise RequestProblem(409, "conflict", taken) from None

    await ask(request, work)
    if given:
        return RedirectResponse("/ui/settings/users", 303)
    return await _page(request, visitor, made=(name, password))


@router.post("/settings/users/{change}")
async def change(request: Request, visitor: Visiting, change: str) -> Response:
    """`disable`: shut a user out; `enable`: let it in again; `password`: give it another, shown this once. Sessions and
    logins of the user end within 5 s."""
    form = await forgery.checked_form(request, visitor.form_secret, ("name",))
    caller, name = keeper(visitor), form.text("name") or ""
    if change not in ("disable", "enable", "password"):
        raise not_found("There is no such change.")
    await _other(request, caller, name)
    if change == "password":
        password = made_password()
        await ask(request, lambda client: set_password(client, caller.tenant, name, password))
        return await _page(request, visitor, made=(name, password))
    if change == "disable" and caller.name == name and caller.subject.startswith("user:"):
        raise RequestProblem(409, "conflict", visitor.language.say(N_("You would shut yourself out.")))
    await ask(request, lambda client: set_disabled(client, caller.tenant, name, change == "disable"))
    return RedirectResponse("/ui/settings/users", 303)


async def _other(request: Request, caller: Caller, name: str) -> None:
    """404 when there is no such user; 403 when it has more rights than the caller."""
    found = [row for row in await ask(request, lambda client: list_users(client, caller.tenant)) if row["name"] == name]
    if not found:
        raise not_found(f"There is no user {name[:80]!r}.")
    check_grants(caller, found[0]["scopes"])


async def _page(request: Request, visitor: Visitor, made: tuple[str, str] | None = None) -> Response:
    caller = visitor.caller
    rows: list[dict[str, Any]] = await ask(request, lambda client: list_users(client, caller.tenant))
    return page(
        visitor,
        request,
        "settings/users.html",
        title=visitor.language.say(N_("Users")),
        users=rows,
        roles=ROLES,
        scopes=grantable(caller),
        made=made,
    )
