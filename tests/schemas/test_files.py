"""The contract files in the repository are what the models say."""

from __future__ import annotations

import re
from typing import Any

from pipeline import kafka
from pipeline.settings import Settings
from schemas.__main__ import stale
from schemas.asyncapi import DEAD_LETTER_HEADERS, asyncapi


def test_the_contract_files_are_current() -> None:
    assert stale() == [], "run: python -m schemas"


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for part in value.values() for found in _references(part)]
    if isinstance(value, list):
        return [found for part in value for found in _references(part)]
    return []


def test_every_reference_of_the_asyncapi_document_resolves() -> None:
    document = asyncapi()
    references = _references(document)
    assert references
    for reference in references:
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_the_asyncapi_document_is_version_3_with_kafka_bindings() -> None:
    document = asyncapi()
    assert re.fullmatch(r"3\.0\.\d+", document["asyncapi"])
    topics = {topic.name for topic in kafka.topics(Settings())}
    assert {channel["address"] for channel in document["channels"].values()} == topics
    for channel in document["channels"].values():
        assert channel["bindings"]["kafka"] == {"topic": channel["address"], "bindingVersion": "0.5.0"}
    for message in document["components"]["messages"].values():
        assert message["bindings"]["kafka"]["key"]["description"]
    for operation in document["operations"].values():
        assert operation["action"] in ("send", "receive")
    headers = document["components"]["messages"]["deadLetter"]["headers"]
    assert set(headers["properties"]) == set(DEAD_LETTER_HEADERS) == {"error", "topic", "partition", "offset"}
