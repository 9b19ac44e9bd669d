"""Many requests of each operation: `pytest tests/long/query` (EXAMPLES=n of each kind)."""

from __future__ import annotations

import os

import pytest

from tests.query.conftest import *  # noqa: F403  the service and its warehouse
from tests.query.conftest import Running
from tests.query.exploration import OPERATIONS, explore

pytestmark = pytest.mark.embedded

EXAMPLES = int(os.environ.get("EXAMPLES", "300"))


@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_breaks_the_service(running: Running, admin_token: str, label: str) -> None:
    explore(OPERATIONS[label], running, admin_token, examples=EXAMPLES)
