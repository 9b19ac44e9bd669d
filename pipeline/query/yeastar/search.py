"""Yeastar's query strings: which calls, in which order, which page. Names that it does not know are
ignored, as the vendor does.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final
from urllib.parse import unquote_to_bytes
from zlib import crc32

from pipeline.directory.model import Directory, ExtensionGroup
from pipeline.query.http.parameters import Parameters, parse
from pipeline.query.http.problems import invalid
from pipeline.query.local_time import end_ms, first_ms, started, zone_of
from pipeline.query.same_number import parts, spellings
from pipeline.query.yeastar.rows import CALL_TO, DID_NUMBER, SORTABLE, SRC_TRUNK
from pipeline.query.yeastar.times import parse_time
from pipeline.rating.numbers import Numbering
from pipeline.warehouse.analytics.dispositions import DISPOSITION, DISPOSITIONS
from pipeline.warehouse.query.clauses import Order
from pipeline.warehouse.query.columns import CALL
from pipeline.warehouse.query.expressions import NOTHING, All, Any_, Call, Column, Compare, In, Literal, Node

PAGING: Final = ("access_token", "page", "page_size", "sort_by", "order_by")
# Later versions of the vendor search these too; no call here has any, so they find none.
_NEVER: Final = ("pin_code", "disposition_code_list", "call_note_remark")
FILTERS: Final = (
    *("start_time", "end_time", "call_from", "call_to", "did", "extension_group", "status", "enable_fuzzy_search"),
    *_NEVER,
)
MOST_ROWS: Final = 10_000
_MOST_PAGES: Final = 10**9
_NUMBER: Final = re.compile(r"\+?[\d\s().\-/]*\d[\d\s().\-/]*", re.ASCII)
_SEPARATORS: Final = re.compile(r"[\s().+-]+")


def options_of(query: bytes, known: Collection[str]) -> Parameters:
    """The parameters of a query string that are known. Programs send all that there are: what is empty of paging and
    order is left out. An empty filter is refused, since without it the answer would be wider than was meant."""
    kept = [part for part in query.split(b"&") if _name(part) in known]
    kept = [part for part in kept if part.partition(b"=")[2] or _name(part) not in PAGING]
    return parse(b"&".join(kept), known, filled=FILTERS)


def _name(part: bytes) -> str:
    return unquote_to_bytes(part.partition(b"=")[0]).decode("utf-8", "replace")


def page_of(options: Parameters) -> tuple[int, int]:
    """How many rows to skip, and how many to show."""
    size = options.whole("page_size", MOST_ROWS, 1, MOST_ROWS)
    return (options.whole("page", 1, 1, _MOST_PAGES) - 1) * size, size


def order_of(options: Parameters) -> tuple[Order, ...]:
    """The order of rows: by id, ascending, unless asked otherwise."""
    by, way = options.text("sort_by") or "id", (options.text("order_by") or "asc").lower()
    if by not in SORTABLE:
        raise invalid("sort_by", by, f"is none of {', '.join(SORTABLE)}")
    if way not in ("asc", "desc"):
        raise invalid("order_by", way, "is neither asc nor desc")
    return (Order(SORTABLE[by], way == "desc"),)


def search_of(options: Parameters, directory: Directory, numbering: Numbering) -> Node | None:
    """Which calls are searched for; None when none can be: a time is in another format than the display's."""
    found: list[Node] = []
    if any(options.text(name) for name in _NEVER):
        return None
    moments: list[int | None] = []
    zone = zone_of(directory.tenant.zone)
    for name, bound in (("start_time", first_ms), ("end_time", end_ms)):
        text = options.text(name)
        if text is None:
            moments.append(None)
            continue
        wall = parse_time(text.strip(), directory.tenant.display)
        if wall is None:
            return None
        try:
            moments.append(bound(wall, zone))
        except OverflowError:
            return None
    found.append(started(*moments))
    fuzzy = options.whole("enable_fuzzy_search", 0, 0, 1) == 1
    for name, column, extension in (
        ("call_from", CALL["caller_number"], CALL["caller_extension"]),
        ("call_to", CALL_TO, None),
    ):
        if number := options.text(name):
            found.append(_number(column, extension, number, numbering, fuzzy=fuzzy))
    if did := options.text("did"):
        number, _, trunk = did.partition(":")
        found.append(_number(DID_NUMBER, None, number, numbering, fuzzy=False))
        if trunk:
            found.append(Compare("eq", SRC_TRUNK, Literal(trunk)))
    if status := options.text("status"):
        word = status.strip().upper()
        if word not in DISPOSITIONS:
            raise invalid("status", status, f"is none of {', '.join(DISPOSITIONS)}")
        found.append(Compare("eq", DISPOSITION, Literal(word)))
    if options.text("extension_group"):
        found.append(_members(options.whole("extension_group", 0, 0, 2**53), directory))
    return All(tuple(found))


def group_id(group: ExtensionGroup) -> int:
    """The number of an extension group: its own, or one made of its name."""
    return int(group.id) if re.fullmatch(r"\d{1,15}", group.id, re.ASCII) else crc32(group.name.encode())


def _number(column: Column, extension: Column | None, number: str, numbering: Numbering, *, fuzzy: bool) -> Node:
    """Calls with this number, whichever way it is written; fuzzy, with a part of it."""
    if number.startswith(" "):  # a + that was not written %2B
        number = "+" + number[1:]
    if fuzzy:
        digits = parts(number, numbering.plan.country) if _NUMBER.fullmatch(number) else []
        bare = digits or [_SEPARATORS.sub("", number) or number]
        return Any_(tuple(Call("contains", (column, Literal(each))) for each in bare))
    same: Node = In(column, tuple(Literal(each) for each in spellings(number, numbering)))
    return same if extension is None else Any_((same, Compare("eq", extension, Literal(number))))


def _members(id_: int, directory: Directory) -> Node:
    """Calls whose caller or callee is of the group; an unknown group has no members."""
    groups = [group for group in directory.groups.values() if group_id(group) == id_]
    members = tuple(Literal(number) for group in groups for number in group.members)
    if not members:
        return NOTHING
    return Any_(tuple(In(column, members) for column in (CALL["caller_number"], CALL["caller_extension"], CALL_TO)))
