"""One HTTP request as ClickHouse's interface means it: who, what statement, which settings, how to answer."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from deploy.local.clickhouse import errors
from deploy.local.clickhouse.errors import EngineError
from deploy.local.clickhouse.guard import Side

READER = "shopmeter_reader"
FULL = "default"

# URL parameters that speak to the HTTP interface itself; every other one is a setting of this query.
_TRANSPORT = frozenset(
    """
    query database default_format user password quota_key query_id session_id session_timeout
    session_check close_session compress decompress wait_end_of_query buffer_size stacktrace role
    client_protocol_version readonly
    """.split()  # noqa: SIM905
)

# What a reader may set: bounds and representation. Settings that name files are not bounds.
HARMLESS_SETTINGS = frozenset(
    """
    max_execution_time max_result_rows max_result_bytes max_rows_to_read max_bytes_to_read max_threads
    max_block_size max_memory_usage result_overflow_mode read_overflow_mode timeout_overflow_mode limit
    offset final extremes totals_mode session_timezone do_not_merge_across_partitions_select_final
    join_use_nulls enable_http_compression http_zlib_compression_level send_progress_in_http_headers
    http_headers_progress_interval_ms cancel_http_readonly_queries_on_client_close
    date_time_input_format date_time_output_format cast_string_to_dynamic_use_inference
    output_format_json_quote_64bit_integers output_format_json_quote_64bit_floats
    output_format_json_quote_denormals output_format_json_quote_decimals
    output_format_json_named_tuples_as_objects output_format_decimal_trailing_zeros
    output_format_native_encode_types_in_binary_format output_format_arrow_string_as_string
    format_csv_delimiter
    """.split()  # noqa: SIM905
)

# A reader's query is bounded, so that it cannot take the machine from the pipeline.
READER_BOUNDS: Mapping[str, str] = {"max_execution_time": "60", "max_memory_usage": str(1 << 30)}
# The engine counts time in microseconds: what is less becomes 0, and that is no bound.
_SMALLEST_BOUND = 1e-6


def _flag(value: str) -> bool:
    return value.lower() not in ("", "0", "false")


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed request, without its body. `sql` is the URL's part of the statement; the body continues it."""

    side: Side
    sql: str
    database: str
    default_format: str
    query_id: str
    readonly: str
    settings: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    wait_end_of_query: bool = False
    content_encoding: str = ""
    accept_encoding: str = ""

    @property
    def cancels_on_disconnect(self) -> bool:
        """Whether the client wants a reading query stopped when it goes away."""
        return _flag(self.settings.get("cancel_http_readonly_queries_on_client_close", "0"))


def reader_settings(asked: Mapping[str, str]) -> dict[str, str]:
    """The harmless ones of `asked`, set for a reader at once. It may narrow READER_BOUNDS, not lift them."""
    settings = {name: value for name, value in asked.items() if name in HARMLESS_SETTINGS}
    for name, bound in READER_BOUNDS.items():
        if not _narrows(settings.get(name, ""), bound):
            settings[name] = bound
    return settings


def _narrows(asked: str, bound: str) -> bool:
    # To the engine 0 means "unbounded", as does a negative time; nan is in no range.
    try:
        return _SMALLEST_BOUND <= float(asked) <= float(bound)
    except ValueError:
        return False


def user_of(url: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """The user named by X-ClickHouse-User, basic auth or `user=`. Raises 516 for one that does not exist.

    There are two, both without a password: the endpoint is for this machine's users, behind a loopback address.
    """
    user, password = FULL, ""
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    if "X-ClickHouse-User" in headers:
        user, password = headers["X-ClickHouse-User"], headers.get("X-ClickHouse-Key", "")
    elif scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            user = "?"
    elif scheme:
        user = f"{scheme} token"
    elif "user" in url:
        user, password = url["user"], url.get("password", "")
    if user not in (FULL, READER) or password:
        message = f"{user}: Authentication failed: users here are {FULL} and {READER}, without password"
        raise EngineError(errors.AUTHENTICATION_FAILED, message)
    return user


def parse(
    pairs: Iterable[tuple[str, str]], headers: Mapping[str, str], *, method: str, side: Side, query_id: str
) -> Query:
    """Read URL (and form) parameters and headers. `query_id` is used if the client gives none."""
    url: dict[str, str] = {}
    params: dict[str, str] = {}
    for name, value in pairs:
        if name.startswith("param_"):
            params[name.removeprefix("param_")] = value
        else:
            url[name] = value
    if user_of(url, headers) == READER:
        side = Side.READER
    for name in ("compress", "decompress"):
        if _flag(url.get(name, "0")):
            message = f"{name}=1 (blocks of the native protocol) is not spoken here: use HTTP content codings"
            raise EngineError(errors.NOT_IMPLEMENTED, message)
    readonly = url.get("readonly", "0")
    if readonly not in ("0", "1", "2"):
        raise EngineError(errors.BAD_ARGUMENTS, f"readonly={readonly}: must be 0, 1 or 2")
    if side is Side.READER or readonly == "1":
        side, readonly = Side.READER, "1"
    elif method != "POST" and readonly == "0":
        readonly = "2"
    settings = {name: value for name, value in url.items() if name not in _TRANSPORT}
    default_format = url.get("default_format") or headers.get("X-ClickHouse-Format") or "TabSeparated"
    return Query(
        side=side,
        sql=url.get("query", ""),
        database=url.get("database") or headers.get("X-ClickHouse-Database", ""),
        default_format=default_format,
        query_id=url.get("query_id") or query_id,
        readonly=readonly,
        settings=settings,
        params=params,
        wait_end_of_query=_flag(url.get("wait_end_of_query", "0")),
        content_encoding=headers.get("Content-Encoding", "").strip().lower(),
        accept_encoding=headers.get("Accept-Encoding", "")
        if _flag(url.get("enable_http_compression", "0"))
        else "",
    )
