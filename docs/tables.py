"""Tables of the documentation that come from the code: `python docs/tables.py` writes them anew.

They stand between `<!-- table: name -->` and `<!-- end -->`. A test says when one is stale.
"""

from __future__ import annotations

import json
import re
import sys
import typing
from pathlib import Path

from pipeline.settings import GROUPS
from schemas.call_model import CallDocument
from schemas.event_model import EVENT_TYPE_MEANINGS, CallEvent
from schemas.event_reasons import EVENT_REASONS

DOCS = Path(__file__).parent
_PLACE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.S)


def settings_table() -> str:
    """Every setting with its default, a table a group."""
    parts = []
    for group in GROUPS:
        rows = ["| variable | default | meaning |", "|---|---|---|"]
        for name, field in group.model_fields.items():
            default = field.get_default()
            shown = f"`{default:g}`" if isinstance(default, float) else f"`{default}`" if str(default) else "empty"
            rows.append(f"| `CDR_{name.upper()}` | {shown} | {field.description or ''} |")
        parts.append("\n".join([group.__doc__ or "", "", *rows]))
    return "\n\n".join(parts)


def event_fields_table() -> str:
    """Every field of a call event that producers may send."""
    rows = []
    for name, field in CallEvent.model_fields.items():
        if name == "sip":  # internal
            continue
        examples = ", ".join(f"`{_shown(example)}`" for example in field.examples or [])
        words = [] if name == "hung_up_by" else _words(field.annotation)  # explained one by one
        text = (field.description or "") + (f" One of {', '.join(words)}." if words else "")
        need = "yes" if field.is_required() else ""
        rows.append(f"| `{field.alias or name}` | {need} | {text} | {examples} |")
    return "\n".join(["| field | needed | meaning | examples |", "|---|---|---|---|", *rows])


def event_types_table() -> str:
    """Every event type."""
    return "\n".join(
        ["| type | says |", "|---|---|", *(f"| `{word}` | {text} |" for word, text in EVENT_TYPE_MEANINGS.items())]
    )


def event_reasons_table() -> str:
    """Every reason that changes how an event is read."""
    rows = [
        f"| `{type_}` | {', '.join(f'`{word}`' for word in words)} | {meaning} |"
        for type_, words, meaning in EVENT_REASONS
    ]
    return "\n".join(["| event | `reason` | meaning |", "|---|---|---|", *rows])


def call_fields_table() -> str:
    """Every field of the call document."""
    rows = []
    for name, field in CallDocument.model_fields.items():
        words = _words(field.annotation)
        text = (field.description or "") + (f" One of {', '.join(words)}." if words else "")
        rows.append(f"| `{field.alias or name}` | {text} |")
    return "\n".join(["| field | meaning |", "|---|---|", *rows])


def _shown(example: object) -> str:
    return example if isinstance(example, str) else json.dumps(example)


def _words(annotation: object) -> list[str]:
    """The words of an enumeration, also inside `X | None`."""
    if typing.get_origin(annotation) is typing.Literal:
        return [str(word) for word in typing.get_args(annotation)]
    return [word for part in typing.get_args(annotation) for word in _words(part)]


TABLES = {
    "settings": settings_table,
    "event_fields": event_fields_table,
    "event_types": event_types_table,
    "event_reasons": event_reasons_table,
    "call_fields": call_fields_table,
}


def filled(text: str) -> str:
    """A page with its tables as they should be."""
    return _PLACE.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}", text)


def main() -> None:
    """Write the pages that are stale."""
    for page in sorted(DOCS.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        if filled(text) != text:
            page.write_text(filled(text), encoding="utf-8")
            print(f"wrote {page}", file=sys.stderr)


if __name__ == "__main__":
    main()
