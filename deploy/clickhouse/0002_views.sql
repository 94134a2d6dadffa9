-- The rows as they stand, one view a kind of thing. Every view reads its table with FINAL, so each answer is exact, whatever
-- was inserted twice. A row never leaves the day it was born, so months need not be merged with each other.
-- Money: `x` is in major units of `currency` (40.00), `x_minor` in minor units (4000), `exponent` the digits between.

CREATE OR REPLACE VIEW data_as_of (
    `data_as_of` DateTime64(3, 'UTC') COMMENT 'up to this event time everything is visible; 1970 if nothing ever came',
    `partitions` UInt64 COMMENT 'Kafka partitions heard of',
    `idle_partitions` UInt64 COMMENT 'of these, how many said within a minute that they are at the end of all their topics: they hold nobody back',
    `newest_record_at` DateTime64(3, 'UTC') COMMENT 'the latest record timestamp taken'
) AS
-- An idle partition says so again every 20 s, and `version` is the millisecond in which it did: one that has been silent for
-- a minute while others were not may have a backlog by now, so it holds at its last word.
SELECT
    least(
        if(countIf(NOT idle) > 0, minIf(watermark, NOT idle), max(watermark)),
        min(if(is_silent, fromUnixTimestamp64Milli(toInt64(version), 'UTC'), toDateTime64('2299-01-01', 3, 'UTC')))
    ) AS data_as_of,
    count() AS partitions,
    countIf(idle AND NOT is_silent) AS idle_partitions,
    max(record_time) AS newest_record_at
FROM
(
    SELECT watermark, idle, record_time, version, idle AND version + 60000 < max(version) OVER () AS is_silent
    FROM watermarks FINAL
)
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Until when the data is complete: the smallest watermark of the busy partitions, the largest if none is busy; no later than the last word of an idle partition that has fallen silent';

CREATE OR REPLACE VIEW confirmation (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `order_id` String COMMENT 'see order_totals',
    `person` String COMMENT 'who ordered, and had seen the product',
    `session_key` String COMMENT 'the session that showed it',
    `widget_id` LowCardinality(String) COMMENT 'the widget that showed it'
) AS
SELECT store_id, order_id, person, session AS session_key, widget AS widget_id
FROM orders FINAL
ARRAY JOIN exposed_session AS session, exposed_widget AS widget
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'An order with a direct line confirms each widget of each session that showed its product in time (M18, H77)';

CREATE OR REPLACE VIEW session (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `person` String COMMENT 'c:<customer_id> or a:<anonymous_id>',
    `session_key` String COMMENT 's:<session_id>, or g:<channel>:<start in ms> for one made from an idle gap',
    `channel` LowCardinality(String) COMMENT 'of the earliest member event',
    `device` LowCardinality(String) COMMENT 'of the earliest member event that has one',
    `country` LowCardinality(String) COMMENT 'of the earliest member event that has one',
    `started_at` DateTime64(3, 'UTC') COMMENT 'the earliest member event',
    `ended_at` DateTime64(3, 'UTC') COMMENT 'the latest member event',
    `closes_at` DateTime64(3, 'UTC') COMMENT 'closed once data_as_of is after this',
    `store_date` Date COMMENT 'of started_at, in the zone of the store',
    `is_closed` UInt8 COMMENT 'data_as_of is after closes_at',
    `present` UInt8 COMMENT 'any sign of the shopper: counts in total_sessions (M1)',
    `active` UInt8 COMMENT 'the shopper did something: counts in channel_sessions (M32)',
    `bounced` UInt8 COMMENT 'closed, exactly one inbound message and no other interaction (M33)',
    `supported` UInt8 COMMENT 'a human agent took part (M41)',
    `personalized` UInt8 COMMENT 'at least one experience was served (M2)',
    `activities` UInt32 COMMENT 'page views, searches and the like',
    `messages_in` UInt32 COMMENT 'messages from the shopper',
    `messages_out` UInt32 COMMENT 'messages to the shopper',
    `impressions` UInt32 COMMENT 'recommendation impressions',
    `clicks` UInt32 COMMENT 'clicks on a product',
    `detail_views` UInt32 COMMENT 'opened product details',
    `adds` UInt32 COMMENT 'additions to the cart',
    `removes` UInt32 COMMENT 'removals from the cart',
    `orders` UInt32 COMMENT 'first captures in it, and those that joined it',
    `goals` UInt32 COMMENT 'goals reached',
    `experiences` Array(String) COMMENT 'distinct experience ids, ascending',
    `viewed` UInt8 COMMENT 'an impression, then the details of the same product (M17)',
    `converted` UInt8 COMMENT 'a product shown here was bought, added to the cart after it was shown, within the window (M18)',
    `matures_at` DateTime64(3, 'UTC') COMMENT 'when `converted` is final: last impression + attribution window; 1970 without one',
    `is_provisional` UInt8 COMMENT 'had impressions and data_as_of is not after matures_at: `converted` may still turn to 1'
) AS
WITH (SELECT data_as_of FROM data_as_of) AS complete
SELECT
    store_id, person, session_key, channel, device, country, started_at, ended_at, closes_at, store_date,
    complete > closes_at AS is_closed,
    present, active,
    is_closed AND active AND messages_in = 1
        AND activities + clicks + detail_views + adds + removes + empties + orders = 0 AS bounced,
    supports > 0 AS supported,
    notEmpty(experience_id) AS personalized,
    activities, messages_in, messages_out, impressions, clicks, detail_views, adds, removes, orders, goals,
    arrayDistinct(experience_id) AS experiences,
    viewed,
    (store_id, person, session_key) IN (SELECT store_id, person, session_key FROM confirmation) AS converted,
    matures_at,
    impressions > 0 AND matures_at > complete AS is_provisional
