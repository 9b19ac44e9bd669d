"""The ways to read many rows: numbered pages, keysets, lists that ClickHouse writes, changes."""
