"""The one error a person sees: what is wrong, and what to do next."""

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