FROM sessions FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'One row a session';

CREATE OR REPLACE VIEW exposure (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `person` String COMMENT 'c:<customer_id> or a:<anonymous_id>',
    `session_key` String COMMENT 'see session',
    `widget_id` LowCardinality(String) COMMENT 'the recommendation widget',
    `channel` LowCardinality(String) COMMENT 'of the session',
    `started_at` DateTime64(3, 'UTC') COMMENT 'start of the session',
    `store_date` Date COMMENT 'of the session start, in the zone of the store',
    `strategies` Array(LowCardinality(String)) COMMENT 'distinct, ascending',
    `placements` Array(LowCardinality(String)) COMMENT 'distinct, ascending',
    `impressions` UInt32 COMMENT 'of this widget in this session',
    `first_shown_at` DateTime64(3, 'UTC') COMMENT 'first impression',
    `last_shown_at` DateTime64(3, 'UTC') COMMENT 'last impression',
    `shown_dates` Array(Date) COMMENT 'with shown_channels: the distinct (store date, channel) of its impressions',
    `shown_channels` Array(LowCardinality(String)) COMMENT 'see shown_dates',
    `shown_at` Array(DateTime64(3, 'UTC')) COMMENT 'the earliest impression of each of these',
    `viewed` UInt8 COMMENT 'details of a product this widget had shown in the session (M17 by widget)',
    `converted` UInt8 COMMENT 'a product this widget had shown in the session was bought within the window (M18 by widget)'
) AS
SELECT
    store_id, person, session_key, widget_id, channel, started_at, store_date, strategies, placements, impressions,
    first_shown_at, last_shown_at, shown_dates, shown_channels, shown_at, viewed,
    (store_id, person, session_key, widget_id) IN
        (SELECT store_id, person, session_key, widget_id FROM confirmation) AS converted
FROM exposures FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'What a session saw of one widget, and what came of it';

CREATE OR REPLACE VIEW reach (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'day of the impression, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the impression',
    `widget_id` LowCardinality(String) COMMENT 'the recommendation widget',
    `person` String COMMENT 'who got recommendations'
) AS
SELECT DISTINCT store_id, shown_date AS store_date, shown_channel AS channel, widget_id, person
FROM exposure
ARRAY JOIN shown_dates AS shown_date, shown_channels AS shown_channel
COMMENT 'A person got recommendations of a widget on a day: count distinct persons over any period (M19)';

