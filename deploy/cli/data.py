"""`send`, `simulate`, `wait`: events in, and the wait until they count."""

import json
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.exits import CommandError, ExitCode
from deploy.cli.options import Data, Json, Timeout

if TYPE_CHECKING:
    from deploy.simulator import Progress, Scenario, Truth
    from streams.settings import Settings


def send(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="JSON Lines; - reads stdin.", show_default=False)
    ],
    wait_: Annotated[bool, typer.Option("--wait", help="Return when all of it is visible.")] = False,
    timeout: Timeout = 60.0,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Send events from JSON Lines.

    One {"topic": "shop.order", "value": {...}} a line. Optional members: key (computed from the value when
    absent), timestamp (record time, epoch ms), and value_base64 in place of value for raw bytes. A broken
    event is not refused here: it becomes a dead letter, with a reason.

    \b
    Examples:
      shopmeter send events.jsonl --wait
      echo '{"topic": "shop.click", "value": {"event_id": "e1", "type": "clicked", "store_id": "acme",
             "occurred_at": 1767262860000, "anonymous_id": "d-81", "product_id": "p1"}}' | shopmeter send -
    """
    import asyncio

    from deploy.cli.found import here
    from deploy.send import read_files
    from deploy.send import send as send_records

    settings = here(data).settings
    sent = 0

    def told(acknowledged: int) -> None:
        nonlocal sent
        sent = acknowledged
        if sys.stderr.isatty():
            print(f"{sent:,} sent\r", end="", file=sys.stderr, flush=True)

    async def sending() -> dict[str, int]:
        task = asyncio.current_task()
        assert task is not None
        # Its wake-up descriptor is what counts: Python's own handler runs at the next bytecode, and a loop that waits for
        # a silent pipe may have none to come.
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, task.cancel)
        return await send_records(settings, read_files(files, settings.topics), told)

    try:
        counts = asyncio.run(sending())
    except asyncio.CancelledError:
        raise CommandError(f"ended by Ctrl-C; sent so far: {sent:,}", ExitCode.INTERRUPTED) from None
    total = sum(counts.values())
    if wait_ and total:
        asyncio.run(_caught_up(settings, timeout, quiet=as_json))
    if as_json:
        print(json.dumps({"sent": total, "topics": counts, "visible": wait_}))
        return
    parts = ", ".join(f"{topic} {count:,}" for topic, count in sorted(counts.items()))
    print(f"{total:,} sent{f' ({parts})' if parts else ''}{', all visible' if wait_ else ''}")


def wait(timeout: Timeout = 60.0, as_json: Json = False, data: Data = None) -> None:
    """Wait until all that was sent is visible.

    Returns when it is processed and stored in ClickHouse.

    \b
    Example:
      shopmeter send events.jsonl && shopmeter wait --timeout 30
    """
    import asyncio
    import time

    from deploy.cli.found import here

    began = time.monotonic()
    asyncio.run(_caught_up(here(data).settings, timeout, quiet=as_json))
    seconds = round(time.monotonic() - began, 2)
    print(json.dumps({"visible": True, "seconds": seconds}) if as_json else f"all visible after {seconds} s")


async def _caught_up(settings: "Settings", timeout: float, *, quiet: bool) -> None:
    from streams.caught_up import Progress, caught_up

    def told(progress: Progress) -> None:
        if sys.stderr.isatty() and not quiet:
            left = f"{progress.group}: {progress.records_left:,} records left"
            print(f"\r{left:<60}", end="", file=sys.stderr, flush=True)

    try:
        await caught_up(settings, timeout_s=timeout, on_progress=told)
    finally:
        if sys.stderr.isatty() and not quiet:
            print(f"\r{'':<60}\r", end="", file=sys.stderr, flush=True)


def simulate(
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="DIR", help="Write files there instead of sending to Kafka."),
    ] = None,
    days: Annotated[float, typer.Option(min=0.01, max=3_650, help="Days of history, up to now.")] = 30.0,
    people: Annotated[int, typer.Option(min=1, help="People of each store.")] = 2_000,
    seed: Annotated[int, typer.Option(help="Another seed, another story.")] = 1,
    stores: Annotated[
        str | None, typer.Option(metavar="ID,ID", help="Some of the configured stores; default: all of them.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Events of now, at a rate, until Ctrl-C.")] = False,
    rate: Annotated[float, typer.Option(min=0.1, max=100_000, help="With --live: events a second.")] = 50.0,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="With --live: end after so many.")] = None,
    truth: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what must come of the events, as JSON.")
    ] = None,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Make the events of shops that behave like shops.

    History at full speed, or live traffic. One history a directory: the watermark is common to all stores, so a second
    one behind it would be too late.

    \b
    Examples:
      shopmeter simulate --days 7 --people 500
      shopmeter simulate --live --rate 100 --seconds 60 --truth truth.json
      shopmeter simulate --to ./events --days 7
    """
    import asyncio
    from contextlib import ExitStack

    from deploy.cli.found import here
    from deploy.cli.output import whole_file, writing
    from deploy.simulator import write_files

    if live and to is not None:
        raise CommandError("--live sends to Kafka; leave out --to, or write history to files", ExitCode.USAGE)
    settings = here(data).settings
    scenario = _scenario(settings, stores, people=people, days=days, seed=seed, files=to is not None)
    if to is not None:
        with writing("--to", to):
            to.mkdir(parents=True, exist_ok=True)  # --truth may name a file in it
    with ExitStack() as outputs:
        # Before anything is sent: an hour of live traffic can't be sent again for its truth.
        file = outputs.enter_context(whole_file("--truth", truth)) if truth is not None else None
        if to is not None:
            with writing("--to", to):
                account = write_files(scenario, to, settings.topics)
        else:
            account = asyncio.run(
                _produce(scenario, settings, rate if live else None, seconds, quiet=as_json)
            )
        if file is not None:
            file.write(account.to_json())
    summary = {
        name: account.summary()[name]
        for name in ("records", "accepted", "duplicate", "test_traffic", "dead_letter")
    }
    if as_json:
        print(json.dumps(summary))
        return
    if to is None and not live and days > 1:
        print(
            "note: workers that wait at the end of empty topics may call part of a history of over a day too late; "
            "see `shopmeter sql 'SELECT * FROM buckets'`, or let `shopmeter demo` load it before they start",
            file=sys.stderr,
        )
    where = f"written to {to}" if to is not None else f"sent to {settings.kafka.bootstrap}"
    print(
        f"{account.records:,} records {where}: {summary['accepted']:,} to be accepted, {summary['duplicate']:,} "
        f"duplicates, {summary['test_traffic']:,} test traffic, {summary['dead_letter']:,} dead letters"
    )


