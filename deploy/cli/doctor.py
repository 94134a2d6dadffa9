"""The checks of `shopmeter doctor`: each prerequisite, what was found, and how to mend it."""

import asyncio
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Final, Literal, NamedTuple

from deploy.cli.found import Here, here, names_no_servers
from deploy.cli.query import reader_of
from deploy.local import ports
from deploy.local.errors import INSTALL_LOCAL, LocalStackError
from deploy.local.java import find_java
from deploy.local.lock import is_held
from deploy.prepare import stores_file_of
from deploy.stack import Ports
from schemas.rates import RatesError
from schemas.stores import StoresError
from streams.settings import SettingsError, load_rates, load_stores

State = Literal["ok", "note", "broken"]

MIN_PYTHON: Final = (3, 11)
KAFKA_SECONDS: Final = 20.0
CLOCK_TOLERANCE_SECONDS: Final = 60.0  # beyond it events are "corrected" (decisions H04)
MAVEN_LAYOUT: Final = "{group}/{artifact}/{version}/{artifact}-{version}.jar"


class Check(NamedTuple):
    """One prerequisite. `state`: ok, broken, or a note on what could not be looked at or will come by itself."""

    name: str
    state: State
    found: str
    mend: str = ""


async def examine(data: Path | None, *, free_bytes: int) -> list[Check]:
    """Every check, in the order in which things depend on each other. Never raises for what it looks for."""
    checks = [python()]
    try:
        found = here(data, starting=True)
    except SettingsError as error:
        checks.append(
            Check("Settings", "broken", str(error), "mend the variable or shopmeter.toml named there")
        )
        return checks
    checks.append(settings(found))
    is_local = found.stack is not None or names_no_servers(found.settings)
    checks += [java(), jars(), engine()] if is_local else not_needed("Java", "Jars", "Engine")
    checks += [directory(found), disk(found.settings.data_dir, free_bytes), stack(found)]
    checks += list(busy_ports(found)) if is_local else not_needed("Ports")
    checks.append(stores(found))
    checks += [await _looked_at("Kafka", found, topics), await _looked_at("ClickHouse", found, schema)]
    checks.append(await _looked_at("Clock", found, clock))
    return checks


def python() -> Check:
    """The interpreter's version."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < MIN_PYTHON:
        return Check("Python", "broken", version, "make the environment anew with Python 3.11 or later")
    return Check("Python", "ok", version)


def settings(found: Here) -> Check:
    """Where Kafka and ClickHouse are looked for."""
    chosen = found.settings
    return Check("Settings", "ok", f"kafka {chosen.kafka.bootstrap}, clickhouse {chosen.clickhouse.url}")


def not_needed(*names: str) -> list[Check]:
    """What only a local stack needs, where none runs and none could be started."""
    return [Check(name, "note", "not needed: the settings name servers") for name in names]


def java() -> Check:
    """A Java for the local broker."""
    try:
        there = find_java()
    except LocalStackError as error:
        return Check("Java", "broken", str(error), f"{INSTALL_LOCAL} brings one along")
    return Check("Java", "ok", f"{there.feature} ({there.origin})")


def jars() -> Check:
    """The broker's jars in the machine's cache."""
    if importlib.util.find_spec("jgo") is None:
        return Check("Jars", "broken", "jgo, which fetches them, is not installed", INSTALL_LOCAL)
    import jgo

    from deploy.local.jars import read_pins

    cache = Path(jgo.config.GlobalSettings.load().repo_cache)
    pins = read_pins()
    missing = [name for name in pins if not (cache / _path_of(name)).exists()]
    if not missing:
        return Check("Jars", "ok", f"all {len(pins)} of the broker are in {cache}")
    text = f"{len(missing)} of {len(pins)} are not in {cache} yet; the first start fetches them"
    return Check("Jars", "note", text, "without a network, copy that directory from a machine that has it")


def _path_of(coordinate: str) -> str:
    group, artifact, version = coordinate.split(":")
    return MAVEN_LAYOUT.format(group=group.replace(".", "/"), artifact=artifact, version=version)


def engine() -> Check:
    """The embedded ClickHouse."""
    if importlib.util.find_spec("chdb") is None:
        return Check("Engine", "broken", "chdb is not installed", INSTALL_LOCAL)
    return Check("Engine", "ok", "chdb is installed")


def directory(found: Here) -> Check:
    """The data directory can be written, and others can't read it."""
    path = found.settings.data_dir
    if not path.exists():
        parent = next(parent for parent in path.parents if parent.exists())
        if not os.access(parent, os.W_OK):
            return Check("Data", "broken", f"{parent} can't be written", "choose another with --data DIR")
        return Check("Data", "ok", f"{path} will be made")
    if not path.is_dir() or not os.access(path, os.W_OK | os.X_OK):
        return Check(
            "Data", "broken", f"{path} is no directory that can be written", "choose another with --data DIR"
        )
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        return Check("Data", "broken", f"{path} is open to others (mode {mode:o})", f"chmod 700 {path}")
    return Check("Data", "ok", f"{path}, mode {mode:o}")


def disk(path: Path, free_bytes: int) -> Check:
    """Free space below the data directory."""
    there = next(place for place in (path, *path.parents) if place.exists())
    free = shutil.disk_usage(there).free
    text = f"{free / 1e9:.1f} GB free in {there}"
    if free < free_bytes:
        return Check(
            "Disk", "broken", text, f"free some: it needs {free_bytes / 1e9:.1f} GB; or use --data DIR"
        )
    return Check("Disk", "ok", text)