CREATE OR REPLACE VIEW order_totals (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `order_id` String COMMENT 'unique in the store',
    `person` String COMMENT 'c:<customer_id> or a:<anonymous_id>, of the earliest capture',
    `channel` LowCardinality(String) COMMENT 'of the earliest capture',
    `session_key` String COMMENT 'see session; empty: no session was open',
    `captured_at` DateTime64(3, 'UTC') COMMENT 'the earliest capture',
    `store_date` Date COMMENT 'of captured_at, in the zone of the store',
    `currency` LowCardinality(String) COMMENT 'ISO 4217',
    `exponent` UInt8 COMMENT 'digits of the minor unit: 2 for EUR, 0 for JPY',
    `order_version` UInt32 COMMENT 'the highest seen; its lines and amounts count',
    `items` UInt64 COMMENT 'units over all lines',
    `total` Decimal(38, 4) COMMENT 'after discounts, with shipping and tax',
    `total_minor` Int64 COMMENT 'total in minor units',
    `shipping_minor` Int64 COMMENT 'shipping in minor units',
    `tax_minor` Int64 COMMENT 'tax in minor units',
    `line_paid_minor` Int64 COMMENT 'what the lines add up to: total - shipping - tax',
    `direct_minor` Int64 COMMENT 'lines earned by an impression (M14); direct + assisted + unattributed = line_paid',
    `assisted_minor` Int64 COMMENT 'other lines of orders after an interaction (M15)',
    `unattributed_minor` Int64 COMMENT 'lines without credit',
    `exposure_only_minor` Int64 COMMENT 'shown, bought, never added to the cart (E21); not a part of the identity',
    `has_interaction` UInt8 COMMENT 'an interaction with a recommended product in the window before',
    `canceled_minor` Int64 COMMENT 'taken back by the cancel',
    `refunded_minor` Int64 COMMENT 'taken back by refunds',
    `net_minor` Int64 COMMENT 'total - canceled - refunded; never below 0',
    `is_canceled` UInt8 COMMENT 'a cancel was seen',
    `reporting_currency` LowCardinality(String) COMMENT 'what the store reports in; empty: nothing',
    `reporting_rate` String COMMENT 'what one of currency is worth in it on store_date; empty: no rate is known',
    `reporting_total` Nullable(Decimal(38, 4)) COMMENT 'total in reporting_currency; null without a rate',
    `reporting_total_minor` Nullable(Int64) COMMENT 'reporting_total in minor units'
) AS
SELECT
    store_id, order_id, person, channel, session_key, captured_at, store_date, currency, exponent, order_version,
    arraySum(quantity) AS items,
    toDecimal128(o.total, 4) / intExp10(exponent) AS total,
    o.total AS total_minor,
    shipping AS shipping_minor,
    tax AS tax_minor,
    arraySum(paid) AS line_paid_minor,
    arraySum((amount, kind) -> if(kind = 'direct', amount, 0), paid, credit) AS direct_minor,
    arraySum((amount, kind) -> if(kind = 'assisted', amount, 0), paid, credit) AS assisted_minor,
    arraySum((amount, kind) -> if(kind NOT IN ('direct', 'assisted'), amount, 0), paid, credit) AS unattributed_minor,
    arraySum((amount, only) -> if(only, amount, 0), paid, exposure_only) AS exposure_only_minor,
    has_interaction,
    arraySum((amount, kind) -> if(kind = 'cancel', amount, 0), adjustment_amount, adjustment) AS canceled_minor,
    arraySum((amount, kind) -> if(kind = 'refund', amount, 0), adjustment_amount, adjustment) AS refunded_minor,
    total_minor - arraySum(adjustment_amount) AS net_minor,
    has(adjustment, 'cancel') AS is_canceled,
    reporting_currency, reporting_rate,
    if(o.reported, toDecimal128(o.reporting_total, 4) / intExp10(o.reporting_exponent), NULL) AS reporting_total,
    if(o.reported, o.reporting_total, NULL) AS reporting_total_minor
FROM orders AS o FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'One row an order';

