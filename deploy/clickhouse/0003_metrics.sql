-- The metrics by store, day, channel (and currency): numerators and denominators to add up, ratios of just this grain.
-- Ratios are in percent, null when the denominator is 0. A distinct count (`users`) does not add up over days.
-- Money: `x` in major units, `x_minor` in minor units; two currencies are two rows, never one sum.

CREATE OR REPLACE VIEW sessions_daily (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'day of the session start, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session',
    `total_sessions` UInt64 COMMENT 'M1: sessions with any sign of the shopper',
    `channel_sessions` UInt64 COMMENT 'M32: sessions in which the shopper did something',
    `users` UInt64 COMMENT 'M35 of this one day: distinct persons of channel_sessions',
    `closed_sessions` UInt64 COMMENT 'channel_sessions that are over: the denominator of bounce_rate',
    `bounced_sessions` UInt64 COMMENT 'exactly one inbound message and nothing else',
    `bounce_rate` Nullable(Float64) COMMENT 'M33, percent: bounced_sessions / closed_sessions',
    `live_support_sessions` UInt64 COMMENT 'channel_sessions with a human agent',
    `self_service_sessions` UInt64 COMMENT 'channel_sessions without one',
    `human_support_pct` Nullable(Float64) COMMENT 'M41, percent: live_support_sessions / channel_sessions',
    `self_service_pct` Nullable(Float64) COMMENT 'M42: 100 - human_support_pct',
    `personalized_sessions` UInt64 COMMENT 'M2: sessions that were served an experience',
    `is_provisional` UInt8 COMMENT 'some of these sessions are still open'
) AS
SELECT
    store_id, store_date, channel,
    countIf(present) AS total_sessions,
    countIf(active) AS channel_sessions,
    uniqExactIf(person, active) AS users,
    countIf(active AND is_closed) AS closed_sessions,
    countIf(bounced) AS bounced_sessions,
    if(closed_sessions = 0, NULL, 100 * bounced_sessions / closed_sessions) AS bounce_rate,
    countIf(active AND supported) AS live_support_sessions,
    countIf(active AND NOT supported) AS self_service_sessions,
    if(channel_sessions = 0, NULL, 100 * live_support_sessions / channel_sessions) AS human_support_pct,
    100 - human_support_pct AS self_service_pct,
    countIf(personalized) AS personalized_sessions,
    channel_sessions > closed_sessions AS is_provisional
FROM session
GROUP BY store_id, store_date, channel
COMMENT 'Sessions by the day they started';

CREATE OR REPLACE VIEW revenue_daily (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'captures by capture day, cancels and refunds by their own day',
    `channel` LowCardinality(String) COMMENT 'of the order',
    `currency` LowCardinality(String) COMMENT 'ISO 4217',
    `exponent` UInt8 COMMENT 'digits of the minor unit',
    `total_orders` UInt64 COMMENT 'M28: captured orders in this currency',
    `items` UInt64 COMMENT 'units of them',
    `total_revenue` Decimal(38, 4) COMMENT 'M27: order totals at capture; never shrinks',
    `total_revenue_minor` Int128 COMMENT 'total_revenue in minor units',
    `line_paid_minor` Int128 COMMENT 'what the lines add up to, without shipping and tax',
    `canceled_orders` UInt64 COMMENT 'orders canceled on this day',
    `canceled_revenue` Decimal(38, 4) COMMENT 'taken back by cancels on this day',
    `canceled_revenue_minor` Int128 COMMENT 'canceled_revenue in minor units',
    `refunded_revenue` Decimal(38, 4) COMMENT 'taken back by refunds on this day',
    `refunded_revenue_minor` Int128 COMMENT 'refunded_revenue in minor units',
    `net_revenue` Decimal(38, 4) COMMENT 'total - canceled - refunded, each on its own day; may be negative on a day',
    `net_revenue_minor` Int128 COMMENT 'net_revenue in minor units',
    `average_ticket` Nullable(Decimal(38, 6)) COMMENT 'M29: total_revenue / total_orders, cut after six digits',
    `items_per_order` Nullable(Float64) COMMENT 'M30: items / total_orders',
    `average_price_per_item` Nullable(Decimal(38, 6)) COMMENT 'M31: line_paid / items, cut after six digits'
) AS
SELECT
    store_id, store_date, channel, currency, exponent,
    sum(captured) AS total_orders,
    sum(units) AS items,
    toDecimal128(total_revenue_minor, 4) / intExp10(exponent) AS total_revenue,
    sum(toInt128(total_minor)) AS total_revenue_minor,
    sum(toInt128(lines_minor)) AS line_paid_minor,
    sum(cancels) AS canceled_orders,
    toDecimal128(canceled_revenue_minor, 4) / intExp10(exponent) AS canceled_revenue,
    sum(toInt128(canceled_minor)) AS canceled_revenue_minor,
    toDecimal128(refunded_revenue_minor, 4) / intExp10(exponent) AS refunded_revenue,
    sum(toInt128(refunded_minor)) AS refunded_revenue_minor,
    toDecimal128(net_revenue_minor, 4) / intExp10(exponent) AS net_revenue,
    total_revenue_minor - canceled_revenue_minor - refunded_revenue_minor AS net_revenue_minor,
    if(total_orders = 0, NULL, toDecimal128(total_revenue_minor, 6) / intExp10(exponent) / greatest(total_orders, 1))
        AS average_ticket,
    if(total_orders = 0, NULL, items / total_orders) AS items_per_order,
    if(items = 0, NULL, toDecimal128(line_paid_minor, 6) / intExp10(exponent) / greatest(items, 1))
        AS average_price_per_item
