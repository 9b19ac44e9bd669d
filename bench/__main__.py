"""All benchmarks one after the other: `python -m bench`. Each runs alone, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = ("decode", "rating", "ingest", "freshness", "open_calls", "queries", "pages", "reports")


def main() -> None:
    """Run them all; the exit status is that of the first that failed."""
    failed = 0
    for name in BENCHMARKS:
        print(f"\n== python -m bench.{name}", flush=True)
        failed = failed or subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode
    raise SystemExit(failed)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
