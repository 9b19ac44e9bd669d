"""`cdr` processes of the tests, forked from one process that has imported everything.

Importing what a worker needs takes two seconds of CPU, and the tests start hundreds of processes. Each is still a
process of its own with its own environment, folder, files and signals, and ends as a Python program ends. `cdr run`
and what it starts, and a command of each kind in the tests of the product, begin from nothing.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import pkgutil
import selectors
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pipeline
from pipeline.worker import failpoints

ROOT = Path(__file__).parents[1]
APART = "pipeline.embedded"  # has the database engine in it, which only its own process imports
_STATUS = struct.Struct("=i")


class Forked:
    """A process, with the part of `subprocess.Popen` that the tests use."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        stdin: IO[Any] | None = None,
        stdout: IO[Any] | None = None,
        stderr: IO[Any] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.args = ["cdr", *arguments]
        self.returncode: int | None = None
        self._line, theirs = socket.socketpair()
        with theirs, Path(os.devnull).open("r+b") as nothing:
            files = [theirs.fileno(), *((each or nothing).fileno() for each in (stdin, stdout, stderr))]
            rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))]
            _parent().sendmsg([b"!"], rights)
        body = json.dumps([self.args, dict(os.environ if env is None else env), str(cwd or Path.cwd())]).encode()
        self._line.sendall(_STATUS.pack(len(body)) + body)
        (self.pid,) = _STATUS.unpack(self._line.recv(_STATUS.size, socket.MSG_WAITALL))

    def poll(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Its exit status; `subprocess.TimeoutExpired` when it has not ended in time (seconds)."""
        if self.returncode is None:
            with selectors.DefaultSelector() as ready:
                ready.register(self._line, selectors.EVENT_READ)
                if not ready.select(timeout):
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
            said = self._line.recv(_STATUS.size, socket.MSG_WAITALL)
            self._line.close()
            self.returncode = _STATUS.unpack(said)[0] if said else -signal.SIGKILL
        return self.returncode

    def send_signal(self, sign: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sign)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def run_cdr(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    given: bytes = b"",
    seconds: float = 180,
) -> subprocess.CompletedProcess[bytes]:
    """Run a `cdr` command to its end; `given` is its standard input."""
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write(given)
        stdin.seek(0)
        process = Forked(arguments, stdin=stdin, stdout=stdout, stderr=stderr, env=env, cwd=cwd)
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(process.args, status, stdout.read(), stderr.read())


def cdr(
    *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """The same with text."""
    done = run_cdr(*arguments, env=env, cwd=cwd, given=given.encode())
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@functools.cache
def _parent() -> socket.socket:
    """Takes requests for the process that has imported everything; it is started at the first call."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    # It ends with this process, whatever becomes of it: its standard input is then closed.
    with theirs:
        command = [sys.executable, "-m", "tests.forks", str(theirs.fileno())]
        parent = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT, pass_fds=[theirs.fileno()])

    def end() -> None:
        assert parent.stdin is not None
        parent.stdin.close()
        parent.wait()
        ours.close()

    atexit.register(end)
    return ours


def _serve(requests: socket.socket) -> list[str]:
    """Take requests until standard input is closed. Returns in each new process, with its arguments."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those who wait
    with selectors.DefaultSelector() as ready:
        ready.register(requests, selectors.EVENT_READ)
        ready.register(0, selectors.EVENT_READ)
        while not any(key.fd == 0 for key, _ in ready.select()):
            files = array.array("i")
            _, rights, _, _ = requests.recvmsg(1, socket.CMSG_SPACE(4 * files.itemsize))
            files.frombytes(rights[0][2])
            if os.fork() == 0:
                ready.close()
                requests.close()
                return _fork(socket.socket(fileno=files[0]), list(files[1:]))
            for file in files:
                os.close(file)
    os._exit(0)


def _fork(line: socket.socket, files: list[int]) -> list[str]:
    """In a process that waits for one child and says how it ended; returns in the child."""
    (length,) = _STATUS.unpack(line.recv(_STATUS.size, socket.MSG_WAITALL))
    arguments, environment, cwd = json.loads(line.recv(length, socket.MSG_WAITALL))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if pid:
        for file in (0, *files):
            os.close(file)
        with contextlib.suppress(OSError):  # the one who asked may have ended
            line.sendall(_STATUS.pack(pid))
        _, status = os.waitpid(pid, 0)
        with contextlib.suppress(OSError):
            line.sendall(_STATUS.pack(os.waitstatus_to_exitcode(status)))
        os._exit(0)
    line.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    importlib.reload(failpoints)  # which has read the environment
    return list(arguments)


def main() -> None:
    for part in pkgutil.walk_packages(pipeline.__path__, "pipeline."):
        if not part.name.startswith(APART) and not part.name.endswith("__main__"):
            importlib.import_module(part.name)
    assert threading.active_count() == 1, "a process with threads must not fork"
    gc.collect()
    gc.freeze()
    sys.argv = _serve(socket.socket(fileno=int(sys.argv[1])))
    globals()["__package__"] = None  # it calls itself cdr, as the installed command does
    importlib.import_module("pipeline.cli").main()


if __name__ == "__main__":
    main()
