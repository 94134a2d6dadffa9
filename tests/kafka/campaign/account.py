"""The tables of every shop against what the simulator knows it sent: cheap enough for millions of records.

It knows orders one by one, how many events of which kind each shop had, and what becomes of records topic by topic. It
does not know sessions, touches and credit: those take the oracle.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from deploy.simulator.truth import ACCEPTED, DEAD_LETTER, DUPLICATE, TEST_TRAFFIC, OrderTruth, Truth, settled
from schemas.measures import MEASURE_OF, MESSAGES_OUT, WINDOW_SECONDS
from schemas.rows import LedgerRow
from schemas.topics import FORWARDED

SHOWN = 20
"""Differences of one kind are told this often; then how many more there are."""
MESSAGES = "session/message"

# Column of a session -> what it counts: each such event is in exactly one session.
MEMBERS: Mapping[str, str] = {
    "activities": "session/activity",
    "messages_in + messages_out": MESSAGES,
    "supports": "session/support_joined",
    "goals": "session/goal_reached",
    "impressions": "impression/shown",
    "clicks": "click/clicked",
    "detail_views": "click/detail_viewed",
    "adds": "cart/added",
    "removes": "cart/removed",
    "empties": "cart/emptied",
}
KEYS = {
    "sessions": "store_id, person, session_key",
    "exposures": "store_id, person, session_key, widget_id",
    "orders": "store_id, order_id",
}


def account_differences(client: Any, truth: Truth) -> list[str]:
    """Everything in the tables of facts that is not as the simulator knows it; empty when all is. Blocks."""
    found = list(_of_orders(client, truth))
    found += told(_unequal("counters", _counted(client), _must_be_counted(truth)))
    found += told(_unequal("sessions", _in_sessions(client), _must_be_in_sessions(truth)))
    found += told(_unequal("exposures", _in_exposures(client), _must_be_in_exposures(truth)))
    for table, key in KEYS.items():
        rows, keys = client.query(f"SELECT count(), uniqExact({key}) FROM {table} FINAL").result_rows[0]
        if rows != keys:
            found.append(f"{table}: {rows} rows for {keys} keys")
    return found


def told(differences: Iterator[str]) -> list[str]:
    """The first of them, and how many more there are."""
    shown: list[str] = []
    more = 0
    for difference in differences:
        if len(shown) < SHOWN:
            shown.append(difference)
        else:
            more += 1
    return [*shown, f"... and {more} more like the last"] if more else shown


# -- orders, one by one ------------------------------------------------------------------------------------------------

ORDERS = """
SELECT store_id, order_id, toUnixTimestamp64Milli(captured_at), currency, order_version, total, arraySum(quantity),
       adjustment, arrayMap(at -> toUnixTimestamp64Milli(at), adjusted_at), adjustment_amount
