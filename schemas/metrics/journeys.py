"""M22 to M26: executions of journeys, and what they sent."""

from typing import Final

from schemas.metrics.model import Grain, Maturity, Metric, Section, Unit

_IN: Final = Section.JOURNEYS
_JOURNEY: Final = ("journey_id", "journey_version")


def _executions(
    number: str, name: str, sql: str, says: str, origin: str, *, day: str, part: bool = False
) -> Metric:
    return Metric(
        number=number,
        name=name,
        section=_IN,
        says=says,
        day=day,
        unit=Unit.COUNT,
        grain=Grain.ADDITIVE,
        origin=origin,
        fact="journey",
        sql=sql,
        dimensions=_JOURNEY,
        part=part,
    )


METRICS: Final = (
    _executions(
        "M22",
        "journeys_started",
        "countIf(started)",
        "Executions with a `started`, dated by the earliest.",
        "H91",
        day="the start",
    ),
    _executions(
        "M23",
        "journeys_completed",
        "countIf(completed)",
        "Executions whose first terminal node is an `end`.",
        "E36, H91",
        day="the terminal node",
    ),
    _executions(
        "M24",
        "journeys_canceled",
        "countIf(canceled)",
        "Executions whose first terminal node is a `cancel`.",
        "E36, H91",
        day="the terminal node",
    ),
    Metric(
        number="M25",
        name="journey_notifications_sent",
        section=_IN,
        says="Distinct communications that were sent.",
        day="the first send",
        unit=Unit.COUNT,
        grain=Grain.ADDITIVE,
        origin="H90",
        fact="notification",
        sql="count()",
        dimensions=("notification_channel", "journey_id"),
    ),
    _executions(
        "M26",
        "journeys_converted",
        "countIf(started AND reached_goal)",
        "Executions started in the period with a goal conversion at any time.",
        "H91",
        day="the start",
        part=True,
    ),
    _executions(
        "M26",
        "journeys_open",
        "countIf(started AND open)",
        "Executions started in the period without a terminal node before data_as_of.",
        "H92",
        day="the start",
        part=True,
    ),
    Metric(
        number="M26",
        name="journey_conversion_rate",
        section=_IN,
        says="Of the executions started in the period, those with a goal conversion; provisional while one is open.",
        day="the start, both sides",
        unit=Unit.PERCENT,
        grain=Grain.RATIO,
        origin="H91, H92",
        numerator="journeys_converted",
        denominator="journeys_started",
        maturity=Maturity("journeys_open"),
    ),
)
