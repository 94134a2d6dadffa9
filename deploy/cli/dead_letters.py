"""`dead-letters` and `skip`: records that can't be processed, looked at, sent back, or set aside by hand."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from deploy.cli.choosing import place_of, wanted_of
from deploy.cli.exits import CommandError, ExitCode
from deploy.cli.options import Data, Json

if TYPE_CHECKING:
    from deploy.dead_letters import Letter
    from deploy.replay import Report

app: Final = typer.Typer(
    help="Records that could not be processed: list, show, export, replay.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Reasons = Annotated[list[str] | None, typer.Option("--reason", help="Of this reason; may be given again.")]
OfTopic = Annotated[str, typer.Option("--topic", help="Read from this topic: click or shop.click.")]
OfStore = Annotated[str, typer.Option("--store", metavar="ID", help="Of this store.")]
Since = Annotated[
    str, typer.Option("--since", metavar="TIME", help="Refused since: 2026-01-31T10:00:00Z, 90m, 2h, 3d.")
]
Until = Annotated[str, typer.Option("--until", metavar="TIME", help="Refused before; written likewise.")]


@app.command("list")
def list_(
    reason: Reasons = None,
    topic: OfTopic = "",
    store: OfStore = "",
    since: Since = "",
    until: Until = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show so many, the newest first.")] = 50,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Show the newest dead letters, and how many there are of each reason.

    \b
    Examples:
      shopmeter dead-letters list --since 2h
      shopmeter dead-letters list --reason unknown_store --topic click --json
    """
    from deploy.cli.query import asking
    from deploy.dead_letters import newest, totals

    with asking(data) as (found, server):
        wanted = wanted_of(found.settings.topics, reason, topic, store, since, until)
        letters, counts = newest(server, wanted, limit), totals(server, wanted)
    if as_json:
        shown = [_summary(letter) | {"replayed_at": replayed} for letter, replayed in letters]
        print(json.dumps({"letters": shown, "total": sum(counts.values()), "reasons": counts}))
        return
    _show(letters)
    print(
        f"{sum(counts.values()):,} dead letters"
        + "".join(f", {count:,} {name}" for name, count in counts.items())
    )


