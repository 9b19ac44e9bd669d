"""Settings: the same names in the environment, in compose and in the Helm chart; a module a part."""

from __future__ import annotations

from functools import cache
from typing import Final

from pipeline.settings.base import Group
from pipeline.settings.bridges import BridgeSettings
from pipeline.settings.calls import CallSettings
from pipeline.settings.clickhouse import ClickHouseSettings
from pipeline.settings.embedded import EmbeddedSettings
from pipeline.settings.hep import HepSettings
from pipeline.settings.kafka import KafkaSettings
from pipeline.settings.oidc import OidcSettings
from pipeline.settings.push import PushSettings
from pipeline.settings.query import QuerySettings
from pipeline.settings.reports import ReportSettings
from pipeline.settings.vendors import VendorSettings
from pipeline.settings.worker import WorkerSettings

# In the order of the documentation.
GROUPS: Final[tuple[type[Group], ...]] = (
    KafkaSettings,
    ClickHouseSettings,
    CallSettings,
    WorkerSettings,
    QuerySettings,
    OidcSettings,
    VendorSettings,
    ReportSettings,
    PushSettings,
    HepSettings,
    BridgeSettings,
    EmbeddedSettings,
)


class Settings(
    KafkaSettings,
    ClickHouseSettings,
    CallSettings,
    WorkerSettings,
    QuerySettings,
    OidcSettings,
    VendorSettings,
    ReportSettings,
    PushSettings,
    HepSettings,
    BridgeSettings,
    EmbeddedSettings,
):
    """All settings of a process. What needs one part of them takes that part's class."""


@cache
def settings() -> Settings:
    """The process's settings, read once."""
    return Settings()