def stack(found: Here) -> Check:
    """Whether a stack runs here. Not running is no fault; a lock without its holder's note is."""
    path = found.settings.data_dir
    if found.stack is not None:
        urls = ", ".join(f"{name} {url}" for name, url in found.stack.urls.items())
        return Check("Stack", "ok", f"runs as pid {found.stack.pid}: {urls or 'still starting'}")
    if is_held(path):
        return Check(
            "Stack",
            "broken",
            f"{path} is locked by a process that does not say who it is",
            f"find it with `fuser {path}/lock` and stop it, or choose another directory with --data DIR",
        )
    return Check("Stack", "note", f"none runs in {path}; start one with `shopmeter up`")


def busy_ports(found: Here) -> Iterator[Check]:
    """The usual ports are free; a running stack has them, or others, by itself."""
    if found.stack is not None:
        return
    usual = Ports()
    held = {}
    for name, option in (
        ("kafka", "--kafka-port"),
        ("controller", "--controller-port"),
        ("clickhouse", "--clickhouse-port"),
        ("reader", "--reader-port"),
        ("worker", "--worker-port"),
        ("sink", "--sink-port"),
        ("probe", "--probe-port"),
        ("api", "--api-port"),
    ):
        port = getattr(usual, name)
        if ports.is_busy(port):
            held[option] = f"{port} ({name}) is held by {ports.holder(port) or 'another process'}"
    if held:
        mend = f"stop it, or start with {', '.join(held)} or --free-ports"
        yield Check("Ports", "broken", "; ".join(held.values()), mend)
    else:
        yield Check("Ports", "ok", "the usual ones are free")


def stores(found: Here) -> Check:
    """`stores.toml`: the project's, or the data directory's own."""
    path = stores_file_of(found.settings, found.settings.data_dir)
    if not path.exists() and path.parent == found.settings.data_dir:
        return Check("Stores", "ok", "no stores.toml; the first start makes one with the store acme")
    try:
        loaded = load_stores(found.settings)
        load_rates(found.settings, loaded)
    except StoresError as error:
        return Check(
            "Stores", "broken", str(error), "mend the file, or name another with SHOPMETER_STORES_FILE"
        )
    except RatesError as error:
        return Check("Stores", "broken", str(error), "mend that file; docs/stores.md says what it holds")
    if not loaded:
        return Check(
            "Stores", "broken", f"{path} has no store", "add one: [stores.acme] with zone and currency"
        )
    return Check("Stores", "ok", f"{', '.join(sorted(loaded))} ({path})")


Look = Callable[[Here], Awaitable[Check]]


async def _looked_at(name: str, found: Here, look: Look) -> Check:
    """A check that asks a server; without a stack and without settings of their own there is nobody to ask."""
    from aiokafka.errors import KafkaError

    from deploy.query import QueryRefused, Unreachable
    from streams.topics import TopicsError

    chosen = found.settings
    if found.stack is not None and not found.stack.urls:
        return Check(name, "note", f"not looked at: the stack (pid {found.stack.pid}) is still starting")
    if found.stack is None and names_no_servers(chosen):
        return Check(name, "note", "not looked at: no stack runs here, and the settings name none")
    try:
        return await asyncio.wait_for(look(found), KAFKA_SECONDS)
    except (KafkaError, OSError, TimeoutError, QueryRefused, Unreachable, TopicsError) as error:
        where = chosen.kafka.bootstrap if look is topics else chosen.clickhouse.url
        return Check(
            name,
            "broken",
            f"{where}: {str(error) or type(error).__name__}",
            "start it, or mend its address in the settings; logs of a local one are in <data>/logs",
        )


async def topics(found: Here) -> Check:
    """The topics are there, with the settings they must have."""
    from streams.topics import check_topics

    problems = await check_topics(found.settings)
    if problems:
        first = "; ".join(f"{problem.topic} {problem.kind}" for problem in problems[:5])
        return Check("Kafka", "broken", f"{len(problems)} problems with topics: {first}", problems[0].mend)
    return Check("Kafka", "ok", f"{found.settings.kafka.bootstrap}: the topics are as they must be")


async def schema(found: Here) -> Check:
    """The tables are there, in this version."""
    from clickhouse_migrations.defaults import MIGRATIONS_TABLE

    from deploy.query import rows
    from sinks.migrate import DIRECTORY

    sql = f"SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = '{MIGRATIONS_TABLE}'"
    server = reader_of(found)
    files = sorted(path.name for path in DIRECTORY.glob("*.sql"))
    applied = 0
    if int((await asyncio.to_thread(rows, server, sql))[0][0]):
        sql = f"SELECT uniqExact(version) FROM {MIGRATIONS_TABLE}"
        applied = int((await asyncio.to_thread(rows, server, sql))[0][0])
    if applied < len(files):
        return Check(
            "ClickHouse",
            "broken",
            f"{server.url}: {applied} of {len(files)} migrations applied",
            "run `shopmeter migrate`",
        )
    return Check("ClickHouse", "ok", f"{server.url}: all {len(files)} migrations applied")


async def clock(found: Here) -> Check:
    """This machine's clock beside ClickHouse's: skew correction and `in_future` live by it."""
    from deploy.query import rows

    answer = await asyncio.to_thread(rows, reader_of(found), "SELECT toUnixTimestamp64Milli(now64(3))")
    off = time.time() - int(answer[0][0]) / 1000
    if abs(off) > CLOCK_TOLERANCE_SECONDS:
        return Check(
            "Clock", "broken", f"{off:+.0f} s beside ClickHouse's", "set the clocks by NTP, here and there"
        )
    return Check("Clock", "ok", f"{off:+.1f} s beside ClickHouse's")
