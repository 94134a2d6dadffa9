"""Who holds a port, and who holds a data directory: both are named, and neither outlives its holder."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local import ports
from deploy.local.errors import DirectoryLocked, PortBusy
from deploy.local.lock import DataLock, read_holder


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
    with DataLock(tmp_path):
        now = read_holder(tmp_path)
        assert now is not None
        assert now.pid == os.getpid()
