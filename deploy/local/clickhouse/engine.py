"""The embedded engine: one directory, one process, one short-lived session for each request.

A session of its own keeps `SET`, `USE` and parameters of one request out of the next, costs 0.3 ms, and lets
queries and inserts run beside each other: the engine serialises only what shares a session.
"""

import fcntl
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chdb

from deploy.local.clickhouse import errors
from deploy.local.clickhouse.errors import EngineError
from deploy.local.clickhouse.guard import Guard

# Bounds for a small machine, as start-up arguments. The background pool keeps its default size: below ~10 slots
# the engine stops choosing big merges, and below 20 it never runs a mutation.
CACHE_BYTES = 64 << 20
DEFAULT_MEMORY_BYTES = 4 << 30

# As a server has it: no bare expressions as statements; an insert is in its table when the answer comes. The profilers'
# timers cost a third of a small statement, and there is no trace log to read them from.
_BASE_SETTINGS = {
    "implicit_select": "0",
    "async_insert": "0",
    "query_profiler_real_time_period_ns": "0",
    "query_profiler_cpu_time_period_ns": "0",
}
_NAME = re.compile(r"[A-Za-z_]\w*")

# Formats whose blocks can be sent one after another: no header, no footer.
STREAMED_FORMATS = frozenset({"Native", "TabSeparated", "TSV", "CSV", "RowBinary", "JSONEachRow"})
_PIECE_BYTES = 1 << 20


class Locked(Exception):
    """Another process has the data directory open; says which one."""


@dataclass(slots=True)
class Stats:
    """What a statement read and wrote; filled while it runs."""

    read_rows: int = 0
    read_bytes: int = 0
    written_rows: int = 0
    written_bytes: int = 0
    result_rows: int = 0
    result_bytes: int = 0


