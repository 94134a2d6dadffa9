"""Every file that is made from data: `python -m deploy.render` writes them, `--check` says which are stale.

A module that renders offers `rendered_files() -> {path in the repository: text}` and is listed in SOURCES.
"""

import argparse
import difflib
import sys
from collections.abc import Callable, Mapping
from itertools import islice
from pathlib import Path
from typing import Final

from dashboard import openapi
from schemas import reasons, telemetry
from schemas.events import jsonschema
from schemas.metrics import rendering as metrics
from sinks import access, ddl
from streams import settings_page

ROOT: Final = Path(__file__).resolve().parent.parent

Rendering = Callable[[], Mapping[str, str]]

SOURCES: Final[Mapping[str, Rendering]] = {
    "schemas.telemetry": telemetry.rendered_files,
    "schemas.reasons": reasons.rendered_files,
    "streams.settings_page": settings_page.rendered_files,
    "schemas.events.jsonschema": jsonschema.rendered_files,
    "sinks.ddl": ddl.rendered_files,
    "sinks.access": access.rendered_files,
    "schemas.metrics": metrics.rendered_files,
    "dashboard.openapi": openapi.rendered_files,
}
"""Module -> its rendering."""

WHOLE_DIRECTORIES: Final = (jsonschema.DIRECTORY,)
"""Directories in which every file is rendered: another one there is left over, and would be published as true."""

DIFF_LINES: Final = 20


class RenderError(ValueError):
    """Two modules render the same file, or one renders outside of the repository. Names them."""


def rendered_files(sources: Mapping[str, Rendering] = SOURCES) -> dict[str, str]:
    """Path in the repository -> text, of all sources. Raises RenderError."""
    files: dict[str, str] = {}
    owners: dict[str, str] = {}
    for module, render in sources.items():
        for path, text in render().items():
            if path in owners:
                raise RenderError(f"{path}: rendered by {owners[path]} and by {module}; one must go")
            if Path(path).is_absolute() or ".." in Path(path).parts:
                raise RenderError(f"{path}: {module} renders outside of the repository")
            files[path], owners[path] = text, module
    return files


def write(root: Path, files: Mapping[str, str]) -> list[str]:
    """Write what differs; the paths that were written."""
    written = []
    for path, text in files.items():
        if _read(root / path) != text:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8", newline="\n")
            written.append(path)
    return written


def stale(root: Path, files: Mapping[str, str]) -> dict[str, str]:
    """Path -> what is wrong with it: missing, or the first lines of the difference."""
    problems = {}
    for path, text in files.items():
        found = _read(root / path)
        if found is None:
            problems[path] = "is missing"
        elif found != text:
            problems[path] = "is stale\n" + _difference(found, text)
    return problems


def left_over(
    root: Path, files: Mapping[str, str], directories: tuple[str, ...] = WHOLE_DIRECTORIES
) -> list[str]:
    """Files in wholly rendered directories that nothing renders."""
    present = (path for directory in directories for path in (root / directory).rglob("*") if path.is_file())
    return sorted(name for path in present if (name := path.relative_to(root).as_posix()) not in files)


def _read(path: Path) -> str | None:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""  # not ours: differs from whatever is rendered


def _difference(found: str, wanted: str) -> str:
    lines = difflib.unified_diff(
        found.splitlines(), wanted.splitlines(), "in the repository", "rendered", lineterm="", n=1
    )
    shown = list(islice(lines, DIFF_LINES + 1))
    if len(shown) > DIFF_LINES:
        shown[DIFF_LINES:] = ["..."]
    # Files that differ in line ends or in the last one only show no line.
    return "\n".join(f"    {line}" for line in shown or ["(line ends)"])


def main(arguments: list[str] | None = None, *, root: Path = ROOT) -> int:
    """0: written, or all fresh. 1: `--check` found something, or a file is left over."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.render", description="Write every file that is made from data."
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a file is stale")
    check = parser.parse_args(arguments).check
    files = rendered_files()
    unknown = left_over(root, files)
    for path in unknown:
        print(f"{path}: nothing renders it; delete it, or take its directory out of WHOLE_DIRECTORIES")
    if not check:
        for path in write(root, files):
            print(f"{path}: written")
        return 1 if unknown else 0
    problems = stale(root, files)
    for path, problem in problems.items():
        print(f"{path}: {problem}")
    if problems:
        print(f"{len(problems)} of {len(files)} rendered files are not fresh; run `make render`")
    return 1 if problems or unknown else 0


if __name__ == "__main__":
    sys.exit(main())
