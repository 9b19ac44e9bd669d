"""A real mail server that keeps what it takes."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from pipeline.embedded.process import free_port


class Postbox:
    """A mail server that keeps what it takes. `answer` is what it says to a mail."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.after: Callable[[], None] = lambda: None  # the mail is taken, but its sender does not know
        self.answers: list[str] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.answers.pop(0) if self.answers else "250 Taken"
        if answer.startswith("2"):
            content = envelope.content
            assert isinstance(content, bytes)
            message = email.message_from_bytes(content, policy=email.policy.default)
            assert isinstance(message, EmailMessage)
            self.mails.append(message)
            self.after()
        return answer


@contextmanager
def serving() -> Iterator[tuple[Postbox, int]]:
    """The server and its port."""
    box = Postbox()
    port = free_port()
    controller = Controller(box, hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield box, port
    finally:
        controller.stop()
