"""`python -m schemas`: write the contract files anew; `--check` only says whether they are current."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from schemas.asyncapi import asyncapi
from schemas.call_model import call_json_schema
from schemas.contract import event_json_schema

FOLDER = Path(__file__).parent


def files() -> dict[str, bytes]:
    """Each contract file's name and what belongs in it."""
    documents = {
        "call-event.v1.json": event_json_schema(),
        "call.v1.json": call_json_schema(),
        "asyncapi.json": asyncapi(),
    }
    return {
        name: orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        for name, value in documents.items()
    }


def stale(folder: Path = FOLDER) -> list[str]:
    """Names of the files in `folder` that are missing or differ from the models."""
    return [
        name
        for name, content in files().items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != content
    ]


def main() -> None:
    """Write what is stale, or with `--check` say so and exit 1."""
    names = stale()
    if sys.argv[1:] == ["--check"]:
        if names:
            sys.exit(f"not current: {', '.join(names)}. Run: python -m schemas")
        return
    content = files()
    for name in names:
        (FOLDER / name).write_bytes(content[name])
        print(f"wrote {FOLDER / name}", file=sys.stderr)


if __name__ == "__main__":
    main()
