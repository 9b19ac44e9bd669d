"""Run a program that ends when its parent does: `python -m pipeline.embedded.leash PARENT PROGRAM [ARGS…]`.

On Linux the kernel sends SIGTERM when the parent is gone, however it went, and this process becomes
the program. Elsewhere it stays between the two and watches its parent.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main() -> None:
    """Become the program, or watch over it."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if platform.system() == "Linux":
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it went before the kernel was told
            sys.exit(0)
        os.execvp(command[0], command)
    child = subprocess.Popen(command)
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda sign, _: child.send_signal(sign))
    while child.poll() is None:
        if os.getppid() != parent:
            child.terminate()
        time.sleep(0.2)
    sys.exit(child.returncode)


if __name__ == "__main__":
    main()
