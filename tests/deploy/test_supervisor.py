"""The supervisor: order, readiness, deaths it reports, and a stop that reaches everything."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from deploy.local import process
from deploy.local.errors import LocalStackError, ServiceFailed
from deploy.local.service import Service, ServiceEvent, at_once
from deploy.local.supervisor import Supervisor
from tests.deploy.services import SLEEPER, STUBBORN, alive, ends_as_told, python


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
    told = tmp_path / "told"
    dying = ends_as_told(told, "the disk is full")
    async with Supervisor(on_event=events.append) as stack:
        await stack.start(python("kafka", SLEEPER, tmp_path))
        await stack.start(python("worker", dying, tmp_path))
        told.write_text("3")
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


@pytest.mark.parametrize("failure", [BrokenPipeError(), SystemExit(1)])
async def test_a_listener_that_fails_ends_neither_start_nor_stop(
    tmp_path: Path, failure: BaseException
) -> None:
    events: list[ServiceEvent] = []

    def told(event: ServiceEvent) -> None:
        events.append(event)
        raise failure

    async with Supervisor(on_event=told) as stack:
        for name in ("kafka", "worker"):
            await stack.start(python(name, SLEEPER, tmp_path))
    assert [(event.service, event.detail) for event in events if event.state == "stopped"] == [
        ("worker", "signal SIGTERM"),
        ("kafka", "signal SIGTERM"),
    ]


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
