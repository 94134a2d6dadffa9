"""Who makes a directory keeps it to itself, the directories above it too; what was there stays as it was."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from streams.directories import make_private
from tests.streams.state_kit import rocks


def mode_of(directory: Path) -> int:
    return stat.S_IMODE(directory.stat().st_mode)


@pytest.fixture(autouse=True)
def the_usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_what_is_missing_above_is_made_private_too(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private(tmp_path / ".shopmeter" / "run")
    assert mode_of(tmp_path / ".shopmeter") == mode_of(tmp_path / ".shopmeter" / "run") == 0o700
    assert mode_of(tmp_path) == 0o755


def test_what_is_there_stays_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    make_private(tmp_path)
    assert mode_of(tmp_path) == 0o755


def test_the_state_of_a_first_worker_makes_a_private_data_directory(tmp_path: Path) -> None:
    store = rocks(tmp_path / ".shopmeter" / "state" / "0")
    store.close()
    assert mode_of(tmp_path / ".shopmeter") == mode_of(tmp_path / ".shopmeter" / "state") == 0o700
