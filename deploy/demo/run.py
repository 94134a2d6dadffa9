"""The demo from start to end: stack up, history loaded once, live traffic, and the comparison at the end.

The account of what was sent is closed before the stack stops, whatever ends the demo (the time, Ctrl-C, a service that
died, a view that failed), so that the next run can go on from it.
"""

import asyncio
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from deploy.demo import memory
from deploy.demo.figures import Figures, differences, expected_figures, read_figures
from deploy.demo.memory import DemoState
from deploy.demo.report import Report, tell
from deploy.demo.view import View
from deploy.local.errors import LocalStackError
from deploy.local.lock import DataLock
from deploy.local.supervisor import Supervisor
from deploy.query import Server, server_of
from deploy.simulator import Habits, Scenario, StoreSpec, load_definitions, load_history, new_truth, run_live
from deploy.simulator.wire import CURRENCIES
from deploy.stack import Ports, Stack
from streams.caught_up import Progress, caught_up
from streams.settings import Settings, load_stores

STORE: Final = "acme"
# A calmer shop than the simulator's own: its history is to be read while someone watches.
VISITS_PER_WEEK: Final = 0.5
VISIBLE_SECONDS: Final = 120.0
# At the end what is under way is acknowledged and accounted for; after so long it is given up.
CLOSING_SECONDS: Final = 20.0


class Steps(Protocol):
    """Where progress is told; `deploy.cli.show.Steps` is one."""

    def say(self, step: str, text: str) -> None: ...
    def done(self, step: str, detail: str, seconds: float) -> None: ...
    def hush(self) -> None: ...
    def service(self, event: Any) -> None: ...


@dataclass(frozen=True)
class DemoOptions:
    """What the command was asked for. `seconds` None: until Ctrl-C. `ports` None: the usual ones."""

    data: Path
    seconds: float | None = None
    rate: float = 50.0
    seed: int = 1
    people: int = 2_000
    days: float = 30.0
    workers: int = 1
    ports: Ports | None = None


async def run_demo(options: DemoOptions, steps: Steps) -> int:
    """Play the demo; the exit code. Raises LocalStackError, and whatever ends a stack."""
    began = time.monotonic()
    report: Report | None = None
    with DataLock(options.data) as lock:
        stack = Stack(options.data, workers=options.workers, ports=options.ports, api=True)
        async with Supervisor(on_event=steps.service, signals=True) as supervisor:
            await stack.start_servers(supervisor, say=steps.say, done=steps.done)
            demo = Demo(options, stack, steps)
            demo.seconds["servers"] = time.monotonic() - began
            # History before the workers: a worker that waits at the end of empty topics takes the first topic that
            # fills for all there is, and lets its watermark run past the days that the others still bring.
            await demo.load()
            clock = time.monotonic()
            await stack.start_processes(supervisor, done=steps.done)
            demo.seconds["processes"] = time.monotonic() - clock
            lock.publish(stack.urls.published())
            report = await _beside(demo, supervisor)
        if report is not None:
            report.seconds["total"] = time.monotonic() - began
    if report is None:
        # Who gave a length waits for the comparison: 0 would tell a script that all was equal.
        without = 0 if options.seconds is None else 128 + signal.SIGINT
        return supervisor.exit_code or without
    tell(report)
    return 0 if report.is_equal else 1


