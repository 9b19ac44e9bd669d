"""The contracts: call event, call, enumerations, ClickHouse tables and views."""
