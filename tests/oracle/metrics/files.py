"""The two CSV files by the oracle, as text: what section 8 says of them, over its own numbers of each day."""

from datetime import date
from fractions import Fraction
from typing import Final

from tests.oracle.calendar import date_of
from tests.oracle.currencies import EXPONENT
from tests.oracle.metrics.cells import Cell, Value
from tests.oracle.metrics.facts import StoreFacts
from tests.oracle.metrics.report import daily, value_of
from tests.oracle.periods import Span

SESSIONS: Final = {
    "Total sessions": "channel_sessions",
    "Average conversion per user": "average_conversion_per_user",
    "Bounce rate": "bounce_rate",
    "Total users": "total_users",
    "Total new users": "total_new_users",
    "Total recurring users": "total_returning_users",
    "Conversion rate": "conversion_rate",
    "Percentage of recurring users": "returning_users_pct",
    "Percentage of new users": "new_users_pct",
    "Percentage of human support": "human_support_pct",
    "Percentage of self-service": "self_service_pct",
}
SALES: Final = (
    "date,currency,total_revenue,total_orders,average_ticket,items_per_order,average_price_per_item"
)


def sessions_file(facts: StoreFacts, span: Span, as_of: int, channel: str | None) -> list[str]:
    """A line a day, the header first; without line ends."""
    lines = [",".join(["Date", *SESSIONS])]
    for day, cells in daily(facts, span, as_of, channel=channel).items():
        numbers = [value_of(Cell(metric), cells) for metric in SESSIONS.values()]
        lines.append(",".join([str(day), *map(_number, numbers)]))
    return lines


def sales_file(facts: StoreFacts, span: Span, as_of: int, channel: str | None) -> list[str]:
    """A line a day and currency (H109); the store's own where nothing was sold."""
    sold: dict[tuple[date, str], list[tuple[int, int, int]]] = {}
    days = list(daily(facts, span, as_of, channel=channel))
    for purchase in facts.purchases:
        is_asked = channel is None or purchase.channel == channel
        if is_asked and span.start <= purchase.at < min(span.end, as_of):
            paid = sum(line.paid for line in purchase.lines)
            place = date_of(purchase.at, facts.store.zone), purchase.currency
            sold.setdefault(place, []).append((purchase.total, purchase.quantity, paid))
    currencies = sorted({currency for _, currency in sold}) or [facts.store.currency]
    return [SALES, *(_sold(day, one, sold.get((day, one), [])) for day in days for one in currencies)]


def _sold(day: date, currency: str, orders: list[tuple[int, int, int]]) -> str:
    digits, count = EXPONENT[currency], len(orders)
    total, units, paid = (sum(order[each] for order in orders) for each in range(3))

    def money(minor: Fraction) -> str:
        return _decimals(minor / 10**digits, digits)

    cells = [str(day), currency, money(Fraction(total)), str(count)]
    cells += [
        money(Fraction(total, count)) if count else "",
        _decimals(Fraction(units, count), 2) if count else "",
    ]
    return ",".join([*cells, money(Fraction(paid, units)) if units else ""])


def _number(value: Value) -> str:
    """A count bare, a quotient with two decimals, what is not known as nothing."""
    if value is None:
        return ""
    return _decimals(value, 2) if isinstance(value, Fraction) else str(value)


def _decimals(value: Fraction, digits: int) -> str:
    """Half away from zero. All that is in these files is positive."""
    units = int(value * 10**digits + Fraction(1, 2))
    whole, rest = divmod(units, 10**digits)
    return f"{whole}.{rest:0{digits}}" if digits else str(whole)
