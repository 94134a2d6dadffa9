"""The supervisor: order, readiness, deaths it reports, and no process left behind."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from deploy.local import process
from deploy.local.errors import LocalStackError, ServiceFailed
from deploy.local.service import Comeback, ReadyCheck, Service, ServiceEvent, at_once
from deploy.local.supervisor import Supervisor

SLEEPER = "import time; print('up', flush=True); time.sleep(600)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"


def python(
    name: str, code: str, directory: Path, ready: ReadyCheck | None = None, stop_seconds: float = 5
) -> Service:
    """A service that runs a line of Python, by default ready when it has printed something."""
    log = directory / "logs" / f"{name}.log"

    async def has_printed() -> bool:
        return log.stat().st_size > 0

    return Service(
        name=name,
        argv=(sys.executable, "-S", "-c", code),
        log=log,
        ready=ready or has_printed,
        ready_seconds=20,
        stop_seconds=stop_seconds,
    )


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


async def gone(pid: int, seconds: float = 10) -> None:
    """Wait for the end of a process that is not this one's child."""
    async with asyncio.timeout(seconds):
        while alive(pid):
            await asyncio.sleep(0.02)


async def test_services_start_in_order_and_stop_in_reverse(tmp_path: Path) -> None:
    events: list[ServiceEvent] = []
    async with Supervisor(on_event=events.append) as stack:
        for name in ("kafka", "worker", "sink"):
            await stack.start(python(name, SLEEPER, tmp_path))
        pids = [stack.pid(name) for name in ("kafka", "worker", "sink")]
        assert all(map(alive, pids))
    assert not any(map(alive, pids))
    assert [(event.service, event.state) for event in events] == [
        *[("kafka", "started"), ("kafka", "ready"), ("worker", "started"), ("worker", "ready")],
        *[("sink", "started"), ("sink", "ready")],
        *[("sink", "stopped"), ("worker", "stopped"), ("kafka", "stopped")],
    ]


async def test_several_instances_of_a_worker_run_side_by_side(tmp_path: Path) -> None:
    worker = python("worker", SLEEPER, tmp_path, ready=at_once)
    async with Supervisor() as stack:
        await stack.start(worker.instance(1))
        await stack.start(worker.instance(2))
        assert stack.pid("worker-1") != stack.pid("worker-2")
        with pytest.raises(LocalStackError, match="'worker-2' runs already, as pid"):
            await stack.start(worker.instance(2))


async def test_a_service_that_dies_is_reported_with_code_and_log(tmp_path: Path) -> None:
    events: list[ServiceEvent] = []
    dying = "import sys; print('the disk is full', flush=True); sys.stdin.read(); time = __import__('time'); "
    dying += "time.sleep(0.3); sys.exit(3)"
    async with Supervisor(on_event=events.append) as stack:
        await stack.start(python("kafka", SLEEPER, tmp_path))
        await stack.start(python("worker", dying, tmp_path))
        with pytest.raises(
            ServiceFailed, match=r"(?s)worker \(pid \d+\) ended with exit code 3.*the disk is full"
        ):
            await asyncio.wait_for(stack.watch(), 20)
        assert alive(stack.pid("kafka"))
    assert [event.service for event in events if event.state == "failed"] == ["worker"]


