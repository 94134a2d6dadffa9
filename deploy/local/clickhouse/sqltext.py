"""Where a statement's words are: enough of ClickHouse's lexer to find its FORMAT and where inline data begins.

Nothing here decides what is allowed: that is `guard`, which asks the engine's own parser.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

# A statement (the data of an INSERT not counted) longer than this is refused.
MAX_HEAD_BYTES = 1 << 20

# Reports repeat their texts; longer ones hold values, and come once.
_REMEMBERED_CHARS = 16 << 10

_TOKEN = re.compile(
    rb"""(?P<space>\s+|--[^\n]*|\#[!\s][^\n]*)
    |(?P<comment>/\*)
    |(?P<quoted>'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`(?:[^`\\]|\\.|``)*`|\$(\w*)\$.*?\$\4\$)
    |(?P<word>[A-Za-z_]\w*)
    |(?P<open>['"`])
    |(?P<other>[0-9][\w.]*|.)""",
    re.DOTALL | re.VERBOSE,
)
_COMMENT_EDGE = re.compile(rb"/\*|\*/")


class Token(NamedTuple):
    """One lexeme. `open` is a string or comment that the text ends before closing."""

    kind: Literal["word", "quoted", "other", "open"]
    start: int
    end: int


def tokens(sql: bytes) -> Iterator[Token]:
    """The lexemes of `sql` without space and comments (which nest, as in ClickHouse)."""
    position = 0
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        assert match is not None  # the last alternative takes any byte
        start, position = match.span()
        match match.lastgroup:
            case "space":
                continue
            case "comment":
                closed = _end_of_comment(sql, position)
                if closed is None:
                    yield Token("open", start, len(sql))
                    return
                position = closed
            case "open":
                yield Token("open", start, len(sql))
                return
            case "word":
                yield Token("word", start, position)
            case "quoted":
                yield Token("quoted", start, position)
            case _:
                yield Token("other", start, position)


def _end_of_comment(sql: bytes, position: int) -> int | None:
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(sql, position)
        if edge is None:
            return None
        depth += 1 if edge.group() == b"/*" else -1
        position = edge.end()
    return position


@dataclass(frozen=True, slots=True)
class InsertHead:
    """An INSERT whose rows follow as raw bytes: `statement` without its FORMAT clause, and where data begins."""

    statement: str
    format: str
    data_at: int


class Incomplete(Exception):
    """The bytes so far do not show yet whether data follows; give more."""


def insert_head(text: bytes, *, ended: bool) -> InsertHead | None:
    """The head of an INSERT with a FORMAT and data behind it; None for every other statement.

    `ended`: no more bytes will come. Raises Incomplete when more could change the answer.
    """
    depth = 0
    before = b""
    format_at: int | None = None
    seen = False
    for token in tokens(text):
        if token.kind == "open" or (token.end == len(text) and not ended):
            break
        word = text[token.start : token.end].upper() if token.kind == "word" else b""
        if format_at is not None:
            if token.kind != "word" or word == b"VALUES":
                return None
            data_at = _skip_to_data(text, token.end, ended)
            return InsertHead(text[:format_at].decode(), text[token.start : token.end].decode(), data_at)
        if not seen and word != b"INSERT":
            return None
        seen = True
        symbol = text[token.start : token.end]
        depth += (symbol == b"(") - (symbol == b")")
        named = before in (b"INTO", b"TABLE", b".")
        if depth == 0 and word and not named:
            if word in (b"SELECT", b"WITH", b"VALUES", b"FROM"):
                return None
            if word == b"FORMAT":
                format_at = token.start
        before = word or symbol
    if ended:
        return None
    raise Incomplete


def _skip_to_data(text: bytes, position: int, ended: bool) -> int:
    # The format's name is followed by blanks and one line break; everything after that is data, byte for byte.
    while position < len(text) and text[position] in b" \t\f":
        position += 1
    position += text[position : position + 1] == b"\r"
    if position >= len(text) and not ended:
        raise Incomplete
    return position + (text[position : position + 1] == b"\n")


def output_format(sql: str) -> str | None:
    """The format named by the statement's own trailing FORMAT clause, if it has one."""
    return _known_format(sql) if len(sql) <= _REMEMBERED_CHARS else _find_format(sql)


@lru_cache(256)
def _known_format(sql: str) -> str | None:
    return _find_format(sql)


def _find_format(sql: str) -> str | None:
    text = sql.encode()
    found: str | None = None
    state = 0
    for token in tokens(text):
        word = text[token.start : token.end]
        if token.kind == "word" and word.upper() == b"FORMAT":
            state, found = 1, None
        elif state == 1:
            state, found = (2, word.decode()) if token.kind == "word" else (0, None)
        elif state == 2 and word != b";":
            # FORMAT name may be followed by SETTINGS; by anything else it was no FORMAT clause.
            state, found = (3, found) if word.upper() == b"SETTINGS" else (0, None)
    return found
