"""Call reports over HTTP: PortSIP's resources under `/api`, files by link, ours under `/v1/reports`."""

from __future__ import annotations

from fastapi import APIRouter

from pipeline.files import files_of
from pipeline.reports import portsip_routes, v1_routes
from pipeline.settings import Settings


def router(settings: Settings) -> APIRouter:
    """All routes of reports."""
    files = files_of(settings)
    whole = APIRouter()
    for part in (portsip_routes.router(settings, files), v1_routes.router(settings, files)):
        whole.include_router(part)
    return whole
