"""`python -m tests.faults`: every case of the matrix at length. It goes on where it stopped; `--again` begins anew.

Results are kept below bench/results, one file a commit; the table at the end tells all of them. Exit 1: not all is right.
Where files differ from the commit all is played again: what was played before may have been of other code.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from bench.report import commit
from tests.faults import (
    cluster,
    deliveries,
    groups,
    mixed,
    outage,
    overload,
    poison,
    processes,
    servers,
    soak,
    surroundings,
    topics,
)
from tests.faults.matrix import CASES, Case
from tests.faults.stage import RATE, SHORT_RATE, Outcome, open_stage
from tests.kafka.campaign.dossier import Dossier
from tests.kafka.campaign.report import RESULTS, Finding, Origin, table, write

MODULES = (
    processes,
    servers,
    outage,
    overload,
    topics,
    deliveries,
    groups,
    surroundings,
    poison,
    cluster,
    mixed,
    soak,
)
"""They enter their cases when they are imported."""

# An hour and more: it has a target of its own.
SOAK = "F24"


def main() -> int:
    """Play what is asked for and was not played on this commit."""
    asked = _options()
    if asked.judge:
        origin = Origin.now()
        outcome = asyncio.run(judge(asked.judge, asked.lot))
        sys.stderr.write(f"  {write(asked.name, origin, {'lot': asked.lot}, outcome)}\n")
        sys.stdout.write(
            f"{show({asked.judge.name: outcome})}\n{outcome.finding.lot}\n{outcome.finding.show()}\n"
        )
        return 0 if outcome.is_right else 1
    here = commit()
    path = RESULTS / f"faults-{here}.json"
    # Others' results stay when only some cases are played again.
    known = _read(path) if path.exists() and (asked.only or not asked.again) else {}
    for case in CASES.values():
        if asked.only and not any(is_meant(case.name, words) for words in asked.only):
            continue
        if is_meant(case.name, SOAK) and not asked.only:
            continue
        if case.name in known and is_of(known[case.name], here) and not asked.again:
            continue
        times = asked.times or (case.short if asked.short else case.long)
        began = time.monotonic()
        sys.stderr.write(f"{time.strftime('%H:%M:%S')} {case.name}, {times} times\n")
        rate = asked.rate or (SHORT_RATE if asked.short else RATE)
        origin = Origin.now()
        outcome = play(case, times, rate=rate, keep=asked.keep)
        outcome.origin = origin
        RESULTS.mkdir(parents=True, exist_ok=True)
        # Other cases may have been played on this commit meanwhile, by another process.
        known = {**known, **(_read(path) if path.exists() and not asked.again else {}), case.name: outcome}
        path.write_bytes(msgspec.json.format(msgspec.json.encode(known), indent=1) + b"\n")
        sys.stderr.write(f"  {time.monotonic() - began:.0f} s: {verdict(known[case.name])}\n")
    sys.stdout.write(show(known) + "\n")
    return 0 if all(outcome.is_right for outcome in known.values()) else 1


def is_meant(name: str, words: str) -> bool:
    """Do these words mean this case: one of its numbers (F2 is not F24), or how its name begins?"""
    return words in name.split()[0].split("/") or (" " in words and name.startswith(words))


def is_of(outcome: Outcome, here: str) -> bool:
    """Is it certainly of the code that is here? Files that differ from a commit may have differed otherwise then."""
    is_clean = not here.endswith("-dirty") and here != "unknown"
    return is_clean and outcome.origin is not None and outcome.origin.commit == here


def play(case: Case, times: int, *, rate: float = RATE, keep: bool = False) -> Outcome:
    """One case on servers of its own, under so many records a second unless it wants more."""
    directory = Path(tempfile.mkdtemp(prefix="faults-"))

    async def staged() -> Outcome:
        async with open_stage(directory, rate=rate, keep=keep) as stage:
            return await case.play(stage, times)

    try:
        return asyncio.run(staged())
    finally:
        if keep:
            sys.stderr.write(f"  logs and data are kept in {directory}\n")
        else:
            shutil.rmtree(directory, ignore_errors=True)


async def judge(directory: Path, lot: int | None) -> Outcome:
    """The verdict on a long case whose directory was kept, by this lot or a new one."""
    dossier = Dossier.read(directory)
    async with open_stage(directory) as stage:
        settings = dossier.settings(stage.bootstrap, stage.endpoint.url)
        return Outcome.of(dossier, await Finding.by_lot(settings, dossier, seed=lot))


def verdict(outcome: Outcome) -> str:
    """In a few words."""
    if not outcome.finding.is_exact:
        return f"{outcome.finding.difference_count} differences, the first: {outcome.finding.differences[0][:200]}"
    return "; ".join(outcome.wrong) or "exact"


def show(known: dict[str, Outcome]) -> str:
    """The table of results."""
    rows = [
        (
            name,
            outcome.times,
            outcome.finding.sent,
            ", ".join(f"{key} {value:g}" for key, value in outcome.figures.items()),
            verdict(outcome)[:80],
        )
        for name, outcome in known.items()
    ]
    return table(("case", "times", "records", "figures", "verdict"), rows)


def _read(path: Path) -> dict[str, Outcome]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, Outcome])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", metavar="F7", help="cases of these numbers, or whose names begin so"
    )
    parser.add_argument("--short", action="store_true", help="each case a few times only, at a lower rate")
    parser.add_argument("--times", type=int, default=0, help="instead of what the matrix says")
    parser.add_argument(
        "--rate",
        type=float,
        default=0.0,
        help="records a second: the comparison at the end takes as long as there are records",
    )
    parser.add_argument("--again", action="store_true", help="also what was played on this commit")
    parser.add_argument("--keep", action="store_true", help="leave the directories with all logs")
    parser.add_argument(
        "--judge", type=Path, metavar="DIR", help="only the verdict on a kept directory, by lot"
    )
    parser.add_argument("--name", default="judged", help="what the file with that verdict is called")
    parser.add_argument("--lot", type=int, help="the seed of a lot that was drawn before")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
