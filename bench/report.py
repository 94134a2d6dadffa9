"""The outcome as text: a table for the terminal, Markdown for the repository, JSON for comparisons.

The machine is told by its cores and its Python: no names, no paths.
"""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from bench.plan import Figure, Outcome, Plan, Row

COLUMNS = (
    "peer",
    "events",
    "seconds",
    "events/s",
    "CPU s",
    "CPU us/event",
    "peak MB",
    "x limit",
    "x Shopmeter",
)


def cells(row: Row, outcome: Outcome) -> tuple[str, ...]:
    """A line of the table. Ratios are of events/s; a peer that counts rows has none."""
    result = row.result
    rate = result.events / result.seconds

    def ratio(name: str) -> str:
        other = outcome.row(name)
        if other is None or row.unit != "events":
            return ""
        return f"{rate * other.result.seconds / other.result.events:.2f}"

    events = f"{result.events:,}" if row.unit == "events" else f"{result.events:,} {row.unit}"
    return (
        row.what,
        events,
        f"{result.seconds:.2f}",
        f"{rate:,.0f}",
        f"{result.cpu_s:.2f}",
        f"{result.cpu_s * 1e6 / result.events:.1f}",
        f"{result.peak_mb:,.0f}",
        ratio("limit"),
        ratio("worker"),
    )


def amount(figure: Figure) -> str:
    """A figure's value with its unit."""
    digits = 0 if abs(figure.value) >= 100 else 1 if abs(figure.value) >= 20 else 2
    return f"{figure.value:,.{digits}f} {figure.unit}"


def show(outcome: Outcome, console: Console) -> None:
    """Both tables on a terminal."""
    table = Table(title="Throughput", title_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "peer" else "right")
    for row in outcome.rows:
        table.add_row(*cells(row, outcome))
    if outcome.rows:
        console.print(table)
    figures = Table(title="Figures", title_justify="left")
    for name in ("figure", "value", "goal", "how"):
        figures.add_column(name, justify="right" if name == "value" else "left")
    for figure in outcome.figures:
        figures.add_row(figure.name, amount(figure), figure.goal, figure.how)
    if outcome.figures:
        console.print(figures)


def markdown(outcome: Outcome, header: dict[str, Any]) -> str:
    """The same for the repository."""
    machine, plan = header["machine"], header["plan"]
    lines = [
        f"# Bench of {header['date']}, {header['commit']}",
        "",
        f"{machine['cores']} cores, Python {machine['python']}, {machine['system']}; load average when it began"
        f" {header['load_before']:.1f}, when it ended {header['load_after']:.1f}.",
        "",
        f"About {plan['events']:,} events of {plan['people']:,} people over {plan['days']:.0f} days, six topics of"
        f" {plan['partitions']} partitions. Every peer is a process of its own; CPU seconds are user and system of that"
        " process, memory is its peak. A run whose numbers are not the simulator's ends the bench.",
        "",
        "| " + " | ".join(COLUMNS) + " |",
        "|---" + "|---:" * (len(COLUMNS) - 1) + "|",
    ]
    lines += ["| " + " | ".join(cells(row, outcome)) + " |" for row in outcome.rows]
    runs = [row for row in outcome.rows if len(row.runs) > 1]
    if runs:
        lines += ["", "Each line is the median of its runs, in events/s:", ""]
        lines += [f"- {row.what}: " + ", ".join(f"{rate:,.0f}" for rate in sorted(row.runs)) for row in runs]
    lines += ["", "| figure | value | goal | how |", "|---|---:|---|---|"]
    lines += [f"| {one.name} | {amount(one)} | {one.goal} | {one.how} |" for one in outcome.figures]
    return "\n".join(lines) + "\n"


def header(plan: Plan, began: datetime, load_before: float) -> dict[str, Any]:
    """What was measured, where, and of which commit."""
    return {
        "date": began.date().isoformat(),
        "began_at": began.isoformat(timespec="seconds"),
        "seconds": (datetime.now(UTC) - began).total_seconds(),
        "commit": commit(),
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.system(),
        },
        "load_before": load_before,
        "load_after": os.getloadavg()[0],
        "plan": msgspec.to_builtins(plan),
    }


def commit() -> str:
    """Short hash of the checked-out commit, `-dirty` if files differ from it; `unknown` outside of a repository."""
    here = Path(__file__).resolve().parent

    def git(*words: str) -> str:
        return subprocess.run(
            ("git", *words), cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()

    try:
        dirty = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short", "HEAD") + ("-dirty" if dirty else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def save(outcome: Outcome, header: dict[str, Any], directory: Path) -> Path:
    """Write `<date>-<commit>.json` and `.md`; the path of the second."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{header['date']}-{header['commit']}.json"
    path.write_bytes(
        msgspec.json.format(msgspec.json.encode({**header, "outcome": outcome}), indent=1) + b"\n"
    )
    path.with_suffix(".md").write_text(markdown(outcome, header))
    return path.with_suffix(".md")
