"""Services that end by themselves and come back, with waits that grow; and when none does."""

import asyncio
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local.errors import ServiceFailed
from deploy.local.service import Comeback, Service, ServiceEvent
from deploy.local.supervisor import Supervisor
from tests.deploy.services import SLEEPER, alive, ends_as_told, python


def returning(path: Path, directory: Path) -> Service:
    """A worker that comes back, and that ends with the code that is written to `path`."""
    made = python("worker", ends_as_told(path), directory)
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
