"""The one-machine default: broker, ClickHouse endpoint and services as child processes."""
