"""The pages there are, in the order of the navigation, and who sees which."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipeline.query.access.caller import Caller
from pipeline.query.ui.frame.language import N_
from pipeline.warehouse.identity.access import ADMIN


@dataclass(frozen=True, slots=True)
class Place:
    """A page in the navigation. `everybodys`: it is about calls of everybody, so a user with own calls has none of it;
    `scope`: what it takes besides reading; `timed`: it is about a time, and the one that was chosen goes along."""

    path: str
    name: str
    icon: str
    everybodys: bool = False
    scope: str = ""
    timed: bool = False

    def open_to(self, caller: Caller) -> bool:
        """Whether the caller has this page."""
        return (caller.sees_all or not self.everybodys) and (not self.scope or caller.may(self.scope))


PLACES: Final = (
    Place("/ui/overview", N_("Overview"), "overview", timed=True),
    Place("/ui/now", N_("Now"), "now"),
    Place("/ui/calls", N_("Calls"), "calls", timed=True),
    Place("/ui/missed", N_("Missed calls"), "missed", everybodys=True, timed=True),
    Place("/ui/trunks", N_("Trunks"), "trunks", everybodys=True, timed=True),
    Place("/ui/money", N_("Money"), "money", everybodys=True, timed=True),
    Place("/ui/reports", N_("Reports"), "reports", everybodys=True),
    Place("/ui/health", N_("Health"), "health", everybodys=True, scope=ADMIN),
    Place("/ui/settings", N_("Settings"), "settings", everybodys=True, scope=ADMIN),
)