CREATE OR REPLACE VIEW order_lines (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `order_id` String COMMENT 'see order_totals',
    `line` UInt32 COMMENT 'position in the order, from 1',
    `line_id` String COMMENT 'as sent, may be empty',
    `person` String COMMENT 'who ordered',
    `channel` LowCardinality(String) COMMENT 'of the order',
    `session_key` String COMMENT 'of the order',
    `captured_at` DateTime64(3, 'UTC') COMMENT 'of the order',
    `store_date` Date COMMENT 'of the order, in the zone of the store',
    `product_id` String COMMENT 'what was bought',
    `sku` String COMMENT 'the variant',
    `quantity` UInt32 COMMENT 'units',
    `currency` LowCardinality(String) COMMENT 'ISO 4217',
    `exponent` UInt8 COMMENT 'digits of the minor unit',
    `paid` Decimal(38, 4) COMMENT 'line_paid: its part of the order after all discounts, without shipping and tax',
    `paid_minor` Int64 COMMENT 'paid in minor units',
    `unit_price_minor` Int64 COMMENT 'as sent',
    `discount_minor` Int64 COMMENT 'as sent, for the line',
    `credit` LowCardinality(String) COMMENT 'direct, assisted or none',
    `exposure_only` UInt8 COMMENT 'shown, bought, never added to the cart (E21)',
    `has_interaction` UInt8 COMMENT 'of the order: the inclusive reading of assisted (H74)',
    `touch_kind` LowCardinality(String) COMMENT 'what earned it: shown (direct); clicked, detail_viewed or added (assisted)',
    `touch_at` DateTime64(3, 'UTC') COMMENT 'when: the impression (direct) or the interaction (assisted); 1970 without credit',
    `touch_product` String COMMENT 'the product of the touch',
    `widget_id` LowCardinality(String) COMMENT 'the widget that gets the credit',
    `strategy` LowCardinality(String) COMMENT 'its strategy',
    `placement` LowCardinality(String) COMMENT 'its placement',
    `taken_back_minor` Int64 COMMENT 'what cancels and refunds took of this line'
) AS
SELECT
    store_id, order_id, line, line_id_ AS line_id, person, channel, session_key, captured_at, store_date,
    product_id_ AS product_id, sku_ AS sku, quantity_ AS quantity, currency, exponent,
    toDecimal128(paid_, 4) / intExp10(exponent) AS paid,
    paid_ AS paid_minor, unit_price_ AS unit_price_minor, discount_ AS discount_minor, credit_ AS credit,
    exposure_only_ AS exposure_only, has_interaction, touch_kind_ AS touch_kind, touch_at_ AS touch_at,
    touch_product_ AS touch_product, widget_id_ AS widget_id, strategy_ AS strategy, placement_ AS placement,
    arraySum(taken -> taken[line], adjustment_lines) AS taken_back_minor
FROM orders FINAL
ARRAY JOIN
    arrayEnumerate(orders.line_id) AS line,
    orders.line_id AS line_id_, orders.product_id AS product_id_, orders.sku AS sku_, orders.quantity AS quantity_,
    orders.paid AS paid_, orders.unit_price AS unit_price_, orders.discount AS discount_, orders.credit AS credit_,
    orders.exposure_only AS exposure_only_, orders.touch_kind AS touch_kind_, orders.touch_at AS touch_at_,
    orders.touch_product AS touch_product_, orders.widget_id AS widget_id_, orders.strategy AS strategy_,
    orders.placement AS placement_
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'One row a line of an order, with the touch that earned it';

CREATE OR REPLACE VIEW refunds (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `order_id` String COMMENT 'see order_totals',
    `kind` LowCardinality(String) COMMENT 'refund or cancel',
    `refund_id` String COMMENT 'empty for the cancel',
    `person` String COMMENT 'who had ordered',
    `channel` LowCardinality(String) COMMENT 'of the order',
    `adjusted_at` DateTime64(3, 'UTC') COMMENT 'when it was taken back',
    `store_date` Date COMMENT 'of adjusted_at, in the zone of the store',
    `currency` LowCardinality(String) COMMENT 'of the order',
    `exponent` UInt8 COMMENT 'digits of the minor unit',
    `amount` Decimal(38, 4) COMMENT 'what it took of the total',
    `amount_minor` Int64 COMMENT 'amount in minor units',
    `of_lines` Array(Int64) COMMENT 'what it took of each line of the order, in minor units',
    `credits` Array(LowCardinality(String)) COMMENT 'credit of each line',
    `widgets` Array(LowCardinality(String)) COMMENT 'widget of each line',
    `strategies` Array(LowCardinality(String)) COMMENT 'strategy of each line',
    `placements` Array(LowCardinality(String)) COMMENT 'placement of each line'
) AS
SELECT
    store_id, order_id, kind, refund_id, person, channel, adjusted_at_ AS adjusted_at, store_date_ AS store_date,
    currency, exponent,
    toDecimal128(amount_minor, 4) / intExp10(exponent) AS amount,
    amount_minor, of_lines, credit AS credits, widget_id AS widgets, strategy AS strategies, placement AS placements
FROM orders FINAL
ARRAY JOIN
    adjustment AS kind, adjustment_id AS refund_id, orders.adjusted_at AS adjusted_at_,
    adjustment_date AS store_date_, adjustment_amount AS amount_minor, adjustment_lines AS of_lines
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'One row a refund or cancel of a known order, on its own day';