FROM
(
    SELECT
        store_id, store_date, channel, currency, exponent, 1 AS captured, items AS units, total_minor,
        line_paid_minor AS lines_minor, 0 AS cancels, 0 AS canceled_minor, 0 AS refunded_minor
    FROM order_totals
    UNION ALL
    SELECT
        store_id, store_date, channel, currency, exponent, 0, 0, 0, 0,
        kind = 'cancel', if(kind = 'cancel', amount_minor, 0), if(kind = 'refund', amount_minor, 0)
    FROM refunds
)
GROUP BY store_id, store_date, channel, currency, exponent
COMMENT 'Orders and revenue by day and currency';

CREATE OR REPLACE VIEW recommendation_revenue_daily (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'credit by capture day, what is taken back by its own day',
    `channel` LowCardinality(String) COMMENT 'of the order',
    `currency` LowCardinality(String) COMMENT 'ISO 4217',
    `exponent` UInt8 COMMENT 'digits of the minor unit',
    `direct_revenue` Decimal(38, 4) COMMENT 'M14: lines earned by an impression; direct + assisted + unattributed = line_paid',
    `direct_revenue_minor` Int128 COMMENT 'direct_revenue in minor units',
    `assisted_revenue` Decimal(38, 4) COMMENT 'M15: lines that are not direct, in orders after an interaction',
    `assisted_revenue_minor` Int128 COMMENT 'assisted_revenue in minor units',
    `unattributed_revenue_minor` Int128 COMMENT 'lines without credit',
    `line_paid_minor` Int128 COMMENT 'all lines',
    `assisted_revenue_inclusive_minor` Int128 COMMENT 'all lines of orders after an interaction: always direct + assisted',
    `exposure_only_revenue_minor` Int128 COMMENT 'E21: shown, bought, never added to the cart; beside the identity',
    `direct_revenue_net` Decimal(38, 4) COMMENT 'direct, less what was taken back of direct lines on this day (E2)',
    `direct_revenue_net_minor` Int128 COMMENT 'direct_revenue_net in minor units',
    `assisted_revenue_net` Decimal(38, 4) COMMENT 'assisted, less what was taken back of assisted lines on this day (E2)',
    `assisted_revenue_net_minor` Int128 COMMENT 'assisted_revenue_net in minor units',
    `recommended_product_purchases` UInt64 COMMENT 'M20: orders of this day with a direct line',
    `recommended_units` UInt64 COMMENT 'M20: units of direct lines'
) AS
SELECT
    store_id, store_date, channel, currency, exponent,
    toDecimal128(direct_revenue_minor, 4) / intExp10(exponent) AS direct_revenue,
    sumIf(amount, credit = 'direct' AND NOT back) AS direct_revenue_minor,
    toDecimal128(assisted_revenue_minor, 4) / intExp10(exponent) AS assisted_revenue,
    sumIf(amount, credit = 'assisted' AND NOT back) AS assisted_revenue_minor,
    sumIf(amount, credit NOT IN ('direct', 'assisted') AND NOT back) AS unattributed_revenue_minor,
    sumIf(amount, NOT back) AS line_paid_minor,
    sumIf(amount, has_interaction AND NOT back) AS assisted_revenue_inclusive_minor,
    sumIf(amount, exposure_only AND NOT back) AS exposure_only_revenue_minor,
    toDecimal128(direct_revenue_net_minor, 4) / intExp10(exponent) AS direct_revenue_net,
    direct_revenue_minor - sumIf(amount, credit = 'direct' AND back) AS direct_revenue_net_minor,
    toDecimal128(assisted_revenue_net_minor, 4) / intExp10(exponent) AS assisted_revenue_net,
    assisted_revenue_minor - sumIf(amount, credit = 'assisted' AND back) AS assisted_revenue_net_minor,
    uniqExactIf(order_id, credit = 'direct' AND NOT back) AS recommended_product_purchases,
    sumIf(quantity, credit = 'direct' AND NOT back) AS recommended_units
