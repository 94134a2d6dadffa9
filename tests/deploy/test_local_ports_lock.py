"""Who holds a port, and who holds a data directory: both are named, and neither outlives its holder."""

import fcntl
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import ports
from deploy.local.errors import DirectoryLocked, LocalStackError, PortBusy
from deploy.local.lock import DataLock, is_held, read_holder
from streams.directories import make_private


@pytest.fixture
def held_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((ports.LOOPBACK, ports.free_port()))
        server.listen()
        yield server.getsockname()[1]


def test_a_busy_port_is_named_with_its_holder(held_port: int) -> None:
    with pytest.raises(
        PortBusy, match=rf"port {held_port} .* for Kafka, is held by pid {os.getpid()} \(.*--port"
    ):
        ports.require_free(held_port, purpose="Kafka", option="--port")


def test_a_holder_that_cannot_be_found_out_is_another_process(
    held_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "holder", lambda port: None)
    with pytest.raises(PortBusy, match="is held by another process; stop that"):
        ports.require_free(held_port, purpose="Kafka", option="--port")


def test_free_ports_are_free_and_never_the_same() -> None:
    chosen = [ports.free_port() for _ in range(50)]
    assert len(set(chosen)) == 50
    assert not any(map(ports.is_busy, chosen))
    assert ports.holder(chosen[0]) is None


# ── the data directory ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_locked_directory_is_named_with_pid_and_urls(tmp_path: Path) -> None:
    directory = tmp_path / ".shopmeter"
    with DataLock(directory) as lock:
        assert directory.stat().st_mode & 0o777 == 0o700
        lock.publish({"kafka": "127.0.0.1:9092"})
        with (
            pytest.raises(
                DirectoryLocked, match=rf"by pid {os.getpid()} since 20.*, serving kafka 127.0.0.1:9092;"
            ),
            DataLock(directory),
        ):
            pass
        # The refused one has not taken the holder's word away.
        holder = read_holder(directory)
        assert holder is not None
        assert holder.urls == {"kafka": "127.0.0.1:9092"}
    assert read_holder(directory) is None
    with DataLock(directory):
        pass


def test_a_lock_ends_with_its_holder_even_by_sigkill(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from deploy.local.lock import DataLock\n"
        "with DataLock(Path(sys.argv[1])): print('locked', flush=True); time.sleep(600)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        with pytest.raises(DirectoryLocked, match=f"by pid {holder.pid} "), DataLock(tmp_path):
            pass
    finally:
        holder.kill()
        holder.communicate()
    assert read_holder(tmp_path) is not None
    assert not is_held(tmp_path)
    with DataLock(tmp_path):
        assert is_held(tmp_path)
        now = read_holder(tmp_path)
        assert now is not None
        assert now.pid == os.getpid()


def test_a_command_that_only_looks_is_not_taken_for_a_holder(tmp_path: Path) -> None:
    with DataLock(tmp_path):
        pass
    look = (tmp_path / "lock").open("rb")
    fcntl.flock(look, fcntl.LOCK_SH)
    threading.Timer(0.03, look.close).start()
    with DataLock(tmp_path):
        pass


def mode_of(directory: Path) -> int:
    return stat.S_IMODE(directory.stat().st_mode)


def test_a_directory_that_others_use_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "theirs").write_text("")
    shared.chmod(0o1777)
    with pytest.raises(LocalStackError, match=rf"{shared}: others can read it.*--data"), DataLock(shared):
        pass
    assert mode_of(shared) == 0o1777
    assert [path.name for path in shared.iterdir()] == ["theirs"]


def test_an_empty_directory_and_our_own_are_closed_to_others(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    directory.mkdir()
    for _ in ("empty", "ours"):
        directory.chmod(0o755)
        with DataLock(directory):
            assert mode_of(directory) == 0o700


def test_a_directory_that_a_worker_made_first_is_taken(tmp_path: Path) -> None:
    data = tmp_path / ".shopmeter"
    make_private(data / "state" / "0")
    with DataLock(data):
        assert mode_of(data) == 0o700
