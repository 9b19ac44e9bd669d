"""What commands about decks take: kinds, time bands, rounding, files."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.input import read_text
from pipeline.errors import USAGE, Problem

if TYPE_CHECKING:
    from pipeline.rating.deck import Line


class Kind(StrEnum):
    """What a deck is for."""

    customer = "customer"
    carrier = "carrier"


class Direction(StrEnum):
    """Directions of calls that are priced."""

    outbound = "outbound"
    inbound_outbound = "inbound_outbound"
    inbound = "inbound"


class Rounding(StrEnum):
    """How a cost is rounded."""

    half_up = "half_up"
    half_even = "half_even"
    up = "up"
    down = "down"


Bands = Annotated[list[str] | None, typer.Option("--band", metavar="NAME=TIMES", help="A time band; may be repeated.")]
Currency = Annotated[str, typer.Option(help="Currency of lines that name none.")]
Decimals = Annotated[int, typer.Option(min=0, max=12, help="Digits after the point that a cost is rounded to.")]
RoundingOption = Annotated[Rounding, typer.Option(help="How a cost is rounded.")]


def bands_of(given: list[str] | None) -> dict[str, str]:
    """The time bands of --band. Raises Problem."""
    from pipeline.rating.bands import parse

    bands = {}
    for text in given or ():
        name, equals, times = text.partition("=")
        try:
            if not (equals and name.strip()):
                raise ValueError("has no name; write peak='mon-fri 08:00-18:00'")
            parse(times)
        except ValueError as error:
            raise Problem(f"--band {text!r} {error}.", code=USAGE) from None
        bands[name.strip()] = times.strip()
    return bands


def read_deck(file: Path, bands: dict[str, str], currency: str) -> list[Line]:
    """The lines of a CSV file. Raises Problem, which names every value that is wrong."""
    from pipeline.rating.deck_file import parse_csv

    return parse_csv(read_text(file, 256, "a CSV file"), str(file), bands=bands, currency=currency)
