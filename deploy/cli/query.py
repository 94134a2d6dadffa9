"""`sql`: one reading query against ClickHouse, shown as a table or in any of its formats."""

import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from deploy.cli.exits import CommandError, ExitCode
from deploy.cli.options import Data

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploy.cli.found import Here
    from deploy.query import Server

# Short names for what people ask for most; every format of ClickHouse works by its own name too.
FORMATS: Final = {
    "table": "JSONCompactStrings",
    "csv": "CSVWithNames",
    "tsv": "TSVWithNames",
    "json": "JSON",
    "jsonl": "JSONEachRow",
}
# A pipe has no width; rich would fold cells at 80 columns.
_PIPE_WIDTH: Final = 100_000
_NULL: Final = "ᴺᵁᴸᴸ"


def sql(
    query: Annotated[str, typer.Argument(help="One statement; - reads it from stdin.")],
    format: Annotated[
        str, typer.Option("--format", "-f", help="table, csv, tsv, json, jsonl, or a format of ClickHouse.")
    ] = "table",
    param: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="Binds {NAME:Type} in the query."),
    ] = None,
    data: Data = None,
) -> None:
    """Ask ClickHouse; read-only, whoever asks.

    \b
    Examples:
      shopmeter sql "SELECT store_date, currency, total_revenue FROM revenue_daily ORDER BY 1 DESC LIMIT 7"
      shopmeter sql "SELECT * FROM order_totals WHERE order_id = {id:String}" --param id=o-9 --format json
    """
    from deploy.query import ask

    # Bytes that are no text are told as such by `ask`, as those of an argument are.
    text = sys.stdin.buffer.read().decode(errors="surrogateescape") if query == "-" else query
    with asking(data) as (_, server):
        answer = ask(server, text, default_format=FORMATS.get(format, format), params=_bound(param or []))
        if format == "table" and answer.format in ("", FORMATS["table"]):
            _show_table(answer.read())
            return
        sys.stdout.flush()
        for piece in answer.chunks():
            sys.stdout.buffer.write(piece)


@contextmanager
def asking(data: Path | None) -> "Iterator[tuple[Here, Server]]":
    """The installation and where to read from it; what ClickHouse answers with becomes a CommandError."""
    from deploy.cli.found import here, no_stack
    from deploy.query import NotText, QueryRefused, Unreachable

    found = here(data)
    try:
        yield found, reader_of(found)
    except NotText as error:
        raise CommandError(str(error), ExitCode.USAGE) from None
    except QueryRefused as error:
        raise CommandError(f"ClickHouse: {error}") from None
    except Unreachable as error:
        if found.stack is None:
            raise no_stack(str(error), found.settings.data_dir) from None
        raise CommandError(
            f"{error}; look at its log in {found.settings.data_dir}/logs", ExitCode.PREREQUISITE
        ) from None


def reader_of(found: "Here") -> "Server":
    """Where to read: the read-only side of the local stack, or the ClickHouse of the settings."""
    from deploy.query import server_of

    server = server_of(found.settings)
    if found.is_local and found.stack is not None:
        return server._replace(url=found.stack.urls["sql"])
    return server


def _bound(pairs: list[str]) -> dict[str, str]:
    params = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not name:
            raise CommandError(f"--param {pair}: write it as NAME=VALUE", ExitCode.USAGE)
        params[name] = value
    return params


def _show_table(body: bytes) -> None:
    if not body.strip():
        return  # a statement without a result
    answer = json.loads(body)
    numeric = [
        column["type"].removeprefix("Nullable(").startswith(("Int", "UInt", "Float", "Decimal"))
        for column in answer["meta"]
    ]
    lines = [["–" if value in (None, _NULL) else str(value) for value in row] for row in answer["data"]]
    table_of([column["name"] for column in answer["meta"]], lines, numeric)
    print(f"{len(lines)} row{'' if len(lines) == 1 else 's'}")


def table_of(
    names: "Sequence[str]", lines: "Sequence[Sequence[str]]", numeric: "Sequence[bool]" = ()
) -> None:
    """Print a table for people; in a pipe as wide as it is. `numeric`: which columns go to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from deploy.console import console

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(names):
        justify: Literal["left", "right"] = "right" if index < len(numeric) and numeric[index] else "left"
        table.add_column(Text(name), justify=justify, overflow="fold")
    for line in lines:
        # Text: a value with brackets in it is no markup.
        table.add_row(*map(Text, line))
    console(width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(table)
