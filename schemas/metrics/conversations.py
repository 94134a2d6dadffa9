"""M32 to M42: sessions in which the shopper did something, their users, support and orders; usually of one channel."""

from typing import Final

from schemas.metrics.model import Grain, Maturity, Metric, Section, Unit

_IN: Final = Section.CONVERSATIONS
_START: Final = "start of the session"


def _sessions(
    number: str, name: str, condition: str, says: str, origin: str, *, part: bool = False
) -> Metric:
    return Metric(
        number=number,
        name=name,
        section=_IN,
        says=says,
        day=_START,
        unit=Unit.COUNT,
        grain=Grain.ADDITIVE,
        origin=origin,
        fact="session",
        sql=f"sumIf(sessions, {condition})",
        part=part,
    )


def _users(number: str, name: str, sql: str, says: str, origin: str) -> Metric:
    return Metric(
        number=number,
        name=name,
        section=_IN,
        says=says,
        day=_START,
        unit=Unit.COUNT,
        grain=Grain.DISTINCT,
        origin=origin,
        fact="user",
        sql=sql,
    )


def _rate(
    number: str,
    name: str,
    says: str,
    origin: str,
    sides: tuple[str, str],
    *,
    unit: Unit = Unit.PERCENT,
    day: str = _START,
    maturity: Maturity | None = None,
) -> Metric:
    return Metric(
        number=number,
        name=name,
        section=_IN,
        says=says,
        day=day,
        unit=unit,
        grain=Grain.RATIO,
        origin=origin,
        numerator=sides[0],
        denominator=sides[1],
        maturity=maturity,
    )


METRICS: Final = (
    _sessions(
        "M32", "channel_sessions", "active", "Sessions in which the shopper did something.", "H35, H38"
    ),
    _sessions(
        "M33",
        "closed_sessions",
        "active AND closed",
        "channel_sessions that are over at data_as_of.",
        "H37",
        part=True,
    ),
    _sessions(
        "M33",
        "open_sessions",
        "active AND NOT closed",
        "channel_sessions that are still open at data_as_of.",
        "H37",
        part=True,
    ),
    _sessions(
        "M33",
        "bounced_sessions",
        "active AND closed AND one_message",
        "Closed sessions of exactly one inbound message and nothing else the shopper did.",
        "E15, E16, H42",
        part=True,
    ),
    _rate(
        "M33",
        "bounce_rate",
        "Of the closed sessions, those of exactly one inbound message and nothing else; provisional while one is open.",
        "E15, E16, H37, H42",
        ("bounced_sessions", "closed_sessions"),
        maturity=Maturity("open_sessions"),
    ),
    _rate(
        "M34",
        "average_conversion_per_user",
        "Captured orders per user; orders by capture day, users by session start.",
        "H100, H105",
        ("total_orders", "total_users"),
        unit=Unit.NUMBER,
        day="capture of the order; start of the session",
    ),
    _users(
        "M35",
        "total_users",
        "sum(persons)",
        "Distinct persons with a channel session; does not add up over days.",
        "E7, H35",
    ),
    _users(
        "M36",
        "total_new_users",
        "sumIf(persons, is_new)",
        "Users whose first-ever channel session (in the channel, or in any without a filter) lies in the period.",
        "E17, E18, H39",
    ),
    _users(
        "M37",
        "total_returning_users",
        "sumIf(persons, NOT is_new)",
        "Users whose first-ever channel session lies before the period.",
        "E18, H39",
    ),
    _rate(
        "M38",
        "conversion_rate",
        "Captured orders per 100 channel sessions; may exceed 100.",
        "H100",
        ("total_orders", "channel_sessions"),
        day="capture of the order; start of the session",
    ),
    _rate(
        "M39",
        "new_users_pct",
        "Of the users, the new ones.",
        "H105",
        ("total_new_users", "total_users"),
    ),
    _rate(
        "M40",
        "returning_users_pct",
        "Of the users, the returning ones.",
        "H105",
        ("total_returning_users", "total_users"),
    ),
    _sessions(
        "M41", "live_support_sessions", "active AND supported", "channel_sessions with a human agent.", "H38"
    ),
    _rate(
        "M41",
        "human_support_pct",
        "Of the channel sessions, those with a human agent.",
        "H38",
        ("live_support_sessions", "channel_sessions"),
    ),
    _sessions(
        "M42",
        "self_service_sessions",
        "active AND NOT supported",
        "channel_sessions without a human agent.",
        "H38",
    ),
    _rate(
        "M42",
        "self_service_pct",
        "Of the channel sessions, those without a human agent: 100 - human_support_pct.",
        "H38",
        ("self_service_sessions", "channel_sessions"),
    ),
)
