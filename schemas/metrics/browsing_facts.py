"""Facts of the shopper's side: sessions, what was served and reached in them, widgets seen, and users."""

from typing import Final

from schemas.metrics.model import Fact, Field
from schemas.tables import SESSION_FLAGS

STORE: Final = Field("store_id", "the tenant")
_PERSON: Final = Field("person_hash", "the person, as resolved: 128 bits of store and id")
_SESSION_HASH: Final = Field("session_hash", "the session: 128 bits of store, person and session key")
_SESSION_CHANNEL: Final = Field("channel", "of the session's earliest event")
_OF_SESSION: Final = (STORE, _PERSON, _SESSION_HASH, _SESSION_CHANNEL)

# By session: 1, a product seen in it became a direct line of an order (M18, H77); 2, an order of it has one (M21).
_CREDITED: Final = """\
(
    SELECT earned.1 AS session_hash, groupBitOr(earned.2) AS credited
    FROM
    (
        SELECT arrayJoin(arrayConcat(arrayMap(seen -> (seen, 1), exposed_hash),
            if(session_key != '' AND has_direct, [(session_hash, 2)], []))) AS earned
        FROM orders FINAL
        WHERE $scope AND captured_at < $cut AND (has_direct OR notEmpty(exposed_hash))
    )
    GROUP BY session_hash
)"""


def _flag(name: str) -> str:
    return f"bitTest(flags, {list(SESSION_FLAGS).index(name)})"


def _sessions(credited: str) -> str:
    """Sessions that are alike in all that counts, as one row: millions of sessions are of a few hundred kinds."""
    joined = f" AS seen LEFT ANY JOIN {_CREDITED} AS earned USING (session_hash)" if credited else ""
    kinds = ", ".join(f"{_flag(name)} AS {name}" for name in SESSION_FLAGS)
    told = "bitTest(credited, 0) AND exposed AS converted, bitTest(credited, 1) AND ordered AS bought_recommended, "
    return f"""\
SELECT bucket, $keys {kinds}, closed, matured, {told if credited else ""}mature_at, sessions
FROM (
    SELECT bucket, $keys flags, closed, matured{credited}, max(matures_at) AS mature_at, count() AS sessions
    FROM (
        SELECT $bucket AS bucket, $keys flags, $as_of > closes_at AS closed, matures_at <= $as_of AS matured, matures_at
            {", session_hash" if credited else ""}
        FROM $rows
        WHERE $where AND $counts$channel
    ){joined}
    GROUP BY bucket, $keys flags, closed, matured{credited}
)"""


SESSION: Final = Fact(
    name="session",
    says="sessions that started on a day and are alike in all fields below: how many they are is `sessions`",
    rows="sessions FINAL",
    at="started_at",
    date="store_date",
    inner=_sessions(""),
    extra=("converted", "bought_recommended"),
    inner_extra=_sessions(", credited"),
    fields=(
        STORE,
        Field("sessions", "how many sessions these are"),
        _SESSION_CHANNEL,
        Field("device", "of the session's earliest event that has one"),
        Field("country", "of the session's earliest event that has one"),
        Field("present", "1: any sign of the shopper (H35)"),
        Field("active", "1: the shopper did something (H35)"),
        Field("closed", "1: over, judged by data_as_of (H37)"),
        Field("one_message", "1: exactly one inbound message and no other interaction (H42)"),
        Field("supported", "1: a human agent took part"),
        Field("personalized", "1: at least one experience was served"),
        Field("earned_goal", "1: at least one goal conversion that an experience has earned"),
        Field("ordered", "1: at least one captured order"),
        Field("bought_recommended", "1: an order of it has a direct line"),
        Field("exposed", "1: at least one recommendation impression"),
        Field("viewed", "1: an impression, then the details of the same product"),
        Field("converted", "1: a product seen in it became a direct line"),
        Field("mature_at", "when `converted` is final: last impression + attribution window"),
        Field("matured", "1: mature_at is not after data_as_of"),
    ),
)

