"""What may run: judged by the engine's own parser, before anything runs.

An embedded engine is both client and server, so it does what no server would for a remote client: it writes
`INTO OUTFILE` and reads files, programs, and the network through functions, also with `readonly = 1`.
"""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Protocol

from deploy.local.clickhouse import errors
from deploy.local.clickhouse.errors import EngineError
from deploy.local.clickhouse.sqltext import tokens


class Side(Enum):
    """Who asks: `FULL` may change data; `READER` may look at it."""

    FULL = "full"
    READER = "reader"


class Parser(Protocol):
    """What the guard needs of the engine; neither call runs the statement."""

    def classify(self, sql: str) -> tuple[str, int]:
        """The statement's class (READ_ONLY, MUTATING, CONTROL, ...) and how many statements there are."""

    def normalise(self, sql: str) -> str:
        """The statement as the engine reads it: no comments, no escapes in names. Raises EngineError."""


# Table functions that stay inside the engine. A list of what is allowed: a new engine brings new ways out.
INNER_TABLE_FUNCTIONS = frozenset(
    """
    numbers numbers_mt zeros zeros_mt values view viewexplain null generateseries generate_series
    generaterandom primes format merge dictionary input mergetreeindex mergetreeprojection
    mergetreetextindex mergetreeanalyzeindexes
    """.split()  # noqa: SIM905
)
# Not table functions, or known under other names: the scalar file(), sources of dictionaries, the AI functions.
_OUTER_EXTRA = frozenset(
    """
    file url http executable executablepool library s3queue azurequeue kafka nats rabbitmq airedact
    aisimilarity aifilter aiclassify aiembed aiextract aigenerate aitranslate clickhouse cassandra
    """.split()  # noqa: SIM905
)
_INNER_ENGINES = re.compile(
    r"\w*MergeTree|Memory|Null|Log|TinyLog|StripeLog|Merge|Join|Set|Buffer|Dictionary|GenerateRandom|Atomic",
    re.I,
)
# These name files of the machine as schema or template of a format.
_FILE_SETTINGS = ("format_schema", "format_template", "output_format_schema", "user_files")
_RUNNABLE_CONTROL = frozenset({"KILL", "SYSTEM"})

# A report asks the same dozen texts again and again, with other parameters: to parse one takes longer than a small query.
REMEMBERED = 256
REMEMBERED_CHARS = 16 << 10
_NO_SETTINGS: Mapping[str, str] = {}


class Guard:
    """Refuses statements. Built once from the engine's own list of table functions."""

    def __init__(self, table_functions: list[str]) -> None:
        names = {name.lower() for name in table_functions}
        self._outer = frozenset((names - INNER_TABLE_FUNCTIONS) | _OUTER_EXTRA)
        words = "|".join(map(re.escape, sorted({*self._outer, "outfile", "infile", "engine"})))
        # Only a text with one of these, or with an escape that could hide one, needs a closer look.
        self._suspicious = re.compile(rf"(?<!\w)(?:{words})(?!\w)|{'|'.join(_FILE_SETTINGS)}|\\")
        self._passed: dict[tuple[str, Side, frozenset[tuple[str, str]]], str] = {}

    def check(self, parser: Parser, sql: str, side: Side, settings: Mapping[str, str] = _NO_SETTINGS) -> str:
        """Let `sql` pass (returning its class) or raise EngineError: 62 not one statement, 164 reader, 497 reach.

        A reading text that has passed passes again unparsed, under the same `settings`: one of them could be its dialect.
        """
        if len(sql) > REMEMBERED_CHARS:
            return self._judged(parser, sql, side)
        asked = sql, side, frozenset(settings.items())
        if (known := self._passed.get(asked)) is not None:
            return known
        kind = self._judged(parser, sql, side)
        if kind == "READ_ONLY":
            if len(self._passed) >= REMEMBERED:
                self._passed.clear()
            self._passed[asked] = kind
        return kind

    def _judged(self, parser: Parser, sql: str, side: Side) -> str:
        if len(sql.strip(" \t\r\n;").split(None, 1)) <= 1:
            # The embedded engine takes `exit` and its like for itself and answers with nothing.
            raise EngineError(errors.SYNTAX_ERROR, f"Syntax error: no statement: {sql.strip()[:40]!r}")
        kind, count = parser.classify(sql)
        if count == 0:
            parser.normalise(sql)
            raise EngineError(errors.SYNTAX_ERROR, "Syntax error: not a statement of this engine")
        if count > 1:
            raise EngineError(errors.SYNTAX_ERROR, "Syntax error (Multi-statements are not allowed)")
        if side is Side.READER and kind != "READ_ONLY":
            raise EngineError(
                errors.READONLY,
                "shopmeter_reader: Cannot execute query in readonly mode. Only reading statements run here",
            )
        if kind == "CONTROL" or self._suspicious.search(sql.lower()):
            self._look_closer(parser.normalise(sql), kind, side)
        return kind

    def _look_closer(self, sql: str, kind: str, side: Side) -> None:
        refusal = errors.READONLY if side is Side.READER else errors.ACCESS_DENIED
        words = _words(sql)
        creates = words[0] in ("CREATE", "ATTACH", "REPLACE")
        for word, following, third in zip(words, [*words[1:], ""], [*words[2:], "", ""], strict=False):
            name = word.strip("`")
            if word in ("OUTFILE", "INFILE"):
                raise EngineError(
                    refusal, f"{word} names a file of the server: send or receive data over HTTP"
                )
            if following == "(" and name.lower() in self._outer:
                raise EngineError(refusal, f"Function {name} reaches out of the database and is not allowed")
            if following == "=" and name.lower().startswith(_FILE_SETTINGS):
                raise EngineError(refusal, f"Setting {name} names a file of the server and is not allowed")
            if (
                creates
                and word == "ENGINE"
                and following == "="
                and not _INNER_ENGINES.fullmatch(third.strip("`"))
            ):
                raise EngineError(refusal, f"Engine {third} reaches out of the database and is not allowed")
        if kind == "CONTROL" and words[0] not in _RUNNABLE_CONTROL:
            raise EngineError(
                errors.NOT_IMPLEMENTED,
                f"{words[0]} would not outlive this request: give settings and `database` as URL parameters",
            )


def _words(sql: str) -> list[str]:
    """The lexemes of a normalised statement, with string literals left out."""
    text = sql.encode()
    found = [text[t.start : t.end].decode() for t in tokens(text)]
    return [word for word in found if not word.startswith("'")]
