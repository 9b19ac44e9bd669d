"""ClickHouse: migrations, writer, archive, queries, retention."""
