"""Maven artifacts: pinned by version and SHA-256, fetched once, kept in a folder of the user.

`jgo` knows Maven Central and the layout of its repository. A mirror of the user's `~/.m2/settings.xml` is asked in its
place, and what the user's own Maven repository has already is taken from there.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import ssl
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from pipeline.errors import DEPENDENCY, Problem

AT_ONCE: Final = 8  # downloads
_CENTRAL: Final = frozenset({"*", "central", "external:*"})  # what a mirror of Maven Central says it mirrors


@dataclass(frozen=True, slots=True)
class Jar:
    """One artifact. `coordinate` is group:artifact:version, `size` in bytes."""

    coordinate: str
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """Its file name, as in a Maven repository."""
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"


def read_pins(file: Path) -> list[Jar]:
    """The artifacts of a list: coordinate, size and SHA-256 on each line."""
    rows = [line.split() for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return [Jar(coordinate, int(size), sha256) for coordinate, size, sha256 in rows]


def cache_folder() -> Path:
    """Where artifacts are kept: one folder a user, shared by all working copies."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cdr" / "jars"


def fetch(jars: Sequence[Jar], what: str) -> list[Path]:
    """The files of the artifacts; those that are missing are fetched, with a progress bar on stderr. Raises Problem."""
    folder = cache_folder()
    files = [folder / jar.name for jar in jars]
    if all(file.exists() for file in files):
        return files
    with _lock(folder):
        missing = [jar for jar in jars if not (folder / jar.name).exists()]
        if missing:
            _fetch(missing, folder, what)
    return files


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """One process at a time fetches; the others find everything there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("ab")
    except OSError as error:
        raise Problem(
            f"{folder} cannot be used to keep Java's parts of Apache Kafka: {error.strerror}.",
            hint="Set XDG_CACHE_HOME to a folder that can be written.",
            code=DEPENDENCY,
        ) from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(jars: Sequence[Jar], folder: Path, what: str) -> None:
    columns = (TextColumn("Fetching {task.description}"), BarColumn(), DownloadColumn())
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as scratch,
        Progress(*columns, console=Console(stderr=True)) as progress,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        task = progress.add_task(what, total=sum(jar.size for jar in jars))
        context = _context(Path(scratch))
        trust_system()
        begun = {pool.submit(_download, context, jar, folder): jar for jar in jars}
        try:
            for done in as_completed(begun):
                done.result()
                progress.advance(task, begun[done].size)
        except (OSError, RuntimeError) as error:  # requests' errors are OSErrors, jgo's own RuntimeErrors
            pool.shutdown(cancel_futures=True)
            raise _unreachable(what, error) from None


def _context(scratch: Path) -> Any:
    try:
        from jgo.maven import MavenContext
    except ImportError:
        raise Problem(
            "The Python package jgo, which fetches Apache Kafka, is not installed.",
            hint="pip install 'call-detail-pipeline[embedded]'",
            code=DEPENDENCY,
        ) from None
    own, mirror = read_user_settings()
    return MavenContext(repo_cache=scratch, local_repos=[own], remote_repos={"mirror": mirror} if mirror else None)


def _download(context: Any, jar: Jar, folder: Path) -> None:
    """Put one artifact into the folder, whole and verified, or not at all."""
    group, artifact, version = jar.coordinate.split(":")
    found: Path = context.project(group, artifact).at_version(version).artifact().resolve()
    if hashlib.sha256(found.read_bytes()).hexdigest() != jar.sha256:
        raise Problem(
            f"{found} is not the {jar.coordinate} that this version was tested with: its SHA-256 is another.",
            hint="Remove it, or look who changes what comes from the Maven repository.",
            code=DEPENDENCY,
        )
    whole = context.repo_cache / f"{jar.name}.whole"
    shutil.copyfile(found, whole)
    whole.replace(folder / jar.name)


def read_user_settings() -> tuple[Path, str]:
    """The user's own Maven repository, and the mirror of Maven Central in ~/.m2/settings.xml ("" for none)."""
    home = Path.home() / ".m2"
    own = Path(os.environ.get("M2_REPO") or home / "repository")
    with contextlib.suppress(OSError, ElementTree.ParseError):
        root = ElementTree.parse(home / "settings.xml").getroot()
        own = Path(root.findtext("{*}localRepository") or own)
        for mirror in root.iterfind("{*}mirrors/{*}mirror"):
            of = {name.strip() for name in mirror.findtext("{*}mirrorOf", "").split(",")}
            if of & _CENTRAL and "!central" not in of:
                return own, mirror.findtext("{*}url", "").strip().rstrip("/")
    return own, ""


def trust_system() -> None:
    """Let `requests`, which jgo fetches with, trust whom the system trusts: a company's own authority, too."""
    if {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"} & os.environ.keys():
        return
    paths = ssl.get_default_verify_paths()
    hashed = paths.capath is not None and any(Path(paths.capath).glob("*.0"))
    if trusted := paths.cafile or (paths.capath if hashed else None):
        os.environ["REQUESTS_CA_BUNDLE"] = trusted


def _unreachable(what: str, error: BaseException) -> Problem:
    while True:  # urllib3 and requests wrap what happened three times
        inner = next(
            (each for each in (getattr(error, "reason", None), *error.args) if isinstance(each, Exception)), None
        )
        if inner is None:
            break
        error = inner
    said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return Problem(
        f"{what} could not be fetched from its Maven repository: {said}.",
        hint="It is fetched once and kept. Connect this machine, or name a mirror in ~/.m2/settings.xml, or copy"
        f" {cache_folder()} from a machine that has it, or set CDR_KAFKA_LIBS to the libs folder of a Kafka 4.",
        code=DEPENDENCY,
    )
