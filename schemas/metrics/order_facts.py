"""Facts of the shop's side: orders, their lines, what was taken back, journeys and what they sent."""

from typing import Final

from schemas.metrics.browsing_facts import STORE
from schemas.metrics.model import Fact, Field
from schemas.tables import SESSION_FLAGS

_MONEY: Final = (
    Field("currency", "ISO 4217, of the order"),
    Field("exponent", "digits of the currency's minor unit"),
)
_OF_ORDER: Final = (
    STORE,
    Field("order_id", "unique in the store"),
    Field("channel", "of the order's first capture"),
    *_MONEY,
)
_BITS: Final = [1 << bit for bit, name in enumerate(SESSION_FLAGS) if name in ("personalized", "ordered")]
_PERSONALIZED: Final = (
    "session_hash IN (SELECT session_hash FROM sessions FINAL"
    f" WHERE $scope AND bitAnd(flags, {sum(_BITS)}) = {sum(_BITS)})"
)


ORDER: Final = Fact(
    name="order",
    says="a captured order, by the day of its first capture",
    rows="orders FINAL",
    where="$scope AND captured_at < $cut",
    at="captured_at",
    date="store_date",
    fields=(
        *_OF_ORDER,
        Field("paid_total", "after discounts, with shipping and tax", "total"),
        Field("units", "over all lines"),
        Field("lines_paid", "what the lines add up to: total - shipping - tax", "lines_paid"),
        Field("direct", "paid for lines with direct credit", "direct_paid"),
        Field("assisted", "paid for lines with assisted credit", "assisted_paid"),
        Field("has_direct", "1: a line has direct credit"),
        Field("direct_units", "units of lines with direct credit"),
        Field(
            "shown_only",
            "paid for lines that were shown and never added to the cart (E21, H75)",
            "shown_only_paid",
        ),
        Field("has_interaction", "1: an interaction in the window before (H74)"),
        Field("personalized", "1: placed in a session that was served an experience (H85)", _PERSONALIZED),
    ),
)

ORDER_EXPERIENCE: Final = Fact(
    name="order_experience",
    says="a captured order, once for each experience served in its session (H85)",
    rows="""\
(
    SELECT
        store_id, order_id, channel, currency, exponent, reported, total, captured_at, store_date,
        experience, variant, test
    FROM (SELECT *, session_hash FROM orders FINAL WHERE $scope AND captured_at < $cut) AS bought
    INNER JOIN
    (
        SELECT session_hash, experience, variant, test
        FROM sessions FINAL
        ARRAY JOIN experience_id AS experience, variant_id AS variant, test_id AS test
        WHERE $scope AND orders > 0
    ) AS served USING (session_hash)
)""",
    where="1",
    at="captured_at",
    date="store_date",
    key=("order_id",),
    fields=(
        *_OF_ORDER,
        Field("paid_total", "after discounts, with shipping and tax", "total"),
        Field("experience_id", "the personalisation", "experience"),
        Field("variant_id", "its variant, empty if none was named", "variant"),
        Field("test_id", "its A/B test, empty if none was named", "test"),
    ),
)

_CREDIT: Final = (
    Field("widget_id", "the widget of the touch that earned the line", "of_widget"),
    Field("placement", "its placement", "of_placement"),
    Field("strategy", "its strategy", "of_strategy"),
    Field("product_id", "what was bought", "bought"),
    Field("earned", "direct, assisted or none", "of_credit"),
)
_ARRAYS: Final = (
    "credit AS of_credit, product_id AS bought, widget_id AS of_widget, placement AS of_placement,"
    " strategy AS of_strategy"
)

_NAMES: Final = "of_credit, bought, of_widget, of_placement, of_strategy"

LINE: Final = Fact(
    name="line",
    says="a line of a captured order, by the day of the order",
    rows=f"orders FINAL ARRAY JOIN {_ARRAYS}, paid AS of_paid, quantity AS of_quantity, exposure_only AS of_only",
    where="$scope AND captured_at < $cut",
    at="captured_at",
    date="store_date",
    fields=(
        *_OF_ORDER,
        *_CREDIT,
        Field("line_paid", "its part of the order after all discounts", "of_paid"),
        Field("line_units", "units", "of_quantity"),
        Field("line_shown_only", "1: shown and never added to the cart", "of_only"),
        Field("has_interaction", "1: the order has an interaction in the window before (H74)"),
    ),
)

_TAKEN_BACK: Final = (
    "adjustment AS kind, adjusted_at AS back_at, adjustment_date AS back_date, adjustment_amount AS back_amount,"
    " adjustment_lines AS back_lines, arrayEnumerate(adjustment) AS back_step"
)
# A refund comes at any age of its order, and may be dated long before its order came: all orders are read.
_BACK_SCOPE: Final = "$store AND captured_at < $cut AND notEmpty(adjustment)"


def _back(credit: str) -> str:
    return f"arraySum((amount, earned) -> if(earned = '{credit}', amount, 0), back_lines, credit)"


