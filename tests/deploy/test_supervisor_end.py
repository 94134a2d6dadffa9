"""The supervisor's own end: by a signal, by two, by SIGKILL; no process is left behind."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from deploy.local import process
from tests.deploy.services import SLEEPER, STUBBORN, alive, gone

STACK = """
import asyncio, sys
from pathlib import Path
from deploy.local.service import Service
from deploy.local.supervisor import Supervisor

async def main():
    directory = Path(sys.argv[1])
    async with Supervisor(on_event=lambda e: print(e.service, e.state, flush=True), signals=True) as stack:
        for name, code, stop_seconds in {services!r}:
            log = directory / (name + ".log")

            async def has_printed(log=log):
                return log.stat().st_size > 0

            argv = (sys.executable, "-S", "-c", code)
            await stack.start(Service(name=name, argv=argv, log=log, stop_seconds=stop_seconds, ready=has_printed))
            print("pid", stack.pid(name), flush=True)
        print("all up", flush=True)
        await stack.watch()
    print("ended by", stack.ended_by.name, flush=True)
    sys.exit(stack.exit_code)

asyncio.run(main())
"""


class Script:
    """A supervisor in a process of its own, read line by line until all its services are up."""

    def __init__(self, directory: Path, services: list[tuple[str, str, float]]) -> None:
        code = textwrap.dedent(STACK).replace("{services!r}", repr(services))
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(directory)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
        )
        self.pids: list[int] = []

    def until(self, wanted: str) -> list[str]:
        assert self.process.stdout is not None
        lines: list[str] = []
        for line in self.process.stdout:
            lines.append(line.strip())
            if lines[-1].startswith("pid "):
                self.pids.append(int(lines[-1].split()[1]))
            if lines[-1] == wanted:
                break
        return lines

    def __enter__(self) -> "Script":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_stack_in_order(tmp_path: Path, number: signal.Signals, code: int) -> None:
    with Script(tmp_path, [("kafka", SLEEPER, 5), ("worker", SLEEPER, 5)]) as script:
        script.until("all up")
        script.process.send_signal(number)
        assert script.until("")[-3:] == ["worker stopped", "kafka stopped", f"ended by {number.name}"]
        assert script.process.wait(20) == code
        assert not any(map(alive, script.pids))


def test_a_second_signal_does_not_wait_for_the_deaf(tmp_path: Path) -> None:
    with Script(tmp_path, [("kafka", STUBBORN, 600), ("worker", SLEEPER, 5)]) as script:
        script.until("all up")
        script.process.send_signal(signal.SIGINT)
        script.until("worker stopped")
        script.process.send_signal(signal.SIGINT)
        assert script.process.wait(20) == 0
        assert not any(map(alive, script.pids))


async def test_a_supervisor_killed_with_sigkill_takes_its_services_along(tmp_path: Path) -> None:
    with Script(tmp_path, [("kafka", STUBBORN, 5), ("worker", SLEEPER, 5)]) as script:
        script.until("all up")
        assert all(map(alive, script.pids))
        script.process.kill()
        script.process.wait(20)
        for pid in script.pids:
            await gone(pid)


def test_a_child_whose_parent_is_already_gone_does_not_start() -> None:
    command = process.bound([sys.executable, "-c", "print('started')"])
    command[command.index(str(os.getpid()))] = "1"  # as if this process had been replaced as the parent
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "which was to supervise this one, is gone" in done.stderr
    assert "started" not in done.stdout
