"""The tables of ClickHouse as data: which row struct, what identifies a row, how long it stays. DDL is made from this."""

import re
from datetime import date, timedelta
from pathlib import PurePosixPath
from typing import Final, NamedTuple, get_type_hints

from msgspec import Struct

from schemas import rows
from schemas.columns import clickhouse_type


class Column(NamedTuple):
    """A column: its ClickHouse type and the sentence that `DESCRIBE` shows."""

    name: str
    type: str


class Derived(NamedTuple):
    """A column that ClickHouse computes from the others when a row comes in."""

    name: str
    type: str
    sql: str
    says: str
    codec: str = ""


def _hash(name: str, says: str, *parts: str) -> Derived:
    """128 bits of SipHash over the store and `parts`: what the engine itself tells texts apart by in a distinct count."""
    says = f"128-bit hash of {says}, for distinct counts and joins"
    return Derived(name, "UInt128", _hashed(*parts), says, codec="NONE")


def _hashed(*parts: str) -> str:
    return f"reinterpretAsUInt128(sipHash128(store_id, {', '.join(parts)}))"


_PERSON: Final = _hash("person_hash", "store and person", "person")
_SESSION: Final = _hash("session_hash", "store, person and session", "person", "session_key")
# Nearly random bits: to unpack them costs as much as to read them, and LZ4 saves a third of the bytes at most.
_INSTANT: Final = "DateTime64(3, 'UTC')"
_INSTANT_CODEC: Final = "T64"

_PERSONALIZED: Final = Derived(
    "personalized", "UInt8", "notEmpty(experience_id)", "1: at least one experience was served (M2)"
)
_INTERACTIONS: Final = "activities + clicks + detail_views + adds + removes + empties + orders"
# An array of tuples has its lengths once: nine arrays would be unpacked for every session, and few have a goal at all.
_CONVERSION: Final = (
    "Tuple(goal LowCardinality(String), at DateTime64(3, 'UTC'), date Date, value Int64, currency LowCardinality(String),"
    " exponent UInt8, unpriced UInt8, experiences Array(LowCardinality(String)))"
)
_SERVED_BY: Final = "arrayFilter((id, first) -> first <= at, experience_id, experience_first_at)"
_CONVERSIONS: Final = Derived(
    "conversions",
    f"Array({_CONVERSION})",
    "arrayFilter(each -> notEmpty(each.8), arrayMap((named, goal, at, date, valued, value, currency, exponent) ->"
    " (goal, at, date, value, currency, exponent, goal = 'purchase' AND NOT valued,"
    f" if(named != '', [named], arrayDistinct({_SERVED_BY}))), goal_experience_id, goal_id, goal_at, goal_date,"
    " goal_valued, goal_value, goal_currency, goal_exponent))",
    "goal conversions that an experience has earned: the one they name, else those served at or before them (E39, H86);"
    " unpriced: a purchase, worth what the closest order is (H87)",
)

SESSION_FLAGS: Final = {
    "present": "present",
    "active": "active",
    "one_message": f"(messages_in = 1 AND {_INTERACTIONS} = 0)",
    "supported": "(supports > 0)",
    "personalized": "notEmpty(experience_id)",
    "earned_goal": "(notEmpty(experience_id) AND notEmpty(conversions))",
    "ordered": "(orders > 0)",
    "exposed": "(impressions > 0)",
    "viewed": "viewed",
    "converting": "notEmpty(conversions)",
    "unpriced": "arrayExists(each -> each.7, conversions)",
}
"""What a session is or is not, from the lowest bit of its `flags` up: sessions are counted by this one number."""

_FLAGS: Final = Derived(
    "flags",
    "UInt16",
    " + ".join(f"{1 << bit} * {sql}" for bit, sql in enumerate(SESSION_FLAGS.values())),
    f"bits from the lowest: {', '.join(SESSION_FLAGS)} (M1, M32, H42, M41, M2, M12, M11, M16, M17, M10, H87)",
    codec="T64",
)


class Table(NamedTuple):
    """One table, fed by the rows topic; `interventions` and `dead_letters` by their own."""

    name: str
    row: type[Struct]
    key: tuple[str, ...]
    """What identifies a row: that which a higher version replaces."""
    derived: tuple[Derived, ...] = ()
    by_day: bool = False
    """Stored by the day a row was born, after the store: reads of a period touch its days, and FINAL merges the last."""
    ttl: str = ""
    """A ClickHouse TTL expression, or empty: kept for ever."""
    skip: str = ""
    """An expression whose least and greatest value in each piece tell whether the piece must be read."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns in the order of the row struct (and so of the wire)."""
        hints = get_type_hints(self.row, include_extras=True)
        return tuple(Column(name, clickhouse_type(hints[name])) for name in self.row.__struct_fields__)

    @property
    def order(self) -> tuple[str, ...]:
        """The sort key: what identifies a row in ClickHouse. One that leaves its day is withdrawn there."""
        return (self.key[0], "born", *self.key[1:]) if self.by_day else self.key

    @property
    def comment(self) -> str:
        """What one row is: the first line of the struct's docstring."""
        return (self.row.__doc__ or "").strip().splitlines()[0]


