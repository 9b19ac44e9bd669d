"""ClickHouse's HTTP interface over the engine in this process (chDB)."""
