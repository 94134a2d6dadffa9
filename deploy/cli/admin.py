"""`topics`, `migrate`, `doctor`: what an installation needs before it runs, and what is wrong with it."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from deploy.cli.exits import ExitCode
from deploy.cli.options import Data, Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.cli.doctor import Check

topics: Final = typer.Typer(
    help="Make and check the Kafka topics.", no_args_is_help=True, rich_markup_mode=None
)

_MARKS: Final = {"ok": "[green]✓[/]", "note": "[dim]·[/]", "broken": "[red]✗[/]"}


@topics.command()
def create(as_json: Json = False, data: Data = None) -> None:
    """Make every topic that is missing. What exists is never altered.

    \b
    Example:
      SHOPMETER_KAFKA__BOOTSTRAP=kafka:9092 shopmeter topics create
    """
    import asyncio

    from deploy.cli.found import here
    from streams.topics import create_topics

    settings = here(data).settings
    report = asyncio.run(create_topics(settings))
    problems = [str(problem) for problem in report.problems]
    if as_json:
        print(json.dumps({"created": report.created, "existing": report.existing, "problems": problems}))
    else:
        for name in report.created:
            print(f"made    {name}")
        for name in report.existing:
            print(f"exists  {name}")
    _end_with(problems, quiet=as_json)


@topics.command()
def check(as_json: Json = False, data: Data = None) -> None:
    """Compare the topics with what they must be; exit code 1 and the mends if they differ.

    \b
    Example:
      shopmeter topics check --json
    """
    import asyncio

    from deploy.cli.found import here
    from streams.topics import check_topics

    problems = [str(problem) for problem in asyncio.run(check_topics(here(data).settings))]
    if as_json:
        print(json.dumps({"problems": problems}))
    elif not problems:
        print("the topics are as they must be")
    _end_with(problems, quiet=as_json)


def _end_with(problems: list[str], *, quiet: bool) -> None:
    if not problems:
        return
    if not quiet:
        for problem in problems:
            print(f"shopmeter: {problem}", file=sys.stderr)
    raise typer.Exit(ExitCode.FAILED)


def migrate(as_json: Json = False, data: Data = None) -> None:
    """Bring ClickHouse to this version.

    Tables, views and stores. Run it before the sink of a new version; again is harmless.

    \b
    Example:
      SHOPMETER_CLICKHOUSE__URL=https://clickhouse:8443 shopmeter migrate
    """
    from deploy.cli.found import here
    from sinks.migrate import migrate as run_migrations
    from streams.settings import load_stores
    from streams.sink import address_of

    settings = here(data).settings
    migrated = run_migrations(address_of(settings), load_stores(settings))
    if as_json:
        print(json.dumps({"applied": migrated.applied, "stores": migrated.stores}))
        return
    for name in migrated.applied:
        print(f"applied {name}")
    for store in migrated.stores:
        print(f"loaded store {store}")
    if not migrated.applied and not migrated.stores:
        print("everything was there already")


def doctor(
    as_json: Json = False,
    free_gb: Annotated[
        float, typer.Option(min=0, help="Free disk space that the data directory needs, in GB.")
    ] = 2.0,
    data: Data = None,
) -> None:
    """Find what is broken, and how to mend it.

    Exit code 1 if anything is.

    \b
    Example:
      shopmeter doctor
    """
    import asyncio

    from deploy.cli.doctor import examine

    checks = asyncio.run(examine(data, free_bytes=int(free_gb * 1e9)))
    broken = [check for check in checks if check.state == "broken"]
    if as_json:
        print(json.dumps({"ok": not broken, "checks": [check._asdict() for check in checks]}))
    else:
        _show(checks)
    if broken:
        raise typer.Exit(ExitCode.FAILED)


def _show(checks: "Sequence[Check]") -> None:
    from rich.markup import escape

    from deploy.console import console

    out = console(soft_wrap=True)
    for check in checks:
        out.print(f" {_MARKS[check.state]} {check.name:<12} {escape(check.found)}")
        if check.mend:
            out.print(f"   {'':<12} [yellow]mend:[/] {escape(check.mend)}")
    count = sum(check.state == "broken" for check in checks)
    out.print("\nnothing is broken" if not count else f"\n{count} broken")
