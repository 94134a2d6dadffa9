"""The demo on the real parts: equal to what was sent, and loud when it is not."""

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from deploy.demo import memory
from tests.deploy.cli.running import COMMAND, clean_environment, shopmeter

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse, pytest.mark.timeout(600)]

DEMO_SECONDS = 300.0
SAID = "said.txt"
SMALL = ("demo", "--free-ports", "--people", "150", "--days", "8", "--rate", "100", "--seconds", "3")


@contextlib.contextmanager
def demo_process(directory: Path, *options: str) -> "Iterator[subprocess.Popen[str]]":
    """The demo as a process beside this one; what it says is in `said.txt`."""
    with (
        (directory / SAID).open("w") as said,
        subprocess.Popen(
            [*COMMAND, *SMALL, *options], cwd=directory, env=clean_environment(), stdout=said, text=True
        ) as process,
    ):
        try:
            yield process
        except BaseException:
            process.kill()  # the kernel ends what it started
            raise
        finally:
            process.wait()


def test_the_demo_equals_what_was_sent_and_a_false_or_broken_account_is_found_out(tmp_path: Path) -> None:
    done = shopmeter(tmp_path, *SMALL, seconds=300)
    assert done.returncode == 0, done.stdout + done.stderr
    first = json.loads(done.stdout.splitlines()[-1])
    assert first["ok"]
    assert all(first["equal"].values())
    assert first["read"] == sum(first["buckets"].values()) == first["expected"]["read"]
    assert first["totals"] == first["expected"]["totals"]
    assert first["totals"]["EUR"]["orders"] > 0

    # A record that was "sent" and never arrived: the next run goes on from the account, and must not overlook it.
    state = memory.load(tmp_path / ".shopmeter")
    assert state is not None
    assert state.is_whole
    state.truth.account("click", "accepted")
    memory.save(tmp_path / ".shopmeter", state)
    was_open = False
    with demo_process(tmp_path, "--seconds", "7") as process:
        deadline = time.monotonic() + DEMO_SECONDS
        while process.poll() is None:
            assert time.monotonic() < deadline
            # Killed while it sends, it must not leave an account that looks whole.
            state = memory.load(tmp_path / ".shopmeter")
            assert state is not None
            was_open |= not state.is_whole
            time.sleep(0.05)  # between two looks, until it ends or the deadline comes
    assert was_open
    text = (tmp_path / SAID).read_text()
    assert "live 00:" in text
    assert process.returncode == 1, text
    second = json.loads(text.splitlines()[-1])
    assert second["equal"] == {**first["equal"], "read": False, "buckets": False}
    assert second["read"] > first["read"]
    assert "load" not in second["seconds"]
    assert "click accepted: sent" in text

    # As a `kill -9` leaves it: marked before the first live record, and lacking what was sent afterwards.
    state = memory.load(tmp_path / ".shopmeter")
    assert state is not None
    memory.save(tmp_path / ".shopmeter", msgspec.structs.replace(state, is_whole=False))
    done = shopmeter(tmp_path, *SMALL, seconds=300)
    assert done.returncode == 0, done.stdout + done.stderr
    third = json.loads(done.stdout.splitlines()[-1])
    assert third["notes"] == [
        "the last run was killed while it sent; counting anew from here, without history"
    ]
    assert 0 < third["read"] <= 600
