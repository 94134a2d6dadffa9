"""The customer base as two whole queries: one pass over a store's orders, one over its orders beside what was sent.

Receipts change with the instant they are looked at from (a refund makes one none, decisions H113), so both queries take
**slots**: the snapshot, then each month that the period touches. All of them are answered in the same pass.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Final, NamedTuple

CHANNEL: Final = "channel"
_EPOCH: Final = date(1970, 1, 1)
_DAY_MS: Final = 86_400_000
RECENCY_MONTHS: Final = 12  # the base period of 365 days holds whole months 0 to 11 (H111)


class Slot(NamedTuple):
    """One instant the customer base is looked at from: the snapshot, or the end of a month."""

    as_of: int
    """Epoch ms, exclusive: only facts before it count."""
    last_day: date
    """Last store date of the base period."""
    base_days: int
    """Store dates in the base period, `last_day` included."""
    month: date | None = None
    """First day of the month whose receipts are told apart."""
    month_end: int = 0
    """First instant (epoch ms) after the month."""
    scored: bool = False
    """Whether the segments of M46 and M47 are wanted: only at the end of a finished month (H115)."""

    @property
    def base_from(self) -> date:
        """First store date of the base period."""
        return self.last_day - timedelta(days=self.base_days - 1)


class FixedScores(NamedTuple):
    """Thresholds of `rfm.method = fixed` (H118). Money in minor units of the store's currency."""

    r_days: tuple[int, int, int, int]
    f: tuple[int, int, int, int]
    m: tuple[int, int, int, int]


class Query(NamedTuple):
    """A statement with what is bound to its `{name:Type}` marks."""

    sql: str
    params: dict[str, object]


def instant(name: str) -> str:
    """SQL of a bound instant in epoch ms."""
    return f"fromUnixTimestamp64Milli({{{name}:Int64}}, 'UTC')"


def _net(as_of: str) -> str:
    """The order's total less what was refunded before the instant (H114), in minor units."""
    return (
        "total - if(empty(adjustment), 0, arraySum((kind, amount, at) -> "
        f"if(kind = 'refund' AND at < {as_of}, amount, 0), adjustment, adjustment_amount, adjusted_at))"
    )


def _orders(columns: Sequence[str], *, channel: str | None, where: Sequence[str] = ()) -> str:
    """Orders of customers as they stand; guests' are in none of these metrics (H25: who logged in later is no guest)."""
    conditions = ["store_id = {store:String}", "is_customer"]
    if channel is not None:
        conditions.append("channel = {channel:String}")
    return (
        f"SELECT {', '.join(columns)} FROM orders FINAL WHERE {' AND '.join((*conditions, *where))}"
        " SETTINGS do_not_merge_across_partitions_select_final = 1"
    )


def base_query(
    store: str,
    slots: Mapping[int, Slot],
    currencies: Sequence[str],
    *,
    channel: str | None = None,
    by_channel: bool = False,
    fixed: FixedScores | None = None,
) -> Query:
    """M43 to M48. `slots`: by number, the snapshot's is 0; `currencies[0]` is the store's, then others that occur.

    One row a segment (`segment`: '' or, `by_channel`, the channel), columns by slot number N and currency number C:
    `known_N`, `known_repeat_N`, `buyers_N`, `repeat_buyers_N`, and for scored slots `best_N`, `lost_N`;
    `recency` (whole months -> customers), `one_customers`, `repeat_customers`, `seen_C` (receipts), `one_revenue_C`,
    `repeat_revenue_C` of the snapshot.
    """
    params: dict[str, object] = {"store": store, "channel": channel or "", "last_day": slots[0].last_day}
    rows = ["person_hash", "currency", "store_date", "gone_at"]
    if by_channel:
        rows.append("channel AS segment")
    persons: list[str] = []
    segments: list[str] = []
    for number, slot in slots.items():
        params |= {f"as_of_{number}": slot.as_of, f"base_from_{number}": slot.base_from}
        as_of = instant(f"as_of_{number}")
        rows += [
            f"captured_at < {as_of} AND gone_at >= {as_of} AS alive_{number}",
            f"alive_{number} AND store_date >= {{base_from_{number}:Date}} AS base_{number}",
        ]
        persons += [
            f"countIf(alive_{number}) AS ever_{number}",
            f"countIf(base_{number}) AS receipts_{number}",
        ]
        segments += [
            f"countIf(ever_{number} > 0) AS known_{number}",
            f"countIf(ever_{number} > 1) AS known_repeat_{number}",
        ]
        if slot.month is not None:
            params[f"month_{number}"] = slot.month
            persons.append(
                f"countIf(alive_{number} AND store_date >= {{month_{number}:Date}}) AS bought_{number}"
            )
            segments += [
                f"countIf(bought_{number} > 0) AS buyers_{number}",
                f"countIf(bought_{number} > 0 AND ever_{number} > 1) AS repeat_buyers_{number}",
            ]
        if slot.scored or number == 0:
            rows.append(f"{_net(as_of)} AS net_{number}")
            persons += [
                f"maxIf(store_date, base_{number}) AS last_{number}",
                f"sumIf(toInt128(net_{number}), base_{number} AND currency = {{currency_0:String}})"
                f" AS spent_{number}_0",
            ]
        if slot.scored:
            params[f"last_day_{number}"] = slot.last_day
            segments += _scores(number, fixed=fixed is not None)
    if fixed is not None:
        params |= _thresholds(fixed)
    for number, currency in enumerate(currencies):
        params[f"currency_{number}"] = currency
        named = f"base_0 AND currency = {{currency_{number}:String}}"
        persons.append(f"countIf({named}) AS orders_0_{number}")
        if number:
            persons.append(f"sumIf(toInt128(net_0), {named}) AS spent_0_{number}")
        segments += [
            f"sum(orders_0_{number}) AS seen_{number}",
            f"sumIf(spent_0_{number}, receipts_0 = 1) AS one_revenue_{number}",
            f"sumIf(spent_0_{number}, receipts_0 > 1) AS repeat_revenue_{number}",
        ]
    segments += [
        f"sumMapIf(map({WHOLE_MONTHS.replace('last_day', _LAST_DAY)}, toUInt64(1)), receipts_0 > 0) AS recency",
        "countIf(receipts_0 = 1) AS one_customers",
        "countIf(receipts_0 > 1) AS repeat_customers",
    ]
    inner = _orders(rows, channel=channel)
    # By a number alone persons are found twice as fast as by a number and a text, though that is always the same.
    keys = "segment, person_hash" if by_channel else "person_hash"
    segment = "segment" if by_channel else "'' AS segment"
    return Query(
        f"SELECT segment, {', '.join(segments)}\n"
        f"FROM (SELECT {segment}, person_hash, {', '.join(persons)}\nFROM ({inner})\nGROUP BY {keys})\n"
        "GROUP BY segment",
        params,
    )