async def test_a_service_that_dies_while_another_starts_is_reported(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    async with Supervisor() as stack:
        await stack.start(python("kafka", SLEEPER, tmp_path))
        os.kill(stack.pid("kafka"), signal.SIGKILL)
        with pytest.raises(ServiceFailed, match=r"kafka .* ended with signal SIGKILL"):
            await stack.start(python("worker", SLEEPER, tmp_path, ready=never))


async def test_a_service_that_ends_before_it_is_ready_says_why(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    async with Supervisor() as stack:
        with pytest.raises(ServiceFailed, match=r"(?s)worker .* exit code 1.*ValueError: no such topic"):
            await stack.start(python("worker", "raise ValueError('no such topic')", tmp_path, ready=never))


async def test_a_command_that_does_not_exist_is_named(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    missing = Service(name="worker", argv=("/no/such/program",), log=tmp_path / "log", ready=never)
    async with Supervisor() as stack:
        with pytest.raises(ServiceFailed, match=r"(?s)exit code 127.*/no/such/program: No such file"):
            await stack.start(missing)


async def test_a_service_that_is_not_ready_in_time_is_stopped(tmp_path: Path) -> None:
    async def never() -> bool:
        return False

    slow = Service(
        name="worker",
        argv=(sys.executable, "-S", "-c", SLEEPER),
        log=tmp_path / "worker.log",
        ready=never,
        ready_seconds=0.5,
    )
    events: list[ServiceEvent] = []
    async with Supervisor(on_event=events.append) as stack:
        with pytest.raises(ServiceFailed, match=r"worker .* was not ready within 0.5 s"):
            await stack.start(slow)
        assert [event.state for event in events] == ["started", "failed", "stopped"]


async def test_a_ready_check_that_raises_fails_the_service_with_its_words(tmp_path: Path) -> None:
    async def broken() -> bool:
        raise OSError("certificate expired")

    async with Supervisor() as stack:
        with pytest.raises(ServiceFailed, match="OSError: certificate expired"):
            await stack.start(python("worker", SLEEPER, tmp_path, ready=broken))
        with pytest.raises(LocalStackError, match="'worker' does not run"):
            stack.pid("worker")


async def test_a_kill_that_was_meant_is_no_failure_and_restart_brings_it_back(tmp_path: Path) -> None:
    async with Supervisor() as stack:
        await stack.start(python("worker", SLEEPER, tmp_path))
        before = stack.pid("worker")
        watching = asyncio.ensure_future(stack.watch())
        stack.kill("worker")
        assert await stack.exited("worker") == -signal.SIGKILL
        await asyncio.sleep(0.1)  # time for the watch to take it amiss
        assert not watching.done()
        await stack.restart("worker")
        assert stack.pid("worker") != before
        # And the new one is watched again.
        os.kill(stack.pid("worker"), signal.SIGKILL)
        with pytest.raises(ServiceFailed, match=r"worker .* signal SIGKILL"):
            await asyncio.wait_for(watching, 20)


# Ends with the code in the file, if there is one, and takes the file away; else it stays.
ENDS_AS_TOLD = """
import pathlib, sys, time
told = pathlib.Path({path!r})
print("up", flush=True)
while not told.exists(): time.sleep(0.01)
code = int(told.read_text()); told.unlink(); sys.exit(code)
"""


def returning(path: Path, directory: Path) -> Service:
    """A worker that comes back, and that ends with the code that is written to `path`."""
    made = python("worker", ENDS_AS_TOLD.format(path=str(path)), directory)
    return replace(made, comeback=Comeback(first_wait=0.05, longest_wait=0.15))


async def told(events: list[ServiceEvent], state: str, times: int) -> list[ServiceEvent]:
    """The events of a state, when there are so many of them."""
    async with asyncio.timeout(20):
        while len(found := [event for event in events if event.state == state]) < times:
            await asyncio.sleep(0.01)
    return found


async def test_a_service_that_ends_by_itself_comes_back_after_a_wait_that_doubles(tmp_path: Path) -> None:
    events: list[ServiceEvent] = []
    file = tmp_path / "code"
    async with Supervisor(on_event=events.append) as stack:
        await stack.start(returning(file, tmp_path))
        watching = asyncio.ensure_future(stack.watch())
        pids = {stack.pid("worker")}
        for times in range(1, 5):
            file.write_text("70")
            await told(events, "ready", times + 1)
            pids.add(stack.pid("worker"))
        assert [event.detail for event in await told(events, "returning", 4)] == [
            f"ended with exit code 70; again in {wait} s" for wait in ("0.05", "0.1", "0.15", "0.15")
        ]
        assert len(pids) == 5
        file.write_text("78")  # settings that are wrong
        with pytest.raises(ServiceFailed, match="ended with exit code 78"):
            await asyncio.wait_for(watching, 20)
    assert not any(map(alive, pids))


async def test_the_death_of_a_server_ends_all_also_while_a_service_waits_to_come_back(tmp_path: Path) -> None:
    events: list[ServiceEvent] = []
    file = tmp_path / "code"
    worker = replace(returning(file, tmp_path), comeback=Comeback(first_wait=60))
    async with Supervisor(on_event=events.append) as stack:
        await stack.start(python("kafka", SLEEPER, tmp_path))
        await stack.start(worker)
        watching = asyncio.ensure_future(stack.watch())
        file.write_text("70")
        await told(events, "returning", 1)
        os.kill(stack.pid("kafka"), signal.SIGKILL)
        with pytest.raises(ServiceFailed, match="kafka"):
            await asyncio.wait_for(watching, 20)
    assert [event.service for event in events if event.state == "started"] == ["kafka", "worker"]


async def test_a_service_deaf_to_sigterm_is_killed_after_its_bound(tmp_path: Path) -> None:
    events: list[ServiceEvent] = []
    async with Supervisor(on_event=events.append) as stack:
        await stack.start(python("worker", STUBBORN, tmp_path, stop_seconds=0.3))
    assert events[-1].state == "stopped"
    assert events[-1].detail == "signal SIGKILL"
    assert events[-1].seconds >= 0.3


async def test_a_frozen_service_is_stopped_in_order(tmp_path: Path) -> None:
    events: list[ServiceEvent] = []
    async with Supervisor(on_event=events.append) as stack:
        await stack.start(python("worker", SLEEPER, tmp_path))
        stack.kill("worker", signal.SIGSTOP)
    assert events[-1].detail == "signal SIGTERM"


async def test_an_error_in_the_block_leaves_no_process(tmp_path: Path) -> None:
    pids: list[int] = []

    async def failing() -> None:
        async with Supervisor() as stack:
            await stack.start(python("worker", SLEEPER, tmp_path))
            pids.append(stack.pid("worker"))
            raise RuntimeError("in the block")

    with pytest.raises(RuntimeError, match="in the block"):
        await failing()
    assert not alive(pids[0])


async def test_a_stop_that_is_cancelled_kills_what_is_left(tmp_path: Path) -> None:
    pids: list[int] = []

    async def stubborn() -> None:
        async with Supervisor() as stack:
            await stack.start(python("worker", STUBBORN, tmp_path, stop_seconds=60))
            pids.append(stack.pid("worker"))

    running = asyncio.ensure_future(stubborn())
    async with asyncio.timeout(20):
        while not pids:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
    assert not alive(pids[0])


async def test_a_service_stands_in_a_group_of_its_own(tmp_path: Path) -> None:
    async with Supervisor() as stack:
        await stack.start(python("worker", SLEEPER, tmp_path))
        assert os.getpgid(stack.pid("worker")) == stack.pid("worker")


async def test_a_large_log_is_put_aside_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOG_KEPT_BYTES", 10)
    service = python("worker", SLEEPER, tmp_path, ready=at_once)
    service.log.parent.mkdir()
    service.log.write_text("from the run before\n")

    async with Supervisor() as stack:
        await stack.start(service)
    assert service.log.with_name("worker.log.1").read_text() == "from the run before\n"


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert process.tail(log) == f"({log} does not exist)"
    log.write_text("".join(f"line {number}\n\n" for number in range(50_000)))
    assert process.tail(log, lines=2) == "line 49998\nline 49999"


# ── the supervisor's own end ────────────────────────────────────────────────────────────────────────────────────


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
