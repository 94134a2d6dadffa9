"""`python -m tests.simulation`: thousands of seeds, every crash point of short histories, or one run with its trace.

A failing run prints what was found, the end of its trace and the command that repeats it; the exit code is 1 then.
"""

import argparse
import logging
import os
import sys
import time
from collections.abc import Iterator
from itertools import count
from multiprocessing import get_context
from typing import NamedTuple

from tests.simulation.plan import CrashAt, make_plan
from tests.simulation.run import Result, run

TRACE_LINES = 60
MOST_FINDINGS = 5
PROGRESS_SECONDS = 20.0
# A history for crash points is told by a seed, too: those of about 200 steps are taken.
HISTORY_STORIES = 8
HISTORY_STEPS = range(150, 300)


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


def say(text: str) -> None:
    """A line of the report."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def play(job: Job, *, tracing: bool = False) -> Result:
    """Run a job."""
    if not job.crash:
        return run(job.seed, make_plan(job.seed), tracing=tracing)
    plan = make_plan(job.seed, quiet=True, stories=HISTORY_STORIES)
    return run(job.seed, plan, CrashAt(job.crash, after=job.after), tracing=tracing)


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
        plan = make_plan(seed, quiet=True, stories=HISTORY_STORIES)
        steps = run(seed, plan, CrashAt(0, after=False)).steps
        if steps not in HISTORY_STEPS:
            continue
        found += 1
        if found > histories:
            return
        for step in range(1, steps + 1):
            yield Job(seed, step, after=False)
            yield Job(seed, step, after=True)


def campaign(what: str, jobs: Iterator[Job], processes: int) -> int:
    """Run all jobs; prints progress and figures. Returns how many failed."""
    began = told_at = time.monotonic()
    runs = steps = faults = lives = records = 0
    cpu = 0.0
    failed: list[Told] = []
    with get_context("fork").Pool(processes) as pool:
        for told in pool.imap_unordered(tell, jobs, chunksize=10):
            runs += 1
            steps, faults, lives = steps + told.steps, faults + told.faults, lives + told.lives
            records, cpu = records + told.records, cpu + told.cpu
            if told.findings:
                failed.append(told)
                say(f"FAILED  {told.job.command}\n        {told.findings[0][:300]}")
            if time.monotonic() - told_at > PROGRESS_SECONDS:
                told_at = time.monotonic()
                say(f"{what}: {runs} runs, {len(failed)} failed, {told_at - began:.0f} s")
    seconds = time.monotonic() - began
    say(
        f"{what}: {runs} runs, {len(failed)} failed; {seconds:.0f} s with {processes} processes, {cpu:.0f} s of CPU;"
        f" {records} records, {steps} steps of I/O, {faults} faults, {lives} process lives"
    )
    if failed:
        show(min(failed, key=lambda one: one.steps).job)
    return len(failed)


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
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)
    if chosen.seed is not None:
        return min(1, show(Job(chosen.seed, chosen.crash, chosen.after), lines=1_000_000))
    if not chosen.seeds and not chosen.exhaustive:
        parser.error("choose --seeds N, --exhaustive or --seed K")
    failed = 0
    if chosen.seeds:
        jobs = (Job(seed) for seed in range(chosen.first, chosen.first + chosen.seeds))
        failed += campaign("seeds", jobs, chosen.processes)
    if chosen.exhaustive:
        failed += campaign("crash points", crash_points(chosen.first, chosen.histories), chosen.processes)
    return min(1, failed)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of a set of strings or bytes must not differ from run to run.
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    sys.exit(main())
