"""`worker`, `sink`, `probe`, `serve`: the processes of the pipeline, one each, in the foreground until a signal."""

from typing import Annotated

import typer

from deploy.cli.exits import ExitCode
from deploy.cli.options import Data

Port = Annotated[int | None, typer.Option("--port", help="Of /metrics, /live and /ready; 0: a free one.")]
Host = Annotated[str, typer.Option("--host", help="Where /metrics, /live and /ready listen.")]


def worker(
    instance: Annotated[
        str | None,
        typer.Option(help="Membership slot: a restart under the same name causes no rebalance."),
    ] = None,
    port: Port = None,
    data: Data = None,
) -> None:
    """Process events: source topics in, rows out.

    \b
    Example:
      SHOPMETER_KAFKA__BOOTSTRAP=kafka:9092 shopmeter worker --instance worker-3
    """
    import asyncio

    from deploy.cli.found import here
    from processors.breaker import Breaker
    from processors.pipeline import make_factory
    from streams.health import HealthService
    from streams.interventions import read_skips
    from streams.logs import log_to_stderr
    from streams.settings import load_rates, load_stores
    from streams.telemetry import WorkerSignals
    from streams.worker import run_worker

    changes = {
        key: value for key, value in (("instance", instance), ("http_port", port)) if value is not None
    }
    settings = here(data, starting=True, worker=changes).settings
    log_to_stderr(settings.log_format)
    stores = load_stores(settings)
    factory = make_factory(
        stores,
        partitions=settings.partitions,
        rates=load_rates(settings, stores),
        breaker=Breaker(settings.breaker_bounds),
        skips=asyncio.run(read_skips(settings)),
    )
    on_disk = settings.worker.state_backend == "rocksdb"
    signals = WorkerSignals(settings.partitions, state_dir=settings.state_dir if on_disk else None)
    code = run_worker(
        settings,
        factory,
        telemetry=signals,
        services=[HealthService.of_worker(signals, settings)],
    )
    raise typer.Exit(code)


def sink(
    instance: Annotated[str | None, typer.Option(help="Name of this sink; unique among the sinks.")] = None,
    port: Port = None,
    data: Data = None,
) -> None:
    """Store rows in ClickHouse, insert before ack.

    \b
    Example:
      SHOPMETER_CLICKHOUSE__URL=https://clickhouse:8443 shopmeter sink
    """
    import asyncio

    from deploy.cli.found import here
    from streams.health import sink_server
    from streams.logs import log_to_stderr
    from streams.settings import Settings
    from streams.sink import run_sink
    from streams.telemetry import SinkSignals

    changes = {
        key: value for key, value in (("instance", instance), ("http_port", port)) if value is not None
    }
    settings = here(data, starting=True, sink=changes).settings
    log_to_stderr(settings.log_format)

    async def run(settings: Settings) -> None:
        signals = SinkSignals()
        async with sink_server(signals, settings):
            await run_sink(settings, telemetry=signals)

    asyncio.run(run(settings))


def probe(port: Port = 0, host: Host = "127.0.0.1", data: Data = None) -> None:
    """Measure lag, also that of a worker that hangs.

    \b
    Example:
      shopmeter probe --port 9102
    """
    import asyncio

    from deploy.cli.found import here
    from streams.logs import log_to_stderr
    from streams.probe import run_probe

    settings = here(data, starting=True).settings
    log_to_stderr(settings.log_format)
    asyncio.run(run_probe(settings, host=host, port=port or 0))
    raise typer.Exit(ExitCode.OK)


def serve(
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; beyond loopback put a proxy with a login before it."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0: a free one.")] = 8080,
    data: Data = None,
) -> None:
    """Serve reports, series and CSV files over HTTP; read-only.

    \b
    Examples:
      shopmeter serve --port 8080
      curl "http://127.0.0.1:8080/api/v1/report?store=acme&period=last_7_days"
    """
    import asyncio

    from deploy.cli.found import here
    from deploy.cli.query import reader_of
    from deploy.serving import serve as run
    from streams.logs import log_to_stderr

    found = here(data, starting=True)
    log_to_stderr(found.settings.log_format)
    asyncio.run(run(reader_of(found), host=host, port=port))
    raise typer.Exit(ExitCode.OK)
