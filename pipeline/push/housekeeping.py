"""What a worker process does for privacy beside the fold: erased calls stay erased, tenants' retention is applied."""

from __future__ import annotations

import threading
import time
from typing import Final

import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from pipeline.errors import Problem
from pipeline.settings import Settings
from pipeline.warehouse.privacy.erasure import erase_again
from pipeline.warehouse.privacy.retention import apply_rules
from pipeline.warehouse.storage.client import connect, first_line

log = structlog.get_logger("cdr.privacy")

ERASE_EVERY_S: Final = 30.0
_RETAIN_EVERY_S: Final = 86_400.0
_FIRST_RETAIN_S: Final = 60.0
_STOP_S: Final = 3.0


class Housekeeping:
    """A thread of a worker process."""

    def __init__(self, settings: Settings, every_s: float = ERASE_EVERY_S) -> None:
        self._settings, self._every_s = settings, every_s
        self._stopping = threading.Event()
        self._retained_at = time.monotonic() - _RETAIN_EVERY_S + _FIRST_RETAIN_S
        self._thread = threading.Thread(target=self._run, name="privacy", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after what is under way."""
        self._stopping.set()
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self._look()
            except (ClickHouseError, HTTPError, OSError, Problem) as error:
                log.info("erasures and retention wait for ClickHouse", error=first_line(error))
            except Exception as error:  # the fold goes on, and so does the next look
                log.error("erasures or retention failed", exc_info=error)

    def _look(self) -> None:
        client = connect(self._settings.clickhouse, self._settings.database)
        try:
            if number := erase_again(client):
                log.info("rows of erased calls came back and were erased again", rows=number)
            if time.monotonic() - self._retained_at >= _RETAIN_EVERY_S:
                self._retained_at = time.monotonic()
                if number := apply_rules(client):
                    log.info("rows older than their tenant's retention deleted", rows=number)
        finally:
            client.close()
