"""What the simulated company and its carriers would have written down: its directory, and the decks of prices.

Without them queues and extensions have no names, no queue has a target, and no call has a price.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from clickhouse_connect.driver.client import Client

from pipeline.directory.model import Did, Entry, Extension, ExtensionGroup, Queue, RingGroup, Tenant, Trunk
from pipeline.directory.model import key_of as directory_key
from pipeline.directory.model import kind_of as directory_kind
from pipeline.rating.deck import Header, Line, Scope
from pipeline.rating.deck_file import parse_csv
from pipeline.traffic.company import (
    DOMAIN,
    EXTENSIONS,
    MAIN_NUMBER,
    MENU,
    QUEUE,
    RING_GROUP,
    SALES,
    SUPPORT,
    TRUNKS,
    direct_number,
    extension,
)
from pipeline.warehouse.reference.decks import known
from pipeline.warehouse.reference.decks import save as save_deck
from pipeline.warehouse.reference.directories import load_entries
from pipeline.warehouse.reference.directories import save as save_directory

_BY: Final = "the simulated company"
_CARRIERS: Final = ("Northern Telecom", "Bell & Sons")
_CHANNELS: Final = 20
_RETAIL: Final = """\
prefix,destination,connect_fee,interval_1,price_1,interval_n,price_n,time_band
44,United Kingdom,0.02,1,0.018,1,0.018,
441632,"United Kingdom, local",0.02,1,0.012,1,0.012,peak
441632,"United Kingdom, local",0.02,1,0.008,1,0.008,
447,"United Kingdom, mobile",0.02,60,0.065,1,0.065,
1,United States and Canada,0.02,60,0.021,6,0.021,
33,France,0.02,1,0.024,1,0.024,
34,Spain,0.02,1,0.026,1,0.026,
49,Germany,0.02,1,0.022,1,0.022,
*,Elsewhere,0.05,60,0.45,60,0.45,
"""
_WHOLESALE: Final = ("prefix,destination,price_1\n44,United Kingdom,0.0061\n*,Elsewhere,0.19\n",
                     "prefix,destination,price_1\n44,United Kingdom,0.0074\n*,Elsewhere,0.16\n")  # fmt: skip


def entries(tenant: str) -> Iterator[Entry]:
    """The directory of the company."""
    yield Tenant(tenant, country="GB", billed_account="office")
    for number in EXTENSIONS:
        party = extension(number)
        account = "sales" if number in SALES else "support" if number in SUPPORT else ""
        yield Extension(number, party.name, email=_mail(party.name), account=account)
        yield Did(direct_number(number), target=number)
    yield Queue(QUEUE, "Support", sla_s=45, members=SUPPORT)
    yield RingGroup(RING_GROUP, "Sales", members=SALES)
    yield ExtensionGroup("Sales", SALES)
    yield ExtensionGroup("Support", SUPPORT)
    yield Did(MAIN_NUMBER, "Main number", target=MENU)
    for trunk, carrier in zip(TRUNKS, _CARRIERS, strict=True):
        yield Trunk(trunk, carrier, channels=_CHANNELS)


def decks(tenant: str) -> Iterator[tuple[Header, list[Line]]]:
    """What the company bills, and what each carrier takes."""
    yield Header("retail", Scope(tenant=tenant)), parse_csv(_RETAIL, "retail", currency="GBP")
    for trunk, text in zip(TRUNKS, _WHOLESALE, strict=True):
        yield Header(f"carrier of {trunk}", Scope("carrier", tenant, trunk)), parse_csv(text, trunk, currency="GBP")


def store(client: Client, tenant: str) -> None:
    """Write them where there is nothing yet; what somebody has written stays as it is."""
    if not load_entries(client, tenant):
        save_directory(
            client, tenant, {(directory_kind(each), directory_key(each)): each for each in entries(tenant)}, _BY
        )
    if not known(client):
        for header, lines in decks(tenant):
            save_deck(client, header, lines, _BY)


def _mail(name: str) -> str:
    return f"{name.partition(' ')[0].lower()}@{DOMAIN}"
