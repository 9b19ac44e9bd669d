"""`cdr doctor` is tried on deployments of the worker."""

from tests.worker.conftest import deploy as deploy
