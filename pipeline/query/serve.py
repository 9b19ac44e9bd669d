"""Running the query service: one process, until SIGTERM or SIGINT."""

from __future__ import annotations

import signal
import sys

import uvicorn
from prometheus_client import start_http_server

from pipeline import logs
from pipeline.errors import USAGE, Problem
from pipeline.query.app import create_app
from pipeline.query.http.connections import Bounds, bounded, networks_of
from pipeline.settings import Settings

# A request line with a filter of the longest allowed length, percent-encoded, and room to say no to more.
_LONGEST_HEAD = 512 * 1024


def serve(settings: Settings) -> None:
    """Serve until a signal ends it; requests under way finish within 5 s."""
    logs.configure(settings.log_level)
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.api_host,
            port=settings.api_port,
            http=bounded(Bounds(per_address=settings.api_connections, trusted=networks_of(settings.trusted_proxies))),
            proxy_headers=False,  # `Forwarded` believes the trusted ones
            h11_max_incomplete_event_size=_LONGEST_HEAD,
            loop="auto",
            lifespan="on",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
            log_level=settings.log_level,
            log_config=None,  # through the same door as every other process
        )
    )
    if settings.api_metrics_port:
        try:
            start_http_server(settings.api_metrics_port, settings.api_metrics_host, app.state.observer.registry)
        except OSError as error:
            raise Problem(
                f"Metrics cannot be served on {settings.api_metrics_host}:{settings.api_metrics_port}: {error}.",
                hint="Another program has the port? Set CDR_API_METRICS_PORT.",
                code=USAGE,
            ) from None
    # uvicorn repeats the signal that ended it, when all is done: ending as told is success
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        server.run()
    except SystemExit as end:
        if not end.code:
            return
        raise Problem(  # uvicorn has said why
            f"The query service cannot listen on {settings.api_host}:{settings.api_port}.",
            hint="Another program has the port? Set CDR_API_PORT or give --port.",
            code=USAGE,
        ) from None