USER: Final = Fact(
    name="user",
    says="persons with an active session in a period or day, those who had none before apart",
    rows="sessions FINAL",
    where="$whole AND active$channel",
    at="started_at",
    date="store_date",
    # The bucket of the first-ever session is an ordinary bucket if that session lies in one (M36), else another value.
    inner=(
        "SELECT $keys arrayJoin(groupUniqArrayIf(at_bucket, counts)) AS bucket,"
        " argMin(at_bucket, started_at) = bucket AS is_new, 1 AS persons FROM (SELECT person_hash, $keys started_at,"
        " $bucket AS at_bucket, $counts AS counts FROM $rows WHERE $where) GROUP BY $keys person_hash"
    ),
    # One byte for each person, then few rows: arrays for each person would take most of the time.
    inner_of_two="""\
SELECT $keys bucket, if(bucket = 1, bitAnd(sides, 7), bitAnd(sides, 1)) = 0 AS is_new, persons
FROM (
    SELECT $keys sides, count() AS persons
    FROM (SELECT $keys groupBitOr($side) AS sides FROM $rows WHERE $where GROUP BY $keys person_hash)
    GROUP BY $keys sides
)
ARRAY JOIN [1, 2] AS bucket
WHERE bitTest(sides, if(bucket = 1, 3, 1))""",
    fields=(
        STORE,
        Field(
            "channel", "of the session; with all channels together the first-ever session is over all (H39)"
        ),
        Field("bucket", "the period or day"),
        Field("persons", "how many persons these are"),
        Field("is_new", "1: their first-ever active session lies in it"),
    ),
)

EXPERIENCE: Final = Fact(
    name="experience",
    says="an experience served in a session, by the day the session started",
    rows="sessions FINAL ARRAY JOIN experience_id AS experience, variant_id AS variant, test_id AS test",
    at="started_at",
    date="store_date",
    key=("session_hash",),
    fields=(
        *_OF_SESSION,
        Field("experience_id", "the personalisation", "experience"),
        Field("variant_id", "its variant, empty if none was named", "variant"),
        Field("test_id", "its A/B test, empty if none was named", "test"),
        Field("ordered", "1: the session has a captured order", "orders > 0"),
    ),
)

# Of several orders of the session the closest is the purchase (H87): they are joined, ranked, and the first is kept.
# Only orders of sessions with such a purchase are, which few have.
_GOALS: Final = f"""\
(
    SELECT
        store_id, session_hash, channel, goal, reached_at, reached_date, earners,
        if(unpriced, total, amount) AS worth,
        if(unpriced, currency, given_currency) AS worth_currency,
        if(unpriced, exponent, given_exponent) AS worth_exponent
    FROM
    (
        SELECT
            store_id, session_hash, channel, number, goal, reached_at, reached_date, amount, given_currency,
            given_exponent, unpriced, earners, if(unpriced, session_hash, 0) AS basket_of
        FROM
        (
            SELECT
                store_id, session_hash, channel,
                conversions.goal AS all_goals, conversions.at AS all_at, conversions.date AS all_dates,
                conversions.value AS all_values, conversions.currency AS all_currencies,
                conversions.exponent AS all_exponents, conversions.unpriced AS all_unpriced,
                conversions.experiences AS all_earners
            FROM sessions FINAL
            WHERE $scope AND {_flag("converting")}
        )
        ARRAY JOIN
            arrayEnumerate(all_dates) AS number, all_goals AS goal, all_at AS reached_at, all_dates AS reached_date,
            all_values AS amount, all_currencies AS given_currency, all_exponents AS given_exponent,
            all_unpriced AS unpriced, all_earners AS earners
        WHERE $counts
    ) AS session
    LEFT JOIN
    (
        SELECT session_hash AS basket_of, captured_at, order_id, total, currency, exponent
        FROM orders FINAL
        WHERE $scope AND captured_at < $cut AND session_hash IN (
            SELECT session_hash FROM sessions FINAL WHERE $scope AND {_flag("unpriced")}
        )
    ) AS basket USING (basket_of)
    ORDER BY abs(toUnixTimestamp64Milli(captured_at) - toUnixTimestamp64Milli(reached_at)), captured_at, order_id
    LIMIT 1 BY session_hash, number
)"""

_OF_GOAL: Final = (
    STORE,
    _SESSION_HASH,
    _SESSION_CHANNEL,
    Field("goal_id", "the goal", "goal"),
    Field("value", "its value, or the total of the session's order closest in time (H87)", "worth"),
    Field("currency", "of the value; empty without one", "worth_currency"),
    Field("exponent", "digits of the minor unit", "worth_exponent"),
)

GOAL: Final = Fact(
    name="goal",
    says="a goal conversion of a session, by its own day",
    rows=_GOALS,
    where="1",
    at="reached_at",
    date="reached_date",
    fields=_OF_GOAL,
)

GOAL_EXPERIENCE: Final = Fact(
    name="goal_experience",
    says="a goal conversion of a session, once for each experience it is attributed to (H86)",
    rows=_GOALS,
    where="1",
    at="reached_at",
    date="reached_date",
    fields=(*_OF_GOAL, Field("experience_id", "an experience it is attributed to", "arrayJoin(earners)")),
)

