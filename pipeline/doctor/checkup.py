"""`cdr doctor`: is everything there, does it fit together, and what is to be done where it does not."""

from __future__ import annotations

import asyncio
import difflib
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Final

from pipeline import __version__
from pipeline.doctor import clickhouse as doctor_clickhouse
from pipeline.doctor import kafka, nodes
from pipeline.doctor.finding import FAIL, OK, WARN, Check
from pipeline.errors import Problem
from pipeline.settings import Settings

__all__ = ["FAIL", "examine"]

# Variables with our prefix that are no settings of the product.
_OTHERS: Final = frozenset(("CDR_KAFKA_LIBS",))
_PACKAGES: Final = ("faust-streaming", "aiokafka", "clickhouse-connect", "msgspec", "orjson", "fastapi", "uvicorn")


def examine(settings: Settings) -> list[Check]:
    """All checks, in the order in which trouble should be mended."""
    checks = [*_program(), *unknown_variables(os.environ)]
    if settings.hep_is_open:
        found = f"open on {settings.hep_host}: anyone who reaches port {settings.hep_port} can forge calls"
        hint = "Set CDR_HEP_PASSWORD or CDR_HEP_SENDERS, or CDR_HEP_HOST to 127.0.0.1."
        checks.append(Check(WARN, "HEP", found, hint))
    checks += _guarded("Kafka", lambda: asyncio.run(kafka.examine(settings)))
    clickhouse = _guarded("ClickHouse", lambda: doctor_clickhouse.examine(settings))
    checks += clickhouse
    if clickhouse[0].state != FAIL:
        checks += _guarded("nodes", lambda: nodes.examine(settings))
    host = "127.0.0.1" if settings.metrics_host in ("0.0.0.0", "::") else settings.metrics_host
    checks.append(_answers("worker", f"http://{host}:{settings.metrics_port}/readyz", "cdr worker", "CDR_METRICS_PORT"))
    host = "127.0.0.1" if settings.api_host in ("0.0.0.0", "::") else settings.api_host
    checks.append(_answers("query service", f"http://{host}:{settings.api_port}/readyz", "cdr api", "CDR_API_PORT"))
    return checks


def _guarded(what: str, examine: Callable[[], list[Check]]) -> list[Check]:
    """The checks of a part, or that it cannot be reached."""
    try:
        return examine()
    except Problem as problem:
        return [Check(FAIL, what, problem.args[0], problem.hint)]


def _program() -> list[Check]:
    checks = [Check(OK, "program", f"cdr {__version__}, Python {sys.version.split()[0]}")]
    missing = []
    for package in _PACKAGES:
        try:
            metadata.version(package)
        except metadata.PackageNotFoundError:
            missing.append(package)
    if missing:
        checks.append(Check(FAIL, "packages", f"missing: {', '.join(missing)}", "Install the product again."))
    else:
        checks.append(Check(OK, "packages", ", ".join(f"{name} {metadata.version(name)}" for name in _PACKAGES[:3])))
    return checks


def unknown_variables(environment: Mapping[str, str]) -> list[Check]:
    """Variables that look like settings and are none: most are misspelled."""
    known = {f"CDR_{name.upper()}" for name in Settings.model_fields}
    checks = []
    for name in sorted(environment):
        if not name.upper().startswith("CDR_") or name.upper() in known | _OTHERS:
            continue
        if name == "CDR_CRASH_AFTER":
            checks.append(Check(FAIL, "settings", f"{name} is set", "It makes workers die, for tests. Unset it."))
            continue
        nearest = difflib.get_close_matches(name.upper(), known, 1)
        hint = f"Did you mean {nearest[0]}?" if nearest else "No setting has a name like it; unset it."
        checks.append(Check(WARN, "settings", f"{name} is not a setting", hint))
    return checks or [Check(OK, "settings", "no unknown CDR_ variables")]


def _answers(what: str, url: str, command: str, setting: str) -> Check:
    """Whether a service answers that it is ready."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            answer.read()
        return Check(OK, what, f"ready at {url}")
    except urllib.error.HTTPError as error:
        with error:
            body = error.read(300).decode(errors="replace")
        return Check(FAIL, what, f"not ready: {body}", "Its log says more.")
    except OSError:
        hint = f"Start it with {command}, or set {setting} to where it runs."
        return Check(WARN, what, f"no answer at {url}", hint)
