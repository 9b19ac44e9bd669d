"""What somebody may do and see: scopes and roles, the same for users and tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, get_args

from pipeline.errors import USAGE, Problem

Role = Literal["admin", "manager", "user"]

READ: Final = "cdr:read"
ADMIN: Final = "admin"
RATE: Final = "rating:write"
OPERATE: Final = "operate"
MASKED: Final = "numbers:masked"
CLEAR: Final = "numbers:clear"
SCOPES: Final = {
    READ: "read calls",
    "cdr:ingest": "send events",
    "reports:write": "make and change reports",
    "directory:write": "change the directory",
    RATE: "load decks, and have calls priced again",
    "webhooks:write": "see and change webhooks",
    CLEAR: "see numbers in full where they are masked",
    MASKED: "see numbers masked, whatever the setting",
    ADMIN: "everything of the tenant",
    OPERATE: "look after the installation, with what is in it of all tenants: dead letters, lag",
}
# Of users that were given no scopes of their own.
SCOPES_OF: Final[dict[str, tuple[str, ...]]] = {
    "admin": (ADMIN,),
    "manager": (READ, "reports:write"),
    "user": (READ,),
}
_PLAIN: Final = re.compile(r"[^\x00-\x1f\x7f]{1,128}")


def may(scopes: Sequence[str], scope: str) -> bool:
    """Whether these scopes allow what `scope` names. An admin is one of its tenant; the installation has others."""
    return scope in scopes or (ADMIN in scopes and scope != OPERATE)


# How somebody sees phone numbers: in full, masked, or ("") as the setting CDR_MASK_NUMBERS says.
Numbers = Literal["clear", "masked", ""]


def numbers_of(scopes: Sequence[str]) -> Numbers:
    """How whoever has these scopes sees phone numbers. What is kept for later (a report, a webhook) keeps this word,
    so that a change of the setting holds for it too."""
    if CLEAR in scopes:
        return "clear"
    if MASKED in scopes:
        return "masked"
    return "clear" if ADMIN in scopes else ""


def is_masked(numbers: str, mask_numbers: bool) -> bool:
    """Whether numbers are masked under the setting CDR_MASK_NUMBERS."""
    return numbers == "masked" or (not numbers and mask_numbers)


def check_plain(**fields: str) -> None:
    """Problem for a field that is empty, long or has control characters."""
    for field, value in fields.items():
        if not _PLAIN.fullmatch(value):
            raise Problem(
                f"{field} {value[:40]!r} is empty, longer than 128 or has control characters.",
                hint=f"Give a plain {field}.",
                code=USAGE,
            )


def check_scopes(scopes: Sequence[str]) -> None:
    """Problem for scopes that allow nothing."""
    for scope in scopes:
        if scope not in SCOPES:
            raise Problem(f"scope {scope[:40]!r} is none of {', '.join(SCOPES)}.", code=USAGE)


def check_role(role: str, extension: str) -> None:
    """Problem for an unknown role, and for one that sees own calls without saying whose."""
    if role not in get_args(Role):
        raise Problem(f"role {role[:40]!r} is none of {', '.join(get_args(Role))}.", code=USAGE)
    if extension:
        check_plain(extension=extension)
    elif role == "user":
        raise Problem("A user sees the calls of an extension.", hint="Give --extension.", code=USAGE)