_EXPOSED: Final = Derived(
    "exposed_hash",
    "Array(UInt128)",
    f"arrayMap(key -> {_hashed('person', 'key')}, exposed_session)",
    "128-bit hash of store, person and session, for each of exposed_session",
)


def _paid(name: str, condition: str, says: str) -> tuple[Derived, Derived]:
    """What was paid for some lines of an order, and the same in the reporting currency."""

    def total(paid: str) -> str:
        if not condition:
            return f"arraySum({paid})"
        return (
            f"arraySum((amount, earned, only) -> if({condition}, amount, 0), {paid}, credit, exposure_only)"
        )

    return (
        Derived(name, "Int64", total("paid"), says, codec=_INSTANT_CODEC),
        Derived(
            f"reporting_{name}",
            "Int64",
            total("reporting_paid"),
            f"{says}, in the reporting currency",
            codec=_INSTANT_CODEC,
        ),
    )


# What a report adds up of an order, as plain numbers: to unpack the arrays of its lines took most of the time.
_ORDER_SUMS: Final = (
    *_paid("lines_paid", "", "what the lines add up to: total - shipping - tax"),
    *_paid("direct_paid", "earned = 'direct'", "paid for lines with direct credit (M14)"),
    *_paid("assisted_paid", "earned = 'assisted'", "paid for lines with assisted credit (M15)"),
    *_paid(
        "shown_only_paid", "only", "paid for lines that were shown and never added to the cart (E21, H75)"
    ),
    Derived("units", "UInt64", "arraySum(quantity)", "over all lines", codec=_INSTANT_CODEC),
    Derived(
        "direct_units",
        "UInt64",
        "arraySum((number, earned) -> if(earned = 'direct', number, 0), quantity, credit)",
        "units of lines with direct credit",
        codec=_INSTANT_CODEC,
    ),
    Derived("has_direct", "UInt8", "has(credit, 'direct')", "1: a line has direct credit"),
)
_EXECUTION: Final = _hash("execution_hash", "store and execution", "execution_id")
_CUSTOMER: Final = Derived(
    "is_customer", "UInt8", "startsWith(person, 'c:')", "the person is an identified customer"
)
# A missing element of an array of instants reads as 1970: no cancel, or lines that were not all taken back.
_REFUNDED_AT: Final = (
    "adjusted_at[arrayFirstIndex(taken -> taken >= arraySum(paid), arrayCumSum("
    "arrayMap((kind, lines) -> if(kind = 'refund', arraySum(lines), 0), adjustment, adjustment_lines)))]"
)
_GONE_AT: Final = Derived(
    "gone_at",
    "DateTime64(3, 'UTC')",
    "arrayMin(arrayFilter(at -> at > toDateTime64(0, 3, 'UTC'), [adjusted_at[indexOf(adjustment, 'cancel')],"
    f" if(arraySum(paid) > 0, {_REFUNDED_AT}, toDateTime64(0, 3, 'UTC')),"
    " toDateTime64('2299-01-01 00:00:00', 3, 'UTC')]))",
    "when it ceased to be a receipt: its cancel, or the refund that took the last of its lines (H113); 2299: it is one",
)
_COMMUNICATION: Final = _hash("communication_hash", "store and communication", "communication_id")

# Days after the one it is stored by on which something may still belong to a session, orders that joined it too.
SESSION_DAYS: Final = "toDate(closes_at) - born"
LONGEST_SESSION: Final = f"SELECT max({SESSION_DAYS}) FROM sessions WHERE {SESSION_DAYS} > 2"
"""The most of these: a made session goes on as long as its gaps are small. Few have more than two, and are looked at."""