CREATE OR REPLACE VIEW experience_served (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `person` String COMMENT 'who got it',
    `session_key` String COMMENT 'see session',
    `channel` LowCardinality(String) COMMENT 'of the session',
    `started_at` DateTime64(3, 'UTC') COMMENT 'start of the session',
    `store_date` Date COMMENT 'of the session start, in the zone of the store',
    `experience_id` String COMMENT 'the experience',
    `variant_id` String COMMENT 'the variant of it; empty if none was named',
    `test_id` String COMMENT 'the A/B test it was a part of; empty if none was named',
    `first_at` DateTime64(3, 'UTC') COMMENT 'served first in this session',
    `last_at` DateTime64(3, 'UTC') COMMENT 'served last in this session'
) AS
SELECT
    store_id, person, session_key, channel, started_at, store_date, experience_id_ AS experience_id,
    variant_id_ AS variant_id, test_id_ AS test_id, first_at, last_at
FROM sessions FINAL
ARRAY JOIN
    sessions.experience_id AS experience_id_, sessions.variant_id AS variant_id_, sessions.test_id AS test_id_,
    experience_first_at AS first_at, experience_last_at AS last_at
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'One row an experience (by variant and test) that a session got';

CREATE OR REPLACE VIEW goal (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `event_id` String COMMENT 'the conversion',
    `person` String COMMENT 'who reached it',
    `session_key` String COMMENT 'see session',
    `channel` LowCardinality(String) COMMENT 'of the session',
    `session_date` Date COMMENT 'of the session start, in the zone of the store',
    `goal_id` String COMMENT 'the goal; `purchase` without a value stands for an order of the session (H87)',
    `reached_at` DateTime64(3, 'UTC') COMMENT 'when',
    `store_date` Date COMMENT 'of reached_at, in the zone of the store',
    `named_experience` String COMMENT 'the experience that the event itself names; empty if none',
    `experiences` Array(String) COMMENT 'what it is attributed to (H86): the named one, else all served before it in the session',
    `valued` UInt8 COMMENT 'the event carries a value',
    `currency` LowCardinality(String) COMMENT 'of the value: as given, else that of the store',
    `exponent` UInt8 COMMENT 'digits of the minor unit',
    `value` Decimal(38, 4) COMMENT 'what the event says it is worth; 0 without a value',
    `value_minor` Int64 COMMENT 'value in minor units'
) AS
SELECT
    store_id, event_id, person, session_key, channel, sessions.store_date AS session_date, goal_id_ AS goal_id,
    reached_at, goal_date_ AS store_date, named_experience,
    if(
        named_experience != '',
        [named_experience],
        arrayDistinct(arrayFilter((id, first) -> first <= reached_at, experience_id, experience_first_at))
    ) AS experiences,
    valued, currency, exponent,
    toDecimal128(value_minor, 4) / intExp10(exponent) AS value,
    value_minor
FROM sessions FINAL
ARRAY JOIN
    goal_event_id AS event_id, sessions.goal_id AS goal_id_, goal_experience_id AS named_experience,
    goal_at AS reached_at, goal_date AS goal_date_, goal_valued AS valued, goal_value AS value_minor,
    goal_currency AS currency, goal_exponent AS exponent
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'One row a goal conversion of a session';

