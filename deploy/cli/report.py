"""`report`, `metrics` and `export`: every number of a store over a period, what each means, and the page's CSV files."""

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from deploy.cli.exits import CommandError, ExitCode
from deploy.cli.options import Data

if TYPE_CHECKING:
    from dashboard.asking import Ask
    from deploy.cli.found import Here

Store = Annotated[
    str, typer.Option("--store", metavar="ID", help="Whose; may be left out if there is one store.")
]
PeriodName = Annotated[
    str,
    typer.Option(
        "--period",
        help="today, yesterday, last_7_days, last_14_days, last_30_days (default), month_to_date or custom.",
    ),
]
First = Annotated[
    str, typer.Option("--from", metavar="DATE", help="First day of a custom period: 2026-01-01.")
]
Last = Annotated[str, typer.Option("--to", metavar="DATE", help="Its last day, included.")]
Channel = Annotated[str, typer.Option("--channel", help="Only this channel; else all together.")]
Comparison = Annotated[
    str,
    typer.Option(
        "--compare",
        help="A month to date with the same days before (calendar), or the days just before (shift).",
    ),
]
ConventionName = Annotated[
    str,
    typer.Option("--convention", help="named: last 7 days are 7; literal: from the eighth day before today."),
]
AsOf = Annotated[
    str,
    typer.Option(
        "--as-of", metavar="TIME", help="Count up to here: 2026-01-31T12:00:00Z; else all that is complete."
    ),
]
By = Annotated[
    list[str] | None, typer.Option("--by", metavar="DIMENSION", help="Tell values apart; may be given again.")
]
Metrics = Annotated[
    list[str] | None, typer.Option("--metric", metavar="NAME", help="Only this one; may be given again.")
]

_T = TypeVar("_T")


def report(
    store: Store = "",
    period: PeriodName = "",
    first: First = "",
    last: Last = "",
    channel: Channel = "",
    compare: Comparison = "",
    convention: ConventionName = "",
    as_of: AsOf = "",
    by: By = None,
    metric: Metrics = None,
    format: Annotated[str, typer.Option("--format", "-f", help="table, json or csv.")] = "table",
    explain: Annotated[bool, typer.Option("--explain", help="With each metric's definition.")] = False,
    data: Data = None,
) -> None:
    """Show every metric of a store over a period, beside the period before.

    \b
    Examples:
      shopmeter report --store acme
      shopmeter report --store acme --period month_to_date --channel whatsapp --explain
      shopmeter report --store acme --from 2026-01-01 --to 2026-01-31 --by widget_id --format csv
    """
    from dashboard.report import report as ask_report

    if format not in ("table", "json", "csv"):
        raise CommandError(f"--format {format}: known are table, json and csv", ExitCode.USAGE)
    words = {
        "store": store, "period": period, "from": first, "to": last, "channel": channel, "compare": compare,
        "convention": convention, "as_of": as_of,
    }  # fmt: skip

    def wanted(found: "Here") -> "Ask":
        return asked(found, words, by=by, metric=metric)

    answer = read(data, wanted, ask_report)
    if format == "json":
        from dashboard.answers import encoded, report_answer

        sys.stdout.buffer.write(encoded(report_answer(answer)) + b"\n")
    elif format == "csv":
        from deploy.cli.report_table import csv_of

        sys.stdout.buffer.writelines(line.encode() for line in csv_of(answer))
    else:
        from deploy.cli.report_table import show

        show(answer, explain=explain)


def metrics(
    format: Annotated[str, typer.Option("--format", "-f", help="table or json.")] = "table",
) -> None:
    """List the metrics: what each counts, in what unit, and by what it can be told apart.

    \b
    Example:
      shopmeter metrics --format json
    """
    from dashboard.answers import encoded, metrics_answer

    if format == "json":
        sys.stdout.buffer.write(encoded(metrics_answer()) + b"\n")
    elif format == "table":
        from deploy.cli.report_table import show_catalogue

        show_catalogue()
    else:
        raise CommandError(f"--format {format}: known are table and json", ExitCode.USAGE)


def asked(
    found: "Here", words: dict[str, str], *, by: list[str] | None = None, metric: list[str] | None = None
) -> "Ask":
    """The question that a command's options ask; a single store need not be named. Raises WordError, CommandError."""
    from dashboard.wording import read_ask

    if not words["store"]:
        words = words | {"store": _only_store(found)}
    said = {word: [text] for word, text in words.items() if text}
    return read_ask(said | {"by": by or [], "metric": metric or []})


def _only_store(found: "Here") -> str:
    from streams.settings import load_stores

    stores = sorted(load_stores(found.settings))
    if len(stores) != 1:
        raise CommandError(f"--store is missing; there are {', '.join(stores) or 'none'}", ExitCode.USAGE)
    return stores[0]


def read(data: Any, wanted: Callable[["Here"], "Ask"], answer: Callable[[Any, "Ask"], Awaitable[_T]]) -> _T:
    """Ask this installation's ClickHouse as a reader. Raises CommandError where nobody answers."""
    import asyncio

    from aiohttp import ClientError
    from clickhouse_connect.driver.exceptions import ClickHouseError

    from deploy.cli.found import here, no_stack
    from deploy.cli.query import reader_of
    from deploy.reader import Reader

    found = here(data)
    ask = wanted(found)
    server = reader_of(found)

    async def run() -> _T:
        async with Reader(server) as reader:
            return await answer(await reader.client(), ask)

    try:
        return asyncio.run(run())
    except (ClickHouseError, ClientError, OSError) as error:
        text = " ".join(str(error).split())[:500]
        if getattr(error, "code", None):
            raise CommandError(f"ClickHouse: {text}") from None
        # Without a code of ClickHouse's own nobody answered.
        said = f"no ClickHouse answers at {server.url} ({text[:200]})"
        if found.stack is None:
            raise no_stack(said, found.settings.data_dir) from None
        log = f"{found.settings.data_dir}/logs"
        raise CommandError(f"{said}; look at its log in {log}", ExitCode.PREREQUISITE) from None


def export(
    store: Store = "",
    period: PeriodName = "",
    first: First = "",
    last: Last = "",
    channel: Channel = "",
    convention: ConventionName = "",
    as_of: AsOf = "",
    kind: Annotated[str, typer.Option("--kind", help="sessions, or sales.")] = "",
    language: Annotated[
        str, typer.Option("--language", help="Of the header of sessions: en, es or pt.")
    ] = "",
    data: Data = None,
) -> None:
    """Write a CSV file with a row for each day, as the page exports it.

    \b
    Examples:
      shopmeter export --store acme --channel whatsapp > sessions.csv
      shopmeter export --store acme --period month_to_date --kind sales > sales.csv
    """
    from dashboard.export import Kind, Language
    from dashboard.export_rows import csv_lines
    from dashboard.wording import choice_of

    words = {
        "store": store, "period": period, "from": first, "to": last, "channel": channel,
        "convention": convention, "as_of": as_of,
    }  # fmt: skip
    said = {word: [text] for word, text in (("kind", kind), ("language", language)) if text}
    file = choice_of(said, "kind", Kind, Kind.SESSIONS)
    tongue = choice_of(said, "language", Language, Language.EN)

    async def lines(client: Any, ask: "Ask") -> list[str]:
        return [line async for line in csv_lines(client, ask, file, tongue)]

    # Written out here: in `read` a reader that went away or a full disk would be ClickHouse's error.
    sys.stdout.buffer.writelines(
        line.encode() for line in read(data, lambda found: asked(found, words), lines)
    )
