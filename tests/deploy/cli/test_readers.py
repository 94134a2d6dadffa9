"""A reader of stdout that goes away, and a disk that is full: what ends with it, what goes on, and what is said."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.app import app
from deploy.cli.show import Steps
from deploy.console import console
from deploy.local.service import ServiceEvent
from deploy.local.supervisor import Supervisor
from tests.deploy.cli.running import COMMAND, clean_environment

OUTLIVING = """
import sys
from deploy.console import console, outlive_readers

outlive_readers()
out, err = console(), console(stderr=True)
for number in range(5_000):
    out.print(f"line {number} of the steps")
    err.print("and another")
    print(f"line {number} of the report", flush=number % 2 == 0)
sys.exit(7)
"""
EXPORT = """
import dashboard.export_rows
import deploy.reader

class Reader:
    def __init__(self, server): ...
    async def __aenter__(self): return self
    async def __aexit__(self, *_): ...
    async def client(self): return None

async def csv_lines(*_):
    for _ in range(50_000):
        yield "2026-01-01,1,2,3\\r\\n"

deploy.reader.Reader = Reader
dashboard.export_rows.csv_lines = csv_lines
from deploy.cli import main
main()
"""
TABLE, JSON = ("metrics",), ("metrics", "--format", "json")
PRINTED = ("simulate", "--to", "out", "--days", "0.1", "--people", "5")
EXPORTED = ("export", "--store", "acme")


def run(directory: Path, *command: str, stdout: int, stderr: int = subprocess.PIPE) -> tuple[int, str]:
    """Exit code and stderr; closes what it is given."""
    env = clean_environment()
    with subprocess.Popen(
        command, cwd=directory, env=env, stdout=stdout, stderr=stderr, text=True
    ) as process:
        for number in {stdout, stderr} - {subprocess.PIPE}:
            os.close(number)
        _, said = process.communicate(timeout=60)
    return process.returncode, said or ""


def broken_pipe() -> int:
    """The writing end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.parametrize("arguments", [TABLE, JSON, PRINTED])
def test_a_short_command_ends_well_with_its_reader(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert run(tmp_path, *COMMAND, *arguments, stdout=broken_pipe()) == (0, "")


def test_an_export_whose_reader_has_enough_blames_nobody(tmp_path: Path) -> None:
    assert run(tmp_path, sys.executable, "-c", EXPORT, *EXPORTED, stdout=broken_pipe()) == (0, "")


@pytest.mark.parametrize(
    "command", [(*COMMAND, *TABLE), (*COMMAND, *JSON), (sys.executable, "-c", EXPORT, *EXPORTED)]
)
def test_a_full_disk_is_told_as_such(tmp_path: Path, command: tuple[str, ...]) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    code, said = run(tmp_path, *command, stdout=full)
    assert (code, len(said.splitlines())) == (1, 1), said
    assert "No space left on device; it is not whole" in said


def test_a_long_command_goes_on_unread(tmp_path: Path) -> None:
    assert run(tmp_path, sys.executable, "-c", OUTLIVING, stdout=broken_pipe(), stderr=broken_pipe())[0] == 7


def test_a_console_leaves_a_broken_pipe_to_its_caller() -> None:
    class Broken:
        def write(self, _: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None: ...

    with pytest.raises(BrokenPipeError):
        console(file=Broken()).print("a line")


def test_steps_leave_stdout_to_the_line_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    steps = Steps(on_stderr=True)
    steps.title("starts")
    steps.done("Kafka", "is up", 1.0)
    for state in ("returning", "ready", "stopped"):
        steps.service(ServiceEvent("worker-0", state, 1.0, "as told"))
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 6


def test_the_code_after_a_sigterm_is_in_the_help() -> None:
    supervisor = Supervisor()
    supervisor.ended_by = signal.SIGTERM
    assert f"  {supervisor.exit_code}  up, demo: " in CliRunner().invoke(app, ["--help"]).output