_LAST_DAY: Final = "{last_day:Date}"
# H112: a month counts once the day of the month is reached.
WHOLE_MONTHS: Final = (
    "toUInt16(12 * (toYear(last_day) - toYear(last_0)) + toMonth(last_day) - toMonth(last_0)"
    " - (toDayOfMonth(last_day) < toDayOfMonth(last_0)))"
)


def quintiles(number: int) -> dict[str, str]:
    """Best and lost by quintiles (H117): c_k is the value at position ceil(k * N / 5); 5 is above c_4, 1 up to c_1."""
    scored = f"receipts_{number} > 0"

    def cut(values: str, k: int) -> str:
        return f"arraySort({values})[intDiv({k} * length({values}) + 4, 5)]"

    columns = (("lasts", f"last_{number}"), ("counts", f"receipts_{number}"), ("spents", f"spent_{number}_0"))
    arrays = {name: f"groupArrayIf({column}, {scored})" for name, column in columns}
    inside = ", ".join(arrays.values())
    above = " AND ".join(f"{name[0]} > {cut(array, 4)}" for name, array in arrays.items())
    return {
        "best": f"arrayCount((l, c, s) -> {above}, {inside})",
        "lost": f"arrayCount(l -> l <= {cut(arrays['lasts'], 1)}, {arrays['lasts']})",
    }


def fixed_scores(number: int) -> dict[str, str]:
    """Best and lost by thresholds (H118); days since the last receipt, counted on the last day of the month.

    The thresholds are `r_best`, `f_best`, `m_best` and `r_lost`, the day is `last_day_N`: columns, or bound.
    """
    days = f"toInt32(last_day_{number}) - toInt32(last_{number})"
    scored = f"receipts_{number} > 0"
    return {
        "best": f"countIf({scored} AND {days} <= r_best AND receipts_{number} >= f_best AND spent_{number}_0 >= m_best)",
        "lost": f"countIf({scored} AND {days} > r_lost)",
    }


def _scores(number: int, *, fixed: bool) -> list[str]:
    found = fixed_scores(number) if fixed else quintiles(number)
    bound = {f"last_day_{number}": "Date"} | dict.fromkeys(("r_best", "r_lost", "f_best", "m_best"), "Int64")
    return [
        re.sub(r"\w+", lambda word: f"{{{word[0]}:{bound[word[0]]}}}" if word[0] in bound else word[0], sql)
        + f" AS {name}_{number}"
        for name, sql in found.items()
    ]


def _thresholds(fixed: FixedScores) -> dict[str, object]:
    return {"r_best": fixed.r_days[0], "r_lost": fixed.r_days[3], "f_best": fixed.f[3], "m_best": fixed.m[3]}


TOUCH_DIMENSIONS: Final = ("notification_channel", "journey_id")


