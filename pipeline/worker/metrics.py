"""What the worker tells Prometheus. Base units; few labels, never numbers or call ids."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram, Info

from pipeline import __version__

EVENTS = Counter("cdr_events", "Events read from Kafka")
RAW = Counter("cdr_raw_events", "Values of raw sources decoded and sent on, by source", ["source"])
UNKNOWN_TYPES = Counter("cdr_events_unknown_type", "Events of a type this version does not know; archived, not folded")
DUPLICATES = Counter("cdr_events_duplicate", "Events that were known already")
LATE = Counter("cdr_events_late", "Events of calls that had left memory")
DEAD_LETTERS = Counter("cdr_dead_letters", "Values that are no event, by topic", ["topic"])
FORWARDED = Counter("cdr_events_forwarded", "Events that came under a key that is not their call_id")
CALLS_WRITTEN = Counter("cdr_call_versions", "Versions of calls written")
CALLS_CLOSED = Counter("cdr_calls_closed", "Calls closed, by why", ["reason"])
CALLS_IN_MEMORY = Gauge("cdr_calls_in_memory", "Calls in memory, open ones and those closed a moment ago")
BATCHES = Counter("cdr_batches", "Batches made durable")
BATCH_EVENTS = Histogram("cdr_batch_events", "Events a batch", buckets=(1, 10, 100, 1000, 5000, 10_000, 20_000, 50_000))
STEP_SECONDS = Histogram(
    "cdr_batch_step_seconds",
    "Time a batch spends in each step",
    ["step"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
ORPHANS = Counter("cdr_rows_orphaned", "Rows retired that a write given up had left behind")
LOST = Counter("cdr_records_lost", "Records that Kafka dropped before they were read", ["topic"])
RETRIES = Counter("cdr_write_retries", "Writes repeated because ClickHouse or Kafka was away", ["step"])
WAITING = Gauge("cdr_write_waiting", "1 while the worker waits for ClickHouse or Kafka", ["step"])
END_TO_END_SECONDS = Histogram(
    "cdr_end_to_end_seconds",
    "Newest event of a batch to that batch durable",
    buckets=(0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 60, 600, 3600),
)
LAG_MESSAGES = Gauge("cdr_consumer_lag", "Records not yet read", ["topic", "partition"])
LAG_SECONDS = Gauge(
    "cdr_consumer_lag_seconds",
    "How long ago Kafka took the last record that is durable, while others wait; 0 when none waits",
    ["topic", "partition"],
)
DURABLE_OFFSET = Gauge("cdr_durable_offset", "Offset after the last durable record", ["topic", "partition"])
RELOADED = Counter("cdr_calls_reloaded", "Calls read back from the archive, by why", ["reason"])
BUILD = Info("cdr_build", "Version of the running program")
BUILD.info({"version": __version__})