SESSION_GOAL: Final = Fact(
    name="session_goal",
    says="a goal reached in a personalised session, by the day the session started",
    rows="sessions FINAL ARRAY JOIN conversions.goal AS goal",
    where="$scope AND goals > 0 AND personalized",
    at="started_at",
    date="store_date",
    key=("session_hash",),
    fields=(*_OF_SESSION, Field("goal_id", "the goal", "goal")),
)

_CONFIRMED_WIDGETS: Final = (
    "(session_hash, widget_id) IN (SELECT seen.1, seen.2"
    " FROM (SELECT arrayJoin(arrayZip(exposed_hash, exposed_widget)) AS seen FROM orders FINAL"
    " WHERE $scope AND captured_at < $cut))"
)

EXPOSURE: Final = Fact(
    name="exposure",
    says="what a session saw of one widget, by the day the session started",
    rows="exposures FINAL",
    at="started_at",
    date="store_date",
    fields=(
        *_OF_SESSION,
        Field("widget_id", "the recommendation widget"),
        Field("viewed", "1: details of a product that this widget had shown in the session"),
        Field(
            "converted", "1: a product that this widget had shown became a direct line", _CONFIRMED_WIDGETS
        ),
        Field("shown", "impressions of the widget in the session", "impressions"),
    ),
)

EXPOSURE_MATURITY: Final = Fact(
    name="exposure_maturity",
    says="what a session saw of one widget, with when the session matures (H78), by the day the session started",
    rows="""\
(
    SELECT store_id, person_hash, session_hash, channel, widget_id, started_at, store_date, mature
    FROM (SELECT *, person_hash, session_hash FROM exposures FINAL WHERE $scope) AS seen
    INNER JOIN
    (
        SELECT session_hash, matures_at AS mature FROM sessions FINAL WHERE $scope AND impressions > 0
    ) AS session USING (session_hash)
)""",
    where="1",
    at="started_at",
    date="store_date",
    fields=(
        *_OF_SESSION,
        Field("widget_id", "the recommendation widget"),
        Field(
            "converted", "1: a product that this widget had shown became a direct line", _CONFIRMED_WIDGETS
        ),
        Field("mature_at", "when the session can no longer convert", "mature"),
        Field("matured", "1: mature_at is not after data_as_of", "mature <= $as_of"),
    ),
)

EXPOSURE_STRATEGY: Final = Fact(
    name="exposure_strategy",
    says="what a session saw of one strategy, by the day the session started",
    rows="exposures FINAL ARRAY JOIN strategies AS shown_strategy",
    at="started_at",
    date="store_date",
    key=("session_hash",),
    fields=(
        *_OF_SESSION,
        Field("strategy", "the strategy of the impressions", "shown_strategy"),
        Field("widget_id", "the recommendation widget"),
    ),
)

REACH: Final = Fact(
    name="reach",
    says="persons who got recommendations of a widget in a period or day, by channel of the impression",
    rows=(
        "(SELECT store_id, person_hash, widget_id, shown_dates, shown_channels, shown_at FROM exposures FINAL"
        " WHERE $scope) ARRAY JOIN shown_dates AS shown_date, shown_channels AS channel, shown_at AS seen_at"
    ),
    where="1",
    at="seen_at",
    date="shown_date",
    inner="""\
SELECT $keys bucket, 1 AS persons
FROM (SELECT DISTINCT $keys $bucket AS bucket, person_hash FROM $rows WHERE $where AND $counts$channel)""",
    inner_of_two="""\
SELECT $keys bucket, persons
FROM (
    SELECT $keys sides, count() AS persons
    FROM (SELECT $keys groupBitOr($side) AS sides FROM $rows WHERE $where AND $counts$channel GROUP BY $keys person_hash)
    GROUP BY $keys sides
)
ARRAY JOIN [1, 2] AS bucket
WHERE bitTest(sides, if(bucket = 1, 3, 1))""",
    fields=(
        STORE,
        Field("channel", "of the impression"),
        Field("widget_id", "the recommendation widget"),
        Field("persons", "how many persons these are"),
    ),
)

FACTS: Final = (
    SESSION,
    USER,
    EXPERIENCE,
    GOAL,
    GOAL_EXPERIENCE,
    SESSION_GOAL,
    EXPOSURE,
    EXPOSURE_MATURITY,
    EXPOSURE_STRATEGY,
    REACH,
)
