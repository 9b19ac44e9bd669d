"""What `cdr run` shows: progress on stderr while it starts, then addresses and the first calls on stdout."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.table import Table
from rich.text import Text

FIRST_CALLS = 8
PATIENCE_S = 60.0
ASK_EVERY_S = 0.5

Step = Callable[[str], AbstractContextManager[None]]


class Seconds(ProgressColumn):
    """How long a step took, with tenths."""

    def render(self, task: Task) -> Text:
        """The seconds so far, or in all."""
        return Text(f"{task.finished_time or task.elapsed or 0:5.1f} s", style="progress.elapsed")


class Screen:
    """stderr for messages, stdout for what a person or a script wants to keep."""

    def __init__(self) -> None:
        """Nothing shown yet."""
        self.messages = Console(stderr=True, highlight=False, soft_wrap=True)
        self.out = Console(highlight=False, soft_wrap=True)
        if not self.out.is_terminal:
            self.out.width = 120
        self._asking: tuple[str, str] | None = None
        self._until = self._next = 0.0

    def say(self, text: str) -> None:
        """One message."""
        self.messages.print(text, markup=False)

    @contextlib.contextmanager
    def starting(self) -> Iterator[Step]:
        """Show each step of the start with its time, and the time of all."""
        begun = time.monotonic()
        columns = (SpinnerColumn(finished_text="[green]✓"), TextColumn("{task.description:14}"), Seconds())
        with Progress(*columns, console=self.messages) as progress:

            @contextlib.contextmanager
            def step(name: str) -> Iterator[None]:
                task = progress.add_task(name, total=1)
                yield
                progress.update(task, completed=1)

            yield step
        self.say(f"Started in {time.monotonic() - begun:.1f} s.")

    def started(self, urls: dict[str, str], token: str, data: Path, traffic: bool) -> None:
        """Print the addresses and what to try next; the first calls follow when there are some."""
        command = f"{_cdr()} "
        where = "" if data == Path("data") else f" --data {shlex.quote(str(data))}"
        rows = {
            "open this": _link(urls["api"], token) or f"{urls['api']}/ui/",
            "": "in a browser: the link signs you in, once; afterwards sign in with the token",
            "docs": urls["docs"],
            "HEP": urls["hep"],
            "Kafka": f"{urls['kafka']}, with the user and password in {data / 'kafka' / 'client.conf'}",
            "ClickHouse": f"{urls['clickhouse'].rpartition('@')[2]}, with those that `{command}status{where}` shows",
            "metrics": urls["metrics"],
            "token": str(data / "token"),
        }
        token_of = f'"Authorization: Bearer $(cat {shlex.quote(str(data / "token"))})"'
        tries = {
            f"{command}doctor{where}": "is everything well",
            f"curl -s -H {token_of} '{urls['api']}/v1/calls?limit=3'": "the newest calls",
            f"{command}report run traffic --range TODAY -o html --file report.html{where}": "a report as a page",
        }
        self.out.print()
        for name, value in rows.items():
            self.out.print(f"{name:12}{value}", markup=False)
        self.out.print("\nTry next, in another terminal:\n", markup=False)
        for line, about in tries.items():
            self.out.print(f"  # {about}\n  {line}", markup=False)
        self.out.print()
        self.say(
            "Ctrl-C ends it within seconds and loses nothing: calls stay in ClickHouse and unread events in Kafka,"
            f" both under {data}, and the next start goes on with them."
        )
        if traffic:
            self.say("Waiting for the first finished calls ...")
        self._asking = (urls["api"], token)
        self._until = time.monotonic() + PATIENCE_S if traffic else float("inf")

    def look(self) -> None:
        """Show the first finished calls once there are enough, or some and patience has run out."""
        now = time.monotonic()
        if self._asking is None or now < self._next:
            return
        self._next = now + ASK_EVERY_S
        calls = self._finished(*self._asking)
        if len(calls) < FIRST_CALLS and not (calls and now > self._until):
            return
        self._asking = None
        self._print(calls)

    def _finished(self, api: str, token: str) -> list[dict[str, Any]]:
        request = urllib.request.Request(f"{api}/api/cdrs?top=50", headers={"Authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                items = json.load(answer)["items"]
        except (OSError, ValueError, KeyError):
            return []
        return [item for item in items if item.get("ended_at")][:FIRST_CALLS]

    def _print(self, calls: list[dict[str, Any]]) -> None:
        table = Table(box=None, header_style="bold", pad_edge=False)
        for column in ("started (UTC)", "direction", "caller", "callee", "answered", "ended", "end reason"):
            table.add_column(column, overflow="fold")
        for call in calls:
            moments = [_short(call, name) for name in ("started_at", "answered_at", "ended_at")]
            table.add_row(
                moments[0],
                str(call["direction"]).removesuffix("_CALL").lower(),
                str(call["caller"]),
                str(call["callee"]),
                moments[1][11:],
                moments[2][11:],
                str(call.get("end_reason", "")).lower(),  # left out when unknown
            )
        self.out.print(table)
        self.out.print()


def _link(api: str, token: str) -> str:
    """A link that signs the local user in, once; "" where none can be had."""
    request = urllib.request.Request(f"{api}/ui/links", b"", {"Authorization": f"Bearer {token}"}, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return api + str(json.load(answer)["path"])
    except (OSError, ValueError, KeyError):
        return ""


def _short(call: dict[str, Any], moment: str) -> str:
    return str(call.get(moment) or "")[:19].replace("T", " ")


def _cdr() -> str:
    """How the command is typed here: `cdr` where PATH has it, else the path of this environment's."""
    beside = Path(sys.executable).with_name("cdr")
    if not beside.exists() or str(beside.parent) in os.environ.get("PATH", "").split(os.pathsep):
        return "cdr"
    return str(beside.relative_to(Path.cwd()) if beside.is_relative_to(Path.cwd()) else beside)
