"""The exchange, once a session."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.sip.exchange import Exchange, missing


@pytest.fixture(scope="session")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Kamailio with its capture sink, on free ports in a folder of its own."""
    lacking = missing()
    if lacking:
        message = (
            f"Not installed: {lacking}. On Debian: apt-get install sip-tester kamailio "
            "kamailio-extra-modules kamailio-utils-modules"
        )
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    started = Exchange(tmp_path_factory.mktemp("exchange"))
    yield started
    started.close()
