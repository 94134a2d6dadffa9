"""`up` and `demo`: the whole pipeline on this machine, in the foreground."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.cli.options import Data, Json

if TYPE_CHECKING:
    from deploy.stack import Ports

Workers = Annotated[int, typer.Option(min=1, max=64, help="Worker processes; at most one a partition works.")]
FreePorts = Annotated[
    bool,
    typer.Option(
        "--free-ports", help="Take free ports instead of the usual ones; those that are named stay."
    ),
]
KafkaPort = Annotated[int, typer.Option(min=1, max=65_535)]
ControllerPort = Annotated[int, typer.Option(min=1, max=65_535)]
ClickHousePort = Annotated[int, typer.Option(min=1, max=65_535)]
ReaderPort = Annotated[int, typer.Option(min=1, max=65_535, help="ClickHouse, read-only for everybody.")]
WorkerPort = Annotated[int, typer.Option(min=1, max=65_535, help="Health of worker 0; the others follow.")]
SinkPort = Annotated[int, typer.Option(min=1, max=65_535)]
ProbePort = Annotated[int, typer.Option(min=1, max=65_535)]
ApiPort = Annotated[int, typer.Option(min=1, max=65_535, help="Reports over HTTP.")]


def up(
    context: typer.Context,
    workers: Workers = 1,
    free_ports: FreePorts = False,
    kafka_port: KafkaPort = 9092,
    controller_port: ControllerPort = 9093,
    clickhouse_port: ClickHousePort = 8123,
    reader_port: ReaderPort = 8124,
    worker_port: WorkerPort = 9110,
    sink_port: SinkPort = 9101,
    probe_port: ProbePort = 9102,
    api_port: ApiPort = 8080,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Run the whole pipeline on this machine, until Ctrl-C.

    Kafka, ClickHouse, topics, schema, workers, sink, lag probe and HTTP API. Data stays in the data directory; the
    next start goes on from there. Other commands run in the same directory find the stack by themselves.

    \b
    Examples:
      shopmeter up
      shopmeter up --workers 2 --free-ports --data /tmp/try
    """
    import asyncio

    from deploy.cli.show import Steps
    from deploy.console import outlive_readers
    from deploy.local.lock import DataLock
    from deploy.local.supervisor import Supervisor
    from deploy.stack import Ports, Stack

    outlive_readers()
    steps = Steps(on_stderr=as_json)
    ports = Ports(
        kafka_port,
        controller_port,
        clickhouse_port,
        reader_port,
        worker_port,
        sink_port,
        probe_port,
        api_port,
    )

    async def run() -> int:
        directory = data_directory(data)
        steps.title("everything runs on this machine; nothing leaves it")
        with DataLock(directory) as lock:
            chosen = with_named(context, ports, Ports.free(workers)) if free_ports else ports
            stack = Stack(directory, workers=workers, ports=chosen, api=True)
            async with Supervisor(on_event=steps.service, signals=True) as supervisor:
                await stack.start(supervisor, say=steps.say, done=steps.done)
                lock.publish(stack.urls.published())
                steps.addresses(stack.urls, directory)
                if as_json:
                    print(json.dumps(stack.urls.published()), flush=True)
                await supervisor.watch()
        return supervisor.exit_code

    try:
        code = asyncio.run(run())
    finally:
        steps.hush()
    raise typer.Exit(code)


def demo(
    seconds: Annotated[
        float | None, typer.Option(min=1, help="End by itself after so many seconds of live traffic.")
    ] = None,
    rate: Annotated[float, typer.Option(min=0.1, max=20_000, help="Live events a second.")] = 50.0,
    seed: Annotated[int, typer.Option(help="Another seed, another story (first run only).")] = 1,
    people: Annotated[int, typer.Option(min=10, help="People of the shop (first run only).")] = 2_000,
    days: Annotated[float, typer.Option(min=1, max=60, help="Days of history (first run only).")] = 30.0,
    workers: Workers = 1,
    free_ports: FreePorts = False,
    data: Data = None,
) -> None:
    """Watch one simulated shop live, on the whole pipeline.

    Loads 30 days of it, goes on with live traffic, and shows the numbers as they come. A later run in the
    same data directory goes on live from where the last one ended. With --seconds it ends by itself,
    compares everything in ClickHouse with what was sent, and prints the result as JSON on the last line;
    exit code 0 only if all is equal.

    \b
    Examples:
      shopmeter demo
      shopmeter demo --seconds 30 --rate 200
    """
    import asyncio

    from deploy.cli.show import Steps
    from deploy.console import outlive_readers
    from deploy.demo.run import DemoOptions, run_demo
    from deploy.stack import Ports

    outlive_readers()
    options = DemoOptions(
        data=data_directory(data),
        seconds=seconds,
        rate=rate,
        seed=seed,
        people=people,
        days=days,
        workers=workers,
        ports=Ports.free(workers) if free_ports else None,
    )
    steps = Steps()
    steps.title("demo: a shop that lives on this machine; nothing leaves it")
    try:
        code = asyncio.run(run_demo(options, steps))
    finally:
        steps.hush()
    raise typer.Exit(code)


def with_named(context: typer.Context, ports: "Ports", free: "Ports") -> "Ports":
    """The free ports, but for those that the command line names."""
    named = {
        field.name: getattr(ports, field.name)
        for field in fields(ports)
        if (source := context.get_parameter_source(f"{field.name}_port")) and source.name != "DEFAULT"
    }
    return replace(free, **named)


def data_directory(data: Path | None) -> Path:
    """The data directory that was named, or the settings' one; absolute."""
    from streams.settings import load_settings

    return (data or load_settings().data_dir).absolute()
