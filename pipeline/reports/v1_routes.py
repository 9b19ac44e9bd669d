"""Reports of our own under `/v1/reports`."""

from __future__ import annotations

from fastapi import APIRouter

from pipeline.files import Files
from pipeline.query.auth import DOCUMENTED
from pipeline.settings import Settings


def router(settings: Settings, files: Files) -> APIRouter:
    """The routes."""
    return APIRouter(prefix="/v1/reports", tags=["Reports"], dependencies=[DOCUMENTED])
