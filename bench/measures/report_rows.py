"""Rows of a store of ten million events, made inside ClickHouse by SQL: what the pipeline would have written.

Everything follows from a row's number by hashing, so a run can be repeated. What belongs together agrees: an order is of
its session's person and time, an exposure of its session's.
"""

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

EVENTS: Final = 10_000_000
DAYS: Final = 60
"""Of history: the period of 30 days and the one before."""
AS_OF_MS: Final = 1_774_947_600_000  # 2026-03-31T09:00:00Z
STORE: Final = "acme"
ZONE: Final = "Europe/Madrid"
RECENT_CHUNKS: Final = 8
"""The running month comes in so many inserts, of which nobody waits for the merge."""


class Sizes(NamedTuple):
    """Rows by table, and people."""

    sessions: int
    exposures: int
    orders: int
    journeys: int
    notifications: int
    people: int

    @classmethod
    def of(cls, events: int) -> "Sizes":
        """In the proportions of the simulated shop: twelve events a session, an order every fifth."""
        unit = events // 100
        return cls(8 * unit, 8 * unit, 3 * unit // 2, unit, unit, 2 * unit)


# A session's number says who, when and where: every table below asks these again for the session it belongs to.
_MOMENT: Final = "fromUnixTimestamp64Milli({start} + intDiv(toInt64({n}) * {span}, {sessions}), 'UTC')"
_PERSON: Final = (
    "concat(if(cityHash64({n}, 1) % 10 < 4, 'c:', 'a:'),"
    " toString(cityHash64(cityHash64({n}, 1) % {people}, 2)))"
)  # fmt: skip
_CHANNEL: Final = "['web', 'web', 'app', 'whatsapp'][1 + cityHash64({n}, 3) % 4]"


def inserts(sizes: Sizes) -> Iterator[str]:
    """One INSERT SELECT after the other. A hundredth of the newest rows comes twice, with a higher version."""
    for table, count, columns in _tables(sizes):
        # Rows are in the order of time, so the last part of the numbers is the running month.
        old = count // 2
        chunk = (count - old) // RECENT_CHUNKS
        yield _insert(table, columns, 0, old, 1)
        for number in range(RECENT_CHUNKS):
            first = old + number * chunk
            last = count if number == RECENT_CHUNKS - 1 else first + chunk
            yield _insert(table, columns, first, last - first, 1)
        yield _insert(table, columns, count - count // 100, count // 100, 2)
    yield (
        "INSERT INTO definitions (store_id, kind, id, effective_at, born, status, version)"
        f" SELECT '{STORE}', ['experience', 'ab_test', 'journey'][1 + number % 3], concat('d', toString(number)),"
        " toDateTime64('2026-01-01 00:00:00', 3, 'UTC'), toDate('1970-01-01'),"
        " if(number % 3 = 1, 'running', 'active'), 1 FROM numbers(60)"
    )
    yield (
        "INSERT INTO watermarks (partition, born, watermark, idle, record_time, version)"
        f" SELECT number, toDate('1970-01-01'), fromUnixTimestamp64Milli({AS_OF_MS}, 'UTC'), 0,"
        f" fromUnixTimestamp64Milli({AS_OF_MS}, 'UTC'), 1 FROM numbers(8)"
    )


def _insert(table: str, columns: dict[str, str], first: int, count: int, version: int) -> str:
    named = {**columns, "version": str(version)}
    return (
        f"INSERT INTO {table} ({', '.join(named)}) SELECT {', '.join(named.values())}"
        f" FROM (SELECT number AS row FROM numbers({first}, {count}))"
        " SETTINGS max_partitions_per_insert_block = 100"
    )


def _tables(sizes: Sizes) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Table, its number of rows, and an expression over `row` for each column that is not empty."""
    yield "sessions", sizes.sessions, _sessions(sizes)
    yield "exposures", sizes.exposures, _exposures(sizes)
    yield "orders", sizes.orders, _orders(sizes)
    yield "journeys", sizes.journeys, _journeys(sizes)
    yield "notifications", sizes.notifications, _notifications(sizes)


def _of_session(sizes: Sizes, session: str) -> dict[str, str]:
    span = DAYS * 86_400_000
    words: dict[str, Any] = {
        "n": session,
        "start": AS_OF_MS - span,
        "span": span,
        "sessions": sizes.sessions,
        "people": sizes.people,
    }
    at = _MOMENT.format(**words)
    return {
        "store_id": f"'{STORE}'",
        "person": _PERSON.format(**words),
        "born": f"toDate({at}, 'UTC')",
        "channel": _CHANNEL.format(**words),
        "at": at,
        "date": f"toDate({at}, '{ZONE}')",
        "session_key": f"concat('s:', toString({session}))",
    }


def _picked(columns: dict[str, str], *names: str) -> dict[str, str]:
    return {name: columns[name] for name in names}


def _chance(salt: int, percent: int) -> str:
    return f"(cityHash64(row, {salt}) % 100 < {percent})"


def _sessions(sizes: Sizes) -> dict[str, str]:
    of = _of_session(sizes, "row")
    served, reached = _chance(20, 30), _chance(21, 10)
    # How far the next session that `_orders` picks is: an order's session is rounded down, so this rounds up.
    ordered = f"({sizes.sessions} - row * {sizes.orders} % {sizes.sessions}) % {sizes.sessions}"
    return {
        **_picked(of, "store_id", "person", "session_key", "born", "channel"),
        "device": "['mobile', 'desktop', 'tablet'][1 + cityHash64(row, 4) % 3]",
        "country": "['ES', 'PT', 'MX', 'BR', 'FR'][1 + cityHash64(row, 5) % 5]",
        "started_at": of["at"],
        "ended_at": f"{of['at']} + 600",
        "closes_at": f"{of['at']} + 2400",
        "store_date": of["date"],
        "present": "1",
        "active": _chance(6, 80),
        "activities": "cityHash64(row, 7) % 8",
        "messages_in": f"if({of['channel']} = 'whatsapp', 1 + cityHash64(row, 8) % 3, 0)",
        "supports": _chance(9, 10),
        "impressions": f"if({_chance(10, 60)}, 6, 0)",
        "clicks": _chance(11, 30),
        "experience_id": f"if({served}, [concat('e', toString(cityHash64(row, 22) % 20))], [])",
        "variant_id": f"if({served}, ['a'], [])",
        "test_id": f"if({served}, ['t'], [])",
        "experience_first_at": f"if({served}, [{of['at']} + 1], [])",
        "experience_last_at": f"if({served}, [{of['at']} + 60], [])",
        "orders": f"{ordered} < {sizes.orders}",
        "goals": reached,
        "goal_event_id": f"if({reached}, [concat('g', toString(row))], [])",
        "goal_id": f"if({reached}, [['newsletter', 'purchase'][1 + cityHash64(row, 23) % 2]], [])",
        "goal_experience_id": f"if({reached}, [''], [])",
        "goal_at": f"if({reached}, [{of['at']} + 120], [])",
        "goal_date": f"if({reached}, [{of['date']}], [])",
        "goal_valued": f"if({reached}, [toUInt8(cityHash64(row, 23) % 2 = 0)], [])",
        "goal_value": f"if({reached}, [toInt64(500)], [])",
        "goal_currency": f"if({reached}, ['EUR'], [])",
        "goal_exponent": f"if({reached}, [toUInt8(2)], [])",
        "last_shown_at": f"if({_chance(10, 60)}, {of['at']} + 300, toDateTime64(0, 3, 'UTC'))",
        "matures_at": f"if({_chance(10, 60)}, {of['at']} + 300 + 604800, toDateTime64(0, 3, 'UTC'))",
        "viewed": f"{_chance(10, 60)} AND {_chance(12, 25)}",
    }


def _exposures(sizes: Sizes) -> dict[str, str]:
    of = _of_session(sizes, f"intDiv(row * {sizes.sessions}, {sizes.exposures})")
    return {
        **_picked(of, "store_id", "person", "session_key", "born", "channel"),
        "widget_id": "['home', 'cart', 'product', 'search'][1 + cityHash64(row, 30) % 4]",
        "started_at": of["at"],
        "store_date": of["date"],
        "strategies": "[['also-bought', 'popular', 'recent'][1 + cityHash64(row, 31) % 3]]",
        "placements": "[['top', 'bottom'][1 + cityHash64(row, 32) % 2]]",
        "impressions": "6",
        "first_shown_at": f"{of['at']} + 10",
        "last_shown_at": f"{of['at']} + 300",
        "shown_dates": f"[{of['date']}]",
        "shown_at": f"[{of['at']} + 10]",
        "shown_channels": f"[{of['channel']}]",
        "viewed": _chance(33, 20),
    }


def _orders(sizes: Sizes) -> dict[str, str]:
    of = _of_session(sizes, f"intDiv(row * {sizes.sessions}, {sizes.orders})")
    direct, refunded, canceled = _chance(40, 30), _chance(41, 4), _chance(42, 2)
    paid = "toInt64(1000 + cityHash64(row, 43) % 9000)"
    taken = f"multiIf({canceled}, [{paid} * 2 + 500], {refunded}, [{paid}], [])"
    return {
        **_picked(of, "store_id", "person", "session_key", "born", "channel"),
        "order_id": "concat('o', toString(cityHash64(row, 44)))",
        "captured_at": f"{of['at']} + 500",
        "store_date": f"toDate({of['at']} + 500, '{ZONE}')",
        "currency": "if(cityHash64(row, 45) % 20 = 0, 'USD', 'EUR')",
        "exponent": "2",
        "order_version": "1",
        "total": f"{paid} * 2 + 500",
        "shipping": "500",
        "line_id": "['1', '2']",
        "product_id": "arrayMap(salt -> concat('p', toString(cityHash64(row, salt) % 5000)), [46, 47])",
        "sku": "['', '']",
        "quantity": "[1, 2]",
        "unit_price": f"[{paid}, intDiv({paid}, 2)]",
        "discount": "[0, 0]",
        "paid": f"[{paid}, {paid}]",
        "credit": f"[if({direct}, 'direct', 'assisted'), 'none']",
        "exposure_only": "[0, 1]",
        "touch_kind": f"[if({direct}, 'shown', 'clicked'), '']",
        "touch_at": f"[{of['at']}, toDateTime64(0, 3, 'UTC')]",
        "touch_product": "['p1', '']",
        "widget_id": "['home', '']",
        "strategy": "['popular', '']",
        "placement": "['top', '']",
        "has_interaction": "1",
        "adjustment": f"multiIf({canceled}, ['cancel'], {refunded}, ['refund'], [])",
        "adjustment_id": f"multiIf({canceled}, [''], {refunded}, ['r1'], [])",
        "adjusted_at": f"if({canceled} OR {refunded}, [{of['at']} + 172800], [])",
        "adjustment_date": f"if({canceled} OR {refunded}, [toDate({of['at']} + 172800, '{ZONE}')], [])",
        "adjustment_amount": taken,
        "adjustment_lines": f"multiIf({canceled}, [[{paid}, {paid}]], {refunded}, [[{paid}, 0]], [])",
        "reporting_paid": "[0, 0]",
        "reporting_adjustment_amount": f"if({canceled} OR {refunded}, [0], [])",
        "reporting_adjustment_lines": f"if({canceled} OR {refunded}, [[0, 0]], [])",
        "exposed_session": f"if({direct}, [{of['session_key']}], [])",
        "exposed_widget": f"if({direct}, ['home'], [])",
    }


def _journeys(sizes: Sizes) -> dict[str, str]:
    of = _of_session(sizes, f"intDiv(row * {sizes.sessions}, {sizes.journeys})")
    ended = _chance(50, 70)
    return {
        **_picked(of, "store_id", "born", "channel"),
        "execution_id": "concat('x', toString(cityHash64(row, 51)))",
        "partition": "cityHash64(row, 52) % 8",
        "started_at": of["at"],
        "start_event_id": "concat('s', toString(row))",
        "start_date": of["date"],
        "journey_id": "concat('j', toString(cityHash64(row, 53) % 10))",
        "journey_version": "'1'",
        "first_at": of["at"],
        "first_event_id": "concat('s', toString(row))",
        "first_journey_id": "concat('j', toString(cityHash64(row, 53) % 10))",
        "first_channel": of["channel"],
        "terminal_at": f"if({ended}, {of['at']} + 3600, toDateTime64(0, 3, 'UTC'))",
        "terminal_kind": f"if({ended}, if({_chance(54, 80)}, 'end', 'cancel'), '')",
        "terminal_date": f"if({ended}, toDate({of['at']} + 3600, '{ZONE}'), toDate('1970-01-01'))",
        "goal_at": f"if({_chance(55, 20)}, {of['at']} + 1800, toDateTime64(0, 3, 'UTC'))",
        "last_at": f"{of['at']} + 3600",
    }


def _notifications(sizes: Sizes) -> dict[str, str]:
    of = _of_session(sizes, f"intDiv(row * {sizes.sessions}, {sizes.notifications})")
    return {
        **_picked(of, "store_id", "person", "born", "channel"),
        "communication_id": "concat('n', toString(cityHash64(row, 60)))",
        "event_id": "concat('e', toString(row))",
        "sent_at": f"{of['at']} - 60",
        "store_date": f"toDate({of['at']} - 60, '{ZONE}')",
        "notification_channel": "['email', 'push', 'sms'][1 + cityHash64(row, 61) % 3]",
        "journey_id": "concat('j', toString(cityHash64(row, 62) % 10))",
        "execution_id": "concat('x', toString(row))",
    }
