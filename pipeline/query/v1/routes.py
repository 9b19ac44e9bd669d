"""Our own surface, everything under /v1 that asks about calls."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter

from pipeline.query.v1 import aggregates, call_logs, calls, exports, search, stream

ROUTERS: Final[tuple[APIRouter, ...]] = (
    stream.router,  # before /calls/{id}
    calls.router,
    call_logs.router,
    aggregates.router,
    search.router,
    exports.router,
)