FROM
(
    SELECT
        store_id, store_date, channel, currency, exponent, order_id, credit, toInt128(paid_minor) AS amount, quantity,
        has_interaction, exposure_only, 0 AS back
    FROM order_lines
    UNION ALL
    SELECT store_id, store_date, channel, currency, exponent, order_id, taken.2, toInt128(taken.1), 0, 0, 0, 1
    -- Not ARRAY JOIN: over a view that has one itself, the engine confuses the two (code 352).
    FROM (SELECT *, arrayJoin(arrayZip(of_lines, credits)) AS taken FROM refunds)
)
GROUP BY store_id, store_date, channel, currency, exponent
COMMENT 'What recommendations earned, by day and currency (M14, M15, M20)';

CREATE OR REPLACE VIEW recommendation_revenue_by_widget (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'credit by capture day, what is taken back by its own day',
    `channel` LowCardinality(String) COMMENT 'of the order',
    `widget_id` LowCardinality(String) COMMENT 'the widget of the touch that earned the line',
    `strategy` LowCardinality(String) COMMENT 'its strategy',
    `placement` LowCardinality(String) COMMENT 'its placement',
    `currency` LowCardinality(String) COMMENT 'ISO 4217',
    `exponent` UInt8 COMMENT 'digits of the minor unit',
    `direct_revenue` Decimal(38, 4) COMMENT 'M14 by widget; adds up to the total over widgets',
    `direct_revenue_minor` Int128 COMMENT 'direct_revenue in minor units',
    `assisted_revenue` Decimal(38, 4) COMMENT 'M15 by widget of the interaction',
    `assisted_revenue_minor` Int128 COMMENT 'assisted_revenue in minor units',
    `direct_revenue_net_minor` Int128 COMMENT 'direct, less what was taken back on this day',
    `assisted_revenue_net_minor` Int128 COMMENT 'assisted, less what was taken back on this day',
    `recommended_product_purchases` UInt64 COMMENT 'M20 by widget: distinct orders; one order may count in two widgets',
    `recommended_units` UInt64 COMMENT 'M20: units of direct lines'
) AS
SELECT
    store_id, store_date, channel, widget_id, strategy, placement, currency, exponent,
    toDecimal128(direct_revenue_minor, 4) / intExp10(exponent) AS direct_revenue,
    sumIf(amount, credit = 'direct' AND NOT back) AS direct_revenue_minor,
    toDecimal128(assisted_revenue_minor, 4) / intExp10(exponent) AS assisted_revenue,
    sumIf(amount, credit = 'assisted' AND NOT back) AS assisted_revenue_minor,
    direct_revenue_minor - sumIf(amount, credit = 'direct' AND back) AS direct_revenue_net_minor,
    assisted_revenue_minor - sumIf(amount, credit = 'assisted' AND back) AS assisted_revenue_net_minor,
    uniqExactIf(order_id, credit = 'direct' AND NOT back) AS recommended_product_purchases,
    sumIf(quantity, credit = 'direct' AND NOT back) AS recommended_units
FROM
(
    SELECT
        store_id, store_date, channel, widget_id, strategy, placement, currency, exponent, order_id, credit,
        toInt128(paid_minor) AS amount, quantity, 0 AS back
    FROM order_lines
    UNION ALL
    SELECT
        store_id, store_date, channel, taken.3, taken.4, taken.5, currency, exponent, order_id, taken.2,
        toInt128(taken.1), 0, 1
    FROM (SELECT *, arrayJoin(arrayZip(of_lines, credits, widgets, strategies, placements)) AS taken FROM refunds)
)
WHERE credit IN ('direct', 'assisted')
GROUP BY store_id, store_date, channel, widget_id, strategy, placement, currency, exponent
COMMENT 'What each widget earned, by day and currency (M14, M15, M20)';

