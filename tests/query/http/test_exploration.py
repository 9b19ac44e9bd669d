"""No request that the OpenAPI document allows, or nearly allows, is a fault of the service. A longer run is
under tests/long."""

from __future__ import annotations

import pytest

from tests.query.conftest import Running
from tests.query.exploration import OPERATIONS, explore

pytestmark = pytest.mark.embedded


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_breaks_the_service(running: Running, admin_token: str, label: str) -> None:
    explore(OPERATIONS[label], running, admin_token, examples=2)
