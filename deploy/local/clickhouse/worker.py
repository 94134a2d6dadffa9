"""One request against the engine, from its own thread: judge, run, and hand the answer out in pieces."""

import json
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import chain

from deploy.local.clickhouse import errors
from deploy.local.clickhouse.codec import choose, compress, decompress
from deploy.local.clickhouse.engine import STREAMED_FORMATS, Engine, Session, Stats
from deploy.local.clickhouse.errors import EngineError
from deploy.local.clickhouse.guard import Side
from deploy.local.clickhouse.request import HARMLESS_SETTINGS, Query, reader_settings
from deploy.local.clickhouse.sqltext import (
    MAX_HEAD_BYTES,
    Incomplete,
    InsertHead,
    insert_head,
    output_format,
    tokens,
)

# A statement with its inline values; data in a named FORMAT streams and has no bound.
MAX_TEXT_BYTES = 256 << 20
# What is held back before headers are sent: an error within it still gets its proper HTTP status.
HELD_BACK_BYTES = 1 << 20
# What wait_end_of_query holds is this process's memory, which no limit of the engine counts: a few unbounded
# answers would have the machine kill the database.
MAX_WAITED_BYTES = 256 << 20

_CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "CSVWithNamesAndTypes": "text/csv; charset=UTF-8; header=present",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "Native": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "RowBinary": "application/octet-stream",
}


@dataclass(slots=True)
class Running:
    """One request at work: the mark by which `Engine.kill` finds it, and whether stopping it loses nothing."""

    mark: str
    reading: bool = False


@dataclass(slots=True)
class LateError:
    """An error after the headers: it follows in the body, marked with a tag that the headers announced."""

    tag: str = field(default_factory=lambda: secrets.token_hex(8))
    raised: bool = False

    def after(self, pieces: Iterator[bytes], version: str) -> Iterator[bytes]:
        """`pieces`; if they break off, the error in place of the rest, and `raised`."""
        try:
            yield from pieces
        except EngineError as error:
            self.raised = True
            tag, text = self.tag.encode(), error.body(version).encode()
            yield b"\r\n__exception__\r\n%b\r\n%b%d %b\r\n__exception__\r\n" % (tag, text, len(text), tag)
        finally:
            if hasattr(pieces, "close"):
                pieces.close()


@dataclass(slots=True)
class Reply:
    """An answer that has begun well. `held` is ready; `rest`, if any, still runs and must be exhausted or closed."""

    headers: dict[str, str]
    held: list[bytes]
    rest: Iterator[bytes] | None = None
    late: "LateError" = field(default_factory=lambda: LateError())


def content_type(fmt: str) -> str:
    """The Content-Type of a result in `fmt`."""
    fallback = "application/json; charset=UTF-8" if fmt.startswith("JSON") else "text/plain; charset=UTF-8"
    return _CONTENT_TYPES.get(fmt, fallback)


def begin(engine: Engine, query: Query, running: Running, body: Iterator[bytes]) -> Callable[[], Reply]:
    """Read and judge the statement. What is returned must be called: it has a session, and gives it back.

    It runs the request to its end, or to its first megabyte of answer. Both block, each in whichever thread,
    and raise EngineError.
    """
    session = engine.session(running.mark)
    try:
        work = _judge(engine, session, query, running, body)
    except BaseException:
        session.close()
        raise
    return partial(_run, session, work)


def _run(session: Session, work: Callable[[], Reply]) -> Reply:
    try:
        reply = work()
    except BaseException:
        session.close()
        raise
    if reply.rest is None:
        session.close()
    else:
        reply.rest = _closing([], reply.rest, session)
    return reply


def _judge(
    engine: Engine, session: Session, query: Query, running: Running, body: Iterator[bytes]
) -> Callable[[], Reply]:
    started = time.monotonic_ns()
    head, text, data = _statement(query.sql, decompress(body, query.content_encoding))
    _prepare(session, query)
    if head is not None:
        engine.guard.check(session, f"{head.statement} FORMAT {head.format}", query.side)
        return partial(_insert, session, query, head, data, started)
    kind = engine.guard.check(session, text, query.side, query.settings)
    running.reading = kind == "READ_ONLY"
    return partial(_execute, engine, session, query, text, started, reading=running.reading)


def _insert(session: Session, query: Query, head: InsertHead, data: Iterator[bytes], started: int) -> Reply:
    stats = Stats()
    _protect(session, query)
    session.set({f"param_{name}": value for name, value in query.params.items()})
    session.insert(head.statement, head.format, data, stats)
    return Reply(_headers(stats, started, None), [])


