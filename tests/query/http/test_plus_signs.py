"""Numbers with a plus sign, in queries that encode it and in those that do not."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest

from pipeline.query.http.plus_signs import with_plus_signs


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("caller.number=+441632960149", ["+441632960149"]),
        ("caller.number=%2B441632960149", ["+441632960149"]),
        ("caller.number[in]=+441632960149,+441632960150", ["+441632960149,+441632960150"]),
        ("q=+441632960149&limit=5", ["+441632960149", "5"]),
        ("filter=caller+eq+'+441632960149'", ["caller eq '+441632960149'"]),
        ("filter=caller%20eq%20%27+441632960149%27", ["caller eq '+441632960149'"]),
        ("call_from=+441632960149&call_to=+33", ["+441632960149", "+33"]),
        ("q=ada+441632", ["ada 441632"]),
        ("q=+ada", [" ada"]),
        ("sort=+1", [" 1"]),
        ("from=2024-08-20T12:00:00+02:00", ["2024-08-20T12:00:00 02:00"]),
        ("filter=a+eq+1", ["a eq 1"]),
        ('filter={"talk_ms":+{"gte":+30000}}', ['{"talk_ms": {"gte": 30000}}']),
        (
            "filter=%7B%22id%22:%7B%22in%22:%5B700551909773148160,+700551909773148161%5D%7D%7D&q=+44",
            ['{"id":{"in":[700551909773148160, 700551909773148161]}}', "+44"],
        ),
        (
            'filter={"caller.number":+{"in":["+441632960149",+"+33140205317"]}}',
            ['{"caller.number": {"in":["+441632960149", "+33140205317"]}}'],
        ),
    ],
)
def test_a_plus_before_a_number_is_a_plus(query: str, values: list[str]) -> None:
    assert [value for _, value in parse_qsl(with_plus_signs(query.encode()).decode())] == values
