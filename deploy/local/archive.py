"""A class data archive: what the JVM would load and verify anew at each start, mapped ready from a file.

It halves the CPU time of the broker's start, and is made once a machine, Java and set of jars: a short run of the
broker on a scratch directory writes down which classes it loads, then the JVM dumps those. The bundled Java ships
without even the archive of its own classes, so without this each start begins from nothing.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.local.java import Java
from deploy.local.process import bound

# Only the quick compiler: the work is too short for the other one to pay. Does not bind the runs that use it.
QUICK = "-XX:TieredStopAtLevel=1"

DUMP_SECONDS = 120.0  # takes 5 to 10 s on two busy cores

# Runs the broker to readiness and down again, with these extra JVM flags, in this scratch directory.
TrainingRun = Callable[[Sequence[str], Path], None]


def cache_directory() -> Path:
    """Where machine-wide caches live: below XDG_CACHE_HOME, else ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "shopmeter"


def archive_flags(archive: Path) -> list[str]:
    """JVM flags that use the archive if it is there and fits; otherwise the JVM starts without, only slower."""
    return [f"-XX:SharedArchiveFile={archive}", "-Xshare:auto", "-Xlog:cds=off", "-Xlog:cds+dynamic=off"]


def archive_path(java: Java, jars: Sequence[Path], directory: Path) -> Path:
    """The archive's file for this Java and class path. The JVM checks both again before it uses it."""
    facts = [str(java.executable), str(java.executable.stat().st_mtime_ns)]
    for jar in jars:
        facts += [str(jar), str(jar.stat().st_size), str(jar.stat().st_mtime_ns)]
    key = hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]
    return directory / f"kafka-{key}.jsa"


def make_archive(java: Java, jars: Sequence[Path], archive: Path, *, train: TrainingRun) -> None:
    """Make the archive, unless it is there. Raises what `train` raises, and subprocess's errors."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with archive.with_suffix(".lock").open("w") as turn:
        # Two first starts at a time would do the work twice, on the same cores.
        fcntl.flock(turn, fcntl.LOCK_EX)
        if archive.exists():
            return
        scratch = Path(tempfile.mkdtemp(prefix="kafka-archive-", dir=archive.parent))
        try:
            classes, fresh = scratch / "classes", scratch / "fresh.jsa"
            train([f"-XX:DumpLoadedClassList={classes}", "-Xshare:off", QUICK], scratch / "data")
            _dump(java, jars, classes, fresh)
            fresh.replace(archive)
        finally:
            shutil.rmtree(scratch)


def _dump(java: Java, jars: Sequence[Path], classes: Path, fresh: Path) -> None:
    command = [
        *[str(java.executable), "-Xshare:dump", "-XX:+UseSerialGC", QUICK],
        *[f"-XX:SharedClassListFile={classes}", f"-XX:SharedArchiveFile={fresh}"],
        *["-cp", os.pathsep.join(map(str, jars))],
    ]
    subprocess.run(bound(command), check=True, capture_output=True, timeout=DUMP_SECONDS)