CREATE OR REPLACE VIEW recommendations_daily (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'sessions by the day they started, purchases by capture day',
    `channel` LowCardinality(String) COMMENT 'of the session, or of the order',
    `recommendation_sessions` UInt64 COMMENT 'M16: sessions with an impression',
    `viewed_sessions` UInt64 COMMENT 'of these, with the details of a shown product opened',
    `recommendation_ctr` Nullable(Float64) COMMENT 'M17, percent: viewed_sessions / recommendation_sessions',
    `converted_sessions` UInt64 COMMENT 'of these, with a shown product bought within the window',
    `recommendation_conversion_rate` Nullable(Float64) COMMENT 'M18, percent: converted_sessions / recommendation_sessions',
    `is_provisional` UInt8 COMMENT 'M18 may still grow: a session matures after data_as_of',
    `matures_at` DateTime64(3, 'UTC') COMMENT 'when M18 of this row is final; 1970 without exposing sessions',
    `purchase_sessions` UInt64 COMMENT 'sessions with an order',
    `purchase_sessions_with_recommended` UInt64 COMMENT 'of these, with a direct line',
    `purchase_sessions_with_recommended_pct` Nullable(Float64) COMMENT 'M21, percent: the one / the other',
    `recommended_product_purchases` UInt64 COMMENT 'M20: orders captured on this day with a direct line, all currencies',
    `recommended_units` UInt64 COMMENT 'M20: units of direct lines'
) AS
SELECT
    store_id, store_date, channel,
    countIf(exposed) AS recommendation_sessions,
    countIf(exposed AND viewed) AS viewed_sessions,
    if(recommendation_sessions = 0, NULL, 100 * viewed_sessions / recommendation_sessions) AS recommendation_ctr,
    countIf(exposed AND converted) AS converted_sessions,
    if(recommendation_sessions = 0, NULL, 100 * converted_sessions / recommendation_sessions)
        AS recommendation_conversion_rate,
    max(provisional) AS is_provisional,
    maxIf(mature, exposed) AS matures_at,
    countIf(bought) AS purchase_sessions,
    countIf(bought_recommended) AS purchase_sessions_with_recommended,
    if(purchase_sessions = 0, NULL, 100 * purchase_sessions_with_recommended / purchase_sessions)
        AS purchase_sessions_with_recommended_pct,
    countIf(units > 0) AS recommended_product_purchases,
    sum(units) AS recommended_units
FROM
(
    SELECT
        store_id, store_date, channel, impressions > 0 AS exposed, viewed, converted, is_provisional AS provisional,
        matures_at AS mature,
        (store_id, person, session_key) IN
            (SELECT store_id, person, session_key FROM order_totals WHERE session_key != '') AS bought,
        (store_id, person, session_key) IN
            (SELECT store_id, person, session_key FROM order_lines WHERE session_key != '' AND credit = 'direct')
            AS bought_recommended,
        0 AS units
    FROM session
    UNION ALL
    SELECT
        store_id, store_date, channel, 0, 0, 0, 0, toDateTime64(0, 3, 'UTC'), 0, 0, sumIf(quantity, credit = 'direct')
    FROM order_lines
    GROUP BY store_id, store_date, channel, order_id
)
GROUP BY store_id, store_date, channel
COMMENT 'How recommendations did, by day (M16, M17, M18, M20, M21)';

CREATE OR REPLACE VIEW recommendations_by_widget (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'day of the session start',
    `channel` LowCardinality(String) COMMENT 'of the session',
    `widget_id` LowCardinality(String) COMMENT 'the recommendation widget',
    `recommendation_sessions` UInt64 COMMENT 'M16 by widget; a session may be in two widgets',
    `viewed_sessions` UInt64 COMMENT 'of these, with the details of a product opened that this widget had shown',
    `recommendation_ctr` Nullable(Float64) COMMENT 'M17 by widget, percent',
    `converted_sessions` UInt64 COMMENT 'of these, with a product bought that this widget had shown',
    `recommendation_conversion_rate` Nullable(Float64) COMMENT 'M18 by widget, percent',
    `impressions` UInt64 COMMENT 'impressions of the widget in these sessions'
) AS
SELECT
    store_id, store_date, channel, widget_id,
    count() AS recommendation_sessions,
    countIf(viewed) AS viewed_sessions,
    if(recommendation_sessions = 0, NULL, 100 * viewed_sessions / recommendation_sessions) AS recommendation_ctr,
    countIf(converted) AS converted_sessions,
    if(recommendation_sessions = 0, NULL, 100 * converted_sessions / recommendation_sessions)
        AS recommendation_conversion_rate,
    sum(e.impressions) AS impressions
FROM exposure AS e
GROUP BY store_id, store_date, channel, widget_id
COMMENT 'How each widget did, by the day of the session (M16, M17, M18)';

-- The engine keeps no column comments of a view with parameters: they stand here.
-- store_id; cut: which columns are told apart (all, channel, widget, channel_widget), each cut a count of its own;
-- channel and widget_id: empty where not told apart; recommendation_unique_customers: M19, distinct persons.
CREATE OR REPLACE VIEW recommendation_customers AS
SELECT
    store_id,
    multiIf(
        grouping(channel) = 1 AND grouping(widget_id) = 1, 'all',
        grouping(widget_id) = 1, 'channel',
        grouping(channel) = 1, 'widget',
        'channel_widget') AS cut,
    channel,
    widget_id,
    uniqExact(person) AS recommendation_unique_customers
FROM reach
WHERE store_date BETWEEN {date_from:Date} AND {date_to:Date}
GROUP BY GROUPING SETS ((store_id), (store_id, channel), (store_id, widget_id), (store_id, channel, widget_id))
COMMENT 'M19: distinct persons who got recommendations from date_from to date_to (both days included), by cut';
