"""However the demo ends, what it sent is accounted for, and 0 is said only of what was compared."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.show import Steps
from deploy.demo import memory, run
from deploy.demo.figures import Figures
from deploy.demo.memory import DemoState
from deploy.demo.run import Demo, DemoOptions, run_demo
from deploy.demo.view import View
from deploy.local.errors import ServiceFailed
from deploy.local.supervisor import Supervisor
from deploy.prepare import write_default_stores
from deploy.query import Unreachable
from deploy.simulator import ProduceError, Truth, new_truth
from deploy.stack import Stack
from tests.deploy.cli.running import clean_environment

SOON = 0.05


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory, without any setting."""
    monkeypatch.chdir(tmp_path)
    for name in set(os.environ) - set(clean_environment()):
        monkeypatch.delenv(name)
    return tmp_path / "data"


def demo_on(data: Path, monkeypatch: pytest.MonkeyPatch, *, acknowledged: bool = True) -> Demo:
    """A demo on no servers, past its history; its sender counts a click when it is asked to end, if it is answered."""

    async def sends(*arguments: Any) -> Truth:
        stop: asyncio.Event = arguments[-2]
        truth: Truth = arguments[-1]
        await stop.wait()
        await asyncio.sleep(SOON)
        if not acknowledged:
            raise ProduceError("the broker is gone")
        truth.account("click", "accepted")
        return truth

    async def begins(demo: Demo) -> DemoState:
        scenario = demo._scenario()
        return DemoState(scenario, new_truth(scenario), Figures(), is_whole=True)

    monkeypatch.setattr(run, "run_live", sends)
    monkeypatch.setattr(Demo, "_begin", begins)
    stack = Stack(data)
    write_default_stores(stack.settings)
    return Demo(DemoOptions(data), stack, Steps())


def account(data: Path) -> tuple[bool, int]:
    """Whether it is whole, and how many records it has."""
    state = memory.load(data)
    assert state is not None
    return state.is_whole, state.truth.records


def show(monkeypatch: pytest.MonkeyPatch, failure: Exception | None = None) -> None:
    """Let the view show nothing until it is stopped, or fail at its first look."""

    async def shows(_: View, stop: asyncio.Event) -> None:
        if failure is not None:
            raise failure
        await stop.wait()

    monkeypatch.setattr(View, "run", shows)


@pytest.mark.parametrize(
    "failure", [Unreachable("no ClickHouse answers"), BrokenPipeError()], ids=["clickhouse", "pipe"]
)
async def test_a_view_that_fails_leaves_the_account_whole(
    empty: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    show(monkeypatch, failure)
    with pytest.raises(type(failure)):
        await demo_on(empty, monkeypatch).play()
    assert account(empty) == (True, 1)


async def test_records_that_were_not_acknowledged_leave_the_account_open(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(monkeypatch, Unreachable("no ClickHouse answers"))
    with pytest.raises(ProduceError):
        await demo_on(empty, monkeypatch, acknowledged=False).play()
    assert account(empty) == (False, 0)


async def test_a_sender_that_is_not_answered_is_given_up(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    show(monkeypatch, Unreachable("no ClickHouse answers"))
    monkeypatch.setattr(run, "CLOSING_SECONDS", SOON / 10)
    with pytest.raises(Unreachable):
        await demo_on(empty, monkeypatch).play()
    assert account(empty) == (False, 0)


async def test_a_service_that_dies_leaves_the_account_whole(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(_: Supervisor) -> None:
        await asyncio.sleep(SOON)
        raise ServiceFailed("clickhouse ended", service="clickhouse")

    show(monkeypatch)
    monkeypatch.setattr(Supervisor, "watch", dies)
    with pytest.raises(ServiceFailed):
        await run._beside(demo_on(empty, monkeypatch), Supervisor())
    assert account(empty) == (True, 1)


async def test_ctrl_c_leaves_the_account_whole(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    show(monkeypatch)
    async with Supervisor() as supervisor:
        playing = asyncio.create_task(run._beside(demo_on(empty, monkeypatch), supervisor))
        await asyncio.sleep(SOON)
        playing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await playing
    assert account(empty) == (True, 1)


@pytest.mark.parametrize(
    ("number", "seconds", "code"),
    [(signal.SIGINT, None, 0), (signal.SIGINT, 30.0, 130), (signal.SIGTERM, 30.0, 143)],
)
def test_a_demo_that_was_to_compare_and_did_not_never_ends_with_0(
    empty: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
    seconds: float | None,
    code: int,
) -> None:
    async def starts(*_: object, **__: object) -> None:
        os.kill(os.getpid(), number)
        await asyncio.sleep(30)

    monkeypatch.setattr(Stack, "start_servers", starts)
    assert asyncio.run(run_demo(DemoOptions(empty, seconds=seconds), Steps())) == code
