"""`audit conservation`: is every record that was sent in exactly one account, and every account whole?"""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Final

import typer

from deploy.cli.exits import ExitCode
from deploy.cli.options import Data, Json

if TYPE_CHECKING:
    from deploy.audit import Audit

app: Final = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.callback()
def audits() -> None:
    """Prove that nothing is lost and nothing counted twice."""


@app.command()
def conservation(
    settle: Annotated[
        float, typer.Option(min=0, max=3_600, help="Seconds that what differs gets to arrive.")
    ] = 40.0,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Compare every account of records with its other side.

    Records read with their buckets, by topic, partition and hour; records forwarded with records landed; dead letters
    of the ledger with the table; records in Kafka with records read. Exit code 1 and a table of what differs.

    \b
    Example:
      shopmeter audit conservation
    """
    import asyncio

    from deploy.audit import audit
    from deploy.cli.found import here

    def told(text: str) -> None:
        if sys.stderr.isatty() and not as_json:
            print(f"\r{text:<60}\r", end="", file=sys.stderr, flush=True)

    found = asyncio.run(audit(here(data).settings, settle_s=settle, progress=told))
    told("")
    if as_json:
        print(json.dumps({"records": found.records, "scanned": found.scanned, "mismatches": _plain(found)}))
    else:
        _show(found)
    if found.mismatches:
        raise typer.Exit(ExitCode.FAILED)


def _plain(found: "Audit") -> list[dict[str, object]]:
    return [
        {**one.account._asdict(), "told": one.told, "found": one.found, "records": one.records}
        for one in found.mismatches
    ]


def _show(found: "Audit") -> None:
    from deploy.cli.query import table_of
    from streams.conservation import describe

    if found.mismatches:
        lines = [
            [*(str(value) for value in one.account), str(one.told), str(one.found), describe(one)]
            for one in found.mismatches
        ]
        table_of(
            ["check", "topic", "partition", "hour", "told", "found", "what"],
            lines,
            [False, False, True, True, True, True],
        )
        print(f"{len(found.mismatches)} accounts do not balance")
        return
    print(f"every account balances: {found.records:,} records read, each in one bucket")
