"""Around every request: its id, its time, its place in the metrics and the log; and a last answer for
what nobody foresaw."""

from __future__ import annotations

import re
import time
import traceback
import uuid
from typing import Any, Final

import structlog
from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, PlatformCollector, ProcessCollector
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.query.http.problems import RequestProblem, response
from pipeline.warehouse.query.masking import masked_text

_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
CLIENT_GONE: Final = 499  # nginx' word for a client that hung up; sent to nobody
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY"}

log = structlog.get_logger("cdr.query")


class Observer:
    """The metrics of one service."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._requests = Counter(
            "cdr_query_requests", "Requests answered.", ["route", "method", "status"], registry=self.registry
        )
        self._request_seconds = Histogram(
            "cdr_query_request_seconds", "Request to last byte.", ["route"], buckets=_BUCKETS, registry=self.registry
        )
        self._query_seconds = Histogram(
            "cdr_query_clickhouse_seconds",
            "ClickHouse query, waiting for a thread included.",
            ["query"],
            buckets=_BUCKETS,
            registry=self.registry,
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def query(self, name: str, seconds: float) -> None:
        self._query_seconds.labels(name).observe(seconds)


class Observation:
    """The ASGI middleware. The log has the templates of paths, never what stands in them, in query strings or headers:
    those hold numbers and tokens."""

    def __init__(self, app: ASGIApp, observer: Observer) -> None:
        self._app = app
        self._observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        request_id = _request_id(scope)
        scope["cdr.request_id"] = request_id
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception:
            # as text: renderers that show local variables would show the token
            trace = masked_text(traceback.format_exc())
            log.error("request failed", path=_route(scope), request_id=request_id, trace=trace)
            if status:  # too late for another answer
                raise
            problem = RequestProblem(500, "unknown", f"The service failed; its log has more under {request_id}.")
            await response(problem, scope["path"], request_id)(scope, receive, sending)
        finally:
            seconds = time.perf_counter() - begun
            self._observer.request(_route(scope), scope["method"], status, seconds)
            log.info(
                "request",
                method=scope["method"],
                path=_route(scope),
                status=status,
                ms=round(seconds * 1000, 1),
                tenant=scope.get("cdr.tenant", ""),
                request_id=request_id,
            )


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            text: str = value.decode("latin-1")
            if _ID.fullmatch(text):
                return text
    return uuid.uuid4().hex


def _route(scope: dict[str, Any] | Scope) -> str:
    """The path template, so that ids make no series of their own."""
    return getattr(scope.get("route"), "path", "unmatched")
