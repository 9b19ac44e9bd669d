"""Finished rounds, a line of JSON each, and the table that is made of them.

A long table takes hours: what was finished is kept and not run again, as long as the program is the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

import msgspec

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / ".cache" / "chaos"
FIGURES = ("strikes", "calls", "events", "lost", "doubled", "wrong", "strange")


class Result(msgspec.Struct, frozen=True):
    """One round with one seed."""

    round: str
    seed: int
    load: int  # busy processes beside it
    full: bool  # at the length that the table asks for
    program: str  # see `program`
    strikes: int
    calls: int
    events: int
    lost: int
    doubled: int
    wrong: int
    strange: int
    seconds: int  # with starting, coming to rest and the audit
    rss_mb: int = 0
    evidence: str = ""

    @property
    def key(self) -> tuple[str, int, int]:
        return self.round, self.seed, self.load

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong or self.strange)


def program() -> str:
    """Names the program that is tested: the bytes of its files, committed or not."""
    digest = hashlib.sha256()
    for folder in ("pipeline", "schemas"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file.relative_to(ROOT)}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def read(file: Path) -> list[Result]:
    """All results, the oldest first; a line that was cut off by a kill is passed over."""
    found: list[Result] = []
    for line in file.read_bytes().splitlines() if file.exists() else ():
        try:
            found.append(msgspec.json.decode(line, type=Result))
        except msgspec.DecodeError:
            continue
    return found


def add(file: Path, result: Result) -> None:
    """Keep a result."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as out:
        out.write(msgspec.json.encode(result) + b"\n")


def finished(results: Iterable[Result], of_program: str) -> dict[tuple[str, int, int], Result]:
    """The last result at full length of each round, seed and load, for one program ("" for any)."""
    return {each.key: each for each in results if each.full and of_program in ("", each.program)}


def markdown(results: Iterable[Result]) -> str:
    """Rows for docs/durability.md: one a round and load, its seeds summed up."""
    together: dict[tuple[str, int], list[Result]] = {}
    for each in sorted(results, key=lambda each: each.load):
        together.setdefault((each.round, each.load), []).append(each)
    lines = [
        f"| round | seeds | {' | '.join(FIGURES)} | load |",
        f"|---|---|{'---:|' * len(FIGURES)}---:|",
    ]
    for (name, load), several in together.items():
        seeds = " ".join(str(each.seed) for each in sorted(several, key=lambda each: each.seed))
        sums = [f"{sum(getattr(each, figure) for each in several):,}" for figure in FIGURES]
        lines.append(f"| `{name}` | {seeds} | {' | '.join(sums)} | {load} |")
    return "\n".join(lines)