TABLES: Final = {
    table.name: table
    for table in (
        Table(
            "sessions",
            rows.SessionRow,
            ("store_id", "person", "session_key"),
            (_PERSON, _SESSION, _PERSONALIZED, _CONVERSIONS, _FLAGS),
            by_day=True,
            skip=SESSION_DAYS,
        ),
        Table(
            "exposures",
            rows.ExposureRow,
            ("store_id", "person", "session_key", "widget_id"),
            (_PERSON, _SESSION),
            by_day=True,
        ),
        Table(
            "orders",
            rows.OrderRow,
            ("store_id", "order_id"),
            (_PERSON, _CUSTOMER, _SESSION, _EXPOSED, _GONE_AT, *_ORDER_SUMS),
            by_day=True,
        ),
        Table(
            "journeys", rows.JourneyRow, ("store_id", "execution_id", "partition"), (_EXECUTION,), by_day=True
        ),
        # With the event: nothing need be remembered of a sending for the day on which it is repeated.
        Table(
            "notifications",
            rows.NotificationRow,
            ("store_id", "communication_id", "person", "event_id"),
            (_PERSON, _CUSTOMER, _COMMUNICATION),
            by_day=True,
        ),
        Table("links", rows.LinkRow, ("store_id", "anonymous_id", "linked_at")),
        Table("definitions", rows.DefinitionRow, ("store_id", "kind", "id", "effective_at")),
        Table(
            "counters",
            rows.CounterRow,
            ("store_id", "window_seconds", "window_start", "channel", "partition"),
            ttl="toDateTime(window_start) + INTERVAL 3 DAY DELETE WHERE window_seconds = 60",
        ),
        Table("ledger", rows.LedgerRow, ("topic", "partition", "hour")),
        Table("watermarks", rows.WatermarkRow, ("partition",)),
        Table("interventions", rows.InterventionRow, ("kind", "topic", "partition", "offset")),
        Table("dead_letters", rows.DeadLetterRow, ("topic", "partition", "offset")),
    )
}

# A month that no longer changes becomes one part, and then FINAL costs nothing.
SETTINGS: Final = {
    "min_age_to_force_merge_seconds": 3600,
    # Live, parts come twice a second with a few hundred rows: merged as soon as there are three, each row was
    # written several times over in its first minute, and merges took most of what an insert costs.
    "min_parts_to_merge_at_once": 20,
    # On, it takes the small parts out of a merge again, down to one: a table of up to some megabytes was rewritten whole
    # with nearly every insert, and ClickHouse wrote each row seventy times.
    "merge_selector_enable_heuristic_to_remove_small_parts_at_right": 0,
    "min_age_to_force_merge_on_partition_only": 1,
}

# What workers write; the others come of a command done by hand, and of the dead-letter topic.
ROWS_TABLES: Final = tuple(name for name in TABLES if name not in ("interventions", "dead_letters"))

_SOURCE: Final = PurePosixPath("schemas/rows.py")
_FIELD = re.compile(r"^    (\w+): \w+(?: = \w+)?(?:  # (.*))?$")


def month_of(born: int) -> int:
    """The partition of a row: the first day of the month it was born in, both in days since 1970-01-01."""
    month = _months.get(born)
    if month is None:
        month = _months[born] = born - (_EPOCH + timedelta(days=born)).day + 1
    return month


_EPOCH: Final = date(1970, 1, 1)
_months: Final[dict[int, int]] = {}


def create_table(table: Table, *, comments: dict[str, str] | None = None) -> str:
    """The CREATE TABLE statement. `comments`: column -> sentence (see `field_comments`)."""
    comments = comments or {}
    lines = []
    for column in table.columns:
        comment = comments.get(column.name, "").replace("\\", "\\\\").replace("'", "\\'")
        codec = f" CODEC({_INSTANT_CODEC})" if table.by_day and column.type == _INSTANT else ""
        lines.append(
            f"    `{column.name}` {column.type}" + (f" COMMENT '{comment}'" if comment else "") + codec
        )
    for each in table.derived:
        codec = f" CODEC({each.codec})" if each.codec else ""
        lines.append(f"    `{each.name}` {each.type} MATERIALIZED {each.sql} COMMENT '{each.says}'{codec}")
    if table.skip:
        lines.append(f"    INDEX skip ({table.skip}) TYPE minmax")
    ttl = f"\nTTL {table.ttl}" if table.ttl else ""
    note = table.comment.replace("\\", "\\\\").replace("'", "\\'")
    return (
        f"CREATE TABLE IF NOT EXISTS {table.name} (\n" + ",\n".join(lines) + "\n)\n"
        f"ENGINE = ReplacingMergeTree(version, is_deleted)\n"
        f"PARTITION BY toStartOfMonth(born)\n"
        f"ORDER BY ({', '.join(table.order)}){ttl}\n"
        f"SETTINGS {', '.join(f'{name} = {value}' for name, value in SETTINGS.items())}\n"
        f"COMMENT '{note}'"
    )


def field_comments(source: str) -> dict[str, dict[str, str]]:
    """Row struct -> field -> the comment beside it, from the text of schemas/rows.py: said once, shown in both worlds."""
    found: dict[str, dict[str, str]] = {}
    current: dict[str, str] = {}
    for line in source.splitlines():
        if line.startswith("class "):
            current = found.setdefault(line[6:].split("(")[0], {})
        elif match := _FIELD.match(line):
            current[match[1]] = match[2] or ""
    return found