def assisted_query(
    store: str,
    months: Sequence[Slot],
    window_ms: int,
    *,
    born_from: date,
    channel: str | None = None,
    segment: str = "",
) -> Query:
    """M49 and M50: receipts of each month, with and without a communication at most `window_ms` before (H121).

    `born_from`: the first day under which an order of these months may stand.

    One row a month, currency and segment: `slot` (index in `months`), `currency`, `segment`, `assisted_receipts`,
    `regular_receipts`, `assisted_amount`, `regular_amount` (minor units). `segment`: '', `channel`, or one of
    TOUCH_DIMENSIONS, by the latest communication; receipts without any then have segment ''. ValueError for others.
    """
    if segment not in ("", CHANNEL, *TOUCH_DIMENSIONS):
        raise ValueError(f"segment {segment!r}: known are {CHANNEL}, {', '.join(TOUCH_DIMENSIONS)}")
    first_day = months[0].month or months[0].base_from
    # A day to spare for the zone's offset: what matters is that nothing in a window is missed.
    sent_from = (first_day - _EPOCH).days * _DAY_MS - _DAY_MS - window_ms
    params: dict[str, object] = {
        "store": store,
        "channel": channel or "",
        "window": window_ms,
        "first_day": first_day,
        "born_from": born_from,
        "sent_born": _EPOCH + timedelta(milliseconds=sent_from),
        "sent_from": sent_from,
        "until": months[-1].as_of,
    }
    # Months follow each other, so the latest that began by an order's date is the order's.
    which, as_of = "0", instant("as_of_0")
    for number, slot in enumerate(months):
        params |= {f"as_of_{number}": slot.as_of, f"month_{number}": slot.month}
        if number:
            begun = f"store_date >= {{month_{number}:Date}}"
            which = f"if({begun}, {number}, {which})"
            as_of = f"if({begun}, {instant(f'as_of_{number}')}, {as_of})"
    columns = (
        f"toUInt16({which}) AS slot",
        f"{as_of} AS seen_at",
        "channel",
        "person_hash",
        "currency",
        "toUnixTimestamp64Milli(captured_at) AS at",
        f"{_net('seen_at')} AS net",
        "gone_at",
    )
    where = (
        "born >= {born_from:Date}",
        "store_date >= {first_day:Date}",
        "captured_at < seen_at",
        "gone_at >= seen_at",
    )
    touched = segment in TOUCH_DIMENSIONS
    # The whole touch is carried along only where its dimension is asked for.
    touch = f"({_SENT_MS}, communication_id, {segment})" if touched else _SENT_MS
    sent_ms = "touch.1" if touched else "touch"
    inside = f"{sent_ms} <= at AND {sent_ms} >= at - {{window:Int64}}"
    if touched:
        # The latest; at the same ms the smallest communication_id.
        latest = f"arraySort(touch -> (-touch.1, touch.2), arrayFilter(touch -> {inside}, touches))"
        assisted, named = f"notEmpty({latest})", f"{latest}[1].3"
    else:
        assisted, named = f"arrayExists(touch -> {inside}, touches)", segment or "''"
    return Query(
        "SELECT slot, currency, segment, countIf(assisted) AS assisted_receipts,"
        " countIf(NOT assisted) AS regular_receipts, sumIf(toInt128(net), assisted) AS assisted_amount,"
        " sumIf(toInt128(net), NOT assisted) AS regular_amount\n"
        f"FROM (SELECT slot, currency, net, {assisted} AS assisted, {named} AS segment\n"
        f"FROM ({_orders(columns, channel=channel, where=where)}) AS receipts\n"
        f"LEFT JOIN (SELECT person_hash, groupArray({touch}) AS touches\nFROM ({_SENT})\nGROUP BY person_hash) AS touched"
        " USING (person_hash))\n"
        "GROUP BY slot, currency, segment",
        params,
    )


_SENT_MS: Final = "toUnixTimestamp64Milli(sent_at)"
_OURS: Final = "store_id = {store:String}"
_NEW: Final = f"{_OURS} AND born >= {{sent_born:Date}}"
_IN_TIME: Final = f"is_customer AND sent_at >= {instant('sent_from')} AND sent_at < {instant('until')}"
_SENT_COLUMNS: Final = "person_hash, sent_at, communication_id, notification_channel, journey_id"
_ONE_PART: Final = "SETTINGS do_not_merge_across_partitions_select_final = 1"
# A communication is dated by its first sending, however long ago that was (H90), so one of these must be in time. Such
# are looked for without FINAL: what is gone since brings its communication along, and that is judged by what is there.
_SENT: Final = f"""\
SELECT {_SENT_COLUMNS}
FROM (
    SELECT {_SENT_COLUMNS}, is_customer
    FROM notifications FINAL
    WHERE {_OURS} AND communication_hash IN (SELECT communication_hash FROM notifications WHERE {_NEW} AND {_IN_TIME})
    ORDER BY sent_at, event_id, person
    LIMIT 1 BY communication_hash
    {_ONE_PART}
)
WHERE {_IN_TIME}"""


def currencies_query(store: str) -> Query:
    """The currencies that the store's orders ever had; a superset, since replaced rows are not left out."""
    return Query("SELECT DISTINCT currency FROM orders WHERE store_id = {store:String}", {"store": store})
