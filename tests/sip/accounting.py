"""Kamailio's accounting as its page in docs/pbx sets it up: the page's own lines, and what they post."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).parents[2] / "docs" / "pbx" / "kamailio.md"
NEEDED: Final = ("acc_json.so", "http_client.so", "jansson.so")  # beside the modules of Debian's package kamailio
_BLOCK: Final = re.compile(r"^```text\n(.*?)^```", re.M | re.S)
_ADDRESS: Final = "http://cdr.example.com:8000"


@dataclass(frozen=True)
class Page:
    """The configuration that the page tells administrators to write."""

    modules: str
    requests: str  # in the request route
    routes: str

    def flat(self) -> str:
        """The lines of the request route, in one."""
        return " ".join(self.requests.split("\n"))


def page(address: str) -> Page:
    """The page's lines, posting to this address."""
    blocks = _BLOCK.findall(PAGE.read_text("utf-8"))
    modules = next(block for block in blocks if 'loadmodule "acc_json.so"' in block)
    requests = next(block for block in blocks if "dlg_manage()" in block)
    sending = next(block for block in blocks if "route[SEND_ACC] {" in block)
    events = next(block for block in blocks if "event_route[dialog:start]" in block)
    assert _ADDRESS in sending
    return Page(modules, requests, sending.replace(_ADDRESS, address) + events)


class Intake:
    """An HTTP service that takes whatever is posted, as `POST /ingest/kamailio` does."""

    def __init__(self, host: str) -> None:
        self.values: list[bytes] = []
        self.last = time.monotonic()
        intake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/ingest/kamailio" and self.headers["Authorization"] == "Bearer TOKEN":
                    intake.values.append(body)
                    intake.last = time.monotonic()
                    status = 200
                else:
                    status = 404
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: pytest shows what fails."""

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self.address = f"http://{host}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def settle(self, silence: float = 0.6) -> list[bytes]:
        """Wait until nothing has come for a while; return and forget what came."""
        until = time.monotonic() + 20
        while time.monotonic() - self.last < silence and time.monotonic() < until:
            time.sleep(0.05)
        values, self.values = self.values, []
        return values

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