CREATE OR REPLACE VIEW journey_executions (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `execution_id` String COMMENT 'one run of a journey for one person',
    `journey_id` String COMMENT 'as the earliest `started` says, else the earliest event',
    `journey_version` String COMMENT 'as the earliest `started` says; empty without one',
    `channel` LowCardinality(String) COMMENT 'of the earliest `started`, else of the earliest event',
    `is_started` UInt8 COMMENT 'a `started` was seen: counts in journeys_started (M22)',
    `started_at` DateTime64(3, 'UTC') COMMENT 'the earliest `started`; 1970 without one',
    `start_date` Date COMMENT 'of started_at, in the zone of the store',
    `first_at` DateTime64(3, 'UTC') COMMENT 'the earliest event of any kind',
    `last_at` DateTime64(3, 'UTC') COMMENT 'the latest event of any kind',
    `terminal_kind` LowCardinality(String) COMMENT 'the earliest terminal node: end (M23), cancel (M24); empty while open',
    `terminal_at` DateTime64(3, 'UTC') COMMENT 'when it was reached; 1970 while open',
    `terminal_date` Date COMMENT 'of terminal_at, in the zone of the store',
    `is_converted` UInt8 COMMENT 'it reached its goal, at any time (M26)',
    `goal_at` DateTime64(3, 'UTC') COMMENT 'the earliest goal; 1970 without one'
) AS
SELECT
    store_id, execution_id,
    if(is_started, argMinIf(j.journey_id, start_rank, here), argMin(first_journey_id, first_rank)) AS journey_id,
    argMinIf(j.journey_version, start_rank, here) AS journey_version,
    if(is_started, argMinIf(j.channel, start_rank, here), argMin(first_channel, first_rank)) AS channel,
    max(here) AS is_started,
    minIf(j.started_at, here) AS started_at,
    argMinIf(j.start_date, start_rank, here) AS start_date,
    min(j.first_at) AS first_at,
    max(j.last_at) AS last_at,
    argMinIf(j.terminal_kind, terminal_rank, ended_here) AS terminal_kind,
    minIf(j.terminal_at, ended_here) AS terminal_at,
    argMinIf(j.terminal_date, terminal_rank, ended_here) AS terminal_date,
    max(converted_here) AS is_converted,
    minIf(j.goal_at, converted_here) AS goal_at
FROM
(
    SELECT
        *,
        toUInt8(j.started_at > toDateTime64(0, 3)) AS here,
        toUInt8(j.terminal_at > toDateTime64(0, 3)) AS ended_here,
        toUInt8(j.goal_at > toDateTime64(0, 3)) AS converted_here,
        (j.started_at, start_event_id) AS start_rank,
        (j.first_at, first_event_id) AS first_rank,
        (j.terminal_at, j.terminal_kind != 'end') AS terminal_rank
    FROM journeys AS j FINAL
) AS j
GROUP BY store_id, execution_id
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'One row an execution of a journey, whatever Kafka partitions its events came through';

CREATE OR REPLACE VIEW notification_sends (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `communication_id` String COMMENT 'see notification',
    `person` String COMMENT 'to whom',
    `event_id` String COMMENT 'the sending',
    `sent_at` DateTime64(3, 'UTC') COMMENT 'when',
    `store_date` Date COMMENT 'of sent_at, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the event',
    `notification_channel` LowCardinality(String) COMMENT 'email, sms, push, whatsapp, ...',
    `journey_id` String COMMENT 'the journey that sent it',
    `execution_id` String COMMENT 'the execution that sent it'
) AS
SELECT
    store_id, communication_id, person, event_id, sent_at, store_date, channel, notification_channel, journey_id,
    execution_id
FROM notifications FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'One row a sending: what may assist a receipt of its person (M49)';

CREATE OR REPLACE VIEW notification (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `communication_id` String COMMENT 'one message to one person: counts once in journey_notifications_sent (M25)',
    `person` String COMMENT 'to whom',
    `sent_at` DateTime64(3, 'UTC') COMMENT 'the earliest sending; all the rest is as that one says (H90)',
    `store_date` Date COMMENT 'of sent_at, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the event',
    `notification_channel` LowCardinality(String) COMMENT 'email, sms, push, whatsapp, ...',
    `journey_id` String COMMENT 'the journey that sent it',
    `execution_id` String COMMENT 'the execution that sent it'
) AS
SELECT
    store_id, communication_id,
    tupleElement(earliest, 1) AS person, tupleElement(earliest, 2) AS sent_at, tupleElement(earliest, 3) AS store_date,
    tupleElement(earliest, 4) AS channel, tupleElement(earliest, 5) AS notification_channel,
    tupleElement(earliest, 6) AS journey_id, tupleElement(earliest, 7) AS execution_id
FROM
(
    SELECT
        store_id, communication_id,
        argMin(
            (person, n.sent_at, n.store_date, n.channel, n.notification_channel, n.journey_id, n.execution_id),
            (n.sent_at, event_id, person)
        ) AS earliest
    FROM notifications AS n FINAL
    GROUP BY store_id, communication_id
)
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'One row a communication, as it was sent first';

