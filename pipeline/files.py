"""Files that the product makes for people: exports and reports, on a disk or in an object store.

`CDR_FILES` is a folder or any URL that fsspec knows (s3://bucket/cdr, gs://…, memory://…); its credentials come
from the environment, as that store's own tools take them. Names are relative paths of plain characters.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, cast

import fsspec

from pipeline.errors import USAGE, Problem
from pipeline.settings import Settings

_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*", re.ASCII)
_UNFINISHED: Final = ".part"


class Files:
    """A folder of files, wherever it is. Its methods wait for the store: call them from a thread."""

    def __init__(self, url: str) -> None:
        """Raises ValueError or ImportError when fsspec cannot reach such a URL."""
        at = url if "://" in url else str(Path(url).absolute())
        found, root = fsspec.core.url_to_fs(at)
        self._store: Any = found
        self._root = str(root).rstrip("/")

    def put(self, name: str, data: bytes) -> None:
        """Store a whole file, in place of one of that name."""
        with self.writing(name) as file:
            file.write(data)

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """A file to write piece by piece. It is there, whole, when the block ends; not at all when it raises."""
        path = self._path(name)
        self._store.makedirs(path.rpartition("/")[0], exist_ok=True)
        try:
            with self._store.open(path + _UNFINISHED, "wb") as file:
                yield cast(IO[bytes], file)
            self._store.mv(path + _UNFINISHED, path)
        except BaseException:
            with contextlib.suppress(OSError):
                self._store.rm(path + _UNFINISHED)
            raise

    def open(self, name: str) -> IO[bytes]:
        """The file, to read and seek in. Raises FileNotFoundError."""
        return cast(IO[bytes], self._store.open(self._path(name), "rb"))

    def size(self, name: str) -> int:
        """Bytes. Raises FileNotFoundError."""
        return int(self._store.info(self._path(name))["size"])

    def exists(self, name: str) -> bool:
        return bool(self._store.exists(self._path(name)))

    def delete(self, name: str) -> None:
        """Delete the file if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self._store.rm(self._path(name))

    def url(self, name: str, expires_s: int = 3600) -> str | None:
        """A URL from which anybody can fetch the file until it expires; None when the store makes none."""
        try:
            return str(self._store.sign(self._path(name), expiration=expires_s))
        except NotImplementedError:
            return None

    def _path(self, name: str) -> str:
        if not _NAME.fullmatch(name) or len(name) > 512:
            raise ValueError(f"{name[:80]!r} is no file name; use letters, digits, . _ - and / between parts")
        return f"{self._root}/{name}"


def files_of(settings: Settings) -> Files:
    """The files of this installation. Raises Problem when there is no way to reach them."""
    url = settings.files or str(settings.data / "files")
    try:
        return Files(url)
    except (ImportError, ValueError) as error:
        scheme, _, place = url.rpartition("://")
        raise Problem(
            f"CDR_FILES {scheme}://{place.rpartition('@')[2]} cannot be used: {str(error).rstrip('.')}.",
            hint="For s3:// install the extra s3 (it brings s3fs), for another store its package; or give a folder.",
            code=USAGE,
        ) from None