ADJUSTMENT: Final = Fact(
    name="adjustment",
    says="a cancel or a refund of a known order, by its own day",
    rows=f"(SELECT * FROM orders FINAL WHERE {_BACK_SCOPE}) ARRAY JOIN {_TAKEN_BACK}",
    where="1",
    at="back_at",
    date="back_date",
    fields=(
        *_OF_ORDER,
        Field("taken", "what it took of the order's total", "back_amount"),
        Field("is_cancel", "1: a cancel, 0: a refund", "kind = 'cancel'"),
        Field("direct_taken", "what it took of lines with direct credit", _back("direct")),
        Field("assisted_taken", "what it took of lines with assisted credit", _back("assisted")),
    ),
)

ADJUSTED_LINE: Final = Fact(
    name="adjusted_line",
    says="what a cancel or a refund took of one line, by its own day",
    rows=f"""\
(
    SELECT
        store_id, order_id, channel, currency, exponent, reported, back_at, back_date, back_step,
        {_NAMES}, of_taken
    FROM
    (
        SELECT *, back_at, back_date, back_lines, back_step
        FROM (SELECT * FROM orders FINAL WHERE {_BACK_SCOPE})
        ARRAY JOIN {_TAKEN_BACK}
    )
    ARRAY JOIN {_ARRAYS}, back_lines AS of_taken
)""",
    where="1",
    at="back_at",
    date="back_date",
    fields=(*_OF_ORDER, *_CREDIT, Field("line_taken", "what it took of the line", "of_taken")),
)

# The hash holds the store: to group by both would cost twice as much.
_OF_STORE: Final = Field("store_id", "the tenant", "of_store")

# An execution may take months, so all are read. Its events may come under different keys, so each Kafka partition has a
# part of it. At the same ms `end` comes before `cancel` (H91): 0 before 1.
_EXECUTIONS: Final = """\
(
    SELECT
        any(journeys.store_id) AS of_store,
        minIf(started_at, started_at > 0) AS start_at,
        minIf(start_date, started_at > 0) AS first_date,
        argMinIf((journey_id, journey_version, channel), (started_at, start_event_id), started_at > 0) AS start,
        argMin((first_journey_id, first_channel), (first_at, first_event_id)) AS earliest,
        minIf(2 * toUnixTimestamp64Milli(terminal_at) + (terminal_kind = 'cancel'),
            terminal_at > 0 AND terminal_at < $cut) AS stop,
        minIf(terminal_date, terminal_at > 0 AND terminal_at < $cut) AS stop_date,
        minIf(goal_at, goal_at > 0) AS reached_at,
        start_at > 0 AND start_at < $cut AS has_started,
        stop > 0 AS has_ended,
        reached_at > 0 AND reached_at < $cut AS has_goal
    FROM journeys FINAL
    WHERE $store
    GROUP BY execution_hash
)"""

_OF_EXECUTION: Final = (
    _OF_STORE,
    Field(
        "channel",
        "of `started`, else of the execution's earliest event (H39)",
        "if(has_started, start.3, earliest.2)",
    ),
    Field("journey_id", "the journey", "if(has_started, start.1, earliest.1)"),
    Field("journey_version", "its version as given by `started`", "if(has_started, start.2, '')"),
)
_STEPS: Final = "[start_at, fromUnixTimestamp64Milli(intDiv(stop, 2), 'UTC')] AS step_at, [1, 2] AS step"

JOURNEY: Final = Fact(
    name="journey",
    says="an execution of a journey: once as started and once as ended, each by its own day",
    rows=f"{_EXECUTIONS} ARRAY JOIN {_STEPS}",
    where="if(step = 1, has_started, has_ended)",
    at="step_at",
    date="if(step = 1, first_date, stop_date)",
    fields=(
        *_OF_EXECUTION,
        Field("started", "1: this is its start", "step = 1"),
        Field("completed", "1: this is its first terminal node, an `end`", "step = 2 AND stop % 2 = 0"),
        Field("canceled", "1: this is its first terminal node, a `cancel`", "step = 2 AND stop % 2 = 1"),
        Field("reached_goal", "1: it has a goal conversion", "has_goal"),
        Field("open", "1: no terminal node yet", "NOT has_ended"),
    ),
)

NOTIFICATION: Final = Fact(
    name="notification",
    says="a communication, by the day it was first sent (H90)",
    rows="""\
(
    SELECT
        any(notifications.store_id) AS of_store,
        min(sent_at) AS first_at,
        min(store_date) AS first_date,
        argMin((channel, notification_channel, journey_id), (sent_at, event_id)) AS sent
    FROM notifications FINAL
    WHERE $whole
    GROUP BY communication_hash
)""",
    where="1",
    at="first_at",
    date="first_date",
    fields=(
        _OF_STORE,
        Field("channel", "of the event", "sent.1"),
        Field("notification_channel", "email, sms, push, ...", "sent.2"),
        Field("journey_id", "the journey that sent it", "sent.3"),
    ),
)

FACTS: Final = (ORDER, ORDER_EXPERIENCE, LINE, ADJUSTMENT, ADJUSTED_LINE, JOURNEY, NOTIFICATION)
