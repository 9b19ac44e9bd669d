"""Work beside a round, so that the machine is loaded: processes that compute and write to the disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Ends with the process that started it, whatever becomes of that.
_WORK = """
import os, sys, tempfile
parent = int(sys.argv[1])
with tempfile.TemporaryFile() as file:
    while os.getppid() == parent:
        sum(range(2_000_000))
        file.seek(0)
        file.write(bytes(1 << 20))
        file.flush()
"""


@contextmanager
def busy(number: int) -> Iterator[None]:
    """So many busy processes until the block ends."""
    command = [sys.executable, "-c", _WORK, str(os.getpid())]
    processes = [subprocess.Popen(command, stdin=subprocess.DEVNULL) for _ in range(number)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
