"""Events produced over some seconds."""

from __future__ import annotations

import threading
import time

from tests.worker.deployment import Deployment
from tests.worker.phone_calls import JsonEvent


def produce_slowly(deployment: Deployment, events: list[JsonEvent], seconds: float) -> threading.Thread:
    """Produce over some seconds, in a thread."""

    def run() -> None:
        pieces = 40
        for piece in range(pieces):
            deployment.produce(events[len(events) * piece // pieces : len(events) * (piece + 1) // pieces])
            time.sleep(seconds / pieces)

    thread = threading.Thread(target=run)
    thread.start()
    return thread
