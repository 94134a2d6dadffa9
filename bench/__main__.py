"""`python -m bench [--only NAME ...] [--events N] [--quick]`: throughput, latency and recovery beside peers, in one run.

A whole run writes `bench/results/<date>-<commit>.json` and `.md`; a partial or smaller one writes below the data
directory, so that those of the repository can be laid beside each other.
"""

import argparse
import asyncio
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console

from bench import report
from bench.groups import Stalled
from bench.measures.throughput import Wrong
from bench.plan import NAMES, Outcome, Plan, quick
from bench.run import measure
from bench.stack import PeerFailed
from deploy.local.errors import LocalStackError
from deploy.local.lock import DEFAULT_DATA
from sinks.migrate import MigrationFailed
from streams.topics import TopicsError

RESULTS = Path(__file__).resolve().parent / "results"
EXIT_FAILED = 1


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=NAMES, default=list(NAMES), metavar="NAME", help=", ".join(NAMES)
    )
    parser.add_argument("--events", type=int, help="size of the history (400,000)")
    parser.add_argument("--repeat", type=int, help="runs of the fast peers, of which the median counts (3)")
    parser.add_argument(
        "--quick", action="store_true", help="a tenth of everything: to try it, not to quote it"
    )
    parser.add_argument("--data", type=Path, default=DEFAULT_DATA, help="where the generated history is kept")
    parser.add_argument("--out", type=Path, help="directory for the results")
    return parser.parse_args(words)


def plan_of(told: argparse.Namespace) -> Plan:
    """What to measure."""
    plan = quick(Plan()) if told.quick else Plan()
    changes = {name: value for name in ("events", "repeat") if (value := getattr(told, name)) is not None}
    return msgspec.structs.replace(plan, only=tuple(name for name in NAMES if name in told.only), **changes)


def main() -> int:
    """0: measured and written. 1: one line says what went wrong."""
    told = arguments()
    plan = plan_of(told)
    console = Console(stderr=True)
    began, started, load = datetime.now(UTC), time.monotonic(), os.getloadavg()[0]

    def say(what: str) -> None:
        console.print(f"{time.monotonic() - started:6.1f} s  {what}", highlight=False)

    data = told.data.absolute() / "bench"
    outcome = Outcome()
    try:
        asyncio.run(measure(plan, data, say, outcome))
    except (LocalStackError, MigrationFailed, PeerFailed, Stalled, TopicsError, Wrong, TimeoutError) as error:
        if outcome.rows or outcome.figures:
            console.print("measured before it went wrong, and not written:", highlight=False)
            report.show(outcome, console)
        console.print(f"bench: {type(error).__name__}: {error}", style="red", markup=False, highlight=False)
        return EXIT_FAILED
    report.show(outcome, Console(width=None if sys.stdout.isatty() else 200))
    out = told.out or (RESULTS if plan.is_whole else data / "results")
    path = report.save(outcome, report.header(plan, began, load), out)
    print(f"written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
