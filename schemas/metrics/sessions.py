"""M1: visits of the platform, whatever was done in them."""

from typing import Final

from schemas.metrics.model import Grain, Metric, Section, Unit

METRICS: Final = (
    Metric(
        number="M1",
        name="total_sessions",
        section=Section.SESSIONS,
        says="Sessions with any sign of the shopper; a session is never split at midnight.",
        day="start of the session",
        unit=Unit.COUNT,
        grain=Grain.ADDITIVE,
        origin="H34, H35, H40, E12",
        fact="session",
        sql="sumIf(sessions, present)",
        dimensions=("device", "country"),
    ),
)
