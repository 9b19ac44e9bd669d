"""What a worker process tells Prometheus of webhooks."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

ATTEMPTS = Counter("cdr_webhook_attempts", "Messages posted: delivered, failed and tried again, or dead", ["outcome"])
OVERDUE_SECONDS = Gauge("cdr_webhook_overdue_seconds", "How long the oldest message that is due has been due")
DISABLED = Counter("cdr_webhooks_disabled", "Webhooks disabled because their receiver answered 410 Gone")
for _outcome in ("delivered", "retried", "dead"):
    ATTEMPTS.labels(_outcome)
