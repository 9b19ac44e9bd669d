"""Who asks: bearer tokens (RFC 6750) made by `cdr token` or issued to a login, and HTTP Basic where a
surface takes it. Each caller is bound to a tenant.

A token that was found is trusted for 4 s, so a revoked one ends within 5 s, streams too (at once in the process that
revoked it); one that was not found is asked for again after 1 s. Tokens appear in no log: only their
hash is handled.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from pipeline.instants import DAY_MS
from pipeline.query.access.caller import Caller
from pipeline.query.access.logins import Logins
from pipeline.query.access.oidc import Oidc
from pipeline.query.access.ttl_cache import TtlCache
from pipeline.query.http.problems import RequestProblem, unauthorized
from pipeline.warehouse.identity import issued
from pipeline.warehouse.identity.access import is_masked, numbers_of
from pipeline.warehouse.identity.issued import Issued, find_issued, write_issued
from pipeline.warehouse.identity.tokens import PREFIX, Token, find_token, hashed
from pipeline.warehouse.identity.users import User, find_user
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.reference.directories import Directories

_SHAPE: Final = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{20,200}}", re.ASCII)

_LONGEST_BASIC: Final = 4096

TICKET_S: Final = 60

_ENDED_MS: Final = 400 * DAY_MS

_LEAVE_MS: Final = 60_000  # of a token that another has replaced


class Authenticator:
    """Turns Authorization headers, passwords and issued tokens into callers."""

    def __init__(
        self,
        reader: Reader,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        directories: Directories | None = None,
        mask_numbers: bool = False,
    ) -> None:
        self._reader = reader
        self._mask_numbers = mask_numbers
        self.oidc: Oidc | None = None  # whose tokens are good, too
        self._wall = wall
        self._tokens: TtlCache[str, Token] = TtlCache(monotonic)
        self._issued: TtlCache[str, Issued] = TtlCache(monotonic)
        self._users: TtlCache[tuple[str, str], User] = TtlCache(monotonic)
        self._basic: TtlCache[str, Caller] = TtlCache(monotonic)
        self._basic_key = secrets.token_bytes(32)
        self._logins = Logins(reader, directories or Directories(reader), monotonic)

    def close(self) -> None:
        """Ends the threads that compare passwords."""
        self._logins.close()

    async def caller(self, header: str | None, *, basic: bool = False, address: str = "") -> Caller:
        """The caller of a request with this Authorization header; 401 otherwise. With `basic`, HTTP Basic
        is understood too: a user's name and password, or a tenant and one of its tokens."""
        if not header:
            raise unauthorized(
                "No token; send the header Authorization: Bearer <token> (cdr token create makes one).", basic=basic
            )
        scheme, _, rest = header.partition(" ")
        rest = rest.strip()
        if basic and scheme.lower() == "basic":
            return await self._of_basic(rest, address)
        if scheme.lower() != "bearer":
            raise unauthorized(
                "Authorization is of another scheme than Bearer; send Authorization: Bearer <token>.", basic=basic
            )
        if issued.login_of(rest) is not None:
            caller = await self.caller_of(rest, "access")
            if caller is None:
                raise unauthorized("The token is unknown, expired or ended; log in again.", "invalid_token")
            return caller
        if self.oidc is not None and rest.count(".") == 2 and not rest.startswith(PREFIX):
            return await self._of_jwt(self.oidc, rest)
        return await self._of_token(rest)

    async def login(
        self, username: str, password: str, domain: str | None = None, *, address: str = ""
    ) -> Caller | None:
        """The user with this name and password, None when there is none such; `domain` is the user's
        domain or tenant, and may stand behind the name after an @. 429 after many failures."""
        user = await self._logins.login(username, password, domain, address)
        return None if user is None else self._of_user(user)

    async def token_login(self, tenant: str, token: str) -> Caller | None:
        """The caller of a token made by `cdr token`, given as the password of its tenant; None when it
        is not one."""
        try:
            caller = await self._of_token(token)
        except RequestProblem:
            return None
        return caller if hmac.compare_digest(caller.tenant.encode(), tenant.encode(errors="replace")) else None

    async def issue(self, caller: Caller, kind: str, ttl_s: int, *, beside: str = "") -> str:
        """A new opaque token of `kind` (access, refresh, session …) for this caller. Given `beside`, another
        issued token, both belong to one login and end together."""
        login = issued.login_of(beside) or issued.new_login()
        token = issued.new_token(login)
        now = int(self._wall() * 1000)
        row = Issued(
            login=login,
            token_hash=hashed(token),
            kind=kind,
            tenant=caller.tenant,
            name=caller.name,
            subject=caller.subject,
            scopes=caller.scopes,
            role=caller.role,
            extension=caller.extension,
            issued_at=now,
            expires_at=now + ttl_s * 1000,
        )
        await write_issued(self._reader, row)
        self._issued.remember(row.token_hash, row)
        return token

    async def caller_of(self, token: str, kind: str) -> Caller | None:
        """Whom an issued token of this kind was issued to, with the rights of now; None when it is unknown,
        expired or ended, or its user or token is no longer good."""
        row = await self._issued_row(token)
        if row is None or row.kind != kind or row.ended_at is not None or int(self._wall() * 1000) >= row.expires_at:
            return None
        return await self._of_issued(row)

    async def renewed(self, token: str, kind: str, after_s: int, ttl_s: int) -> str | None:
        """Another token in place of one that is older than `after_s`, of the same login and with the rights of now. The
        old one is good for another minute, for requests that are under way. None where it is younger, or not good."""
        row = await self._issued_row(token)
        now = int(self._wall() * 1000)
        if row is None or now - row.issued_at < after_s * 1000 or row.expires_at - now <= _LEAVE_MS:
            return None
        caller = await self.caller_of(token, kind)
        if caller is None:
            return None
        going = replace(row, expires_at=now + _LEAVE_MS, version=row.version + 1)
        self._issued.remember(row.token_hash, going)  # before waiting: one renewal, however many ask
        left_s = (row.expires_at - now) // 1000
        fresh = await self.issue(
            caller, kind, min(ttl_s, left_s) if row.subject.startswith("oidc:") else ttl_s, beside=token
        )
        await write_issued(self._reader, going)
        return fresh

    async def ticket(self, caller: Caller, beside: str) -> str:
        """A ticket to open a stream with, where a browser can send no header: short-lived, in the address. It ends with
        the login of `beside`, if that is an issued token."""
        return await self.issue(caller, "ticket", TICKET_S, beside=beside)

    async def holder_of(self, ticket: str, *, opened: bool = False) -> Caller | None:
        """Whom a ticket was given to, with the rights of now; of a stream that was `opened` with it, also when the
        ticket's own time is over. None when it is unknown, expired or ended, or its user or token is no longer good."""
        row = await self._issued_row(ticket)
        if row is None or row.kind != "ticket" or row.ended_at is not None:
            return None
        over = not opened and int(self._wall() * 1000) >= row.expires_at
        return None if over else await self._of_issued(row)

    async def end(self, token: str) -> bool:
        """Revoke an issued token and all others of its login; whether it was one that still held."""
        row = await self._issued_row(token)
        if row is None:
            return False
        now = int(self._wall() * 1000)
        forever = now + _ENDED_MS  # longer than any token of the login lasts
        await write_issued(self._reader, replace(row, token_hash="", kind="", ended_at=now, expires_at=forever))
        for key, known in self._issued.known():
            if known.login == row.login:
                self._issued.remember(key, replace(known, ended_at=now))
        return row.ended_at is None and now < row.expires_at

    async def spend(self, token: str, kind: str) -> Caller | None:
        """`caller_of`, once: the token is ended by it. A spent token that comes again was stolen or is a
        program's fault: its whole login ends (RFC 9700, 4.14.2)."""
        row = await self._issued_row(token)
        if row is not None and row.ended_at is None:  # another process may have spent it a moment ago
            row = await find_issued(self._reader, token)
            known = await self._issued_row(token)
            row = known if known is not None and known.ended_at is not None else row
        if row is None or row.kind != kind:
            return None
        self._issued.remember(row.token_hash, row)
        caller = await self.caller_of(token, kind)
        if caller is None:
            if row.ended_at is not None:
                await self.end(token)
            return None
        spent = replace(row, ended_at=int(self._wall() * 1000), version=row.version + 1)
        self._issued.remember(row.token_hash, spent)  # before waiting: no second request may spend it
        await write_issued(self._reader, spent)
        return caller

    async def _of_token(self, token: str) -> Caller:
        if not _SHAPE.fullmatch(token):
            raise unauthorized(f"The token is malformed; tokens begin with {PREFIX}.", "invalid_token")
        digest = hashed(token)
        found = await self._tokens.get(digest, lambda: find_token(self._reader, digest))
        if found is None or not hmac.compare_digest(found.token_hash, digest) or found.revoked:
            raise unauthorized("The token is unknown or revoked; make another with cdr token create.", "invalid_token")
        if not found.valid_at(int(self._wall() * 1000)):
            raise unauthorized("The token has expired; make another with cdr token create.", "invalid_token")
        return self._as_seen(
            Caller(found.tenant, found.name, found.scopes, found.role, found.extension, f"token:{digest}")
        )

    async def _of_jwt(self, oidc: Oidc, token: str) -> Caller:
        claims = await oidc.claims(token)
        name = str(claims.get("preferred_username") or claims.get("sub") or "")[:128]
        subject = f"jwt:{str(claims.get('sub'))[:128]}"
        return self._as_seen(
            Caller(oidc.tenant(claims), name, oidc.scopes(claims), oidc.role(claims), oidc.extension(claims), subject)
        )

    async def _of_basic(self, credentials: str, address: str) -> Caller:
        wrong = unauthorized("Name or password is wrong.", basic=True)
        if len(credentials) > _LONGEST_BASIC:
            raise wrong
        try:
            raw = base64.b64decode(credentials, validate=True)
            username, colon, password = raw.decode("utf-8").partition(":")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            raise unauthorized("The credentials are no base64 of name:password in UTF-8.", basic=True) from None
        if not colon:
            raise wrong
        if password.startswith(PREFIX):
            caller = await self.token_login(username, password)
        else:  # a password takes long to compare: what was right is right for some seconds
            key = hmac.new(self._basic_key, raw, "sha256").hexdigest()
            caller = await self._basic.get(key, lambda: self.login(username, password, address=address), missed_s=0)
        if caller is None:
            raise wrong
        return caller

    async def _issued_row(self, token: str) -> Issued | None:
        if issued.login_of(token) is None:
            return None
        return await self._issued.get(hashed(token), lambda: find_issued(self._reader, token))

    async def _of_issued(self, row: Issued) -> Caller | None:
        if not row.subject:
            return self._as_seen(Caller(row.tenant, row.name, row.scopes, row.role, row.extension))
        kind, _, mark = row.subject.partition(":")
        if kind == "oidc":  # a provider's word, which holds as long as the session and is asked for again after it
            return self._as_seen(Caller(row.tenant, row.name, row.scopes, row.role, row.extension, row.subject))
        if kind == "token":
            found = await self._tokens.get(mark, lambda: find_token(self._reader, mark))
            if found is None or not found.valid_at(int(self._wall() * 1000)):
                return None
            return self._as_seen(
                Caller(found.tenant, found.name, found.scopes, found.role, found.extension, row.subject)
            )
        user = await self._users.get((row.tenant, row.name), lambda: find_user(self._reader, row.tenant, row.name))
        return self._of_user(user) if user is not None and not user.disabled and user.seal == mark else None

    def _of_user(self, user: User) -> Caller:
        return self._as_seen(
            Caller(user.tenant, user.name, user.scopes, user.role, user.extension, f"user:{user.seal}")
        )

    def _as_seen(self, caller: Caller) -> Caller:
        """The caller with numbers masked, if they are for its scopes."""
        return replace(caller, masked=is_masked(numbers_of(caller.scopes), self._mask_numbers))
