"""What a call would cost: by the decks in force, term by term, as workers would price it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fastapi import Request

from pipeline.directory.model import Directory
from pipeline.query.access.caller import Caller
from pipeline.query.http.problems import RequestProblem
from pipeline.query.questions.endpoint import directory_of, reader_of
from pipeline.rating.formula import text
from pipeline.rating.tariffs import Subject, Tariffs
from pipeline.rating.trial import tried
from pipeline.settings import Settings
from pipeline.warehouse.reference.deck_lines import decks_of


@dataclass(frozen=True, slots=True)
class Trial:
    """A call that is thought of: `at` in ms, its length in seconds; account, trunk and extension where known."""

    number: str
    at: int
    seconds: int
    account: str = ""
    trunk: str = ""
    extension: str = ""
    direction: str = "outbound"


async def price_of(request: Request, caller: Caller, trial: Trial) -> dict[str, Any]:
    """`customer` and `carrier`: the price, its line and every term (see `pipeline.rating.trial`), with a null cost
    where no line holds; `margin` where both are known in one currency. RequestProblem for a caller with own calls."""
    if not caller.sees_all:
        raise RequestProblem(403, "forbidden", "Prices are everybody's; a user sees those of its own calls only.")
    settings: Settings = request.app.state.settings
    directory = await directory_of(request, caller.view)
    trunk = directory.trunks.get(trial.trunk)
    known = {caller.tenant: directory}
    numbering = Tariffs((), known, country=settings.country).numbering(caller.tenant)
    digits = numbering.read(trial.number, trunk.prefix if trunk else "").digits
    decks = await decks_of(reader_of(request), caller.tenant, digits)
    tariffs = Tariffs(decks, known, country=settings.country)
    parts = (trial.number, trial.at, trial.direction, trial.trunk, trial.extension, trial.account)
    subject = Subject(caller.tenant, *parts)
    found = {kind: tried(tariffs, subject, trial.seconds, kind) for kind in ("customer", "carrier")}
    return found | {"margin": _margin(found["customer"], found["carrier"])}


def accounts_of(directory: Directory) -> list[str]:
    """The accounts that the directory names."""
    extensions = (each.account for each in directory.extensions.values())
    companies = (each.account for each in directory.companies.values())
    trunks = (each.account for each in directory.trunks.values())
    return sorted({*extensions, *companies, *trunks, directory.tenant.billed_account} - {""})


def _margin(customer: dict[str, Any], carrier: dict[str, Any]) -> str | None:
    """What is left, exact; None where a price is unknown or the currencies differ. What is free has no currency."""
    if customer["cost"] is None or carrier["cost"] is None:
        return None
    currencies = {each["currency"] for each in (customer, carrier) if each["currency"]}
    return text(Decimal(customer["cost"]) - Decimal(carrier["cost"])) if len(currencies) < 2 else None
