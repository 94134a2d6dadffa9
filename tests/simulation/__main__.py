"""`python -m tests.simulation`: thousands of seeds, every crash point of short histories, or one run with its trace.

A failing run prints what was found, the end of its trace and the command that repeats it; the exit code is 1 then.
`--keep` writes the figures below bench/results.
"""

import argparse
import gc
import logging
import os
import sys
import time
from collections.abc import Iterator
from functools import lru_cache
from itertools import count
from multiprocessing import get_context
from typing import NamedTuple

from msgspec import Struct

from tests.kafka.campaign.report import Origin, write
from tests.simulation.plan import CrashAt, Plan, make_plan
from tests.simulation.run import Result, run

TRACE_LINES = 60
MOST_FINDINGS = 5
PROGRESS_SECONDS = 20.0
# A history for crash points is told by a seed, too: those of about 200 steps are taken.
HISTORY_STORIES = 8
HISTORY_STEPS = range(150, 300)
# A run makes some hundred thousand objects, most of which go with it.
COLLECT_EVERY = 200_000


class Job(NamedTuple):
    """One run: a seed, and the step at which its only crash is (0: the seed's own faults)."""

    seed: int
    crash: int = 0
    after: bool = False

    @property
    def command(self) -> str:
        """What repeats it."""
        crash = f" --crash {self.crash}" if self.crash else ""
        return f"python -m tests.simulation --seed {self.seed}{crash}{' --after' if self.after else ''}"


class Told(NamedTuple):
    """What a run was, small enough to be sent."""

    job: Job
    findings: list[str]
    steps: int
    faults: int
    lives: int
    records: int
    cpu: float


class Figures(Struct, kw_only=True):
    """What a campaign was. `steps`: of I/O, each a point of faults; `lives`: processes that were started."""

    runs: int = 0
    failed: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    processes: int
    records: int = 0
    steps: int = 0
    faults: int = 0
    lives: int = 0
    failures: list[str] = []
    """The commands that repeat them."""

    def add(self, told: Told) -> None:
        """One run more."""
        self.runs += 1
        self.records, self.steps = self.records + told.records, self.steps + told.steps
        self.faults, self.lives = self.faults + told.faults, self.lives + told.lives
        self.cpu_seconds += told.cpu
        if told.findings:
            self.failed += 1
            self.failures.append(told.job.command)


def say(text: str) -> None:
    """A line of the report."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def play(job: Job, *, tracing: bool = False) -> Result:
    """Run a job."""
    if not job.crash:
        return run(job.seed, make_plan(job.seed), tracing=tracing)
    return run(job.seed, told_history(job.seed), CrashAt(job.crash, after=job.after), tracing=tracing)


@lru_cache(maxsize=4)
def told_history(seed: int) -> Plan:
    """A history for crash points; they come one after the other."""
    return make_plan(seed, quiet=True, stories=HISTORY_STORIES)


def tell(job: Job) -> Told:
    """Run a job in a process of the pool."""
    logging.disable(logging.CRITICAL)
    began = time.process_time()
    try:
        result = play(job)
    except Exception as error:  # the run's own, not the pipeline's
        return Told(job, [f"the simulation itself: {error!r}"], 0, 0, 0, 0, 0.0)
    cpu = time.process_time() - began
    return Told(job, result.findings, result.steps, result.faults, result.lives, result.records, cpu)


def crash_points(first: int, histories: int) -> Iterator[Job]:
    """Before and after every step of each history."""
    found = 0
    for seed in count(first):
        steps = run(seed, told_history(seed), CrashAt(0, after=False)).steps
        if steps not in HISTORY_STEPS:
            continue
        found += 1
        if found > histories:
            return
        for step in range(1, steps + 1):
            yield Job(seed, step, after=False)
            yield Job(seed, step, after=True)


def campaign(what: str, jobs: Iterator[Job], processes: int) -> Figures:
    """Run all jobs; prints progress and figures."""
    began = told_at = time.monotonic()
    figures = Figures(processes=processes)
    shortest: Told | None = None
    with get_context("fork").Pool(processes, gc.set_threshold, (COLLECT_EVERY,)) as pool:
        for told in pool.imap_unordered(tell, jobs, chunksize=10):
            figures.add(told)
            if told.findings:
                say(f"FAILED  {told.job.command}\n        {told.findings[0][:300]}")
                if shortest is None or told.steps < shortest.steps:
                    shortest = told
            if time.monotonic() - told_at > PROGRESS_SECONDS:
                told_at = time.monotonic()
                say(f"{what}: {figures.runs} runs, {figures.failed} failed, {told_at - began:.0f} s")
    figures.seconds = round(time.monotonic() - began, 1)
    figures.cpu_seconds = round(figures.cpu_seconds, 1)
    say(
        f"{what}: {figures.runs} runs, {figures.failed} failed; {figures.seconds:.0f} s with {processes} processes,"
        f" {figures.cpu_seconds:.0f} s of CPU; {figures.records} records, {figures.steps} steps of I/O,"
        f" {figures.faults} faults, {figures.lives} process lives"
    )
    if shortest is not None:
        show(shortest.job)
    return figures


def show(job: Job, *, lines: int = TRACE_LINES) -> int:
    """Run one job with its trace."""
    result = play(job, tracing=True)
    say(f"\n{job.command}")
    say("\n".join(result.trace[-lines:]))
    for finding in result.findings[:MOST_FINDINGS]:
        say(f"FOUND: {finding}")
    say(f"{result.steps} steps of I/O, {result.faults} faults, {result.seconds:.1f} virtual seconds")
    return len(result.findings)


def main() -> int:
    """See the module."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, metavar="N", help="run so many seeds")
    parser.add_argument(
        "--from", type=int, default=0, dest="first", metavar="K", help="the first of them (0)"
    )
    parser.add_argument("--exhaustive", action="store_true", help="a crash before and after every step")
    parser.add_argument(
        "--histories", type=int, default=10, metavar="N", help="... of so many histories (10)"
    )
    parser.add_argument("--seed", type=int, metavar="K", help="run one, and print its trace")
    parser.add_argument(
        "--crash", type=int, default=0, metavar="STEP", help="... of its single crash at a step"
    )
    parser.add_argument("--after", action="store_true", help="... after the step was done")
    parser.add_argument("--processes", type=int, default=2, metavar="N")
    parser.add_argument("--keep", action="store_true", help="write the figures below bench/results")
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if chosen.seed is not None:
        return min(1, show(Job(chosen.seed, chosen.crash, chosen.after), lines=1_000_000))
    if not chosen.seeds and not chosen.exhaustive:
        parser.error("choose --seeds N, --exhaustive or --seed K")
    origin = Origin.now()
    found: dict[str, Figures] = {}
    if chosen.seeds:
        jobs = (Job(seed) for seed in range(chosen.first, chosen.first + chosen.seeds))
        found["seeds"] = campaign("seeds", jobs, chosen.processes)
    if chosen.exhaustive:
        points = crash_points(chosen.first, chosen.histories)
        found["crash_points"] = campaign("crash points", points, chosen.processes)
    if chosen.keep:
        say(f"written: {write('simulation', origin, vars(chosen), found)}")
    return int(any(figures.failed for figures in found.values()))


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set of strings or bytes must not differ from run to run.
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    sys.exit(main())
