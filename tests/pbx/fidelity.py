"""docs/fidelity.md out of the stories: `python -m tests.pbx.fidelity` writes it anew.

A story holds in a mode where everything that it expects comes out of what that mode tells; what a mode cannot tell, the
story says, and the page repeats.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Final

from tests.pbx.compare import differences
from tests.pbx.folded import T0_MS, documents
from tests.pbx.stories import SUBJECTS
from tests.pbx.story import Story
from tests.pbx.tellers import MODES, can_tell, expected, tell

PAGE: Final = Path(__file__).parents[2] / "docs" / "fidelity.md"
_HEAD: Final = """# What comes out right, from which PBX

Each line is a story of a call, told once in neutral words (`tests/pbx/stories/`) and played on a simulator of the PBX,
which writes what that PBX writes. The simulators are made after the PBXs' own source and compared with streams of real
ones. Every story is read in order, in any order and told more than once, and must give the same call each time; those
of Asterisk under other looks, too: chan_sip, IAX2, FreePBX's macros, trunks called by a number, one context for all,
CEL in whole seconds (`tests/pbx/asterisk/looks.py`).

**yes**: all that the story expects comes out. **but …**: this way of telling lacks something; what, is said below the
table. **no**: wrong, which the tests do not allow. **–**: the story cannot happen there.

This page is made by `python -m tests.pbx.fidelity`; a test holds it to the code.

| mode | what it is |
|---|---|
"""
_MODES: Final = {
    "asterisk cel": "channel event logging, all events and the applications of the sample file and more",
    "asterisk cel sample": "channel event logging as in Asterisk's own `cel.conf.sample`",
    "asterisk manager": "the manager interface alone",
    "asterisk both": "the manager interface with channel event logging over it, as [our page](pbx/asterisk.md) has it",
    "freeswitch esl": "events of the event socket",
    "freeswitch json_cdr": "documents of mod_json_cdr alone",
    "freeswitch both": "both of them",
}


def holds(story: Story, mode: str) -> bool:
    """Whether the call that the story expects comes out of what a mode tells."""
    dialect, values = tell(story, mode)
    found = documents(dialect, values)
    expect = expected(story, mode)
    return len(found) == expect.pop("calls", 1) and not differences(found[0], expect, T0_MS / 1000)


def page() -> str:
    """The whole page."""
    lines = [_HEAD + "\n".join(f"| {mode} | {_MODES.get(mode, '')} |" for mode in MODES)]
    notes: dict[str, int] = {}
    held = told = 0
    for subject in SUBJECTS:
        lines += [f"\n## {_title(subject)}\n", "| story | " + " | ".join(MODES) + " |", "|---|" + "---|" * len(MODES)]
        for story in subject.STORIES:
            cells = []
            for mode in MODES:
                cell = _cell(story, mode, notes)
                told += cell != "–"
                held += cell not in ("–", "no")
                cells.append(cell)
            lines.append(f"| {story.says} | " + " | ".join(cells) + " |")
    lines += ["\n## What is not told\n", *(f"{number}. {note}" for note, number in notes.items())]
    lines.append(f"\n{held} of {told} hold.")
    return "\n".join(lines) + "\n"


def _title(subject: ModuleType) -> str:
    return (subject.__doc__ or "").partition("\n")[0].rstrip(".")


def _cell(story: Story, mode: str, notes: dict[str, int]) -> str:
    if not can_tell(story, mode):
        return "–"
    if not holds(story, mode):
        return "no"
    numbers = []
    for untold in story.untold:
        if mode.startswith(untold.mode):
            fields = ", ".join(f"`{field}`" for field in untold.instead)
            numbers.append(notes.setdefault(f"{untold.why}: {fields}.", len(notes) + 1))
    return "but " + ", ".join(f"({number})" for number in numbers) if numbers else "yes"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