CREATE OR REPLACE VIEW definition (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `kind` LowCardinality(String) COMMENT 'experience, ab_test, journey, goal or product',
    `id` String COMMENT 'what events call it',
    `status` LowCardinality(String) COMMENT 'active, running, paused or ended; empty where none was given',
    `name` String COMMENT 'for people; empty where none was given',
    `effective_at` DateTime64(3, 'UTC') COMMENT 'since when it is so'
) AS
WITH (SELECT data_as_of FROM data_as_of) AS complete
SELECT
    store_id, kind, id,
    argMax(d.status, d.effective_at) AS status,
    argMax(d.name, d.effective_at) AS name,
    max(d.effective_at) AS effective_at
FROM definitions AS d FINAL
WHERE d.effective_at <= complete
GROUP BY store_id, kind, id
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Names and status as they are now; what takes effect later waits';

CREATE OR REPLACE VIEW counts_15m (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `window_start` DateTime64(3, 'UTC') COMMENT 'the quarter of an hour [start, start + 15 min) of event time',
    `channel` LowCardinality(String) COMMENT 'of the events',
    `measure` LowCardinality(String) COMMENT 'what is counted, such as impressions or captures',
    `value` UInt64 COMMENT 'accepted events (or units) in the window'
) AS
SELECT store_id, window_start, channel, measure, sum(number) AS value
FROM counters FINAL
ARRAY JOIN measures AS measure, `values` AS number
WHERE window_seconds = 900
GROUP BY store_id, window_start, channel, measure
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Accepted events by quarter of an hour; late events correct it';

CREATE OR REPLACE VIEW counts_live (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `window_start` DateTime64(3, 'UTC') COMMENT 'the minute [start, start + 60 s) of event time',
    `channel` LowCardinality(String) COMMENT 'of the events',
    `measure` LowCardinality(String) COMMENT 'what is counted, such as impressions or captures',
    `value` UInt64 COMMENT 'accepted events (or units) in the window'
) AS
SELECT store_id, window_start, channel, measure, sum(number) AS value
FROM counters FINAL
ARRAY JOIN measures AS measure, `values` AS number
WHERE window_seconds = 60
GROUP BY store_id, window_start, channel, measure
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Accepted events by minute, of events that came live; kept for three days';

CREATE OR REPLACE VIEW buckets (
    `topic` LowCardinality(String) COMMENT 'short name of the source topic',
    `hour` DateTime64(3, 'UTC') COMMENT 'hour of the record timestamps',
    `read` UInt64 COMMENT 'records read',
    `accepted` UInt64 COMMENT 'counted',
    `duplicate` UInt64 COMMENT 'event id seen before',
    `test_traffic` UInt64 COMMENT 'marked is_test',
    `dead_letter` UInt64 COMMENT 'could not be processed, see dead_letter_records',
    `too_late` UInt64 COMMENT 'older than the allowed lateness, see dead_letter_records',
    `forwarded` UInt64 COMMENT 'sent to its right partition, counted again there',
    `unaccounted` Int64 COMMENT 'read minus all buckets: always 0'
) AS
SELECT
    topic, hour,
    sum(l.read) AS read, sum(l.accepted) AS accepted, sum(l.duplicate) AS duplicate,
    sum(l.test_traffic) AS test_traffic, sum(l.dead_letter) AS dead_letter, sum(l.too_late) AS too_late,
    sum(l.forwarded) AS forwarded,
    toInt64(read) - toInt64(accepted + duplicate + test_traffic + dead_letter + too_late + forwarded) AS unaccounted
FROM ledger AS l FINAL
GROUP BY topic, hour
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'What became of the records read, by topic and hour';

CREATE OR REPLACE VIEW dead_letter_records (
    `topic` LowCardinality(String) COMMENT 'short name of where it was read',
    `partition` UInt16 COMMENT 'where it was read',
    `offset` UInt64 COMMENT 'where it was read',
    `record_time` DateTime64(3, 'UTC') COMMENT 'timestamp of the record',
    `first_seen_at` DateTime64(3, 'UTC') COMMENT 'wall clock of the worker that refused it',
    `reason` LowCardinality(String) COMMENT 'why, from the closed list',
    `field` String COMMENT 'path of the field, empty for the whole record',
    `store_id` LowCardinality(String) COMMENT 'as far as it could be told',
    `key` String COMMENT 'the raw key',
    `value` String COMMENT 'the raw record, byte for byte',
    `header_names` Array(String) COMMENT 'names of the headers of the record',
    `header_values` Array(String) COMMENT 'their values'
) AS
SELECT
    topic, partition, offset, record_time, first_seen_at, reason, field, store_id, key, value, header_names, header_values
FROM dead_letters FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Records that could not be processed';
