"""Who looks: the session of a browser, its language and its zone.

The cookie holds a token of kind `ui`, issued as those of other logins are: its rights are those of now, it ends with
the user, and signing out ends it everywhere. It is given anew every quarter of an hour of use; the old one ends a
minute later. Scripts cannot read it, other sites' forms do not send it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo, available_timezones

from fastapi import Depends, Request
from starlette.responses import Response

from pipeline.errors import CdrError
from pipeline.query.access.authenticator import Authenticator
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import allowed, known
from pipeline.query.ui.frame.figures import Figures
from pipeline.query.ui.frame.forgery import token_of
from pipeline.query.ui.frame.language import LANGUAGES, Language, preferred
from pipeline.warehouse.identity.access import READ
from pipeline.warehouse.identity.issued import login_of
from pipeline.warehouse.reference.directories import Directories

COOKIE: Final = "cdr_session"
KIND: Final = "ui"
LINK: Final = "ui-link"  # kind of the token in a one-time link
PREFERENCES: Final = "cdr_view"
TTL_S: Final = 12 * 3600
_RENEWED_S: Final = 900
_YEAR_S: Final = 365 * 86400


class SignInFirst(CdrError):
    """Nobody is signed in here."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is signed in, and how times and texts are shown."""

    caller: Caller
    session: str
    tenant: str  # its name
    language: Language
    zone: ZoneInfo
    zone_is_own: bool  # chosen by the viewer; else the tenant's

    @property
    def figures(self) -> Figures:
        return Figures(self.language.tag, self.zone)

    @property
    def form_secret(self) -> str:
        """What the tokens of forms in this session are derived from."""
        return login_of(self.session) or ""

    @property
    def form_token(self) -> str:
        """What each form carries."""
        return token_of(self.form_secret)


async def visiting(request: Request) -> Visitor:
    """The dependency of every page that shows calls: a session, or for programs that read pages the header
    Authorization, with which no form can be sent."""
    gate: Authenticator = request.app.state.gate
    header, session = request.headers.get("authorization"), request.cookies.get(COOKIE, "")
    if header is not None:
        caller, session = await gate.caller(header), ""
    else:
        signed_in = await gate.caller_of(session, KIND) if session else None
        if signed_in is None:
            raise SignInFirst
        caller = signed_in
    known(request, caller)
    allowed(caller, READ)
    if session and (renewed := await gate.renewed(session, KIND, _RENEWED_S, TTL_S)) is not None:
        session = request.state.session = renewed
    directories: Directories = request.app.state.directories
    tenant = (await directories.of(caller.tenant)).tenant
    chosen = chosen_by(request).get("zone", "")
    own = chosen in available_timezones()
    return Visitor(
        caller, session, tenant.name or tenant.id, language_of(request), ZoneInfo(chosen) if own else tenant.tz, own
    )


Visiting = Annotated[Visitor, Depends(visiting)]


def chosen_by(request: Request) -> dict[str, str]:
    """What the viewer chose: language and zone."""
    return dict(parse_qsl(request.cookies.get(PREFERENCES, "")[:200]))


def language_of(request: Request) -> Language:
    """The language that was chosen, else the one that the browser likes best of those there are."""
    chosen = chosen_by(request).get("language", "")
    return LANGUAGES[chosen] if chosen in LANGUAGES else preferred(request.headers.get("accept-language", ""))


def keep(request: Request, response: Response) -> None:
    """Send the session's new cookie where it was renewed or begun."""
    session: str | None = getattr(request.state, "session", None)
    if session == "":
        response.delete_cookie(COOKIE, path="/ui", httponly=True, samesite="lax")
    elif session:
        set_cookie(request, response, COOKIE, session)


def remember(request: Request, response: Response, choice: dict[str, str]) -> None:
    """Keep what the viewer chose, in this browser."""
    set_cookie(request, response, PREFERENCES, urlencode(choice), max_age=_YEAR_S)


def set_cookie(request: Request, response: Response, name: str, value: str, *, max_age: int | None = None) -> None:
    """A cookie of these pages that no script reads and that travels no unencrypted way where there is another. SameSite
    is Lax, not Strict: a link in a mail opens its call."""
    response.set_cookie(
        name, value, max_age=max_age, path="/ui", httponly=True, samesite="lax", secure=request.url.scheme == "https"
    )
