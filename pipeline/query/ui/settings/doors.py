"""Who may change what in the settings: nobody gives away, or takes over, what it does not have itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from clickhouse_connect.driver.client import Client
from fastapi import Request

from pipeline.errors import Problem
from pipeline.query.access.caller import Caller
from pipeline.query.http.problems import RequestProblem
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.session import Visitor
from pipeline.warehouse.identity.access import ADMIN, SCOPES
from pipeline.warehouse.reference.directory_editor import Editor

T = TypeVar("T")
_MASKED: Final = (
    "Numbers are masked for you, so you cannot say who sees them in full; it takes an administrator who does."
)


RIGHTS: Final = {
    "cdr:read": N_("to read calls"),
    "cdr:ingest": N_("to send events"),
    "reports:write": N_("to make and change reports"),
    "directory:write": N_("to change the directory"),
    "rating:write": N_("to load decks, and have calls priced again"),
    "webhooks:write": N_("to see and change webhooks"),
    "numbers:clear": N_("to see numbers in full where they are masked"),
    "numbers:masked": N_("to see numbers masked, always"),
    "admin": N_("everything of the company"),
    "operate": N_("to look after the installation, with all companies in it"),
}


def admin(visitor: Visitor) -> Caller:
    """The caller, when it is an administrator of its company; 403 otherwise."""
    caller = visitor.caller
    if not (caller.sees_all and caller.may(ADMIN)):
        raise RequestProblem(
            403, "forbidden", "Settings are for administrators; the token or user lacks the scope admin."
        )
    return caller


def keeper(visitor: Visitor) -> Caller:
    """The same, of whoever may say who comes in: not of those for whom numbers are masked."""
    caller = admin(visitor)
    if caller.masked:
        raise RequestProblem(403, "forbidden", _MASKED)
    return caller


def grantable(caller: Caller) -> list[tuple[str, str]]:
    """The scopes that the caller may give to others, each with what it is for."""
    return [(scope, RIGHTS[scope]) for scope in SCOPES if caller.may(scope)]


def check_grants(caller: Caller, scopes: Iterable[str]) -> None:
    """403 for scopes that the caller does not have itself."""
    beyond = [scope for scope in scopes if scope in SCOPES and not caller.may(scope)]
    if beyond:
        raise RequestProblem(
            403, "forbidden", f"You lack the scope {beyond[0]} yourself, so you cannot give or take it."
        )


async def ask(request: Request, work: Callable[[Client], T]) -> T:
    """What `work` answers of the warehouse; 400 with what is wrong and the fix where it refuses."""
    editor: Editor = request.app.state.editor
    try:
        return await editor.ask(work)
    except Problem as problem:
        raise RequestProblem(400, "invalid", f"{problem.args[0]} {problem.hint or ''}".strip()) from None