def _literal(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _identifier(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"


def _assignments(settings: Mapping[str, str]) -> str:
    for name in settings:
        if not _NAME.fullmatch(name):
            raise EngineError(errors.UNKNOWN_SETTING, f"Unknown setting '{name}'")
    return ", ".join(f"{name} = {_literal(value)}" for name, value in settings.items())


class Session:
    """One connection to the engine. All methods block, raise EngineError, and belong to one thread at a time."""

    def __init__(self, connection: Any, query_id: str = "") -> None:
        self._connection = connection
        self._query_id = query_id

    def close(self) -> None:
        """Give the connection back; an unfinished stream of it is cancelled."""
        self._connection.close()

    def _run(self, sql: str, fmt: str, params: Mapping[str, str] | None = None) -> Any:
        try:
            return self._connection.query(sql, fmt, params=dict(params or {}))
        except Exception as error:
            raise EngineError.of(error) from None

    def set(self, settings: Mapping[str, str]) -> None:
        """Settings for this session only."""
        if settings:
            self._run(f"SET {_assignments(settings)}", "Null")

    def begin(self, settings: Mapping[str, str]) -> None:
        """A request's settings over those that all have, and its mark; in one statement, each takes a third of a ms."""
        self.set({**_BASE_SETTINGS, "log_comment": self._query_id, **settings})

    def use(self, database: str) -> None:
        """The database of unqualified names."""
        self._run(f"USE {_identifier(database)}", "Null")

    def classify(self, sql: str) -> tuple[str, int]:
        """See `guard.Parser`."""
        found = self._connection._conn.classify_query(sql)
        return found["query_class"].name, found["statement_count"]

    def normalise(self, sql: str) -> str:
        """See `guard.Parser`."""
        escaped = sql.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
        try:
            found = self._run("SELECT formatQuerySingleLine({q:String})", "TSVRaw", {"q": escaped})
        except EngineError as error:
            kind, message = (error.code, error.name), error.message.split(": In scope SELECT formatQuery")[0]
            raise EngineError(kind, message) from None
        return bytes(found.bytes()).decode()

    def text(self, sql: str) -> str:
        """The first and only value of a small query."""
        return bytes(self._run(sql, "TSVRaw").bytes()).decode().rstrip("\n")

    def whole(self, sql: str, fmt: str, params: Mapping[str, str], stats: Stats) -> Iterator[bytes]:
        """Run `sql` to its end, then hand out the result in pieces."""
        result = self._run(sql, fmt, params)
        stats.read_rows = result.storage_rows_read() or result.rows_read()
        stats.read_bytes = result.storage_bytes_read() or result.bytes_read()
        stats.written_rows, stats.written_bytes = result.rows_written(), result.bytes_written()
        stats.result_rows, stats.result_bytes = result.rows_read(), result.size()
        return _pieces(result)

    def stream(self, sql: str, fmt: str, params: Mapping[str, str], stats: Stats) -> Iterator[bytes]:
        """Run `sql` block by block. Only for STREAMED_FORMATS, and not WITH TOTALS or extremes (they get lost)."""
        try:
            blocks = self._connection.send_query(sql, fmt, params=dict(params))
        except Exception as error:
            raise EngineError.of(error) from None
        try:
            for block in blocks:
                data = block.bytes()
                stats.read_rows += block.storage_rows_read()
                stats.read_bytes += block.storage_bytes_read()
                stats.result_rows += block.rows_read()
                stats.result_bytes += len(data)
                yield data
        except GeneratorExit:
            raise
        except Exception as error:
            raise EngineError.of(error) from None
        finally:
            blocks.close()

    def insert(self, statement: str, fmt: str, chunks: Iterable[bytes], stats: Stats) -> None:
        """Insert `chunks`, bytes of one body in `fmt`. If they cannot be read to their end nothing is committed."""
        try:
            target = self._connection.send_insert(statement, fmt)
        except Exception as error:
            raise EngineError.of(error) from None
        try:
            for chunk in chunks:
                target.append(chunk)
            written = target.finish()
        except EngineError:
            raise
        except RuntimeError as error:
            raise EngineError.of(error) from None
        finally:
            # Also when the client has gone: a body cut short is not the client's data. After finish() a no-op.
            target.cancel()
        stats.written_rows, stats.written_bytes = written.rows_written, written.bytes_written
        stats.read_rows, stats.read_bytes = stats.written_rows, stats.written_bytes


def _pieces(result: Any) -> Iterator[bytes]:
    # The view dies with `result`, so pieces are copies; one copy of it all would stop every thread meanwhile.
    memory = result.get_memview()
    view = memory.view()
    for at in range(0, result.size(), _PIECE_BYTES):
        yield bytes(view[at : at + _PIECE_BYTES])


@dataclass(slots=True)
class Engine:
    """The engine on one data directory."""

    directory: Path
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    guard: Guard = field(init=False)
    version: str = field(init=False)
    timezone: str = field(init=False)
    _base: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Open it. Raises Locked if another process has; EngineError if it cannot be opened."""
        self.directory.mkdir(parents=True, exist_ok=True)
        _check_lock(self.directory / "status")
        options = {
            "max_server_memory_usage": self.memory_bytes,
            "mark_cache_size": CACHE_BYTES,
            "primary_index_cache_size": CACHE_BYTES,
            "uncompressed_cache_size": 0,
            "mmap_cache_size": 0,
        }
        arguments = "&".join(f"{name}={value}" for name, value in options.items())
        # This connection stays open to the end: the engine stops with its last one.
        try:
            self._base = chdb.connect(f"{self.directory.resolve()}?{arguments}")
        except RuntimeError as error:
            _check_lock(self.directory / "status")
            raise EngineError.of(error) from None
        session = Session(self._base)
        self.version, self.timezone = session.text("SELECT version(), timezone()").split("\t")
        self.guard = Guard(session.text("SELECT name FROM system.table_functions").split("\n"))

    def session(self, query_id: str) -> Session:
        """A fresh session; once it has begun, `kill` finds what it runs."""
        return Session(chdb.connect(str(self.directory.resolve())), query_id)

    def kill(self, query_id: str | None) -> None:
        """Ask what this query id runs (None: all) to stop; does not wait for it."""
        chosen = f"Settings['log_comment'] = {_literal(query_id)}" if query_id else "1"
        session = Session(chdb.connect(str(self.directory.resolve())))
        try:
            session._run(f"KILL QUERY WHERE {chosen} ASYNC", "Null")
        finally:
            session.close()

    def close(self) -> None:
        """Stop the engine. Sessions must be closed before."""
        self._base.close()


def _check_lock(status: Path) -> None:
    try:
        with status.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return
    except BlockingIOError:
        held_by = re.search(r"PID: (\d+)", status.read_text(errors="replace"))
        holder = "another process"
        if held_by:
            command = Path(f"/proc/{held_by[1]}/cmdline")
            name = (
                command.read_bytes().replace(b"\0", b" ").decode(errors="replace") if command.exists() else ""
            )
            holder = f"process {held_by[1]} ({name.strip()[:200]})"
        raise Locked(f"{status.parent}: in use by {holder}; stop it, or choose another directory") from None
