"""Versions: their order is what they say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schemas.version import MOST_RERATED, Version, first_of, fold_of

VERSIONS = st.builds(
    Version, st.integers(0, 1000), st.integers(0, (1 << 31) - 1), st.booleans(), st.integers(0, MOST_RERATED)
)


@given(VERSIONS)
def test_a_number_says_all_of_it(version: Version) -> None:
    assert Version.of(version.number) == version
    assert 0 <= version.number < 1 << 64


@given(VERSIONS, VERSIONS)
def test_numbers_are_in_the_order_of_their_parts(one: Version, other: Version) -> None:
    assert (one.number < other.number) == (one < other)


@given(VERSIONS)
def test_a_fold_does_not_know_of_prices(version: Version) -> None:
    assert fold_of(version.number) == fold_of(version._replace(rerated=0).number)
    assert first_of(fold_of(version.number)) == version._replace(rerated=0).number
