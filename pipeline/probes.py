"""A process's own HTTP address: /metrics for Prometheus, /livez and /readyz for supervisors."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from pipeline.errors import DEPENDENCY, Problem

# name → None when well, else what is wrong
Checks = dict[str, str | None]


def serve(host: str, port: int, checks: Callable[[], Checks]) -> ThreadingHTTPServer:
    """Serve in a thread of its own, so that a busy loop does not look dead. `checks` must not block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer(200, CONTENT_TYPE_LATEST, generate_latest())
            elif self.path == "/livez":
                self._answer(200, "application/json", b'{"status":"alive"}')
            elif self.path == "/readyz":
                found = checks()
                ready = all(trouble is None for trouble in found.values())
                body = {"status": "ready" if ready else "waiting", "checks": {k: v or "ok" for k, v in found.items()}}
                self._answer(200 if ready else 503, "application/json", json.dumps(body).encode())
            else:
                self._answer(404, "application/json", b'{"error":"paths: /metrics /livez /readyz"}')

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Scrapes every few seconds are no news."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise Problem(
            f"Cannot serve metrics on {host}:{port}: {error.strerror}.",
            hint="Choose another port for it (CDR_METRICS_PORT and its like), or 0 for any.",
            code=DEPENDENCY,
        ) from error
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
