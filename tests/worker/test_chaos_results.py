"""Finished rounds of the fault suite: kept line by line, gone on with, summed up as a table."""

from __future__ import annotations

from pathlib import Path

from tests.long.chaos import results
from tests.long.chaos.results import Result


def result(seed: int, *, load: int = 0, program: str = "now", full: bool = True, lost: int = 0) -> Result:
    return Result("kills", seed, load, full, program, 10, 1_000, 12_000, lost, 0, 0, 0, 60)


def test_what_is_kept_is_read_again_but_for_a_line_that_was_cut_off(tmp_path: Path) -> None:
    file = tmp_path / "results" / "results.ndjson"
    assert results.read(file) == []
    for seed in (1, 2):
        results.add(file, result(seed))
    with file.open("ab") as out:
        out.write(b'{"round": "kills", "se')
    assert results.read(file) == [result(1), result(2)]


def test_only_full_rounds_of_this_program_are_finished_and_the_last_one_counts() -> None:
    lines = [
        result(1, lost=3),
        result(1),
        result(2, program="before"),
        result(3, full=False),
        result(1, load=8, lost=1),
    ]
    known = results.finished(lines, "now")
    assert known == {("kills", 1, 0): result(1), ("kills", 1, 8): result(1, load=8, lost=1)}


def test_the_table_sums_seeds_and_keeps_loads_apart() -> None:
    table = results.markdown([result(2), result(1), result(1, load=8, lost=1)]).splitlines()
    assert table[0] == "| round | seeds | strikes | calls | events | lost | doubled | wrong | strange | load |"
    assert table[2:] == [
        "| `kills` | 1 2 | 20 | 2,000 | 24,000 | 0 | 0 | 0 | 0 | 0 |",
        "| `kills` | 1 | 10 | 1,000 | 12,000 | 1 | 0 | 0 | 0 | 8 |",
    ]


def test_the_program_is_named_by_its_bytes() -> None:
    assert results.program() == results.program()
    assert len(results.program()) == 12