@app.command()
def show(
    place: Annotated[str, typer.Argument(help="Where the record was read: topic/partition/offset.")],
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Show one dead letter whole, the record's own bytes included.

    \b
    Example:
      shopmeter dead-letters show click/3/1234
    """
    from deploy.cli.query import asking
    from deploy.dead_letters import as_line, one

    with asking(data) as (found, server):
        topics = found.settings.topics
        letter = one(server, place_of(place, topics, or_foreign=True))
    if letter is None:
        raise CommandError(f"there is no dead letter of {place}; `shopmeter dead-letters list` shows some")
    if as_json:
        line = as_line(letter, topics)
        print(line.decode() if line is not None else json.dumps(_summary(letter)))
        return
    for name, value in _summary(letter).items():
        print(f"{name:<12} {value}")
    for name, content in letter.headers:
        print(f"{'header':<12} {name}: {_readable(content)}")
    print(f"{'key':<12} {_readable(letter.key)}")
    print(f"{'value':<12} {len(letter.value):,} bytes\n{_readable(letter.value)}")


@app.command()
def export(
    reason: Reasons = None,
    topic: OfTopic = "",
    store: OfStore = "",
    since: Since = "",
    until: Until = "",
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Default: stdout.")] = None,
    data: Data = None,
) -> None:
    """Write dead letters as JSON Lines that `shopmeter send` takes back.

    Bytes are in base64; `letter` says why each was refused.

    \b
    Example:
      shopmeter dead-letters export --reason amount_precision --to letters.jsonl
    """
    from deploy.cli.query import asking
    from deploy.dead_letters import as_line, find

    written = others = 0
    with asking(data) as (found, server):
        topics = found.settings.topics
        wanted = wanted_of(topics, reason, topic, store, since, until)
        with _output(to) as file:
            for letter in find(server, wanted):
                line = as_line(letter, topics)
                if line is None:
                    others += 1
                    continue
                file.write(line + b"\n")
                written += 1
    passed_over = f"; {others:,} are no storefront's events, see `list`" if others else ""
    print(f"{written:,} dead letters written{passed_over}", file=sys.stderr)


@app.command()
def replay(
    reason: Reasons = None,
    topic: OfTopic = "",
    store: OfStore = "",
    since: Since = "",
    until: Until = "",
    fix: Annotated[
        str | None,
        typer.Option(
            "--fix",
            metavar="PROGRAM",
            help="Reads one letter as a JSON line, writes it mended; nothing: leave it.",
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be sent.")] = False,
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Send dead letters back to their topics, each once, on their own day.

    What would be refused again stays; what is older than the allowed lateness can't go in live, and stays too.

    \b
    Examples:
      shopmeter dead-letters replay --reason unknown_store --dry-run
      shopmeter dead-letters replay --reason wrong_type --topic cart --fix "jq -c .value.quantity=1"
    """
    import asyncio

    from deploy.cli.query import asking
    from deploy.replay import replay as send_back
    from streams.settings import load_stores

    program = _program(fix)
    with asking(data) as (found, server):
        settings = found.settings
        wanted = wanted_of(settings.topics, reason, topic, store, since, until)
        stores = load_stores(settings)
        report = asyncio.run(send_back(settings, server, stores, wanted, fix=program, dry_run=dry_run))
    _tell(report, dry_run=dry_run, as_json=as_json)


def skip(
    topic: Annotated[str, typer.Argument(help="click or shop.click.")],
    partition: Annotated[int, typer.Argument(min=0)],
    offset: Annotated[int, typer.Argument(min=0)],
    as_json: Json = False,
    data: Data = None,
) -> None:
    """Set one record aside, unread, as a dead letter.

    For a record that ends the worker each time it is read. Workers look when they start: the one that the record ends
    does so by itself. The record can be replayed like any dead letter.

    \b
    Example:
      shopmeter skip click 3 1234
    """
    import asyncio

    from deploy.cli.found import here
    from deploy.skipping import skip as set_aside

    settings = here(data).settings
    place = place_of(f"{topic}/{partition}/{offset}", settings.topics)
    is_new = asyncio.run(set_aside(settings, place))
    if as_json:
        print(json.dumps({"place": str(place), "new": is_new}))
        return
    then = f"a worker makes it a dead letter once it has started again with partition {partition}"
    print(f"{place} is set aside: {then}" if is_new else f"{place} was set aside before: {then}")


def _program(fix: str | None) -> list[str]:
    import shlex

    if fix is None:
        return []
    try:
        words = shlex.split(fix)
    except ValueError as error:
        raise CommandError(f"--fix {fix}: {error}; write it as in a shell", ExitCode.USAGE) from None
    if not words:
        # An unset variable of a script: the letters would be sent back unmended.
        raise CommandError("--fix is empty; name a program, or leave --fix out", ExitCode.USAGE)
    return words


def _summary(letter: "Letter") -> dict[str, Any]:
    return {
        "place": str(letter.place),
        "reason": letter.reason,
        "field": letter.field,
        "store": letter.store_id,
        "record_time": _shown(letter.record_time),
        "first_seen": _shown(letter.first_seen_at),
    }


def _shown(instant_ms: int) -> str:
    from datetime import UTC, datetime

    moment = datetime.fromtimestamp(instant_ms / 1000, tz=UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _readable(content: bytes) -> str:
    """Text as it is, but for what a terminal would take for commands; other bytes as escapes."""
    text = content.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() or char in "\n\t" else f"\\x{ord(char):02x}" for char in text)


def _show(letters: "list[tuple[Letter, int | None]]") -> None:
    from deploy.cli.query import table_of

    columns = ("place", "reason", "field", "store", "record_time", "first_seen")
    lines = [
        [*(str(_summary(letter)[name]) for name in columns), _shown(replayed) if replayed else "–"]
        for letter, replayed in letters
    ]
    if lines:
        table_of([*columns, "replayed"], lines)


def _tell(report: "Report", *, dry_run: bool, as_json: bool) -> None:
    outcomes = {outcome.value: count for outcome, count in report.outcomes.items()}
    refused = {
        f"{reason} at {field or 'the whole record'}": n for (reason, field), n in report.refused.items()
    }
    if as_json:
        print(json.dumps({"dry_run": dry_run, **outcomes, "refusals": refused}))
        return
    from deploy.replay import Outcome

    if dry_run:
        print("dry run: nothing was sent; what would become of the letters:")
    for outcome, count in outcomes.items():
        print(f"{count:>9,} {outcome}")
    for what, count in sorted(refused.items(), key=lambda item: -item[1]):
        print(f"{'':>9} {count:,} {what}")
    if Outcome.TOO_OLD in report.outcomes:
        print(
            "Letters older than the allowed lateness stay dead letters: a worker would call them too late again, and "
            "there is no lane for older history yet. They are kept; `shopmeter dead-letters export` writes them out."
        )
    if Outcome.AGAIN in report.outcomes:
        print(
            "Letters were sent back and refused again while this ran, and were not sent a second time: are the workers "
            "restarted with the same stores?"
        )
    if not outcomes:
        print("no dead letter matches")


def _output(to: Path | None) -> Any:
    from contextlib import nullcontext

    from deploy.cli.output import whole_file

    return whole_file("--to", to) if to is not None else nullcontext(sys.stdout.buffer)
