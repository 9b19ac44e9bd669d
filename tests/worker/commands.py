"""The `cdr` command against a deployment."""

from __future__ import annotations

import json
import subprocess

from tests.forks import run_cdr
from tests.worker.deployment import Deployment


def cdr(deployment: Deployment, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """The `cdr` command with this deployment's settings."""
    return run_cdr(*arguments, env=deployment.environment)


def listed(deployment: Deployment, *arguments: str) -> list[dict[str, object]]:
    done = cdr(deployment, "dead-letters", "list", "--output", "ndjson", *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
