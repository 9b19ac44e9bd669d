from __future__ import annotations

import sys
from pathlib import Path

import pytest
from fsspec.registry import _registry

from pipeline.errors import Problem
from pipeline.files import Files, files_of
from pipeline.settings import Settings


@pytest.fixture(params=["folder", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    return Files(str(tmp_path / "files") if request.param == "folder" else f"memory://{tmp_path.name}/files")


def test_what_was_put_is_there(files: Files) -> None:
    files.put("exports/acme/1.csv", b"a,b\n")
    files.put("exports/acme/1.csv", b"a,b\n1,2\n")
    assert files.exists("exports/acme/1.csv")
    assert files.size("exports/acme/1.csv") == 8
    with files.open("exports/acme/1.csv") as file:
        file.seek(4)
        assert file.read() == b"1,2\n"
    files.delete("exports/acme/1.csv")
    files.delete("exports/acme/1.csv")
    assert not files.exists("exports/acme/1.csv")
    assert files.url("exports/acme/1.csv") is None


def test_an_unfinished_file_is_not_there(files: Files) -> None:
    with pytest.raises(RuntimeError), files.writing("report.html") as file:
        file.write(b"half")
        raise RuntimeError
    assert not files.exists("report.html")
    assert not files.exists("report.html.part")
    with pytest.raises(FileNotFoundError):
        files.open("report.html")


@pytest.mark.parametrize(
    "name", ["", "../secret", "a/../../b", "/etc/passwd", "a//b", ".hidden", "a\0", "a b", "x" * 600]
)
def test_names_stay_inside(files: Files, name: str) -> None:
    with pytest.raises(ValueError, match="file name"):
        files.put(name, b"")


def test_the_setting(tmp_path: Path) -> None:
    files_of(Settings(data=tmp_path)).put("a/b.txt", b"1")
    assert (tmp_path / "files" / "a" / "b.txt").read_bytes() == b"1"
    files_of(Settings(files=str(tmp_path / "elsewhere"))).put("c", b"2")
    assert (tmp_path / "elsewhere" / "c").read_bytes() == b"2"


@pytest.mark.parametrize(
    ("url", "said"), [("s3://key:secret@bucket/cdr", "(?i)install s3fs.*extra s3"), ("sftpp://host/x", "(?i)not known")]
)
def test_a_store_that_cannot_be_reached(url: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(_registry, "s3", raising=False)
    with pytest.raises(Problem, match=said) as refused:
        files_of(Settings(files=url))
    assert "CDR_FILES" in str(refused.value) and "secret" not in str(refused.value)