FROM orders FINAL
"""


def _of_orders(client: Any, truth: Truth) -> list[str]:
    left = {
        (store, name): order
        for store, orders in truth.orders.items()
        for name, order in orders.items()
        if order.captures
    }

    def wrong() -> Iterator[str]:
        with client.query_row_block_stream(ORDERS) as blocks:
            for block in blocks:
                for store, name, *row in block:
                    order = left.pop((store, name), None)
                    if order is None:
                        yield f"order {store} {name}: nobody placed it"
                    elif (is_ := _as_row(row)) != (must := _as_truth(order)):
                        yield f"order {store} {name}: is {is_}, not {must}"
        for store, name in left:
            yield f"order {store} {name}: is missing"

    return told(wrong())


def _as_row(row: Sequence[Any]) -> tuple[Any, ...]:
    at, currency, version, total, units, kinds, times, amounts = row
    return (at, currency, version, total, units, list(zip(kinds, times, amounts, strict=True)))


def _as_truth(order: OrderTruth) -> tuple[Any, ...]:
    (at, currency, first), *taken = settled(order)
    version = max(capture.version for capture in order.captures)
    steps = [
        ("cancel", when, figures["canceled_revenue"])
        if "canceled_orders" in figures
        else ("refund", when, figures["refunded_revenue"])
        for when, _, figures in taken
    ]
    return (at, currency, version, first["revenue"], first["units"], steps)


# -- events by store and kind ------------------------------------------------------------------------------------------

Counts = dict[tuple[str, str], int]
"""(store, what) -> how many; without zeros."""


def _unequal(table: str, counts: Counts, must_be: Counts) -> Iterator[str]:
    for key in sorted({*counts, *must_be}):
        if counts.get(key, 0) != must_be.get(key, 0):
            yield f"{table} of {key[0]}: {key[1]} are {counts.get(key, 0)}, not {must_be.get(key, 0)}"


def _counted(client: Any) -> Counts:
    known = [*MEASURE_OF.values(), MESSAGES_OUT]
    answer = client.query(
        "SELECT store_id, measure, sum(value) FROM counters FINAL ARRAY JOIN measures AS measure, values AS value"
        " WHERE window_seconds = {seconds:UInt32} AND measure IN {known:Array(String)} GROUP BY ALL",
        parameters={"seconds": WINDOW_SECONDS, "known": known},
    )
    counts: Counter[tuple[str, str]] = Counter()
    for store, measure, value in answer.result_rows:
        counts[store, "messages" if measure in (MESSAGES_OUT, "messages_in") else measure] += value
    return {key: value for key, value in counts.items() if value}


def _must_be_counted(truth: Truth) -> Counts:
    names = {f"{topic}/{kind}": measure for (topic, kind), measure in MEASURE_OF.items()}
    names[MESSAGES] = "messages"
    return {
        (store, names[what]): count
        for store, kinds in truth.by_store.items()
        for what, count in kinds.items()
    }


def _in_sessions(client: Any) -> Counts:
    sums = ", ".join(f"sum({column})" for column in MEMBERS)
    rows = client.query(f"SELECT store_id, {sums} FROM sessions FINAL GROUP BY store_id").result_rows
    return {
        (store, what): value
        for store, *values in rows
        for what, value in zip(MEMBERS.values(), values, strict=True)
        if value
    }


def _must_be_in_sessions(truth: Truth) -> Counts:
    members = set(MEMBERS.values())
    return {
        (store, what): count
        for store, kinds in truth.by_store.items()
        for what, count in kinds.items()
        if what in members
    }


def _in_exposures(client: Any) -> Counts:
    rows = client.query(
        "SELECT store_id, sum(impressions) FROM exposures FINAL GROUP BY store_id"
    ).result_rows
    return {(store, "impressions"): value for store, value in rows}


def _must_be_in_exposures(truth: Truth) -> Counts:
    return {
        (store, "impressions"): kinds["impression/shown"]
        for store, kinds in truth.by_store.items()
        if "impression/shown" in kinds
    }


# -- what became of records, topic by topic ----------------------------------------------------------------------------


def ledger_differences(ledger: Sequence[LedgerRow], truth: Truth) -> list[str]:
    """Where the ledger's sums are not what was sent; a record of a history without late ones is never too late."""
    books: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in ledger:
        book = books[row.topic]
        book["read"] += row.read
        book["accepted or a repeat"] += row.accepted + row.duplicate + row.forwarded
        book[TEST_TRAFFIC] += row.test_traffic
        book["too late"] += row.too_late
        for reason, count in zip(row.reasons, row.reason_counts, strict=True):
            book[f"{DEAD_LETTER}:{reason}"] += count
        books["all together"][ACCEPTED] += row.accepted
        books["all together"][DUPLICATE] += row.duplicate
    books.pop(FORWARDED, None)  # repeats of what was read elsewhere
    must_be: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for topic, buckets in truth.buckets.items():
        for bucket, count in buckets.items():
            must_be[topic]["read"] += count
            if bucket in (ACCEPTED, DUPLICATE):
                must_be[topic]["accepted or a repeat"] += count
                must_be["all together"][bucket] += count
            else:
                must_be[topic][bucket] += count
    counts = {(topic, name): count for topic, book in books.items() for name, count in book.items() if count}
    must = {(topic, name): count for topic, book in must_be.items() for name, count in book.items() if count}
    return told(_unequal("ledger", counts, must))
