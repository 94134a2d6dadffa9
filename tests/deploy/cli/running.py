"""`shopmeter` as a person runs it: a process of its own in a directory of its own, gone when the test is."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil

COMMAND = (sys.executable, "-m", "deploy.cli")
UP_SECONDS = 180.0  # the first start on a machine fetches jars
COMMAND_SECONDS = 120.0
GONE_SECONDS = 30.0


def clean_environment() -> dict[str, str]:
    """This process's environment without any setting of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SHOPMETER_")}


def shopmeter(
    directory: Path,
    *arguments: str,
    stdin: str = "",
    seconds: float = COMMAND_SECONDS,
    env: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run one command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=directory,
        env={**clean_environment(), **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


class Up:
    """A running `shopmeter up`, and everything it said."""

    def __init__(self, directory: Path, process: "subprocess.Popen[str]") -> None:
        self.directory = directory
        self.process = process
        self.said: list[str] = []

    @property
    def urls(self) -> dict[str, str]:
        """Where its parts are, as it said."""
        found: dict[str, str] = json.loads(next(line for line in self.said if line.startswith("{")))
        return found

    def until(self, beginning: str) -> str:
        """The first line that begins so."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith(beginning):
                return line
        raise AssertionError(
            f"`up` ended with {self.process.wait()} before a line {beginning!r}:\n{''.join(self.said)}"
        )

    def family(self) -> list[psutil.Process]:
        """Every process below it."""
        return psutil.Process(self.process.pid).children(recursive=True)


@contextlib.contextmanager
def running_up(directory: Path, *options: str) -> Iterator[Up]:
    """`shopmeter up --free-ports`, up; ended in order at the end of the block, or with force."""
    with subprocess.Popen(
        [*COMMAND, "up", "--free-ports", "--json", *options],
        cwd=directory,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        up = Up(directory, process)
        # readline() has no deadline of its own; the end of the process ends it.
        overdue = threading.Timer(UP_SECONDS, process.kill)
        overdue.start()
        try:
            up.until("{")
            overdue.cancel()
            yield up
        finally:
            overdue.cancel()
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                assert process.stdout is not None
                up.said += process.stdout.readlines()
                try:
                    process.wait(GONE_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()


def survivors(processes: Sequence[psutil.Process]) -> list[str]:
    """The commands of those that still run after a while in which they had time to end; they are killed now."""
    _, alive = psutil.wait_procs(processes, timeout=GONE_SECONDS)
    found = []
    for one in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            if one.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(one.cmdline()[-3:]))
            one.kill()
    return found
