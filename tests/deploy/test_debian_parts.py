"""`.ci/debian-parts` beside another apt-get: it waits, tries again, and asks once for everything."""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / ".ci" / "debian-parts"

# Refuses while somebody holds the lock, in apt 2.6's words; logs what it was asked; can fail as often as FAILURES says.
APT_GET = """#!/bin/bash
exec 9>"$HOME/lock"
if ! flock -n 9; then
  echo "refused" >>"$HOME/log"
  echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 4711 (apt-get)" >&2
  echo "E: Unable to lock directory /var/lib/apt/lists/" >&2
  exit 100
fi
while [ "$1" = -qq ] || [ "$1" = -o ]; do
  if [ "$1" = -o ]; then echo "$2" >>"$HOME/options"; shift; fi
  shift
done
echo "$*" >>"$HOME/log"
if [ "$1" = install ] && [ -s "$HOME/failures" ]; then
  sed -i 1d "$HOME/failures"
  echo "E: Failed to fetch alpha.deb  Connection reset by peer" >&2
  exit 100
fi
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A home with a PATH of its own, where apt-get is the one above and the user is root."""
    for name, text in (("apt-get", APT_GET), ("id", "#!/bin/sh\necho 0\n")):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(text)
        program.chmod(0o755)
    return tmp_path


def begin(machine: Path, *parts: str, ci: bool = True) -> subprocess.Popen[str]:
    environment = {
        "HOME": str(machine),
        "PATH": f"{machine / 'bin'}:{os.environ['PATH']}",
        "POLICY_RC_D": str(machine / "policy-rc.d"),
        "APT_PAUSE_S": "0.1",
        "CI": str(ci).lower(),
    }
    return subprocess.Popen([SCRIPT, *parts], env=environment, stderr=subprocess.PIPE, text=True)


def log_of(machine: Path) -> list[str]:
    log = machine / "log"
    return log.read_text().splitlines() if log.exists() else []


def test_what_is_there_asks_nobody(machine: Path) -> None:
    running = begin(machine, "sh:alpha", f"{machine}/bin/apt-*:beta")
    assert (running.communicate()[1], running.returncode, log_of(machine)) == ("", 0, [])


def test_all_that_is_missing_is_one_apt_get(machine: Path) -> None:
    running = begin(machine, "no-such-program:alpha", "sh:there", "/no/such/*.so:beta")
    assert (running.communicate()[1], running.returncode) == ("Installing alpha beta ...\n", 0)
    assert log_of(machine) == ["update", "install -y --no-install-recommends alpha beta"]
    assert set((machine / "options").read_text().split()) == {"DPkg::Lock::Timeout=300"}
    assert not (machine / "policy-rc.d").exists()


def test_a_lock_that_somebody_holds_is_waited_for(machine: Path) -> None:
    with (machine / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        running = begin(machine, "no-such-program:alpha")
        deadline = time.monotonic() + 60
        while log_of(machine).count("refused") < 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert running.poll() is None
    said = running.communicate()[1]
    assert (said, running.returncode) == ("Installing alpha ...\n", 0)
    assert [line for line in log_of(machine) if line != "refused"] == [
        "update",
        "install -y --no-install-recommends alpha",
    ]


def test_a_failure_is_tried_again_once(machine: Path) -> None:
    (machine / "failures").write_text("once\n")
    running = begin(machine, "no-such-program:alpha")
    said = running.communicate()[1]
    assert running.returncode == 0
    assert "Connection reset by peer" in said and "trying once more" in said


@pytest.mark.parametrize(("ci", "status"), [(True, 1), (False, 0)])
def test_what_cannot_be_installed_is_named(machine: Path, ci: bool, status: int) -> None:
    (machine / "failures").write_text("once\ntwice\n")
    running = begin(machine, "no-such-program:alpha", ci=ci)
    said = running.communicate()[1]
    assert running.returncode == status
    assert "*** alpha missing: the tests that need it will be skipped. ***" in said
