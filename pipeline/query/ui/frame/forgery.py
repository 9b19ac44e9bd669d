"""Forms that other sites cannot send (OWASP, cross-site request forgery): each carries a token that our pages know.

The token of a session is derived from its login, so it holds while the session's cookie is renewed. Before there is a
session, a cookie of the sign-in page stands in its place. What browsers say of a request's origin is asked as well.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request

from pipeline.query.http.bodies import form_of
from pipeline.query.http.parameters import LONGEST_VALUE, Parameters
from pipeline.query.http.problems import RequestProblem

FIELD: Final = "form_token"


def token_of(secret: str) -> str:
    """The token of forms in the session, or of the sign-in page, that `secret` is of."""
    return hmac.new(secret.encode(), b"forms of /ui", hashlib.sha256).hexdigest()


def check(request: Request, secret: str, given: str) -> None:
    """403 where the form is none of ours."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    foreign = site not in (None, "same-origin", "none") or (
        origin not in (None, "null") and urlsplit(origin or "").netloc != request.headers.get("host", "")
    )
    if foreign or not secret or not hmac.compare_digest(token_of(secret).encode(), given.encode(errors="replace")):
        raise RequestProblem(
            403, "forbidden", "The form was not sent from a page of this session; load the page again, then send it."
        )


async def checked_form(
    request: Request,
    secret: str,
    names: Collection[str] = (),
    repeatable: Collection[str] = (),
    longest: int = LONGEST_VALUE,
) -> Parameters:
    """The form that was sent from a page of the session of `secret`; 403 for any other."""
    form = await form_of(request, (*names, FIELD), repeatable, longest)
    check(request, secret, form.text(FIELD) or "")
    return form
