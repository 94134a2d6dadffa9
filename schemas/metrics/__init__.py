"""The catalogue: every metric once, as data. Views, report, docs and API are made from it (see `model`)."""

from typing import Final

from schemas.metrics import (
    browsing_facts,
    conversations,
    customers,
    gauges,
    journeys,
    order_facts,
    orders,
    personalization,
    recommendations,
    reporting,
    sessions,
)
from schemas.metrics.checks import checked_facts, checked_metrics
from schemas.metrics.model import Reading

FACTS: Final = checked_facts((*browsing_facts.FACTS, *order_facts.FACTS, *reporting.FACTS))
"""Name -> fact."""

QUERIES: Final = {query.name: query for query in (gauges.GAUGES, *customers.QUERIES)}
"""Name -> whole query."""

METRICS: Final = checked_metrics(
    reporting.with_twins(
        (
            *sessions.METRICS,
            *personalization.METRICS,
            *recommendations.METRICS,
            *journeys.METRICS,
            *conversations.METRICS,
            *orders.METRICS,
            *reporting.LEFT_OUT,
            *gauges.METRICS,
            *customers.METRICS,
        )
    ),
    FACTS,
    QUERIES,
)
"""Name -> metric, parts too, in the order of the page."""

SHOWN: Final = tuple(name for name, metric in METRICS.items() if not metric.part)
"""Names of what a report shows when nothing is chosen."""

READINGS: Final = (
    Reading(
        "M8",
        "<metric>_change_pct",
        "Change against the previous period: (current - previous) / |previous| in percent; null with a state when the"
        " previous value is 0.",
        "`change_pct`, `change_pp` and `state` of every value of a report",
    ),
    Reading(
        "M9",
        "personalization_revenue_daily",
        "M6 and M7 by store date, days without any at 0, with the previous period beside.",
        "the series of personalization_revenue and personalization_goal_revenue; the view personalization_revenue_daily",
    ),
)
