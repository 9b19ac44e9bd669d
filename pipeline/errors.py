"""The errors of the product. Each says what is wrong and what to do next; `tests/test_errors.py` holds the tree.

CdrError
├── Problem                 the user can mend it: printed by `cdr` as one line, without a traceback
│   ├── KafkaRefused        Kafka is there and does not let us in
│   └── Taken               the name or the domain of a user is another tenant's
├── BadField                a field of what somebody wrote: its name, its value, the fix (also a ValueError)
├── BadExpression           a filter that makes no sense
├── InvalidEntry            an entry of the directory that is wrong
├── RequestProblem          a request that is refused, with its HTTP status
├── Malformed               a raw value that cannot be understood: it becomes a dead letter
│   ├── MalformedHep        its bytes are no HEP packet
│   └── MalformedMessage    its bytes are no SIP message
│       └── NoBeginning     they do not begin as one; they may go on with one
├── WarehouseError          ClickHouse did not answer a question
│   ├── Unavailable         it is away or busy: ask again later
│   ├── TooCostly           the question needs more than one query may have
│   └── QueryFailed         it refused a query that should have been right: a fault of the program
├── HiddenNumbers           what is asked for holds numbers in full, and the caller may not see them
├── SignInFirst             a page that only who is signed in may see: the browser is led to the sign-in page
├── NotSignedIn             the provider of OpenID Connect signs nobody in; the text says why
├── ChangedMeanwhile        somebody else changed the report since it was read
├── DomainTaken             a domain that logins of another tenant are told by (also a ValueError)
├── Fenced                  the group has given this worker's partitions to others
├── KafkaAway               Kafka does not take messages now
├── KafkaFull               so much waits for Kafka that no more is taken
├── Unreadable              a body of POST /ingest that holds no values
├── TooLarge                a body that is larger than allowed once unpacked
├── ConnectionLost          the connection to a PBX is over
│   └── LoginRefused        the PBX does not let us in: the text says what to change
├── AddressRefused          an address that webhooks may not go to (also an OSError)
├── NotSent                 a mail server did not take a mail
├── EngineError             a ClickHouse exception of the embedded engine, as a server would send it
├── Truncated               a client went away before it had sent its body (also a ConnectionError)
└── EncodingError           a content encoding that this machine cannot decode (also a ValueError)
"""

from __future__ import annotations

FAILED, USAGE, DEPENDENCY = 1, 2, 3  # exit codes of the command line


class CdrError(Exception):
    """The base of every error that the product raises on purpose."""


class Problem(CdrError):
    """Something the user can mend. Printed as one line, `message. hint`, without a traceback."""

    def __init__(self, message: str, *, hint: str = "", code: int = FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        message = super().__str__()
        return f"{message} {self.hint}" if self.hint else message


class BadField(CdrError, ValueError):
    """A field of what somebody wrote that is wrong: its name, its value if it helps, and what to write instead.

    HTTP answers 400 in the words of the surface, the command line says it as it is."""

    def __init__(self, field: str, value: str | None, fix: str) -> None:
        shown = "" if value is None else f" {shortened(value)!r}"
        super().__init__(f"{field}{shown}: {fix}")
        self.field, self.value, self.fix = field, value, fix


def shortened(value: str) -> str:
    """A value as shown in a message: never longer than the message needs."""
    return value if len(value) <= 80 else value[:77] + "…"
