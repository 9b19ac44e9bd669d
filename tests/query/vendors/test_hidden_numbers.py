"""Phone numbers are masked in every dialect for those who may not see them whole."""

from __future__ import annotations

import httpx
import pytest

from pipeline.warehouse.identity.access import MASKED, READ
from pipeline.warehouse.identity.tokens import create_token
from tests.query.vendors.conftest import Company

pytestmark = pytest.mark.embedded

OUTSIDE = ("+441632960123", "01632960123", "+441632960000", "+33612345678", "+441632960001", "+441632960777")


async def test_no_dialect_shows_a_number_in_full(http: httpx.AsyncClient, company: Company) -> None:
    token = create_token(company.client, "acme", "masked", scopes=(READ, MASKED))
    day = {"start_at": "2024-08-20 00:00:00", "end_at": "2024-08-21 00:00:00"}
    group = "destination;caller_id;transfer to;extension number"
    scope = {"type": "cdr", "scope": {"year": 2024, "month": 8}}
    for name, masked in ((token, True), (company.token, False)):
        header = {"Authorization": f"Bearer {name}"}
        answers = [
            await http.get("/openapi/v1.0/cdr/list", params={"access_token": name}),
            await http.post("/api/cdrs/cdrs-aggregate", json={"group": group, "filter": day}, headers=header),
            await http.get("/api/cdrs/limit/100", headers=header),
            await http.post("/rest/call/allcalls", json=scope, headers=header),
            await http.post(
                "/rest/call/outcalls",
                json={"scope": scope["scope"] | {"company": ["default", "north"]}},  # type: ignore[operator]
                headers=header,
            ),
        ]
        for answer in answers:
            assert answer.status_code == 200
            assert any(number in answer.text for number in OUTSIDE) != masked, answer.text
            assert "201" in answer.text or "101" in answer.text  # extensions stay
        assert ('"**********123"' in answers[1].text) == masked
