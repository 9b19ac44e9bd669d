"""The errors a person sees: what is wrong, and what to do next."""

from __future__ import annotations

FAILED, USAGE, DEPENDENCY = 1, 2, 3  # exit codes of the command line


class Problem(Exception):
    """Something the user can mend. Printed as one line, `message. hint`, without a traceback."""

    def __init__(self, message: str, *, hint: str = "", code: int = FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} {self.hint}" if self.hint else message


class BadField(ValueError):
    """A field of what somebody wrote that is wrong: its name, its value if it helps, and what to write instead.

    HTTP answers 400 in the words of the surface, the command line says it as it is."""

    def __init__(self, field: str, value: str | None, fix: str) -> None:
        shown = "" if value is None else f" {shortened(value)!r}"
        super().__init__(f"{field}{shown}: {fix}")
        self.field, self.value, self.fix = field, value, fix


def shortened(value: str) -> str:
    """A value as shown in a message: never longer than the message needs."""
    return value if len(value) <= 80 else value[:77] + "…"
