"""Ids of clusters that the storage tool takes as a value."""

from __future__ import annotations

from pipeline.embedded.kafka import cluster_id


def test_no_id_looks_like_an_option() -> None:
    assert not any(cluster_id().startswith("-") for _ in range(2_000))  # one in 64 would
