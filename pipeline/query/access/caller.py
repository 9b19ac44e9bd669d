"""Who asks, and for whose calls."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.warehouse.identity.access import may
from pipeline.warehouse.query.view import View


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and for whose calls. One of role user sees only calls that `extension` made or was a
    target of."""

    tenant: str
    name: str
    scopes: tuple[str, ...]
    role: str = "admin"  # admin, manager, user
    extension: str = ""
    subject: str = ""  # what tokens issued to the caller rest on: user:SEAL or token:HASH
    masked: bool = False

    @property
    def sees_all(self) -> bool:
        return self.role != "user"

    @property
    def view(self) -> View:
        """What the caller sees of the warehouse: every question about calls is asked through it."""
        return View(self.tenant, None if self.sees_all else self.extension, self.masked)

    @property
    def own_view(self) -> View:
        """The same, of the calls of the caller's extension only; of none when it has no extension."""
        return self.view.own(self.extension)

    def may(self, scope: str) -> bool:
        """Whether the caller has the scope; admin has all."""
        return may(self.scopes, scope)