async def _beside(demo: "Demo", supervisor: Supervisor) -> Report:
    """Play while the supervisor watches. ServiceFailed if a service dies."""
    playing = asyncio.create_task(demo.play())
    watching = asyncio.create_task(supervisor.watch())
    try:
        await asyncio.wait({playing, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not playing.done():
            watching.result()  # raises: a service died
        return playing.result()
    finally:
        for task in (playing, watching):
            task.cancel()
        await asyncio.gather(playing, watching, return_exceptions=True)


class Demo:
    """One run on a stack that is up."""

    def __init__(self, options: DemoOptions, stack: Stack, steps: Steps) -> None:
        self.seconds: Final[dict[str, float]] = {}
        self._options = options
        self._stack = stack
        self._steps = steps
        self._reader: Final[Server] = server_of(stack.settings)._replace(url=stack.urls.reader)
        self._stop: Final = asyncio.Event()
        self._notes: list[str] = []
        self._state: DemoState | None = None

    async def load(self) -> None:
        """On the first run in this directory: write the history to Kafka."""
        self._state = memory.load(self._options.data)
        if self._state is None and not await has_records(self._stack.settings):
            # Half a history would be in nobody's account: the few seconds it takes are waited for on Ctrl-C too.
            loading = asyncio.create_task(self._load_history())
            try:
                self._state = await asyncio.shield(loading)
            except asyncio.CancelledError:
                await asyncio.wait({loading}, timeout=CLOSING_SECONDS)
                loading.cancel()
                raise

    async def play(self) -> Report:
        """All of it. Cancelled, it closes the account first; so it is where no time was given."""
        state = await self._begin()
        await self._live(state)
        await self._until_visible("visible")
        found = (await asyncio.to_thread(read_figures, self._reader)).less(state.baseline)
        expected = expected_figures(state.truth)
        return Report(expected, found, differences(expected, found), self._notes, self.seconds)

    async def _begin(self) -> DemoState:
        """The account to go on with: a new one with the history loaded, or the one of the last run."""
        state = self._state
        if state is not None and state.is_whole:
            if "load" not in self.seconds:
                text = f"going on from the last run, {state.truth.records:,} records sent so far"
                self._steps.done("Demo shop", text, 0.0)
            await self._until_visible("history_visible")
            self._steps.done("Visible", "all of it, in ClickHouse", self.seconds["history_visible"])
            return state
        await self._until_visible("history_visible")
        present = await asyncio.to_thread(read_figures, self._reader)
        why = (
            "the last run was killed while it sent"
            if state is not None
            else f"the directory holds {present.read:,} records that are not the demo's"
        )
        # No history then: behind the watermark of what is there it would all be too late.
        note = f"{why}; counting anew from here, without history"
        self._notes.append(note)
        self._steps.done("Demo shop", note, 0.0)
        scenario = state.scenario if state is not None else self._scenario()
        return DemoState(scenario, new_truth(scenario), present)

    async def _load_history(self) -> DemoState:
        clock = time.monotonic()
        settings = self._stack.settings
        scenario = self._scenario()
        state = DemoState(scenario, new_truth(scenario), Figures())
        memory.save(self._options.data, state)

        def told(sent: int, expected: int) -> None:
            self._steps.say("Demo shop", f"{sent:,} of about {expected:,} records loaded")

        state.truth = await load_history(
            scenario, settings.kafka.bootstrap, settings.topics, _every_second(told)
        )
        await load_definitions(scenario, settings.kafka.bootstrap, settings.topics, state.truth)
        state.is_whole = True
        memory.save(self._options.data, state)
        self.seconds["load"] = time.monotonic() - clock
        text = f"{scenario.days:g} days, {state.truth.records:,} records loaded (seed {scenario.seed})"
        self._steps.done("Demo shop", text, self.seconds["load"])
        return state

    async def _live(self, state: DemoState) -> None:
        options, settings, stop = self._options, self._stack.settings, self._stop
        state.is_whole = False
        memory.save(options.data, state)
        if options.seconds is not None:
            asyncio.get_running_loop().call_later(options.seconds, stop.set)
        clock = time.monotonic()
        self._steps.hush()
        with View(self._reader, self._stack.urls, rate=options.rate, seconds=options.seconds) as view:
            kafka = settings.kafka.bootstrap
            sending = asyncio.create_task(
                run_live(state.scenario, kafka, settings.topics, options.rate, stop, state.truth)
            )
            showing = asyncio.create_task(view.run(stop))
            try:
                await asyncio.wait({sending, showing}, return_when=asyncio.FIRST_EXCEPTION)
            finally:
                # Whatever ended it: an account left open costs the next run its history.
                await self._close(state, sending)
                for task in (sending, showing):
                    task.cancel()
        for task in (sending, showing):
            if task.done():
                task.result()  # raises: this is why it is over
        self.seconds["live"] = time.monotonic() - clock

    async def _close(self, state: DemoState, sending: asyncio.Task[Any]) -> None:
        """End the sender in order; the account is whole if all it sent was acknowledged."""
        self._stop.set()
        if not sending.done():
            await asyncio.wait({sending}, timeout=CLOSING_SECONDS)
        if sending.done() and sending.exception() is None:
            state.is_whole = True
            memory.save(self._options.data, state)

    async def _until_visible(self, stage: str) -> None:
        clock = time.monotonic()

        def told(progress: Progress) -> None:
            self._steps.say("Visible", f"{progress.group}: {progress.records_left:,} records left")

        on_progress = _every_second(told)
        await caught_up(self._stack.settings, timeout_s=VISIBLE_SECONDS, on_progress=on_progress)
        self._steps.hush()
        self.seconds[stage] = time.monotonic() - clock

    def _scenario(self) -> Scenario:
        stores = load_stores(self._stack.settings)
        store = stores.get(STORE)
        if store is None:
            raise LocalStackError(
                f"{self._stack.settings.stores_file}: the demo's shop is the store {STORE!r}, and there is none; "
                f"add [stores.{STORE}], or run it where there is no stores.toml"
            )
        currency = store.currency if store.currency in CURRENCIES else "EUR"
        shop = StoreSpec(store_id=STORE, zone=store.zone, currency=currency, people=self._options.people)
        return Scenario.ending(
            time.time_ns() // 1_000_000,
            days=self._options.days,
            seed=self._options.seed,
            stores=(shop,),
            # Guests who log in move sessions to the customer, which is not counted yet.
            habits=Habits(visits_per_week=VISITS_PER_WEEK, login_rate=0.0),
        )


async def has_records(settings: Settings) -> bool:
    """Whether anything was ever written to the source topics. Raises KafkaError."""
    consumer = AIOKafkaConsumer(**settings.kafka_client_options(), group_id=None)
    try:
        await consumer.start()
        places = [
            TopicPartition(topic, number)
            for topic in settings.topics.sources
            for number in range(settings.partitions)
        ]
        return any((await consumer.end_offsets(places)).values())
    finally:
        await consumer.stop()


def _every_second(told: Any) -> Any:
    """A progress callback that passes on one call a second."""
    last = 0.0

    def seldom(*values: Any) -> None:
        nonlocal last
        if time.monotonic() - last >= 1.0:
            last = time.monotonic()
            told(*values)

    return seldom
