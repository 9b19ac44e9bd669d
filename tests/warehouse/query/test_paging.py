from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.instants import DAY_MS
from pipeline.warehouse.query.pages.paging import stretches, window

DAYS = st.dictionaries(st.integers(0, 400), st.integers(1, 5), max_size=30)


@given(DAYS, st.integers(0, 160), st.integers(1, 20), st.booleans())
def test_the_window_holds_the_page_and_little_else(days: dict[int, int], skip: int, top: int, ascending: bool) -> None:
    rows = [day for day, count in sorted(days.items(), reverse=not ascending) for _ in range(count)]
    found = window(list(days.items()), skip, top, ascending=ascending)
    expected = rows[skip : skip + top]
    if found is None:
        assert expected == []
        return
    inside = [day for day in rows if found.first_ms <= day * DAY_MS < found.end_ms]
    assert inside[found.skip : found.skip + top] == expected
    assert {min(inside), max(inside)} == {min(expected), max(expected)}


@given(st.integers(0, 10**13), st.integers(0, 10**12))
def test_stretches_cover_the_time_once(first: int, length: int) -> None:
    parts = list(stretches(first, first + length))
    assert all(begin < end for begin, end in parts)
    assert len(parts) < 15
    edges = [first + length, *(begin for begin, _ in parts)]
    assert [end for _, end in parts] == edges[:-1]
    assert edges[-1] == first
