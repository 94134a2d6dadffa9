"""The broker's jars: pinned by coordinate and SHA-256, fetched and cached by jgo.

The pins stand in `kafka_jars.toml`. `python -m deploy.local.jars` resolves KAFKA and writes them anew, which is
needed only when the version changes. A start reads the pins alone: it resolves nothing, so it is the same on
every machine, and needs no network once the jars are cached.
"""

import fcntl
import hashlib
import importlib
import logging
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.local.errors import INSTALL_LOCAL, JarsUnavailable

KAFKA_VERSION = "4.4.0"
KAFKA = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"

# The broker logs through SLF4J 1.7 and its coordinates bring no binding: without this jar it logs nothing.
# Not resolved together with KAFKA: its dependency management would put kafka-clients 3.9 on the class path.
LOG_BINDING = "org.apache.logging.log4j:log4j-slf4j-impl"
LOG_CORE = "org.apache.logging.log4j:log4j-core"

PINS = Path(__file__).with_name("kafka_jars.toml")

Progress = Callable[[str], None]

_log = logging.getLogger(__name__)


def quiet(_: str) -> None:
    """A progress callback for callers that show nothing."""


def kafka_jars(progress: Progress = quiet) -> tuple[Path, ...]:
    """Every jar of the class path, in the order of the pins, each with exactly the pinned bytes.

    Fetches what is not cached. A cached jar with other bytes (a download that was cut off) is fetched again once;
    JarsUnavailable if that does not mend it, if a jar cannot be had, or if the cache lacks some and is read-only.
    """
    pins = read_pins()
    context = _maven()
    cached = tuple(Path(_artifact(context, coordinate).cached_path) for coordinate in pins)
    # Looked at without the lock, which takes the right to write: a cache that has all may be read-only.
    if all(_has(path, sha256) for path, sha256 in zip(cached, pins.values(), strict=True)):
        return cached
    try:
        context.repo_cache.mkdir(parents=True, exist_ok=True)
        # Two first starts at a time would write into each other's half-fetched jars.
        with (context.repo_cache / ".shopmeter.lock").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            return tuple(
                _pinned_jar(context, coordinate, sha256, f"{number}/{len(pins)}", progress)
                for number, (coordinate, sha256) in enumerate(pins.items(), start=1)
            )
    except OSError as error:
        raise JarsUnavailable(
            f"{context.repo_cache} lacks jars of Kafka and can't be written: {error.strerror}: {error.filename}. "
            "Make it writable, name another directory with M2_REPO, or copy it from a machine that has the jars."
        ) from error


def read_pins(path: Path = PINS) -> dict[str, str]:
    """SHA-256 in hex by "group:artifact:version"."""
    pins = tomllib.loads(path.read_text())["jars"]
    if KAFKA not in pins:
        raise JarsUnavailable(
            f"{path}: pins no {KAFKA}; the version in jars.py was changed and the pins were not: "
            "run `python -m deploy.local.jars` and commit both"
        )
    return {str(coordinate): str(sha256) for coordinate, sha256 in pins.items()}


def _pinned_jar(context: Any, coordinate: str, sha256: str, position: str, progress: Progress) -> Path:
    artifact = _artifact(context, coordinate)
    found = "not cached"
    cached: Path = artifact.cached_path
    if cached.exists():
        found = _sha256(cached)
        if found == sha256:
            return cached
        _log.warning("%s has SHA-256 %s, pinned is %s; fetching it again", cached, found, sha256)
        cached.unlink()
    progress(f"fetching {cached.name} ({position})")
    try:
        path = Path(artifact.resolve())
    # jgo lets through whatever its HTTP library raises, and RuntimeError for "not in any repository".
    except Exception as error:
        cached.unlink(missing_ok=True)  # half a jar would be taken for a whole one next time
        raise JarsUnavailable(
            f"{coordinate} is not in {context.repo_cache} and cannot be fetched: {type(error).__name__}: {error}. "
            "The first start needs the network; or copy that directory from a machine that has it."
        ) from error
    fetched = _sha256(path)
    if fetched != sha256:
        path.unlink(missing_ok=True)
        raise JarsUnavailable(
            f"{path}: fetched with SHA-256 {fetched}, but {PINS.name} pins {sha256}. It was removed. "
            "Try again; if it stays so, the source of the jars is not to be trusted."
        )
    return path


def _artifact(context: Any, coordinate: str) -> Any:
    group, artifact, version = coordinate.split(":")
    return context.project(group, artifact).at_version(version).artifact()


def _has(path: Path, sha256: str) -> bool:
    try:
        return _sha256(path) == sha256
    except OSError:  # not there, or not ours to read
        return False


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _maven() -> Any:
    try:
        jgo = importlib.import_module("jgo")  # 0.7 s: not paid by commands that start no broker
    except ImportError as error:
        raise JarsUnavailable(
            f"jgo, which fetches the Kafka jars, is not installed: {INSTALL_LOCAL}"
        ) from error
    settings = jgo.config.GlobalSettings.load()
    # jgo's own `build` is not used: it wants a second JDK only to sort the jars into class and module path.
    return jgo.MavenContext(repo_cache=settings.repo_cache)


def write_pins(path: Path = PINS) -> int:
    """Resolve KAFKA, fetch every jar, write the pins; the number of jars."""
    context = _maven()
    resolved = importlib.import_module("jgo").resolve(KAFKA)
    coordinates = [f"{jar.groupId}:{jar.artifactId}:{jar.version}" for jar in resolved]
    log_version = next(name.rpartition(":")[2] for name in coordinates if name.startswith(f"{LOG_CORE}:"))
    coordinates.append(f"{LOG_BINDING}:{log_version}")
    lines = [
        f'"{coordinate}" = "{_sha256(_artifact(context, coordinate).resolve())}"'
        for coordinate in sorted(coordinates)
    ]
    head = (
        "# Written by `python -m deploy.local.jars`: the broker's class path and the SHA-256 of each jar.\n"
    )
    path.write_text(head + "[jars]\n" + "\n".join(lines) + "\n")
    return len(lines)


if __name__ == "__main__":
    print(f"{PINS.name}: {write_pins()} jars pinned for {KAFKA}")