def _execute(
    engine: Engine, session: Session, query: Query, text: str, started: int, *, reading: bool
) -> Reply:
    stats = Stats()
    _protect(session, query)
    fmt = output_format(text) or query.default_format
    streams = reading and fmt in STREAMED_FORMATS and _can_stream(text, query)
    run = session.stream if streams else session.whole
    pieces = run(text, fmt, query.params, stats)
    # What ran as a whole cannot fail any more, so it need not be held back to keep an error's status.
    held, ended = _hold_all(pieces) if streams and query.wait_end_of_query else _hold(pieces, HELD_BACK_BYTES)
    late = LateError()
    rest = None if ended else late.after(pieces, engine.version)
    # A statement that gives no result has no format either; clients tell the two apart by this header.
    headers = _headers(stats, started, fmt if reading or held else None)
    coding = choose(query.accept_encoding)
    if coding is None or not held:
        return Reply(headers, held, rest, late)
    headers["Content-Encoding"] = coding
    packed = compress(_closing(held, rest, None), coding)
    return Reply(headers, list(packed)) if rest is None else Reply(headers, [], packed, late)


def _closing(held: list[bytes], rest: Iterator[bytes] | None, session: Session | None) -> Iterator[bytes]:
    """`held`, then `rest`; however this ends, what produced `rest` is closed, and the session after it."""
    try:
        yield from held
        if rest is not None:
            yield from rest
    finally:
        if rest is not None and hasattr(rest, "close"):
            rest.close()
        if session is not None:
            session.close()


def _statement(sql: str, body: Iterator[bytes]) -> tuple[InsertHead | None, str, Iterator[bytes]]:
    """The insert's head and its data; or no head, and the whole text."""
    text = f"{sql}\n".encode() if sql else b""
    ended = False
    while not ended:
        chunk = next(body, None)
        ended = chunk is None
        text += chunk or b""
        try:
            head = insert_head(text, ended=ended)
        except Incomplete:
            if len(text) > MAX_HEAD_BYTES:
                head = None
            else:
                continue
        except UnicodeDecodeError as error:
            raise EngineError(errors.BAD_ARGUMENTS, f"The statement is not UTF-8: {error}") from None
        if head is not None:
            return head, "", chain(_nonempty(text[head.data_at :]), body)
        break
    parts, size = [text], len(text)
    for chunk in body:
        size += len(chunk)
        if size > MAX_TEXT_BYTES:
            message = f"Statement longer than {MAX_TEXT_BYTES} bytes: send rows with INSERT ... FORMAT"
            raise EngineError(errors.QUERY_IS_TOO_LARGE, message)
        parts.append(chunk)
    try:
        return None, b"".join(parts).decode(), iter(())
    except UnicodeDecodeError as error:
        raise EngineError(errors.BAD_ARGUMENTS, f"The statement is not UTF-8: {error}") from None


def _nonempty(data: bytes) -> Iterable[bytes]:
    return (data,) if data else ()


def _prepare(session: Session, query: Query) -> None:
    settings = dict(query.settings)
    if query.side is Side.READER:
        settings = reader_settings(settings)
    session.begin(settings)
    if query.database:
        session.use(query.database)


def _protect(session: Session, query: Query) -> None:
    if query.readonly == "0":
        return
    session.set({"readonly": query.readonly})
    if query.side is Side.READER:
        # The engine refuses these (164), unless they ask for the value that is set anyway.
        session.set({k: v for k, v in query.settings.items() if k not in HARMLESS_SETTINGS})


def _can_stream(sql: str, query: Query) -> bool:
    # Block by block the engine runs SELECTs only, and sends neither totals nor extremes.
    lowered = sql.lower()
    first = next(tokens(lowered.encode()))
    selects = lowered.encode()[first.start : first.end] in (b"select", b"with", b"from", b"(")
    return (
        selects and "totals" not in lowered and "extremes" not in lowered and "extremes" not in query.settings
    )


def _hold_all(pieces: Iterator[bytes]) -> tuple[list[bytes], bool]:
    """As `_hold`, but to the end. Raises EngineError 396 for more than MAX_WAITED_BYTES."""
    held, ended = _hold(pieces, MAX_WAITED_BYTES + 1)
    if ended:
        return held, ended
    # The error keeps this frame alive, and with it all that was held.
    held.clear()
    if hasattr(pieces, "close"):
        pieces.close()
    raise EngineError(
        errors.TOO_MANY_ROWS_OR_BYTES,
        f"The answer is longer than {MAX_WAITED_BYTES} bytes, the most that wait_end_of_query=1 can hold: "
        "leave out wait_end_of_query to get it while it runs, or ask for less with LIMIT",
    )


def _hold(pieces: Iterator[bytes], limit: int) -> tuple[list[bytes], bool]:
    """The first `limit` bytes, and whether that was the end."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        if len(piece):
            held.append(piece)
            size += len(piece)
        if size >= limit:
            return held, False
    return held, True


def _headers(stats: Stats, started: int, fmt: str | None) -> dict[str, str]:
    summary = {
        **asdict(stats),
        "total_rows_to_read": stats.read_rows,
        "elapsed_ns": time.monotonic_ns() - started,
    }
    headers = {"X-ClickHouse-Summary": json.dumps({name: str(value) for name, value in summary.items()})}
    if fmt is not None:
        headers["X-ClickHouse-Format"] = fmt
        headers["Content-Type"] = content_type(fmt)
    return headers
