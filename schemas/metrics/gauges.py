"""M3 to M5: how many experiences, tests and journeys run at this moment."""

from typing import Final

from schemas.metrics.model import Grain, Metric, Query, Section, Unit

_SEEN: Final = "$store AND born >= $recent"


def _undefined(*kinds: str) -> str:
    """Whether the store lacks a definition of some kind. By the first column of the key: else no row is read at all."""
    named = ", ".join(f"'{kind}'" for kind in kinds)
    return (
        f"store_id NOT IN (SELECT store_id FROM definitions FINAL WHERE $store AND kind IN ({named})"
        f" AND effective_at <= $as_of GROUP BY store_id HAVING uniqExact(kind) = {len(kinds)})"
    )


def _recent(first: str, last: str) -> str:
    """Whether something was seen in the 24 hours before data_as_of (H94), as far as its first and last instant tell."""
    return " OR ".join(f"({at} > $as_of - INTERVAL 1 DAY AND {at} < $as_of)" for at in (first, last))


def _before(at: str) -> str:
    return f"({at} > 0 AND {at} < $cut)"


_COLUMNS: Final = "store_id, experience_id, test_id, experience_first_at, experience_last_at"
_SERVED: Final = "experience_first_at AS first_seen, experience_last_at AS last_seen"

GAUGES: Final = Query(
    name="gauges",
    says="Gauges at data_as_of: by definitions, or by what was seen in the 24 hours before where a store defines none",
    sql=f"""\
SELECT store_id, gauge, if(max(defined), maxIf(value, defined), max(value)) AS value, NOT max(defined) AS inferred
FROM
(
    SELECT
        store_id, 1 AS defined,
        transform(kind, ['experience', 'ab_test', 'journey'],
            ['active_experiences', 'running_ab_tests', 'active_journeys'], '') AS gauge,
        countIf(status = if(kind = 'ab_test', 'running', 'active')) AS value
    FROM
    (
        SELECT store_id, kind, id, argMax(definitions.status, effective_at) AS status
        FROM definitions FINAL
        WHERE $store AND effective_at <= $as_of
        GROUP BY store_id, kind, id
    )
    WHERE gauge != ''
    GROUP BY store_id, gauge
    UNION ALL
    SELECT store_id, 0, seen.1, uniqExact(seen.2)
    FROM
    (
        SELECT
            store_id, arrayJoin([('active_experiences', experience), ('running_ab_tests', test)]) AS seen
        FROM (
            SELECT {_COLUMNS} FROM sessions FINAL
            WHERE {_SEEN} AND personalized AND {_undefined("experience", "ab_test")}
        )
        ARRAY JOIN experience_id AS experience, test_id AS test, {_SERVED}
        WHERE {_recent("first_seen", "last_seen")}
        UNION ALL
        SELECT store_id, ('active_journeys', if(journey_id != '', journey_id, first_journey_id))
        FROM journeys FINAL
        WHERE $store AND ({_recent("first_at", "last_at")}) AND {_undefined("journey")}
    )
    WHERE seen.2 != ''
    GROUP BY store_id, seen.1
    UNION ALL
    SELECT store_id, 1, 'journey_executions_in_progress', uniqExact(execution_hash)
    FROM journeys FINAL
    WHERE $store AND {_before("started_at")} AND execution_hash NOT IN (
        SELECT execution_hash FROM journeys FINAL WHERE $store AND {_before("terminal_at")}
    )
    GROUP BY store_id
)
GROUP BY store_id, gauge""",
)


def _gauge(number: str, name: str, says: str, origin: str) -> Metric:
    return Metric(
        number=number,
        name=name,
        section=Section.GAUGES,
        says=says,
        day="now: data_as_of",
        unit=Unit.COUNT,
        grain=Grain.GAUGE,
        origin=origin,
        query=GAUGES.name,
    )


METRICS: Final = (
    _gauge(
        "M3",
        "active_experiences",
        "Experiences whose latest status is `active`; inferred: those served in the last 24 hours.",
        "H93 to H95",
    ),
    _gauge(
        "M4",
        "running_ab_tests",
        "A/B tests whose latest status is `running`; inferred: those served in the last 24 hours.",
        "H93 to H95",
    ),
    _gauge(
        "M5",
        "active_journeys",
        "Journeys whose latest status is `active`; inferred: those with an event in the last 24 hours.",
        "H93 to H95",
    ),
    _gauge(
        "M5",
        "journey_executions_in_progress",
        "Executions with a `started` and no terminal node yet, of any age.",
        "H96",
    ),
)
