"""What an error code of ClickHouse means for a batch: wait, look at the rows, or stop. One table, each with its reason.

Names and numbers are those of ClickHouse's `ErrorCodes.cpp`. A code that is not here stops the process: repeating an
error for ever hides it, and going on loses rows.
"""

from enum import Enum
from typing import Final, NamedTuple


class Verdict(Enum):
    """What to do about a failed insert."""

    WAIT = "wait"
    """Passes with time: repeat the same batch, for ever, with backoff and jitter."""
    ROWS = "rows"
    """Something in the batch: find the row, name it, stop."""
    STOP = "stop"
    """Never passes by itself: somebody must act."""


class Rule(NamedTuple):
    """One code: its name, the verdict, and what lets us think so (for STOP: what to do now)."""

    name: str
    verdict: Verdict
    why: str


_W, _R, _S = Verdict.WAIT, Verdict.ROWS, Verdict.STOP

RULES: Final[dict[int, Rule]] = {
    # Load and limits: over when the load is.
    159: Rule("TIMEOUT_EXCEEDED", _W, "max_execution_time under load"),
    160: Rule("TOO_SLOW", _W, "estimated execution time under load"),
    201: Rule("QUOTA_EXCEEDED", _W, "quotas are per interval"),
    202: Rule("TOO_MANY_SIMULTANEOUS_QUERIES", _W, "max_concurrent_queries, others finish"),
    203: Rule("NO_FREE_CONNECTION", _W, "connection pool, others finish"),
    241: Rule(
        "MEMORY_LIMIT_EXCEEDED", _W, "server-wide limit: merges and queries end; a batch of ours is small"
    ),
    252: Rule(
        "TOO_MANY_PARTS", _W, "merges catch up; 'too many partitions in a block' cannot be: one month a batch"
    ),
    439: Rule("CANNOT_SCHEDULE_TASK", _W, "thread pool, threads come back"),
    473: Rule("DEADLOCK_AVOIDED", _W, "a DDL statement holds the table"),
    745: Rule("SERVER_OVERLOADED", _W, "the server sheds load by name"),
    # Network and shutdown: the server, its disk or its replicas come back.
    209: Rule("SOCKET_TIMEOUT", _W, "network"),
    210: Rule("NETWORK_ERROR", _W, "network"),
    236: Rule("ABORTED", _W, "the server is shutting down or merging was cancelled"),
    242: Rule("TABLE_IS_READ_ONLY", _W, "a replica lost its keeper session, it reconnects"),
    243: Rule("NOT_ENOUGH_SPACE", _W, "disk full: somebody makes room; Kafka keeps the rows meanwhile"),
    279: Rule("ALL_CONNECTION_TRIES_FAILED", _W, "network between servers"),
    394: Rule(
        "QUERY_WAS_CANCELLED", _W, "killed by somebody or by a shutdown; nothing is wrong with the batch"
    ),
    # Keeper and quorum.
    225: Rule("NO_ZOOKEEPER", _W, "keeper away"),
    244: Rule("UNEXPECTED_ZOOKEEPER_ERROR", _W, "keeper unwell"),
    285: Rule("TOO_FEW_LIVE_REPLICAS", _W, "insert_quorum, replicas return"),
    286: Rule("UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE", _W, "insert_quorum, replicas return"),
    319: Rule(
        "UNKNOWN_STATUS_OF_INSERT", _W, "may be stored or not: repeating is harmless, rows are versioned"
    ),
    999: Rule("KEEPER_EXCEPTION", _W, "keeper unwell"),
    # The rows.
    6: Rule("CANNOT_PARSE_TEXT", _R, "a value does not fit its column"),
    27: Rule("CANNOT_PARSE_INPUT_ASSERTION_FAILED", _R, "the body is not what the format expects"),
    33: Rule("CANNOT_READ_ALL_DATA", _R, "the body ends within a row"),
    44: Rule("ILLEGAL_COLUMN", _R, "MessagePack of another type than the column; seen on the engine"),
    53: Rule("TYPE_MISMATCH", _R, "a value does not fit its column"),
    69: Rule("ARGUMENT_OUT_OF_BOUND", _R, "a value is out of its column's range"),
    70: Rule("CANNOT_CONVERT_TYPE", _R, "a value does not fit its column"),
    72: Rule("CANNOT_PARSE_NUMBER", _R, "a value does not fit its column"),
    117: Rule("INCORRECT_DATA", _R, "the body is not what the format expects"),
    128: Rule("TOO_LARGE_ARRAY_SIZE", _R, "one value"),
    131: Rule("TOO_LARGE_STRING_SIZE", _R, "one value"),
    190: Rule("SIZES_OF_ARRAYS_DONT_MATCH", _R, "one row"),
    349: Rule("CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN", _R, "one value"),
    469: Rule("VIOLATED_CONSTRAINT", _R, "one row"),
    # The installation.
    16: Rule(
        "NO_SUCH_COLUMN_IN_TABLE", _S, "the tables are older than this Shopmeter: run `shopmeter migrate`"
    ),
    20: Rule(
        "NUMBER_OF_COLUMNS_DOESNT_MATCH", _S, "the tables differ from this Shopmeter: run `shopmeter migrate`"
    ),
    47: Rule("UNKNOWN_IDENTIFIER", _S, "the tables differ from this Shopmeter: run `shopmeter migrate`"),
    60: Rule("UNKNOWN_TABLE", _S, "run `shopmeter migrate`"),
    81: Rule("UNKNOWN_DATABASE", _S, "run `shopmeter migrate`, or mend clickhouse.database"),
    115: Rule("UNKNOWN_SETTING", _S, "this ClickHouse is older than the oldest supported one"),
    164: Rule("READONLY", _S, "the user or the port is read-only: use the writer's"),
    192: Rule("UNKNOWN_USER", _S, "mend clickhouse.username"),
    193: Rule("WRONG_PASSWORD", _S, "mend clickhouse.password"),
    497: Rule("ACCESS_DENIED", _S, "grant INSERT on the database to this user"),
    516: Rule("AUTHENTICATION_FAILED", _S, "mend clickhouse.username and clickhouse.password"),
}