def _scenario(
    settings: "Settings", stores: str | None, *, people: int, days: float, seed: int, files: bool
) -> "Scenario":
    import time

    from deploy.simulator import Scenario, StoreSpec
    from deploy.simulator.wire import CURRENCIES
    from streams.settings import load_stores

    configured = load_stores(settings) if settings.stores_file.exists() or not files else {}
    wanted = [name for name in (stores or "").split(",") if name] or list(configured) or ["acme"]
    specs: list[StoreSpec] = []
    for store_id in wanted:
        store = configured.get(store_id)
        if store is None and configured:
            known = ", ".join(configured)
            raise CommandError(
                f"--stores {store_id}: not in {settings.stores_file}, so its events would be dead letters; "
                f"there are {known}",
                ExitCode.USAGE,
            )
        spec = StoreSpec(store_id=store_id, people=people)
        if store is not None:
            currency = store.currency if store.currency in CURRENCIES else "EUR"
            spec = StoreSpec(store_id=store_id, people=people, zone=store.zone, currency=currency)
        specs.append(spec)
    return Scenario.ending(time.time_ns() // 1_000_000, days=days, seed=seed, stores=tuple(specs))


async def _produce(
    scenario: "Scenario", settings: "Settings", rate: float | None, seconds: float | None, *, quiet: bool
) -> "Truth":
    import asyncio
    import signal

    from deploy.simulator import load_definitions, load_history, new_truth, run_live

    kafka, topics = settings.kafka_client_options(), settings.topics
    told = _progress(quiet)
    if rate is None:
        account = await load_history(scenario, kafka, topics, told)
        await load_definitions(scenario, kafka, topics, account)
        return account
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Ctrl-C ends live traffic in order: what was sent is acknowledged, and in the truth.
        loop.add_signal_handler(number, stop.set)
    if seconds is not None:
        loop.call_later(seconds, stop.set)
    account = new_truth(scenario)
    await load_definitions(scenario, kafka, topics, account)
    return await run_live(scenario, kafka, topics, rate, stop, account, progress=told)


def _progress(quiet: bool) -> "Progress":
    def told(sent: int, expected: int) -> None:
        if quiet or not sys.stderr.isatty():
            return
        end = "\n" if expected and sent >= expected else ""
        of = f" of about {expected:,}" if expected else ""
        print(f"\r{sent:,}{of} sent", end=end, file=sys.stderr, flush=True)

    return told
