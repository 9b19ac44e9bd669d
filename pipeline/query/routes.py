"""All routes of the query service, in the order in which they are tried."""

from __future__ import annotations

from fastapi import APIRouter

from pipeline.files import files_of
from pipeline.query import ingest
from pipeline.query.commpeak import routes as commpeak
from pipeline.query.http import contracts, documents, front_page, health
from pipeline.query.ipcortex import routes as ipcortex
from pipeline.query.portsip import call_reports, completed_reports, login, routes, sessions, sync
from pipeline.query.ui import routes as ui
from pipeline.query.v1 import aggregates, call_logs, calls, exports, prices, reports, search
from pipeline.query.v1.configuration import directory, webhooks
from pipeline.query.v1.streams import calls as stream
from pipeline.query.v1.streams import cdrs, tickets
from pipeline.query.yeastar import routes as yeastar
from pipeline.settings import Settings


def routers(settings: Settings) -> list[APIRouter]:
    """The routers of all surfaces; those that depend on settings are made for them."""
    files = files_of(settings)
    portsip = [
        login.router,
        routes.router,
        sessions.router,
        sync.router,
        call_reports.router,
        completed_reports.router(settings, files),
    ]
    vendors = [commpeak.router, ipcortex.router, yeastar.router]  # CommPeak's behind PortSIP's, of one segment
    own = [
        stream.router,  # before /calls/{id}
        tickets.router,
        calls.router,
        call_logs.router,
        aggregates.router,
        search.router,
        prices.router,
        exports.router,
        directory.router,
        reports.router(settings, files),
        webhooks.router(settings),
        cdrs.router(settings),
    ]
    service = [ingest.router(settings), contracts.router(settings), health.router, documents.router, front_page.router]
    return [*portsip, *vendors, *own, *service, *ui.routers()]
