"""What all parts of a simulation stand on: processes that can be killed, steps of I/O with their fates, and the trace."""

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from enum import Enum
from random import Random
from typing import Any, NoReturn, Protocol, TypeVar

from tests.simulation.clock import WALL_SECONDS, VirtualLoop

T = TypeVar("T")

LATENCIES = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.02)
RARE_LATENCY = 0.3
ANSWER_SHARE = 0.3
"""Of the answers, that are on their way long enough for something else to happen."""
SLOW_SECONDS = (0.5, 12.0)


class Fate(Enum):
    """What becomes of one step of I/O."""

    PROCEED = "proceeds"
    SLOW = "takes seconds"
    CRASH_BEFORE = "process dies before it"
    CRASH_AFTER = "process dies after it"
    FAIL = "fails"
    LOSE_ANSWER = "is done, and fails all the same"


class Fates(Protocol):
    """Decides the fate of every step."""

    def choose(self, step: int, process: "Process", what: str, *, may_fail: bool) -> Fate:
        """Steps are counted from 1. FAIL and LOSE_ANSWER only where `may_fail`."""
        ...


class Dead(BaseException):
    """The process of this task has been killed."""


class Process:
    """A worker's or a sink's process: its tasks end with it, at any await."""

    def __init__(self, stage: "Stage", name: str, skew_ms: int = 0) -> None:
        self.stage = stage
        self.name = name
        self.skew_ms = skew_ms
        """How far its wall clock is off."""
        self.alive = True
        self.paused_until = 0.0
        """Its requests leave no sooner: a process that stands still, but does not know it."""
        self.ended: asyncio.Future[None] = stage.loop.create_future()
        self._tasks: list[asyncio.Task[Any]] = []

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """A task of this process, and so are all that it makes."""
        context = copy_context()
        context.run(CURRENT.set, self)
        return self.stage.loop.create_task(work, context=context)

    def own(self, task: asyncio.Task[Any]) -> None:
        """Remember a task that was made within this process."""
        self._tasks.append(task)

    def check(self) -> None:
        """Raise Dead when this process is no more."""
        if not self.alive:
            raise Dead(self.name)

    def kill(self, why: str) -> None:
        """End it as SIGKILL would: nothing of it goes on, what is in flight may still arrive."""
        if not self.alive:
            return
        self.alive = False
        self.stage.note(f"{self.name} ends: {why}")
        for task in self._tasks:
            task.cancel()
        if not self.ended.done():
            self.ended.set_result(None)

    def now_ms(self) -> int:
        """Its wall clock."""
        return int((WALL_SECONDS + self.stage.loop.now) * 1000) + self.skew_ms


CURRENT: ContextVar[Process | None] = ContextVar("process", default=None)


def current() -> Process:
    """The process whose task runs now."""
    process = CURRENT.get()
    assert process is not None, "a client was made outside of any process"
    return process


class Stage:
    """Clock, chance, fates and findings of one run."""

    def __init__(self, loop: VirtualLoop, seed: int, fates: Fates) -> None:
        self.loop = loop
        self.chance = Random(seed)
        self.fates = fates
        self.steps = 0
        self.trace: list[str] | None = None
        """Filled when it is a list."""
        self.faults = 0
        self.findings: list[str] = []
        """What went wrong. A run ends at the first."""
        loop.set_task_factory(_make_task)

    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """A task of the simulation itself, of no process, whoever begins it."""
        return self.loop.create_task(self._watched(work), context=Context())

    async def _watched(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:
            self.find("the simulation itself: " + "".join(traceback.format_exception(error)))

    def note(self, line: str) -> None:
        """Into the trace."""
        if self.trace is not None:
            self.trace.append(f"{self.loop.now:9.4f} {self.steps:5d}  {line}")

    def find(self, text: str) -> None:
        """Something that must never be."""
        self.note(f"FOUND {text}")
        self.findings.append(text)

    def latency(self) -> float:
        """Seconds that a request or an answer is on its way."""
        if self.chance.random() < 0.02:
            return RARE_LATENCY
        return LATENCIES[int(self.chance.random() * len(LATENCIES))]

    async def io(
        self,
        process: Process,
        what: str,
        effect: Callable[[], T],
        *,
        error: Callable[[str], Exception] | None = None,
    ) -> T:
        """One step of I/O: some time, then `effect` at the other end. `error` makes what a failure raises."""
        process.check()
        self.steps += 1
        fate = self.fates.choose(self.steps, process, what, may_fail=error is not None)
        if self.trace is not None:
            self.note(f"{process.name}: {what}" + ("" if fate is Fate.PROCEED else f"  ** {fate.value}"))
        delay = self.latency()
        if fate is not Fate.PROCEED:
            self.faults += 1
            if fate is Fate.CRASH_BEFORE:
                self._die(process)
            if fate is Fate.SLOW:
                delay = self.chance.uniform(*SLOW_SECONDS)
        delay = max(delay, process.paused_until - self.loop.now)
        try:
            await asyncio.sleep(delay)
        except asyncio.CancelledError:
            # The request is on its way; nobody waits for the answer any more.
            if self.chance.random() < 0.5:
                self.loop.call_later(self.latency(), self._arrive_late, process, what, effect)
            raise
        if fate is Fate.FAIL and error is not None:
            raise error(what)
        result = effect()
        if fate is Fate.CRASH_AFTER:
            self._die(process)
        if fate is Fate.LOSE_ANSWER and error is not None:
            raise error(what)
        if self.chance.random() < ANSWER_SHARE:
            await asyncio.sleep(self.latency())
        return result

    def _die(self, process: Process) -> NoReturn:
        process.kill("at this step")
        raise Dead(process.name)

    def _arrive_late(self, process: Process, what: str, effect: Callable[[], Any]) -> None:
        try:
            effect()
        except Exception as error:
            self.note(f"{process.name}: {what} arrives late, refused: {error}")
        else:
            self.note(f"{process.name}: {what} arrives late")


def _make_task(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(work, loop=loop, **options)
    context = options.get("context")
    process = context.get(CURRENT) if context is not None else CURRENT.get()
    if process is not None:
        process.own(task)
        if not process.alive:
            task.cancel()
    return task
