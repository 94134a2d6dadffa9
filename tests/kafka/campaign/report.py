"""What a campaign found: exact or not, how much it was, and where that is written."""

import asyncio
import os
import platform
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import msgspec
from msgspec import Struct

from bench.report import commit
from streams.settings import Settings
from tests.kafka.campaign.dossier import Dossier
from tests.kafka.campaign.sampled import Lot, judge_long
from tests.kafka.campaign.verdict import differences, summary
from tests.kafka.pipeline_kit import Installation
from tests.oracle.records import RawRecord

RESULTS = Path(__file__).resolve().parents[3] / "bench" / "results"
DRAIN_SECONDS = 600.0
KEPT = 200
TELL_SECONDS = 10.0


class Finding(Struct, kw_only=True):
    """Whether all is exact. `differences`: the first of them, in words; `difference_count`: all."""

    sent: int
    seconds: float
    drain_seconds: float
    counts: dict[str, int]
    difference_count: int
    differences: list[str]
    lot: Lot | None = None
    """The shops that were computed again; None: all were."""

    @classmethod
    async def by_lot(cls, settings: Settings, dossier: Dossier, *, seed: int | None = None) -> Self:
        """Compare all with the account, and shops drawn by lot with the oracle. All that was sent must be visible.

        `seed`: of a lot that was drawn before; by default it is new, and nothing in the run can have known it.
        """
        drawn = secrets.randbits(32) if seed is None else seed
        judged = await judge_long(settings, dossier.stores, dossier.truth, seed=drawn)
        return cls(
            sent=judged.records,
            seconds=dossier.seconds,
            drain_seconds=dossier.drain_seconds,
            counts=judged.counts,
            difference_count=len(judged.differences),
            differences=judged.differences[:KEPT],
            lot=judged.lot,
        )

    @classmethod
    async def of(
        cls,
        shop: Installation,
        *,
        sent: int,
        seconds: float,
        sources: list[RawRecord] | None = None,
        drained: float | None = None,
    ) -> Self:
        """Wait until all is visible and compare it with the oracle, over the records as they lie in the topics.

        `sources`: instead of these, what was read before it was taken out of the topics. `drained`: all was found
        visible after so many seconds, and is not waited for again: with the members gone, the watermark of a last epoch
        stays behind.
        """
        if drained is None:
            began = asyncio.get_running_loop().time()
            await shop.caught_up(seconds=DRAIN_SECONDS)
            drained = asyncio.get_running_loop().time() - began
        visible = await asyncio.to_thread(shop.visible)
        sources = await shop.sources() if sources is None else sources
        found = await asyncio.to_thread(differences, sources, shop.stores, visible)
        if len(sources) < sent:
            found.insert(0, f"{sent} records were acknowledged, {len(sources)} lie in the topics")
        return cls(
            sent=len(sources),
            seconds=round(seconds, 1),
            drain_seconds=round(drained, 1),
            counts=summary(visible),
            difference_count=len(found),
            differences=found[:KEPT],
        )

    @property
    def is_exact(self) -> bool:
        """Not one difference."""
        return not self.differences

    def show(self) -> str:
        """In words."""
        verdict = "EXACT: zero differences" if self.is_exact else f"{self.difference_count} DIFFERENCES"
        counts = ", ".join(f"{name} {count}" for name, count in self.counts.items())
        lines = [
            f"{self.sent} records in {self.seconds} s, drained in {self.drain_seconds} s",
            counts,
            verdict,
        ]
        return "\n".join([*lines, *self.differences[:20]])


def table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """Columns that line up."""
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    lines = []
    for first, *others in cells:
        numbers = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *numbers]))
    return "\n".join(lines)


async def progress(say: Callable[[], str]) -> None:
    """A line on stderr every few seconds, until cancelled."""
    while True:
        await asyncio.sleep(TELL_SECONDS)
        sys.stderr.write(f"  {datetime.now(UTC):%H:%M:%S} {say()}\n")
        sys.stderr.flush()


class Origin(Struct, kw_only=True, frozen=True):
    """Of what a result is: read before the run, since files may be edited and committed while it takes its hours."""

    began_at: datetime
    commit: str
    machine: dict[str, Any]

    @classmethod
    def now(cls) -> Self:
        """Of what begins here and now."""
        machine = {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "load_before": os.getloadavg(),
        }
        return cls(began_at=datetime.now(UTC), commit=commit(), machine=machine)


def write(name: str, origin: Origin, options: dict[str, Any], result: Struct | Mapping[str, Struct]) -> Path:
    """The result as a dated JSON file below bench/results; where."""
    now = datetime.now(UTC)
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{now:%Y-%m-%d-%H%M%S}-{name}.json"
    whole = {"what": name, "at": now, **msgspec.structs.asdict(origin), "options": options, "result": result}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n")
    return path
