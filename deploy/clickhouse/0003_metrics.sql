-- Rendered from schemas/metrics/ by `make render`; do not edit. docs/metrics.md explains every column.
-- Ratios are of just this row's grain, null when the denominator is 0: over rows add up both sides, then divide.
-- Money: `x` in major units, `x_minor` in minor units; two currencies are two rows, never one sum.

CREATE OR REPLACE VIEW sessions_by_device (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `device` String COMMENT 'of the session\'s earliest event that has one',
    `country` String COMMENT 'of the session\'s earliest event that has one',
    `total_sessions` UInt64 COMMENT 'M1: Sessions with any sign of the shopper; a session is never split at midnight.'
) AS
SELECT
    store_id, store_date, channel, device, country,
    sum(total_sessions_) AS total_sessions
FROM
(
    SELECT store_id, bucket AS store_date, channel, device, country, total_sessions_ FROM (
        SELECT bucket, store_id, channel, device, country, sumIf(sessions, present) AS total_sessions_
        FROM (
        SELECT bucket, store_id, channel, device, country,  bitTest(flags, 0) AS present, bitTest(flags, 1) AS active, bitTest(flags, 2) AS one_message, bitTest(flags, 3) AS supported, bitTest(flags, 4) AS personalized, bitTest(flags, 5) AS earned_goal, bitTest(flags, 6) AS ordered, bitTest(flags, 7) AS exposed, bitTest(flags, 8) AS viewed, bitTest(flags, 9) AS converting, bitTest(flags, 10) AS unpriced, closed, matured, mature_at, sessions
        FROM (
            SELECT bucket, store_id, channel, device, country,  flags, closed, matured, max(matures_at) AS mature_at, count() AS sessions
            FROM (
                SELECT store_date AS bucket, store_id, channel, device, country,  flags, (SELECT data_as_of FROM data_as_of) > closes_at AS closed, matures_at <= (SELECT data_as_of FROM data_as_of) AS matured, matures_at
                    
                FROM sessions FINAL
                WHERE 1 AND 1
            )
            GROUP BY bucket, store_id, channel, device, country,  flags, closed, matured
        )
        )
        GROUP BY bucket, store_id, channel, device, country
    )
)
GROUP BY store_id, store_date, channel, device, country
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'All sessions of a day by device and country';

CREATE OR REPLACE VIEW personalization_daily (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `personalized_sessions` UInt64 COMMENT 'M2: Sessions that were served at least one experience; by experience, each one that was served it.',
    `personalization_conversions` UInt64 COMMENT 'M10: Goal conversions attributed to an experience; by experience, once for each it is attributed to.',
    `personalized_purchase_sessions` UInt64 COMMENT 'M11: Personalised sessions with at least one captured order.',
    `personalization_purchase_rate` Nullable(Float64) COMMENT 'M11: Of the personalised sessions, those with at least one captured order.',
    `personalized_goal_sessions` UInt64 COMMENT 'M12: Personalised sessions with a goal conversion that an experience has earned.',
    `personalization_conversion_rate` Nullable(Float64) COMMENT 'M12: Of the personalised sessions, those with a goal conversion that an experience has earned; by goal, of all.',
    `personalized_orders` UInt64 COMMENT 'M13: Captured orders placed in a personalised session.'
) AS
SELECT
    store_id, store_date, channel,
    sum(personalized_sessions_) AS personalized_sessions,
    sum(personalization_conversions_) AS personalization_conversions,
    sum(personalized_purchase_sessions_) AS personalized_purchase_sessions,
    if(sum(personalized_sessions_) = 0, NULL, 100 * sum(personalized_purchase_sessions_) / sum(personalized_sessions_)) AS personalization_purchase_rate,
    sum(personalized_goal_sessions_) AS personalized_goal_sessions,
    if(sum(personalized_sessions_) = 0, NULL, 100 * sum(personalized_goal_sessions_) / sum(personalized_sessions_)) AS personalization_conversion_rate,
    sum(personalized_orders_) AS personalized_orders
FROM
(
    SELECT store_id, bucket AS store_date, channel, personalized_sessions_, 0 AS personalization_conversions_, personalized_purchase_sessions_, personalized_goal_sessions_, 0 AS personalized_orders_ FROM (
        SELECT bucket, store_id, channel, sumIf(sessions, personalized) AS personalized_sessions_, sumIf(sessions, personalized AND ordered) AS personalized_purchase_sessions_, sumIf(sessions, earned_goal) AS personalized_goal_sessions_
        FROM (
        SELECT bucket, store_id, channel,  bitTest(flags, 0) AS present, bitTest(flags, 1) AS active, bitTest(flags, 2) AS one_message, bitTest(flags, 3) AS supported, bitTest(flags, 4) AS personalized, bitTest(flags, 5) AS earned_goal, bitTest(flags, 6) AS ordered, bitTest(flags, 7) AS exposed, bitTest(flags, 8) AS viewed, bitTest(flags, 9) AS converting, bitTest(flags, 10) AS unpriced, closed, matured, mature_at, sessions
        FROM (
            SELECT bucket, store_id, channel,  flags, closed, matured, max(matures_at) AS mature_at, count() AS sessions
            FROM (
                SELECT store_date AS bucket, store_id, channel,  flags, (SELECT data_as_of FROM data_as_of) > closes_at AS closed, matures_at <= (SELECT data_as_of FROM data_as_of) AS matured, matures_at
                    
                FROM sessions FINAL
                WHERE 1 AND 1
            )
            GROUP BY bucket, store_id, channel,  flags, closed, matured
        )
        )
        GROUP BY bucket, store_id, channel
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, 0 AS personalized_sessions_, personalization_conversions_, 0 AS personalized_purchase_sessions_, 0 AS personalized_goal_sessions_, 0 AS personalized_orders_ FROM (
        SELECT bucket, store_id, channel, count() AS personalization_conversions_
        FROM (
        SELECT reached_date AS bucket, store_id, channel
        FROM (
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
                    WHERE 1 AND bitTest(flags, 9)
                )
                ARRAY JOIN
                    arrayEnumerate(all_dates) AS number, all_goals AS goal, all_at AS reached_at, all_dates AS reached_date,
                    all_values AS amount, all_currencies AS given_currency, all_exponents AS given_exponent,
                    all_unpriced AS unpriced, all_earners AS earners
                WHERE 1
            ) AS session
            LEFT JOIN
            (
                SELECT session_hash AS basket_of, captured_at, order_id, total, currency, exponent
                FROM orders FINAL
                WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND session_hash IN (
                    SELECT session_hash FROM sessions FINAL WHERE 1 AND bitTest(flags, 10)
                )
            ) AS basket USING (basket_of)
            ORDER BY abs(toUnixTimestamp64Milli(captured_at) - toUnixTimestamp64Milli(reached_at)), captured_at, order_id
            LIMIT 1 BY session_hash, number
        )
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, 0 AS personalized_sessions_, 0 AS personalization_conversions_, 0 AS personalized_purchase_sessions_, 0 AS personalized_goal_sessions_, personalized_orders_ FROM (
        SELECT bucket, store_id, channel, countIf(personalized) AS personalized_orders_
        FROM (
        SELECT store_date AS bucket, store_id, channel, session_hash IN (SELECT session_hash FROM sessions FINAL WHERE 1 AND bitAnd(flags, 80) = 80) AS personalized
        FROM orders FINAL
        WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND 1
        )
        GROUP BY bucket, store_id, channel
    )
)
GROUP BY store_id, store_date, channel
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Personalised sessions and goals of a day';

CREATE OR REPLACE VIEW personalization_by_experience (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `experience_id` String COMMENT 'the personalisation',
    `variant_id` String COMMENT 'its variant, empty if none was named',
    `test_id` String COMMENT 'its A/B test, empty if none was named',
    `personalized_sessions` UInt64 COMMENT 'M2: Sessions that were served at least one experience; by experience, each one that was served it.',
    `personalized_purchase_sessions` UInt64 COMMENT 'M11: Personalised sessions with at least one captured order.',
    `personalization_purchase_rate` Nullable(Float64) COMMENT 'M11: Of the personalised sessions, those with at least one captured order.',
    `personalized_orders` UInt64 COMMENT 'M13: Captured orders placed in a personalised session.'
) AS
SELECT
    store_id, store_date, channel, experience_id, variant_id, test_id,
    sum(personalized_sessions_) AS personalized_sessions,
    sum(personalized_purchase_sessions_) AS personalized_purchase_sessions,
    if(sum(personalized_sessions_) = 0, NULL, 100 * sum(personalized_purchase_sessions_) / sum(personalized_sessions_)) AS personalization_purchase_rate,
    sum(personalized_orders_) AS personalized_orders
FROM
(
    SELECT store_id, bucket AS store_date, channel, experience_id, variant_id, test_id, personalized_sessions_, personalized_purchase_sessions_, 0 AS personalized_orders_ FROM (
        SELECT bucket, store_id, channel, experience_id, variant_id, test_id, count() AS personalized_sessions_, countIf(ordered) AS personalized_purchase_sessions_
        FROM (
        SELECT DISTINCT store_date AS bucket, store_id, session_hash, channel, experience AS experience_id, variant AS variant_id, test AS test_id, orders > 0 AS ordered
        FROM sessions FINAL ARRAY JOIN experience_id AS experience, variant_id AS variant, test_id AS test
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel, experience_id, variant_id, test_id
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, experience_id, variant_id, test_id, 0 AS personalized_sessions_, 0 AS personalized_purchase_sessions_, personalized_orders_ FROM (
        SELECT bucket, store_id, channel, experience_id, variant_id, test_id, count() AS personalized_orders_
        FROM (
        SELECT DISTINCT store_date AS bucket, store_id, order_id, channel, experience AS experience_id, variant AS variant_id, test AS test_id
        FROM (
            SELECT
                store_id, order_id, channel, currency, exponent, reported, total, captured_at, store_date,
                experience, variant, test
            FROM (SELECT *, session_hash FROM orders FINAL WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC')) AS bought
            INNER JOIN
            (
                SELECT session_hash, experience, variant, test
                FROM sessions FINAL
                ARRAY JOIN experience_id AS experience, variant_id AS variant, test_id AS test
                WHERE 1 AND orders > 0
            ) AS served USING (session_hash)
        )
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel, experience_id, variant_id, test_id
    )
)
GROUP BY store_id, store_date, channel, experience_id, variant_id, test_id
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Personalised sessions by experience; one session may be in two';

CREATE OR REPLACE VIEW personalization_by_goal (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `goal_id` String COMMENT 'the goal',
    `experience_id` String COMMENT 'the personalisation',
    `personalization_conversions` UInt64 COMMENT 'M10: Goal conversions attributed to an experience; by experience, once for each it is attributed to.'
) AS
SELECT
    store_id, store_date, channel, goal_id, experience_id,
    sum(personalization_conversions_) AS personalization_conversions
FROM
(
    SELECT store_id, bucket AS store_date, channel, goal_id, experience_id, personalization_conversions_ FROM (
        SELECT bucket, store_id, channel, goal_id, experience_id, count() AS personalization_conversions_
        FROM (
        SELECT reached_date AS bucket, store_id, channel, goal AS goal_id, arrayJoin(earners) AS experience_id
        FROM (
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
                    WHERE 1 AND bitTest(flags, 9)
                )
                ARRAY JOIN
                    arrayEnumerate(all_dates) AS number, all_goals AS goal, all_at AS reached_at, all_dates AS reached_date,
                    all_values AS amount, all_currencies AS given_currency, all_exponents AS given_exponent,
                    all_unpriced AS unpriced, all_earners AS earners
                WHERE 1
            ) AS session
            LEFT JOIN
            (
                SELECT session_hash AS basket_of, captured_at, order_id, total, currency, exponent
                FROM orders FINAL
                WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND session_hash IN (
                    SELECT session_hash FROM sessions FINAL WHERE 1 AND bitTest(flags, 10)
                )
            ) AS basket USING (basket_of)
            ORDER BY abs(toUnixTimestamp64Milli(captured_at) - toUnixTimestamp64Milli(reached_at)), captured_at, order_id
            LIMIT 1 BY session_hash, number
        )
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel, goal_id, experience_id
    )
)
GROUP BY store_id, store_date, channel, goal_id, experience_id
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Goal conversions by goal and experience';

CREATE OR REPLACE VIEW personalization_revenue_daily (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `currency` LowCardinality(String) COMMENT 'ISO 4217; two currencies are never added up',
    `exponent` UInt8 COMMENT 'digits of the currency\'s minor unit',
    `personalization_revenue` Decimal(38, 4) COMMENT 'M6: Totals of captured orders placed in a session that was served an experience, before the order or after.',
    `personalization_revenue_minor` Int128 COMMENT 'personalization_revenue in minor units.',
    `personalization_revenue_reporting` Decimal(38, 4) COMMENT 'M6: personalization_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `personalization_revenue_reporting_minor` Int128 COMMENT 'personalization_revenue_reporting in minor units.',
    `personalization_goal_revenue` Decimal(38, 4) COMMENT 'M7: Values of goal conversions attributed to an experience; a purchase without one takes its order\'s total.',
    `personalization_goal_revenue_minor` Int128 COMMENT 'personalization_goal_revenue in minor units.',
    `personalization_conversions` UInt64 COMMENT 'M10: Goal conversions attributed to an experience; by experience, once for each it is attributed to.',
    `personalized_orders` UInt64 COMMENT 'M13: Captured orders placed in a personalised session.',
    `personalization_aov` Nullable(Decimal(38, 6)) COMMENT 'M13: Average total of the captured orders placed in personalised sessions, per currency. Cut after six digits.',
    `unconverted_orders` UInt64 COMMENT 'M27: Captured orders that are left out of the sums in the reporting currency: their day has no rate yet.'
) AS
SELECT
    store_id, store_date, channel, currency, exponent,
    toDecimal128(sum(personalization_revenue_), 4) / intExp10(exponent) AS personalization_revenue,
    sum(personalization_revenue_) AS personalization_revenue_minor,
    toDecimal128(sum(personalization_revenue_reporting_), 4) / intExp10(exponent) AS personalization_revenue_reporting,
    sum(personalization_revenue_reporting_) AS personalization_revenue_reporting_minor,
    toDecimal128(sum(personalization_goal_revenue_), 4) / intExp10(exponent) AS personalization_goal_revenue,
    sum(personalization_goal_revenue_) AS personalization_goal_revenue_minor,
    sum(personalization_conversions_) AS personalization_conversions,
    sum(personalized_orders_) AS personalized_orders,
    if(sum(personalized_orders_) = 0, NULL, toDecimal128(sum(personalization_revenue_), 6) / intExp10(exponent) / greatest(sum(personalized_orders_), 1)) AS personalization_aov,
    sum(unconverted_orders_) AS unconverted_orders
FROM
(
    SELECT store_id, bucket AS store_date, channel, currency, exponent, personalization_revenue_, toInt128(0) AS personalization_revenue_reporting_, toInt128(0) AS personalization_goal_revenue_, 0 AS personalization_conversions_, personalized_orders_, 0 AS unconverted_orders_ FROM (
        SELECT bucket, store_id, channel, currency, exponent, sumIf(toInt128(paid_total), personalized) AS personalization_revenue_, countIf(personalized) AS personalized_orders_
        FROM (
        SELECT store_date AS bucket, store_id, channel, currency, exponent, total AS paid_total, session_hash IN (SELECT session_hash FROM sessions FINAL WHERE 1 AND bitAnd(flags, 80) = 80) AS personalized
        FROM orders FINAL
        WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND 1
        )
        GROUP BY bucket, store_id, channel, currency, exponent
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, currency, exponent, toInt128(0) AS personalization_revenue_, personalization_revenue_reporting_, toInt128(0) AS personalization_goal_revenue_, 0 AS personalization_conversions_, 0 AS personalized_orders_, unconverted_orders_ FROM (
        SELECT bucket, store_id, channel, currency, exponent, sumIf(toInt128(paid_total), personalized) AS personalization_revenue_reporting_, countIf(NOT has_rate) AS unconverted_orders_
        FROM (
        SELECT store_date AS bucket, store_id, channel, reporting_currency AS currency, reporting_exponent AS exponent, reporting_total AS paid_total, session_hash IN (SELECT session_hash FROM sessions FINAL WHERE 1 AND bitAnd(flags, 80) = 80) AS personalized, reported AS has_rate
        FROM orders FINAL
        WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND reporting_currency != '' AND 1
        )
        GROUP BY bucket, store_id, channel, currency, exponent
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, currency, exponent, toInt128(0) AS personalization_revenue_, toInt128(0) AS personalization_revenue_reporting_, personalization_goal_revenue_, personalization_conversions_, 0 AS personalized_orders_, 0 AS unconverted_orders_ FROM (
        SELECT bucket, store_id, channel, currency, exponent, sum(toInt128(value)) AS personalization_goal_revenue_, count() AS personalization_conversions_
        FROM (
        SELECT reached_date AS bucket, store_id, channel, worth AS value, worth_currency AS currency, worth_exponent AS exponent
        FROM (
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
                    WHERE 1 AND bitTest(flags, 9)
                )
                ARRAY JOIN
                    arrayEnumerate(all_dates) AS number, all_goals AS goal, all_at AS reached_at, all_dates AS reached_date,
                    all_values AS amount, all_currencies AS given_currency, all_exponents AS given_exponent,
                    all_unpriced AS unpriced, all_earners AS earners
                WHERE 1
            ) AS session
            LEFT JOIN
            (
                SELECT session_hash AS basket_of, captured_at, order_id, total, currency, exponent
                FROM orders FINAL
                WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND session_hash IN (
                    SELECT session_hash FROM sessions FINAL WHERE 1 AND bitTest(flags, 10)
                )
            ) AS basket USING (basket_of)
            ORDER BY abs(toUnixTimestamp64Milli(captured_at) - toUnixTimestamp64Milli(reached_at)), captured_at, order_id
            LIMIT 1 BY session_hash, number
        )
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel, currency, exponent
    )
)
GROUP BY store_id, store_date, channel, currency, exponent
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Revenue of personalised sessions and of goals by day and currency (M9)';

CREATE OR REPLACE VIEW personalization_revenue_by_experience (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `experience_id` String COMMENT 'the personalisation',
    `variant_id` String COMMENT 'its variant, empty if none was named',
    `test_id` String COMMENT 'its A/B test, empty if none was named',
    `currency` LowCardinality(String) COMMENT 'ISO 4217; two currencies are never added up',
    `exponent` UInt8 COMMENT 'digits of the currency\'s minor unit',
    `personalization_revenue` Decimal(38, 4) COMMENT 'M6: Totals of captured orders placed in a session that was served an experience, before the order or after.',
    `personalization_revenue_minor` Int128 COMMENT 'personalization_revenue in minor units.',
    `personalization_revenue_reporting` Decimal(38, 4) COMMENT 'M6: personalization_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `personalization_revenue_reporting_minor` Int128 COMMENT 'personalization_revenue_reporting in minor units.',
    `personalized_orders` UInt64 COMMENT 'M13: Captured orders placed in a personalised session.',
    `personalization_aov` Nullable(Decimal(38, 6)) COMMENT 'M13: Average total of the captured orders placed in personalised sessions, per currency. Cut after six digits.',
    `unconverted_orders` UInt64 COMMENT 'M27: Captured orders that are left out of the sums in the reporting currency: their day has no rate yet.'
) AS
SELECT
    store_id, store_date, channel, experience_id, variant_id, test_id, currency, exponent,
    toDecimal128(sum(personalization_revenue_), 4) / intExp10(exponent) AS personalization_revenue,
    sum(personalization_revenue_) AS personalization_revenue_minor,
    toDecimal128(sum(personalization_revenue_reporting_), 4) / intExp10(exponent) AS personalization_revenue_reporting,
    sum(personalization_revenue_reporting_) AS personalization_revenue_reporting_minor,
    sum(personalized_orders_) AS personalized_orders,
    if(sum(personalized_orders_) = 0, NULL, toDecimal128(sum(personalization_revenue_), 6) / intExp10(exponent) / greatest(sum(personalized_orders_), 1)) AS personalization_aov,
    sum(unconverted_orders_) AS unconverted_orders
FROM
(
    SELECT store_id, bucket AS store_date, channel, experience_id, variant_id, test_id, currency, exponent, personalization_revenue_, toInt128(0) AS personalization_revenue_reporting_, personalized_orders_, 0 AS unconverted_orders_ FROM (
        SELECT bucket, store_id, channel, experience_id, variant_id, test_id, currency, exponent, sum(toInt128(paid_total)) AS personalization_revenue_, count() AS personalized_orders_
        FROM (
        SELECT DISTINCT store_date AS bucket, store_id, order_id, channel, currency, exponent, total AS paid_total, experience AS experience_id, variant AS variant_id, test AS test_id
        FROM (
            SELECT
                store_id, order_id, channel, currency, exponent, reported, total, captured_at, store_date,
                experience, variant, test
            FROM (SELECT *, session_hash FROM orders FINAL WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC')) AS bought
            INNER JOIN
            (
                SELECT session_hash, experience, variant, test
                FROM sessions FINAL
                ARRAY JOIN experience_id AS experience, variant_id AS variant, test_id AS test
                WHERE 1 AND orders > 0
            ) AS served USING (session_hash)
        )
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel, experience_id, variant_id, test_id, currency, exponent
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, experience_id, variant_id, test_id, currency, exponent, toInt128(0) AS personalization_revenue_, personalization_revenue_reporting_, 0 AS personalized_orders_, unconverted_orders_ FROM (
        SELECT bucket, store_id, channel, experience_id, variant_id, test_id, currency, exponent, sum(toInt128(paid_total)) AS personalization_revenue_reporting_, countIf(NOT has_rate) AS unconverted_orders_
        FROM (
        SELECT DISTINCT store_date AS bucket, store_id, order_id, channel, reporting_currency AS currency, reporting_exponent AS exponent, reporting_total AS paid_total, experience AS experience_id, variant AS variant_id, test AS test_id, reported AS has_rate
        FROM (
            SELECT
                store_id, order_id, channel, reporting_currency, reporting_exponent, reported, reporting_total, captured_at, store_date,
                experience, variant, test
            FROM (SELECT *, session_hash FROM orders FINAL WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC')) AS bought
            INNER JOIN
            (
                SELECT session_hash, experience, variant, test
                FROM sessions FINAL
                ARRAY JOIN experience_id AS experience, variant_id AS variant, test_id AS test
                WHERE 1 AND orders > 0
            ) AS served USING (session_hash)
        )
        WHERE 1 AND reporting_currency != '' AND 1
        )
        GROUP BY bucket, store_id, channel, experience_id, variant_id, test_id, currency, exponent
    )
)
GROUP BY store_id, store_date, channel, experience_id, variant_id, test_id, currency, exponent
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Revenue of personalised sessions by experience; one order may be in two';

CREATE OR REPLACE VIEW recommendations_daily (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `recommendation_sessions` UInt64 COMMENT 'M16: Sessions with at least one recommendation impression; by widget, each that saw it.',
    `recommendation_viewed_sessions` UInt64 COMMENT 'M17: Sessions with an impression and, not before it, the details of the same product.',
    `recommendation_converted_sessions` UInt64 COMMENT 'M18: Sessions in which a product was seen that became a direct line within the window.',
    `recommendation_pending_sessions` UInt64 COMMENT 'M18: Sessions with an impression that may still convert: their window is open at data_as_of.',
    `recommendation_mature_at` DateTime64(3, 'UTC') COMMENT 'M18: When the last session with an impression can no longer convert.',
    `recommendation_matured_sessions` UInt64 COMMENT 'M18: Sessions with an impression whose window is over.',
    `recommendation_matured_converted_sessions` UInt64 COMMENT 'M18: Of these, the converted ones.',
    `purchase_sessions` UInt64 COMMENT 'M21: Sessions with at least one captured order.',
    `purchase_sessions_with_recommended` UInt64 COMMENT 'M21: Sessions with an order that has a direct line.',
    `recommendation_ctr` Nullable(Float64) COMMENT 'M17: Of the sessions with an impression, those that then opened the details of a shown product; a rate of sessions.',
    `recommendation_conversion_rate` Nullable(Float64) COMMENT 'M18: Of the sessions with an impression, those in which a product was seen that was bought within the window.',
    `purchase_sessions_with_recommended_pct` Nullable(Float64) COMMENT 'M21: Of the sessions with a captured order, those with an order that has a direct line.',
    `recommendation_unique_customers` UInt64 COMMENT 'M19: Distinct persons with at least one recommendation impression; does not add up over days. Does not add up over days.',
    `recommended_product_purchases` UInt64 COMMENT 'M20: Captured orders with at least one direct line.',
    `recommended_units` UInt64 COMMENT 'M20: Units of direct lines.'
) AS
SELECT
    store_id, store_date, channel,
    sum(recommendation_sessions_) AS recommendation_sessions,
    sum(recommendation_viewed_sessions_) AS recommendation_viewed_sessions,
    sum(recommendation_converted_sessions_) AS recommendation_converted_sessions,
    sum(recommendation_pending_sessions_) AS recommendation_pending_sessions,
    max(recommendation_mature_at_) AS recommendation_mature_at,
    sum(recommendation_matured_sessions_) AS recommendation_matured_sessions,
    sum(recommendation_matured_converted_sessions_) AS recommendation_matured_converted_sessions,
    sum(purchase_sessions_) AS purchase_sessions,
    sum(purchase_sessions_with_recommended_) AS purchase_sessions_with_recommended,
    if(sum(recommendation_sessions_) = 0, NULL, 100 * sum(recommendation_viewed_sessions_) / sum(recommendation_sessions_)) AS recommendation_ctr,
    if(sum(recommendation_sessions_) = 0, NULL, 100 * sum(recommendation_converted_sessions_) / sum(recommendation_sessions_)) AS recommendation_conversion_rate,
    if(sum(purchase_sessions_) = 0, NULL, 100 * sum(purchase_sessions_with_recommended_) / sum(purchase_sessions_)) AS purchase_sessions_with_recommended_pct,
    sum(recommendation_unique_customers_) AS recommendation_unique_customers,
    sum(recommended_product_purchases_) AS recommended_product_purchases,
    sum(recommended_units_) AS recommended_units
FROM
(
    SELECT store_id, bucket AS store_date, channel, recommendation_sessions_, recommendation_viewed_sessions_, recommendation_converted_sessions_, recommendation_pending_sessions_, recommendation_mature_at_, recommendation_matured_sessions_, recommendation_matured_converted_sessions_, purchase_sessions_, purchase_sessions_with_recommended_, 0 AS recommendation_unique_customers_, 0 AS recommended_product_purchases_, 0 AS recommended_units_ FROM (
        SELECT bucket, store_id, channel, sumIf(sessions, exposed) AS recommendation_sessions_, sumIf(sessions, exposed AND viewed) AS recommendation_viewed_sessions_, sumIf(sessions, converted) AS recommendation_converted_sessions_, sumIf(sessions, exposed AND NOT matured) AS recommendation_pending_sessions_, maxIf(mature_at, exposed) AS recommendation_mature_at_, sumIf(sessions, exposed AND matured) AS recommendation_matured_sessions_, sumIf(sessions, converted AND matured) AS recommendation_matured_converted_sessions_, sumIf(sessions, ordered) AS purchase_sessions_, sumIf(sessions, bought_recommended) AS purchase_sessions_with_recommended_
        FROM (
        SELECT bucket, store_id, channel,  bitTest(flags, 0) AS present, bitTest(flags, 1) AS active, bitTest(flags, 2) AS one_message, bitTest(flags, 3) AS supported, bitTest(flags, 4) AS personalized, bitTest(flags, 5) AS earned_goal, bitTest(flags, 6) AS ordered, bitTest(flags, 7) AS exposed, bitTest(flags, 8) AS viewed, bitTest(flags, 9) AS converting, bitTest(flags, 10) AS unpriced, closed, matured, bitTest(credited, 0) AND exposed AS converted, bitTest(credited, 1) AND ordered AS bought_recommended, mature_at, sessions
        FROM (
            SELECT bucket, store_id, channel,  flags, closed, matured, credited, max(matures_at) AS mature_at, count() AS sessions
            FROM (
                SELECT store_date AS bucket, store_id, channel,  flags, (SELECT data_as_of FROM data_as_of) > closes_at AS closed, matures_at <= (SELECT data_as_of FROM data_as_of) AS matured, matures_at
                    , session_hash
                FROM sessions FINAL
                WHERE 1 AND 1
            ) AS seen LEFT ANY JOIN (
            SELECT earned.1 AS session_hash, groupBitOr(earned.2) AS credited
            FROM
            (
                SELECT arrayJoin(arrayConcat(arrayMap(seen -> (seen, 1), exposed_hash),
                    if(session_key != '' AND has_direct, [(session_hash, 2)], []))) AS earned
                FROM orders FINAL
                WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND (has_direct OR notEmpty(exposed_hash))
            )
            GROUP BY session_hash
        ) AS earned USING (session_hash)
            GROUP BY bucket, store_id, channel,  flags, closed, matured, credited
        )
        )
        GROUP BY bucket, store_id, channel
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, 0 AS recommendation_sessions_, 0 AS recommendation_viewed_sessions_, 0 AS recommendation_converted_sessions_, 0 AS recommendation_pending_sessions_, toDateTime64(0, 3, 'UTC') AS recommendation_mature_at_, 0 AS recommendation_matured_sessions_, 0 AS recommendation_matured_converted_sessions_, 0 AS purchase_sessions_, 0 AS purchase_sessions_with_recommended_, recommendation_unique_customers_, 0 AS recommended_product_purchases_, 0 AS recommended_units_ FROM (
        SELECT bucket, store_id, channel, sum(persons) AS recommendation_unique_customers_
        FROM (
        SELECT store_id, channel,  bucket, 1 AS persons
        FROM (SELECT DISTINCT store_id, channel,  shown_date AS bucket, person_hash FROM (SELECT store_id, person_hash, widget_id, shown_dates, shown_channels, shown_at FROM exposures FINAL WHERE 1) ARRAY JOIN shown_dates AS shown_date, shown_channels AS channel, shown_at AS seen_at WHERE 1 AND 1)
        )
        GROUP BY bucket, store_id, channel
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, 0 AS recommendation_sessions_, 0 AS recommendation_viewed_sessions_, 0 AS recommendation_converted_sessions_, 0 AS recommendation_pending_sessions_, toDateTime64(0, 3, 'UTC') AS recommendation_mature_at_, 0 AS recommendation_matured_sessions_, 0 AS recommendation_matured_converted_sessions_, 0 AS purchase_sessions_, 0 AS purchase_sessions_with_recommended_, 0 AS recommendation_unique_customers_, recommended_product_purchases_, recommended_units_ FROM (
        SELECT bucket, store_id, channel, countIf(has_direct) AS recommended_product_purchases_, sum(direct_units) AS recommended_units_
        FROM (
        SELECT store_date AS bucket, store_id, channel, has_direct, direct_units
        FROM orders FINAL
        WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND 1
        )
        GROUP BY bucket, store_id, channel
    )
)
GROUP BY store_id, store_date, channel
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'How recommendations did on a day';

CREATE OR REPLACE VIEW recommendations_by_widget (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `widget_id` String COMMENT 'the recommendation widget',
    `recommendation_sessions` UInt64 COMMENT 'M16: Sessions with at least one recommendation impression; by widget, each that saw it.',
    `recommendation_viewed_sessions` UInt64 COMMENT 'M17: Sessions with an impression and, not before it, the details of the same product.',
    `recommendation_converted_sessions` UInt64 COMMENT 'M18: Sessions in which a product was seen that became a direct line within the window.',
    `recommendation_pending_sessions` UInt64 COMMENT 'M18: Sessions with an impression that may still convert: their window is open at data_as_of.',
    `recommendation_mature_at` DateTime64(3, 'UTC') COMMENT 'M18: When the last session with an impression can no longer convert.',
    `recommendation_matured_sessions` UInt64 COMMENT 'M18: Sessions with an impression whose window is over.',
    `recommendation_matured_converted_sessions` UInt64 COMMENT 'M18: Of these, the converted ones.',
    `recommendation_ctr` Nullable(Float64) COMMENT 'M17: Of the sessions with an impression, those that then opened the details of a shown product; a rate of sessions.',
    `recommendation_conversion_rate` Nullable(Float64) COMMENT 'M18: Of the sessions with an impression, those in which a product was seen that was bought within the window.',
    `recommendation_unique_customers` UInt64 COMMENT 'M19: Distinct persons with at least one recommendation impression; does not add up over days. Does not add up over days.',
    `recommended_product_purchases` UInt64 COMMENT 'M20: Captured orders with at least one direct line.',
    `recommended_units` UInt64 COMMENT 'M20: Units of direct lines.'
) AS
SELECT
    store_id, store_date, channel, widget_id,
    sum(recommendation_sessions_) AS recommendation_sessions,
    sum(recommendation_viewed_sessions_) AS recommendation_viewed_sessions,
    sum(recommendation_converted_sessions_) AS recommendation_converted_sessions,
    sum(recommendation_pending_sessions_) AS recommendation_pending_sessions,
    max(recommendation_mature_at_) AS recommendation_mature_at,
    sum(recommendation_matured_sessions_) AS recommendation_matured_sessions,
    sum(recommendation_matured_converted_sessions_) AS recommendation_matured_converted_sessions,
    if(sum(recommendation_sessions_) = 0, NULL, 100 * sum(recommendation_viewed_sessions_) / sum(recommendation_sessions_)) AS recommendation_ctr,
    if(sum(recommendation_sessions_) = 0, NULL, 100 * sum(recommendation_converted_sessions_) / sum(recommendation_sessions_)) AS recommendation_conversion_rate,
    sum(recommendation_unique_customers_) AS recommendation_unique_customers,
    sum(recommended_product_purchases_) AS recommended_product_purchases,
    sum(recommended_units_) AS recommended_units
FROM
(
    SELECT store_id, bucket AS store_date, channel, widget_id, recommendation_sessions_, recommendation_viewed_sessions_, recommendation_converted_sessions_, 0 AS recommendation_pending_sessions_, toDateTime64(0, 3, 'UTC') AS recommendation_mature_at_, 0 AS recommendation_matured_sessions_, 0 AS recommendation_matured_converted_sessions_, 0 AS recommendation_unique_customers_, 0 AS recommended_product_purchases_, 0 AS recommended_units_ FROM (
        SELECT bucket, store_id, channel, widget_id, count() AS recommendation_sessions_, countIf(viewed) AS recommendation_viewed_sessions_, countIf(converted) AS recommendation_converted_sessions_
        FROM (
        SELECT store_date AS bucket, store_id, channel, widget_id, viewed, (session_hash, widget_id) IN (SELECT seen.1, seen.2 FROM (SELECT arrayJoin(arrayZip(exposed_hash, exposed_widget)) AS seen FROM orders FINAL WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC'))) AS converted
        FROM exposures FINAL
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel, widget_id
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, widget_id, 0 AS recommendation_sessions_, 0 AS recommendation_viewed_sessions_, 0 AS recommendation_converted_sessions_, recommendation_pending_sessions_, recommendation_mature_at_, recommendation_matured_sessions_, recommendation_matured_converted_sessions_, 0 AS recommendation_unique_customers_, 0 AS recommended_product_purchases_, 0 AS recommended_units_ FROM (
        SELECT bucket, store_id, channel, widget_id, countIf(NOT matured) AS recommendation_pending_sessions_, max(mature_at) AS recommendation_mature_at_, countIf(matured) AS recommendation_matured_sessions_, countIf(converted AND matured) AS recommendation_matured_converted_sessions_
        FROM (
        SELECT store_date AS bucket, store_id, channel, widget_id, (session_hash, widget_id) IN (SELECT seen.1, seen.2 FROM (SELECT arrayJoin(arrayZip(exposed_hash, exposed_widget)) AS seen FROM orders FINAL WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC'))) AS converted, mature AS mature_at, mature <= (SELECT data_as_of FROM data_as_of) AS matured
        FROM (
            SELECT store_id, person_hash, session_hash, channel, widget_id, started_at, store_date, mature
            FROM (SELECT *, person_hash, session_hash FROM exposures FINAL WHERE 1) AS seen
            INNER JOIN
            (
                SELECT session_hash, matures_at AS mature FROM sessions FINAL WHERE 1 AND impressions > 0
            ) AS session USING (session_hash)
        )
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel, widget_id
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, widget_id, 0 AS recommendation_sessions_, 0 AS recommendation_viewed_sessions_, 0 AS recommendation_converted_sessions_, 0 AS recommendation_pending_sessions_, toDateTime64(0, 3, 'UTC') AS recommendation_mature_at_, 0 AS recommendation_matured_sessions_, 0 AS recommendation_matured_converted_sessions_, recommendation_unique_customers_, 0 AS recommended_product_purchases_, 0 AS recommended_units_ FROM (
        SELECT bucket, store_id, channel, widget_id, sum(persons) AS recommendation_unique_customers_
        FROM (
        SELECT store_id, channel, widget_id,  bucket, 1 AS persons
        FROM (SELECT DISTINCT store_id, channel, widget_id,  shown_date AS bucket, person_hash FROM (SELECT store_id, person_hash, widget_id, shown_dates, shown_channels, shown_at FROM exposures FINAL WHERE 1) ARRAY JOIN shown_dates AS shown_date, shown_channels AS channel, shown_at AS seen_at WHERE 1 AND 1)
        )
        GROUP BY bucket, store_id, channel, widget_id
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, widget_id, 0 AS recommendation_sessions_, 0 AS recommendation_viewed_sessions_, 0 AS recommendation_converted_sessions_, 0 AS recommendation_pending_sessions_, toDateTime64(0, 3, 'UTC') AS recommendation_mature_at_, 0 AS recommendation_matured_sessions_, 0 AS recommendation_matured_converted_sessions_, 0 AS recommendation_unique_customers_, recommended_product_purchases_, recommended_units_ FROM (
        SELECT bucket, store_id, channel, widget_id, uniqExactIf(order_id, earned = 'direct') AS recommended_product_purchases_, sumIf(line_units, earned = 'direct') AS recommended_units_
        FROM (
        SELECT store_date AS bucket, store_id, order_id, channel, of_widget AS widget_id, of_credit AS earned, of_quantity AS line_units
        FROM orders FINAL ARRAY JOIN credit AS of_credit, product_id AS bought, widget_id AS of_widget, placement AS of_placement, strategy AS of_strategy, paid AS of_paid, quantity AS of_quantity, exposure_only AS of_only
        WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND 1
        )
        GROUP BY bucket, store_id, channel, widget_id
    )
)
GROUP BY store_id, store_date, channel, widget_id
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'How each widget did on a day';

CREATE OR REPLACE VIEW recommendation_revenue_daily (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `currency` LowCardinality(String) COMMENT 'ISO 4217; two currencies are never added up',
    `exponent` UInt8 COMMENT 'digits of the currency\'s minor unit',
    `recommendation_direct_revenue` Decimal(38, 4) COMMENT 'M14: Paid for lines whose product was shown to the person, then added to the cart, then bought, in the window.',
    `recommendation_direct_revenue_minor` Int128 COMMENT 'recommendation_direct_revenue in minor units.',
    `recommendation_direct_revenue_reporting` Decimal(38, 4) COMMENT 'M14: recommendation_direct_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_direct_revenue_reporting_minor` Int128 COMMENT 'recommendation_direct_revenue_reporting in minor units.',
    `recommendation_assisted_revenue` Decimal(38, 4) COMMENT 'M15: Paid for lines that are not direct, of orders in the window after an interaction with a recommended product.',
    `recommendation_assisted_revenue_minor` Int128 COMMENT 'recommendation_assisted_revenue in minor units.',
    `recommendation_assisted_revenue_reporting` Decimal(38, 4) COMMENT 'M15: recommendation_assisted_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_assisted_revenue_reporting_minor` Int128 COMMENT 'recommendation_assisted_revenue_reporting in minor units.',
    `unattributed_revenue` Decimal(38, 4) COMMENT 'M14: Paid for lines without credit: direct + assisted + unattributed is all that was paid for lines.',
    `unattributed_revenue_minor` Int128 COMMENT 'unattributed_revenue in minor units.',
    `unattributed_revenue_reporting` Decimal(38, 4) COMMENT 'M14: unattributed_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `unattributed_revenue_reporting_minor` Int128 COMMENT 'unattributed_revenue_reporting in minor units.',
    `recommendation_assisted_revenue_inclusive` Decimal(38, 4) COMMENT 'M15: Paid for all lines of orders after an interaction, direct ones too: always direct + assisted.',
    `recommendation_assisted_revenue_inclusive_minor` Int128 COMMENT 'recommendation_assisted_revenue_inclusive in minor units.',
    `recommendation_assisted_revenue_inclusive_reporting` Decimal(38, 4) COMMENT 'M15: recommendation_assisted_revenue_inclusive in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_assisted_revenue_inclusive_reporting_minor` Int128 COMMENT 'recommendation_assisted_revenue_inclusive_reporting in minor units.',
    `exposure_only_revenue` Decimal(38, 4) COMMENT 'M14: Paid for lines whose product was shown within the window and never added to the cart; beside the identity.',
    `exposure_only_revenue_minor` Int128 COMMENT 'exposure_only_revenue in minor units.',
    `exposure_only_revenue_reporting` Decimal(38, 4) COMMENT 'M14: exposure_only_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `exposure_only_revenue_reporting_minor` Int128 COMMENT 'exposure_only_revenue_reporting in minor units.',
    `recommendation_direct_taken_back` Decimal(38, 4) COMMENT 'M14: What cancels and refunds took of lines with direct credit.',
    `recommendation_direct_taken_back_minor` Int128 COMMENT 'recommendation_direct_taken_back in minor units.',
    `recommendation_direct_taken_back_reporting` Decimal(38, 4) COMMENT 'M14: recommendation_direct_taken_back in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_direct_taken_back_reporting_minor` Int128 COMMENT 'recommendation_direct_taken_back_reporting in minor units.',
    `recommendation_assisted_taken_back` Decimal(38, 4) COMMENT 'M15: What cancels and refunds took of lines with assisted credit.',
    `recommendation_assisted_taken_back_minor` Int128 COMMENT 'recommendation_assisted_taken_back in minor units.',
    `recommendation_assisted_taken_back_reporting` Decimal(38, 4) COMMENT 'M15: recommendation_assisted_taken_back in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_assisted_taken_back_reporting_minor` Int128 COMMENT 'recommendation_assisted_taken_back_reporting in minor units.',
    `recommendation_direct_revenue_net` Decimal(38, 4) COMMENT 'M14: recommendation_direct_revenue, less what cancels and refunds of the period took of those lines; may be negative.',
    `recommendation_direct_revenue_net_minor` Int128 COMMENT 'recommendation_direct_revenue_net in minor units.',
    `recommendation_direct_revenue_net_reporting` Decimal(38, 4) COMMENT 'M14: recommendation_direct_revenue_net in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_direct_revenue_net_reporting_minor` Int128 COMMENT 'recommendation_direct_revenue_net_reporting in minor units.',
    `recommendation_assisted_revenue_net` Decimal(38, 4) COMMENT 'M15: recommendation_assisted_revenue, less what cancels and refunds of the period took of those lines; may be negative.',
    `recommendation_assisted_revenue_net_minor` Int128 COMMENT 'recommendation_assisted_revenue_net in minor units.',
    `recommendation_assisted_revenue_net_reporting` Decimal(38, 4) COMMENT 'M15: recommendation_assisted_revenue_net in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_assisted_revenue_net_reporting_minor` Int128 COMMENT 'recommendation_assisted_revenue_net_reporting in minor units.',
    `recommended_product_purchases` UInt64 COMMENT 'M20: Captured orders with at least one direct line.',
    `recommended_units` UInt64 COMMENT 'M20: Units of direct lines.',
    `unconverted_orders` UInt64 COMMENT 'M27: Captured orders that are left out of the sums in the reporting currency: their day has no rate yet.',
    `unconverted_adjustments` UInt64 COMMENT 'M27: Cancels and refunds that are left out of the sums in the reporting currency, with their orders.'
) AS
SELECT
    store_id, store_date, channel, currency, exponent,
    toDecimal128(sum(recommendation_direct_revenue_), 4) / intExp10(exponent) AS recommendation_direct_revenue,
    sum(recommendation_direct_revenue_) AS recommendation_direct_revenue_minor,
    toDecimal128(sum(recommendation_direct_revenue_reporting_), 4) / intExp10(exponent) AS recommendation_direct_revenue_reporting,
    sum(recommendation_direct_revenue_reporting_) AS recommendation_direct_revenue_reporting_minor,
    toDecimal128(sum(recommendation_assisted_revenue_), 4) / intExp10(exponent) AS recommendation_assisted_revenue,
    sum(recommendation_assisted_revenue_) AS recommendation_assisted_revenue_minor,
    toDecimal128(sum(recommendation_assisted_revenue_reporting_), 4) / intExp10(exponent) AS recommendation_assisted_revenue_reporting,
    sum(recommendation_assisted_revenue_reporting_) AS recommendation_assisted_revenue_reporting_minor,
    toDecimal128(sum(unattributed_revenue_), 4) / intExp10(exponent) AS unattributed_revenue,
    sum(unattributed_revenue_) AS unattributed_revenue_minor,
    toDecimal128(sum(unattributed_revenue_reporting_), 4) / intExp10(exponent) AS unattributed_revenue_reporting,
    sum(unattributed_revenue_reporting_) AS unattributed_revenue_reporting_minor,
    toDecimal128(sum(recommendation_assisted_revenue_inclusive_), 4) / intExp10(exponent) AS recommendation_assisted_revenue_inclusive,
    sum(recommendation_assisted_revenue_inclusive_) AS recommendation_assisted_revenue_inclusive_minor,
    toDecimal128(sum(recommendation_assisted_revenue_inclusive_reporting_), 4) / intExp10(exponent) AS recommendation_assisted_revenue_inclusive_reporting,
    sum(recommendation_assisted_revenue_inclusive_reporting_) AS recommendation_assisted_revenue_inclusive_reporting_minor,
    toDecimal128(sum(exposure_only_revenue_), 4) / intExp10(exponent) AS exposure_only_revenue,
    sum(exposure_only_revenue_) AS exposure_only_revenue_minor,
    toDecimal128(sum(exposure_only_revenue_reporting_), 4) / intExp10(exponent) AS exposure_only_revenue_reporting,
    sum(exposure_only_revenue_reporting_) AS exposure_only_revenue_reporting_minor,
    toDecimal128(sum(recommendation_direct_taken_back_), 4) / intExp10(exponent) AS recommendation_direct_taken_back,
    sum(recommendation_direct_taken_back_) AS recommendation_direct_taken_back_minor,
    toDecimal128(sum(recommendation_direct_taken_back_reporting_), 4) / intExp10(exponent) AS recommendation_direct_taken_back_reporting,
    sum(recommendation_direct_taken_back_reporting_) AS recommendation_direct_taken_back_reporting_minor,
    toDecimal128(sum(recommendation_assisted_taken_back_), 4) / intExp10(exponent) AS recommendation_assisted_taken_back,
    sum(recommendation_assisted_taken_back_) AS recommendation_assisted_taken_back_minor,
    toDecimal128(sum(recommendation_assisted_taken_back_reporting_), 4) / intExp10(exponent) AS recommendation_assisted_taken_back_reporting,
    sum(recommendation_assisted_taken_back_reporting_) AS recommendation_assisted_taken_back_reporting_minor,
    toDecimal128((sum(recommendation_direct_revenue_) - sum(recommendation_direct_taken_back_)), 4) / intExp10(exponent) AS recommendation_direct_revenue_net,
    (sum(recommendation_direct_revenue_) - sum(recommendation_direct_taken_back_)) AS recommendation_direct_revenue_net_minor,
    toDecimal128((sum(recommendation_direct_revenue_reporting_) - sum(recommendation_direct_taken_back_reporting_)), 4) / intExp10(exponent) AS recommendation_direct_revenue_net_reporting,
    (sum(recommendation_direct_revenue_reporting_) - sum(recommendation_direct_taken_back_reporting_)) AS recommendation_direct_revenue_net_reporting_minor,
    toDecimal128((sum(recommendation_assisted_revenue_) - sum(recommendation_assisted_taken_back_)), 4) / intExp10(exponent) AS recommendation_assisted_revenue_net,
    (sum(recommendation_assisted_revenue_) - sum(recommendation_assisted_taken_back_)) AS recommendation_assisted_revenue_net_minor,
    toDecimal128((sum(recommendation_assisted_revenue_reporting_) - sum(recommendation_assisted_taken_back_reporting_)), 4) / intExp10(exponent) AS recommendation_assisted_revenue_net_reporting,
    (sum(recommendation_assisted_revenue_reporting_) - sum(recommendation_assisted_taken_back_reporting_)) AS recommendation_assisted_revenue_net_reporting_minor,
    sum(recommended_product_purchases_) AS recommended_product_purchases,
    sum(recommended_units_) AS recommended_units,
    sum(unconverted_orders_) AS unconverted_orders,
    sum(unconverted_adjustments_) AS unconverted_adjustments
FROM
(
    SELECT store_id, bucket AS store_date, channel, currency, exponent, recommendation_direct_revenue_, toInt128(0) AS recommendation_direct_revenue_reporting_, recommendation_assisted_revenue_, toInt128(0) AS recommendation_assisted_revenue_reporting_, unattributed_revenue_, toInt128(0) AS unattributed_revenue_reporting_, recommendation_assisted_revenue_inclusive_, toInt128(0) AS recommendation_assisted_revenue_inclusive_reporting_, exposure_only_revenue_, toInt128(0) AS exposure_only_revenue_reporting_, toInt128(0) AS recommendation_direct_taken_back_, toInt128(0) AS recommendation_direct_taken_back_reporting_, toInt128(0) AS recommendation_assisted_taken_back_, toInt128(0) AS recommendation_assisted_taken_back_reporting_, recommended_product_purchases_, recommended_units_, 0 AS unconverted_orders_, 0 AS unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, currency, exponent, sum(toInt128(direct)) AS recommendation_direct_revenue_, sum(toInt128(assisted)) AS recommendation_assisted_revenue_, sum(toInt128(lines_paid)) - sum(toInt128(direct)) - sum(toInt128(assisted)) AS unattributed_revenue_, sumIf(toInt128(lines_paid), has_interaction) AS recommendation_assisted_revenue_inclusive_, sum(toInt128(shown_only)) AS exposure_only_revenue_, countIf(has_direct) AS recommended_product_purchases_, sum(direct_units) AS recommended_units_
        FROM (
        SELECT store_date AS bucket, store_id, channel, currency, exponent, lines_paid, direct_paid AS direct, assisted_paid AS assisted, has_direct, direct_units, shown_only_paid AS shown_only, has_interaction
        FROM orders FINAL
        WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND 1
        )
        GROUP BY bucket, store_id, channel, currency, exponent
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, currency, exponent, toInt128(0) AS recommendation_direct_revenue_, recommendation_direct_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_, recommendation_assisted_revenue_reporting_, toInt128(0) AS unattributed_revenue_, unattributed_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_inclusive_, recommendation_assisted_revenue_inclusive_reporting_, toInt128(0) AS exposure_only_revenue_, exposure_only_revenue_reporting_, toInt128(0) AS recommendation_direct_taken_back_, toInt128(0) AS recommendation_direct_taken_back_reporting_, toInt128(0) AS recommendation_assisted_taken_back_, toInt128(0) AS recommendation_assisted_taken_back_reporting_, 0 AS recommended_product_purchases_, 0 AS recommended_units_, unconverted_orders_, 0 AS unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, currency, exponent, sum(toInt128(direct)) AS recommendation_direct_revenue_reporting_, sum(toInt128(assisted)) AS recommendation_assisted_revenue_reporting_, sum(toInt128(lines_paid)) - sum(toInt128(direct)) - sum(toInt128(assisted)) AS unattributed_revenue_reporting_, sumIf(toInt128(lines_paid), has_interaction) AS recommendation_assisted_revenue_inclusive_reporting_, sum(toInt128(shown_only)) AS exposure_only_revenue_reporting_, countIf(NOT has_rate) AS unconverted_orders_
        FROM (
        SELECT store_date AS bucket, store_id, channel, reporting_currency AS currency, reporting_exponent AS exponent, reporting_lines_paid AS lines_paid, reporting_direct_paid AS direct, reporting_assisted_paid AS assisted, reporting_shown_only_paid AS shown_only, has_interaction, reported AS has_rate
        FROM orders FINAL
        WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND reporting_currency != '' AND 1
        )
        GROUP BY bucket, store_id, channel, currency, exponent
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, currency, exponent, toInt128(0) AS recommendation_direct_revenue_, toInt128(0) AS recommendation_direct_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_, toInt128(0) AS recommendation_assisted_revenue_reporting_, toInt128(0) AS unattributed_revenue_, toInt128(0) AS unattributed_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_inclusive_, toInt128(0) AS recommendation_assisted_revenue_inclusive_reporting_, toInt128(0) AS exposure_only_revenue_, toInt128(0) AS exposure_only_revenue_reporting_, recommendation_direct_taken_back_, toInt128(0) AS recommendation_direct_taken_back_reporting_, recommendation_assisted_taken_back_, toInt128(0) AS recommendation_assisted_taken_back_reporting_, 0 AS recommended_product_purchases_, 0 AS recommended_units_, 0 AS unconverted_orders_, 0 AS unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, currency, exponent, sum(toInt128(direct_taken)) AS recommendation_direct_taken_back_, sum(toInt128(assisted_taken)) AS recommendation_assisted_taken_back_
        FROM (
        SELECT back_date AS bucket, store_id, channel, currency, exponent, arraySum((amount, earned) -> if(earned = 'direct', amount, 0), back_lines, credit) AS direct_taken, arraySum((amount, earned) -> if(earned = 'assisted', amount, 0), back_lines, credit) AS assisted_taken
        FROM (SELECT * FROM orders FINAL WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND notEmpty(adjustment)) ARRAY JOIN adjustment AS kind, adjusted_at AS back_at, adjustment_date AS back_date, adjustment_amount AS back_amount, adjustment_lines AS back_lines, arrayEnumerate(adjustment) AS back_step
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel, currency, exponent
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, currency, exponent, toInt128(0) AS recommendation_direct_revenue_, toInt128(0) AS recommendation_direct_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_, toInt128(0) AS recommendation_assisted_revenue_reporting_, toInt128(0) AS unattributed_revenue_, toInt128(0) AS unattributed_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_inclusive_, toInt128(0) AS recommendation_assisted_revenue_inclusive_reporting_, toInt128(0) AS exposure_only_revenue_, toInt128(0) AS exposure_only_revenue_reporting_, toInt128(0) AS recommendation_direct_taken_back_, recommendation_direct_taken_back_reporting_, toInt128(0) AS recommendation_assisted_taken_back_, recommendation_assisted_taken_back_reporting_, 0 AS recommended_product_purchases_, 0 AS recommended_units_, 0 AS unconverted_orders_, unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, currency, exponent, sum(toInt128(direct_taken)) AS recommendation_direct_taken_back_reporting_, sum(toInt128(assisted_taken)) AS recommendation_assisted_taken_back_reporting_, countIf(NOT has_rate) AS unconverted_adjustments_
        FROM (
        SELECT back_date AS bucket, store_id, channel, reporting_currency AS currency, reporting_exponent AS exponent, arraySum((amount, earned) -> if(earned = 'direct', amount, 0), back_lines, credit) AS direct_taken, arraySum((amount, earned) -> if(earned = 'assisted', amount, 0), back_lines, credit) AS assisted_taken, reported AS has_rate
        FROM (SELECT * FROM orders FINAL WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND notEmpty(adjustment)) ARRAY JOIN adjustment AS kind, adjusted_at AS back_at, adjustment_date AS back_date, reporting_adjustment_amount AS back_amount, reporting_adjustment_lines AS back_lines, arrayEnumerate(adjustment) AS back_step
        WHERE 1 AND reporting_currency != '' AND 1
        )
        GROUP BY bucket, store_id, channel, currency, exponent
    )
)
GROUP BY store_id, store_date, channel, currency, exponent
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'What recommendations earned, by day and currency';

CREATE OR REPLACE VIEW recommendation_revenue_by_widget (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `widget_id` String COMMENT 'the recommendation widget',
    `placement` String COMMENT 'its placement',
    `strategy` String COMMENT 'the strategy of the impressions',
    `currency` LowCardinality(String) COMMENT 'ISO 4217; two currencies are never added up',
    `exponent` UInt8 COMMENT 'digits of the currency\'s minor unit',
    `recommendation_direct_revenue` Decimal(38, 4) COMMENT 'M14: Paid for lines whose product was shown to the person, then added to the cart, then bought, in the window.',
    `recommendation_direct_revenue_minor` Int128 COMMENT 'recommendation_direct_revenue in minor units.',
    `recommendation_direct_revenue_reporting` Decimal(38, 4) COMMENT 'M14: recommendation_direct_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_direct_revenue_reporting_minor` Int128 COMMENT 'recommendation_direct_revenue_reporting in minor units.',
    `recommendation_assisted_revenue` Decimal(38, 4) COMMENT 'M15: Paid for lines that are not direct, of orders in the window after an interaction with a recommended product.',
    `recommendation_assisted_revenue_minor` Int128 COMMENT 'recommendation_assisted_revenue in minor units.',
    `recommendation_assisted_revenue_reporting` Decimal(38, 4) COMMENT 'M15: recommendation_assisted_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_assisted_revenue_reporting_minor` Int128 COMMENT 'recommendation_assisted_revenue_reporting in minor units.',
    `unattributed_revenue` Decimal(38, 4) COMMENT 'M14: Paid for lines without credit: direct + assisted + unattributed is all that was paid for lines.',
    `unattributed_revenue_minor` Int128 COMMENT 'unattributed_revenue in minor units.',
    `unattributed_revenue_reporting` Decimal(38, 4) COMMENT 'M14: unattributed_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `unattributed_revenue_reporting_minor` Int128 COMMENT 'unattributed_revenue_reporting in minor units.',
    `recommendation_assisted_revenue_inclusive` Decimal(38, 4) COMMENT 'M15: Paid for all lines of orders after an interaction, direct ones too: always direct + assisted.',
    `recommendation_assisted_revenue_inclusive_minor` Int128 COMMENT 'recommendation_assisted_revenue_inclusive in minor units.',
    `recommendation_assisted_revenue_inclusive_reporting` Decimal(38, 4) COMMENT 'M15: recommendation_assisted_revenue_inclusive in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_assisted_revenue_inclusive_reporting_minor` Int128 COMMENT 'recommendation_assisted_revenue_inclusive_reporting in minor units.',
    `exposure_only_revenue` Decimal(38, 4) COMMENT 'M14: Paid for lines whose product was shown within the window and never added to the cart; beside the identity.',
    `exposure_only_revenue_minor` Int128 COMMENT 'exposure_only_revenue in minor units.',
    `exposure_only_revenue_reporting` Decimal(38, 4) COMMENT 'M14: exposure_only_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `exposure_only_revenue_reporting_minor` Int128 COMMENT 'exposure_only_revenue_reporting in minor units.',
    `recommendation_direct_taken_back` Decimal(38, 4) COMMENT 'M14: What cancels and refunds took of lines with direct credit.',
    `recommendation_direct_taken_back_minor` Int128 COMMENT 'recommendation_direct_taken_back in minor units.',
    `recommendation_direct_taken_back_reporting` Decimal(38, 4) COMMENT 'M14: recommendation_direct_taken_back in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_direct_taken_back_reporting_minor` Int128 COMMENT 'recommendation_direct_taken_back_reporting in minor units.',
    `recommendation_assisted_taken_back` Decimal(38, 4) COMMENT 'M15: What cancels and refunds took of lines with assisted credit.',
    `recommendation_assisted_taken_back_minor` Int128 COMMENT 'recommendation_assisted_taken_back in minor units.',
    `recommendation_assisted_taken_back_reporting` Decimal(38, 4) COMMENT 'M15: recommendation_assisted_taken_back in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_assisted_taken_back_reporting_minor` Int128 COMMENT 'recommendation_assisted_taken_back_reporting in minor units.',
    `recommendation_direct_revenue_net` Decimal(38, 4) COMMENT 'M14: recommendation_direct_revenue, less what cancels and refunds of the period took of those lines; may be negative.',
    `recommendation_direct_revenue_net_minor` Int128 COMMENT 'recommendation_direct_revenue_net in minor units.',
    `recommendation_direct_revenue_net_reporting` Decimal(38, 4) COMMENT 'M14: recommendation_direct_revenue_net in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_direct_revenue_net_reporting_minor` Int128 COMMENT 'recommendation_direct_revenue_net_reporting in minor units.',
    `recommendation_assisted_revenue_net` Decimal(38, 4) COMMENT 'M15: recommendation_assisted_revenue, less what cancels and refunds of the period took of those lines; may be negative.',
    `recommendation_assisted_revenue_net_minor` Int128 COMMENT 'recommendation_assisted_revenue_net in minor units.',
    `recommendation_assisted_revenue_net_reporting` Decimal(38, 4) COMMENT 'M15: recommendation_assisted_revenue_net in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_assisted_revenue_net_reporting_minor` Int128 COMMENT 'recommendation_assisted_revenue_net_reporting in minor units.',
    `recommended_product_purchases` UInt64 COMMENT 'M20: Captured orders with at least one direct line.',
    `recommended_units` UInt64 COMMENT 'M20: Units of direct lines.',
    `unconverted_orders` UInt64 COMMENT 'M27: Captured orders that are left out of the sums in the reporting currency: their day has no rate yet.',
    `unconverted_adjustments` UInt64 COMMENT 'M27: Cancels and refunds that are left out of the sums in the reporting currency, with their orders.'
) AS
SELECT
    store_id, store_date, channel, widget_id, placement, strategy, currency, exponent,
    toDecimal128(sum(recommendation_direct_revenue_), 4) / intExp10(exponent) AS recommendation_direct_revenue,
    sum(recommendation_direct_revenue_) AS recommendation_direct_revenue_minor,
    toDecimal128(sum(recommendation_direct_revenue_reporting_), 4) / intExp10(exponent) AS recommendation_direct_revenue_reporting,
    sum(recommendation_direct_revenue_reporting_) AS recommendation_direct_revenue_reporting_minor,
    toDecimal128(sum(recommendation_assisted_revenue_), 4) / intExp10(exponent) AS recommendation_assisted_revenue,
    sum(recommendation_assisted_revenue_) AS recommendation_assisted_revenue_minor,
    toDecimal128(sum(recommendation_assisted_revenue_reporting_), 4) / intExp10(exponent) AS recommendation_assisted_revenue_reporting,
    sum(recommendation_assisted_revenue_reporting_) AS recommendation_assisted_revenue_reporting_minor,
    toDecimal128(sum(unattributed_revenue_), 4) / intExp10(exponent) AS unattributed_revenue,
    sum(unattributed_revenue_) AS unattributed_revenue_minor,
    toDecimal128(sum(unattributed_revenue_reporting_), 4) / intExp10(exponent) AS unattributed_revenue_reporting,
    sum(unattributed_revenue_reporting_) AS unattributed_revenue_reporting_minor,
    toDecimal128(sum(recommendation_assisted_revenue_inclusive_), 4) / intExp10(exponent) AS recommendation_assisted_revenue_inclusive,
    sum(recommendation_assisted_revenue_inclusive_) AS recommendation_assisted_revenue_inclusive_minor,
    toDecimal128(sum(recommendation_assisted_revenue_inclusive_reporting_), 4) / intExp10(exponent) AS recommendation_assisted_revenue_inclusive_reporting,
    sum(recommendation_assisted_revenue_inclusive_reporting_) AS recommendation_assisted_revenue_inclusive_reporting_minor,
    toDecimal128(sum(exposure_only_revenue_), 4) / intExp10(exponent) AS exposure_only_revenue,
    sum(exposure_only_revenue_) AS exposure_only_revenue_minor,
    toDecimal128(sum(exposure_only_revenue_reporting_), 4) / intExp10(exponent) AS exposure_only_revenue_reporting,
    sum(exposure_only_revenue_reporting_) AS exposure_only_revenue_reporting_minor,
    toDecimal128(sum(recommendation_direct_taken_back_), 4) / intExp10(exponent) AS recommendation_direct_taken_back,
    sum(recommendation_direct_taken_back_) AS recommendation_direct_taken_back_minor,
    toDecimal128(sum(recommendation_direct_taken_back_reporting_), 4) / intExp10(exponent) AS recommendation_direct_taken_back_reporting,
    sum(recommendation_direct_taken_back_reporting_) AS recommendation_direct_taken_back_reporting_minor,
    toDecimal128(sum(recommendation_assisted_taken_back_), 4) / intExp10(exponent) AS recommendation_assisted_taken_back,
    sum(recommendation_assisted_taken_back_) AS recommendation_assisted_taken_back_minor,
    toDecimal128(sum(recommendation_assisted_taken_back_reporting_), 4) / intExp10(exponent) AS recommendation_assisted_taken_back_reporting,
    sum(recommendation_assisted_taken_back_reporting_) AS recommendation_assisted_taken_back_reporting_minor,
    toDecimal128((sum(recommendation_direct_revenue_) - sum(recommendation_direct_taken_back_)), 4) / intExp10(exponent) AS recommendation_direct_revenue_net,
    (sum(recommendation_direct_revenue_) - sum(recommendation_direct_taken_back_)) AS recommendation_direct_revenue_net_minor,
    toDecimal128((sum(recommendation_direct_revenue_reporting_) - sum(recommendation_direct_taken_back_reporting_)), 4) / intExp10(exponent) AS recommendation_direct_revenue_net_reporting,
    (sum(recommendation_direct_revenue_reporting_) - sum(recommendation_direct_taken_back_reporting_)) AS recommendation_direct_revenue_net_reporting_minor,
    toDecimal128((sum(recommendation_assisted_revenue_) - sum(recommendation_assisted_taken_back_)), 4) / intExp10(exponent) AS recommendation_assisted_revenue_net,
    (sum(recommendation_assisted_revenue_) - sum(recommendation_assisted_taken_back_)) AS recommendation_assisted_revenue_net_minor,
    toDecimal128((sum(recommendation_assisted_revenue_reporting_) - sum(recommendation_assisted_taken_back_reporting_)), 4) / intExp10(exponent) AS recommendation_assisted_revenue_net_reporting,
    (sum(recommendation_assisted_revenue_reporting_) - sum(recommendation_assisted_taken_back_reporting_)) AS recommendation_assisted_revenue_net_reporting_minor,
    sum(recommended_product_purchases_) AS recommended_product_purchases,
    sum(recommended_units_) AS recommended_units,
    sum(unconverted_orders_) AS unconverted_orders,
    sum(unconverted_adjustments_) AS unconverted_adjustments
FROM
(
    SELECT store_id, bucket AS store_date, channel, widget_id, placement, strategy, currency, exponent, recommendation_direct_revenue_, toInt128(0) AS recommendation_direct_revenue_reporting_, recommendation_assisted_revenue_, toInt128(0) AS recommendation_assisted_revenue_reporting_, unattributed_revenue_, toInt128(0) AS unattributed_revenue_reporting_, recommendation_assisted_revenue_inclusive_, toInt128(0) AS recommendation_assisted_revenue_inclusive_reporting_, exposure_only_revenue_, toInt128(0) AS exposure_only_revenue_reporting_, toInt128(0) AS recommendation_direct_taken_back_, toInt128(0) AS recommendation_direct_taken_back_reporting_, toInt128(0) AS recommendation_assisted_taken_back_, toInt128(0) AS recommendation_assisted_taken_back_reporting_, recommended_product_purchases_, recommended_units_, 0 AS unconverted_orders_, 0 AS unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, widget_id, placement, strategy, currency, exponent, sumIf(toInt128(line_paid), earned = 'direct') AS recommendation_direct_revenue_, sumIf(toInt128(line_paid), earned = 'assisted') AS recommendation_assisted_revenue_, sumIf(toInt128(line_paid), earned != 'direct' AND earned != 'assisted') AS unattributed_revenue_, sumIf(toInt128(line_paid), has_interaction) AS recommendation_assisted_revenue_inclusive_, sumIf(toInt128(line_paid), line_shown_only) AS exposure_only_revenue_, uniqExactIf(order_id, earned = 'direct') AS recommended_product_purchases_, sumIf(line_units, earned = 'direct') AS recommended_units_
        FROM (
        SELECT store_date AS bucket, store_id, order_id, channel, currency, exponent, of_widget AS widget_id, of_placement AS placement, of_strategy AS strategy, of_credit AS earned, of_paid AS line_paid, of_quantity AS line_units, of_only AS line_shown_only, has_interaction
        FROM orders FINAL ARRAY JOIN credit AS of_credit, product_id AS bought, widget_id AS of_widget, placement AS of_placement, strategy AS of_strategy, paid AS of_paid, quantity AS of_quantity, exposure_only AS of_only
        WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND 1
        )
        GROUP BY bucket, store_id, channel, widget_id, placement, strategy, currency, exponent
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, widget_id, placement, strategy, currency, exponent, toInt128(0) AS recommendation_direct_revenue_, recommendation_direct_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_, recommendation_assisted_revenue_reporting_, toInt128(0) AS unattributed_revenue_, unattributed_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_inclusive_, recommendation_assisted_revenue_inclusive_reporting_, toInt128(0) AS exposure_only_revenue_, exposure_only_revenue_reporting_, toInt128(0) AS recommendation_direct_taken_back_, toInt128(0) AS recommendation_direct_taken_back_reporting_, toInt128(0) AS recommendation_assisted_taken_back_, toInt128(0) AS recommendation_assisted_taken_back_reporting_, 0 AS recommended_product_purchases_, 0 AS recommended_units_, unconverted_orders_, 0 AS unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, widget_id, placement, strategy, currency, exponent, sumIf(toInt128(line_paid), earned = 'direct') AS recommendation_direct_revenue_reporting_, sumIf(toInt128(line_paid), earned = 'assisted') AS recommendation_assisted_revenue_reporting_, sumIf(toInt128(line_paid), earned != 'direct' AND earned != 'assisted') AS unattributed_revenue_reporting_, sumIf(toInt128(line_paid), has_interaction) AS recommendation_assisted_revenue_inclusive_reporting_, sumIf(toInt128(line_paid), line_shown_only) AS exposure_only_revenue_reporting_, uniqExactIf(order_id, NOT has_rate) AS unconverted_orders_
        FROM (
        SELECT store_date AS bucket, store_id, order_id, channel, reporting_currency AS currency, reporting_exponent AS exponent, of_widget AS widget_id, of_placement AS placement, of_strategy AS strategy, of_credit AS earned, of_paid AS line_paid, of_only AS line_shown_only, has_interaction, reported AS has_rate
        FROM orders FINAL ARRAY JOIN credit AS of_credit, product_id AS bought, widget_id AS of_widget, placement AS of_placement, strategy AS of_strategy, reporting_paid AS of_paid, quantity AS of_quantity, exposure_only AS of_only
        WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND reporting_currency != '' AND 1
        )
        GROUP BY bucket, store_id, channel, widget_id, placement, strategy, currency, exponent
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, widget_id, placement, strategy, currency, exponent, toInt128(0) AS recommendation_direct_revenue_, toInt128(0) AS recommendation_direct_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_, toInt128(0) AS recommendation_assisted_revenue_reporting_, toInt128(0) AS unattributed_revenue_, toInt128(0) AS unattributed_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_inclusive_, toInt128(0) AS recommendation_assisted_revenue_inclusive_reporting_, toInt128(0) AS exposure_only_revenue_, toInt128(0) AS exposure_only_revenue_reporting_, recommendation_direct_taken_back_, toInt128(0) AS recommendation_direct_taken_back_reporting_, recommendation_assisted_taken_back_, toInt128(0) AS recommendation_assisted_taken_back_reporting_, 0 AS recommended_product_purchases_, 0 AS recommended_units_, 0 AS unconverted_orders_, 0 AS unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, widget_id, placement, strategy, currency, exponent, sumIf(toInt128(line_taken), earned = 'direct') AS recommendation_direct_taken_back_, sumIf(toInt128(line_taken), earned = 'assisted') AS recommendation_assisted_taken_back_
        FROM (
        SELECT back_date AS bucket, store_id, channel, currency, exponent, of_widget AS widget_id, of_placement AS placement, of_strategy AS strategy, of_credit AS earned, of_taken AS line_taken
        FROM (
            SELECT
                store_id, order_id, channel, currency, exponent, reported, back_at, back_date, back_step,
                of_credit, bought, of_widget, of_placement, of_strategy, of_taken
            FROM
            (
                SELECT *, back_at, back_date, back_lines, back_step
                FROM (SELECT * FROM orders FINAL WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND notEmpty(adjustment))
                ARRAY JOIN adjustment AS kind, adjusted_at AS back_at, adjustment_date AS back_date, adjustment_amount AS back_amount, adjustment_lines AS back_lines, arrayEnumerate(adjustment) AS back_step
            )
            ARRAY JOIN credit AS of_credit, product_id AS bought, widget_id AS of_widget, placement AS of_placement, strategy AS of_strategy, back_lines AS of_taken
        )
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel, widget_id, placement, strategy, currency, exponent
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, widget_id, placement, strategy, currency, exponent, toInt128(0) AS recommendation_direct_revenue_, toInt128(0) AS recommendation_direct_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_, toInt128(0) AS recommendation_assisted_revenue_reporting_, toInt128(0) AS unattributed_revenue_, toInt128(0) AS unattributed_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_inclusive_, toInt128(0) AS recommendation_assisted_revenue_inclusive_reporting_, toInt128(0) AS exposure_only_revenue_, toInt128(0) AS exposure_only_revenue_reporting_, toInt128(0) AS recommendation_direct_taken_back_, recommendation_direct_taken_back_reporting_, toInt128(0) AS recommendation_assisted_taken_back_, recommendation_assisted_taken_back_reporting_, 0 AS recommended_product_purchases_, 0 AS recommended_units_, 0 AS unconverted_orders_, unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, widget_id, placement, strategy, currency, exponent, sumIf(toInt128(line_taken), earned = 'direct') AS recommendation_direct_taken_back_reporting_, sumIf(toInt128(line_taken), earned = 'assisted') AS recommendation_assisted_taken_back_reporting_, uniqExactIf((order_id, step), NOT has_rate) AS unconverted_adjustments_
        FROM (
        SELECT back_date AS bucket, store_id, order_id, channel, reporting_currency AS currency, reporting_exponent AS exponent, of_widget AS widget_id, of_placement AS placement, of_strategy AS strategy, of_credit AS earned, of_taken AS line_taken, reported AS has_rate, back_step AS step
        FROM (
            SELECT
                store_id, order_id, channel, reporting_currency, reporting_exponent, reported, back_at, back_date, back_step,
                of_credit, bought, of_widget, of_placement, of_strategy, of_taken
            FROM
            (
                SELECT *, back_at, back_date, back_lines, back_step
                FROM (SELECT * FROM orders FINAL WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND notEmpty(adjustment))
                ARRAY JOIN adjustment AS kind, adjusted_at AS back_at, adjustment_date AS back_date, reporting_adjustment_amount AS back_amount, reporting_adjustment_lines AS back_lines, arrayEnumerate(adjustment) AS back_step
            )
            ARRAY JOIN credit AS of_credit, product_id AS bought, widget_id AS of_widget, placement AS of_placement, strategy AS of_strategy, back_lines AS of_taken
        )
        WHERE 1 AND reporting_currency != '' AND 1
        )
        GROUP BY bucket, store_id, channel, widget_id, placement, strategy, currency, exponent
    )
)
GROUP BY store_id, store_date, channel, widget_id, placement, strategy, currency, exponent
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'What each widget, placement and strategy earned, by day and currency';

CREATE OR REPLACE VIEW recommendation_revenue_by_product (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `product_id` String COMMENT 'what was bought',
    `currency` LowCardinality(String) COMMENT 'ISO 4217; two currencies are never added up',
    `exponent` UInt8 COMMENT 'digits of the currency\'s minor unit',
    `recommendation_direct_revenue` Decimal(38, 4) COMMENT 'M14: Paid for lines whose product was shown to the person, then added to the cart, then bought, in the window.',
    `recommendation_direct_revenue_minor` Int128 COMMENT 'recommendation_direct_revenue in minor units.',
    `recommendation_direct_revenue_reporting` Decimal(38, 4) COMMENT 'M14: recommendation_direct_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_direct_revenue_reporting_minor` Int128 COMMENT 'recommendation_direct_revenue_reporting in minor units.',
    `recommendation_assisted_revenue` Decimal(38, 4) COMMENT 'M15: Paid for lines that are not direct, of orders in the window after an interaction with a recommended product.',
    `recommendation_assisted_revenue_minor` Int128 COMMENT 'recommendation_assisted_revenue in minor units.',
    `recommendation_assisted_revenue_reporting` Decimal(38, 4) COMMENT 'M15: recommendation_assisted_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_assisted_revenue_reporting_minor` Int128 COMMENT 'recommendation_assisted_revenue_reporting in minor units.',
    `unattributed_revenue` Decimal(38, 4) COMMENT 'M14: Paid for lines without credit: direct + assisted + unattributed is all that was paid for lines.',
    `unattributed_revenue_minor` Int128 COMMENT 'unattributed_revenue in minor units.',
    `unattributed_revenue_reporting` Decimal(38, 4) COMMENT 'M14: unattributed_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `unattributed_revenue_reporting_minor` Int128 COMMENT 'unattributed_revenue_reporting in minor units.',
    `recommendation_assisted_revenue_inclusive` Decimal(38, 4) COMMENT 'M15: Paid for all lines of orders after an interaction, direct ones too: always direct + assisted.',
    `recommendation_assisted_revenue_inclusive_minor` Int128 COMMENT 'recommendation_assisted_revenue_inclusive in minor units.',
    `recommendation_assisted_revenue_inclusive_reporting` Decimal(38, 4) COMMENT 'M15: recommendation_assisted_revenue_inclusive in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_assisted_revenue_inclusive_reporting_minor` Int128 COMMENT 'recommendation_assisted_revenue_inclusive_reporting in minor units.',
    `exposure_only_revenue` Decimal(38, 4) COMMENT 'M14: Paid for lines whose product was shown within the window and never added to the cart; beside the identity.',
    `exposure_only_revenue_minor` Int128 COMMENT 'exposure_only_revenue in minor units.',
    `exposure_only_revenue_reporting` Decimal(38, 4) COMMENT 'M14: exposure_only_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `exposure_only_revenue_reporting_minor` Int128 COMMENT 'exposure_only_revenue_reporting in minor units.',
    `recommendation_direct_taken_back` Decimal(38, 4) COMMENT 'M14: What cancels and refunds took of lines with direct credit.',
    `recommendation_direct_taken_back_minor` Int128 COMMENT 'recommendation_direct_taken_back in minor units.',
    `recommendation_direct_taken_back_reporting` Decimal(38, 4) COMMENT 'M14: recommendation_direct_taken_back in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_direct_taken_back_reporting_minor` Int128 COMMENT 'recommendation_direct_taken_back_reporting in minor units.',
    `recommendation_assisted_taken_back` Decimal(38, 4) COMMENT 'M15: What cancels and refunds took of lines with assisted credit.',
    `recommendation_assisted_taken_back_minor` Int128 COMMENT 'recommendation_assisted_taken_back in minor units.',
    `recommendation_assisted_taken_back_reporting` Decimal(38, 4) COMMENT 'M15: recommendation_assisted_taken_back in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_assisted_taken_back_reporting_minor` Int128 COMMENT 'recommendation_assisted_taken_back_reporting in minor units.',
    `recommendation_direct_revenue_net` Decimal(38, 4) COMMENT 'M14: recommendation_direct_revenue, less what cancels and refunds of the period took of those lines; may be negative.',
    `recommendation_direct_revenue_net_minor` Int128 COMMENT 'recommendation_direct_revenue_net in minor units.',
    `recommendation_direct_revenue_net_reporting` Decimal(38, 4) COMMENT 'M14: recommendation_direct_revenue_net in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_direct_revenue_net_reporting_minor` Int128 COMMENT 'recommendation_direct_revenue_net_reporting in minor units.',
    `recommendation_assisted_revenue_net` Decimal(38, 4) COMMENT 'M15: recommendation_assisted_revenue, less what cancels and refunds of the period took of those lines; may be negative.',
    `recommendation_assisted_revenue_net_minor` Int128 COMMENT 'recommendation_assisted_revenue_net in minor units.',
    `recommendation_assisted_revenue_net_reporting` Decimal(38, 4) COMMENT 'M15: recommendation_assisted_revenue_net in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `recommendation_assisted_revenue_net_reporting_minor` Int128 COMMENT 'recommendation_assisted_revenue_net_reporting in minor units.',
    `recommended_product_purchases` UInt64 COMMENT 'M20: Captured orders with at least one direct line.',
    `recommended_units` UInt64 COMMENT 'M20: Units of direct lines.',
    `unconverted_orders` UInt64 COMMENT 'M27: Captured orders that are left out of the sums in the reporting currency: their day has no rate yet.',
    `unconverted_adjustments` UInt64 COMMENT 'M27: Cancels and refunds that are left out of the sums in the reporting currency, with their orders.'
) AS
SELECT
    store_id, store_date, channel, product_id, currency, exponent,
    toDecimal128(sum(recommendation_direct_revenue_), 4) / intExp10(exponent) AS recommendation_direct_revenue,
    sum(recommendation_direct_revenue_) AS recommendation_direct_revenue_minor,
    toDecimal128(sum(recommendation_direct_revenue_reporting_), 4) / intExp10(exponent) AS recommendation_direct_revenue_reporting,
    sum(recommendation_direct_revenue_reporting_) AS recommendation_direct_revenue_reporting_minor,
    toDecimal128(sum(recommendation_assisted_revenue_), 4) / intExp10(exponent) AS recommendation_assisted_revenue,
    sum(recommendation_assisted_revenue_) AS recommendation_assisted_revenue_minor,
    toDecimal128(sum(recommendation_assisted_revenue_reporting_), 4) / intExp10(exponent) AS recommendation_assisted_revenue_reporting,
    sum(recommendation_assisted_revenue_reporting_) AS recommendation_assisted_revenue_reporting_minor,
    toDecimal128(sum(unattributed_revenue_), 4) / intExp10(exponent) AS unattributed_revenue,
    sum(unattributed_revenue_) AS unattributed_revenue_minor,
    toDecimal128(sum(unattributed_revenue_reporting_), 4) / intExp10(exponent) AS unattributed_revenue_reporting,
    sum(unattributed_revenue_reporting_) AS unattributed_revenue_reporting_minor,
    toDecimal128(sum(recommendation_assisted_revenue_inclusive_), 4) / intExp10(exponent) AS recommendation_assisted_revenue_inclusive,
    sum(recommendation_assisted_revenue_inclusive_) AS recommendation_assisted_revenue_inclusive_minor,
    toDecimal128(sum(recommendation_assisted_revenue_inclusive_reporting_), 4) / intExp10(exponent) AS recommendation_assisted_revenue_inclusive_reporting,
    sum(recommendation_assisted_revenue_inclusive_reporting_) AS recommendation_assisted_revenue_inclusive_reporting_minor,
    toDecimal128(sum(exposure_only_revenue_), 4) / intExp10(exponent) AS exposure_only_revenue,
    sum(exposure_only_revenue_) AS exposure_only_revenue_minor,
    toDecimal128(sum(exposure_only_revenue_reporting_), 4) / intExp10(exponent) AS exposure_only_revenue_reporting,
    sum(exposure_only_revenue_reporting_) AS exposure_only_revenue_reporting_minor,
    toDecimal128(sum(recommendation_direct_taken_back_), 4) / intExp10(exponent) AS recommendation_direct_taken_back,
    sum(recommendation_direct_taken_back_) AS recommendation_direct_taken_back_minor,
    toDecimal128(sum(recommendation_direct_taken_back_reporting_), 4) / intExp10(exponent) AS recommendation_direct_taken_back_reporting,
    sum(recommendation_direct_taken_back_reporting_) AS recommendation_direct_taken_back_reporting_minor,
    toDecimal128(sum(recommendation_assisted_taken_back_), 4) / intExp10(exponent) AS recommendation_assisted_taken_back,
    sum(recommendation_assisted_taken_back_) AS recommendation_assisted_taken_back_minor,
    toDecimal128(sum(recommendation_assisted_taken_back_reporting_), 4) / intExp10(exponent) AS recommendation_assisted_taken_back_reporting,
    sum(recommendation_assisted_taken_back_reporting_) AS recommendation_assisted_taken_back_reporting_minor,
    toDecimal128((sum(recommendation_direct_revenue_) - sum(recommendation_direct_taken_back_)), 4) / intExp10(exponent) AS recommendation_direct_revenue_net,
    (sum(recommendation_direct_revenue_) - sum(recommendation_direct_taken_back_)) AS recommendation_direct_revenue_net_minor,
    toDecimal128((sum(recommendation_direct_revenue_reporting_) - sum(recommendation_direct_taken_back_reporting_)), 4) / intExp10(exponent) AS recommendation_direct_revenue_net_reporting,
    (sum(recommendation_direct_revenue_reporting_) - sum(recommendation_direct_taken_back_reporting_)) AS recommendation_direct_revenue_net_reporting_minor,
    toDecimal128((sum(recommendation_assisted_revenue_) - sum(recommendation_assisted_taken_back_)), 4) / intExp10(exponent) AS recommendation_assisted_revenue_net,
    (sum(recommendation_assisted_revenue_) - sum(recommendation_assisted_taken_back_)) AS recommendation_assisted_revenue_net_minor,
    toDecimal128((sum(recommendation_assisted_revenue_reporting_) - sum(recommendation_assisted_taken_back_reporting_)), 4) / intExp10(exponent) AS recommendation_assisted_revenue_net_reporting,
    (sum(recommendation_assisted_revenue_reporting_) - sum(recommendation_assisted_taken_back_reporting_)) AS recommendation_assisted_revenue_net_reporting_minor,
    sum(recommended_product_purchases_) AS recommended_product_purchases,
    sum(recommended_units_) AS recommended_units,
    sum(unconverted_orders_) AS unconverted_orders,
    sum(unconverted_adjustments_) AS unconverted_adjustments
FROM
(
    SELECT store_id, bucket AS store_date, channel, product_id, currency, exponent, recommendation_direct_revenue_, toInt128(0) AS recommendation_direct_revenue_reporting_, recommendation_assisted_revenue_, toInt128(0) AS recommendation_assisted_revenue_reporting_, unattributed_revenue_, toInt128(0) AS unattributed_revenue_reporting_, recommendation_assisted_revenue_inclusive_, toInt128(0) AS recommendation_assisted_revenue_inclusive_reporting_, exposure_only_revenue_, toInt128(0) AS exposure_only_revenue_reporting_, toInt128(0) AS recommendation_direct_taken_back_, toInt128(0) AS recommendation_direct_taken_back_reporting_, toInt128(0) AS recommendation_assisted_taken_back_, toInt128(0) AS recommendation_assisted_taken_back_reporting_, recommended_product_purchases_, recommended_units_, 0 AS unconverted_orders_, 0 AS unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, product_id, currency, exponent, sumIf(toInt128(line_paid), earned = 'direct') AS recommendation_direct_revenue_, sumIf(toInt128(line_paid), earned = 'assisted') AS recommendation_assisted_revenue_, sumIf(toInt128(line_paid), earned != 'direct' AND earned != 'assisted') AS unattributed_revenue_, sumIf(toInt128(line_paid), has_interaction) AS recommendation_assisted_revenue_inclusive_, sumIf(toInt128(line_paid), line_shown_only) AS exposure_only_revenue_, uniqExactIf(order_id, earned = 'direct') AS recommended_product_purchases_, sumIf(line_units, earned = 'direct') AS recommended_units_
        FROM (
        SELECT store_date AS bucket, store_id, order_id, channel, currency, exponent, bought AS product_id, of_credit AS earned, of_paid AS line_paid, of_quantity AS line_units, of_only AS line_shown_only, has_interaction
        FROM orders FINAL ARRAY JOIN credit AS of_credit, product_id AS bought, widget_id AS of_widget, placement AS of_placement, strategy AS of_strategy, paid AS of_paid, quantity AS of_quantity, exposure_only AS of_only
        WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND 1
        )
        GROUP BY bucket, store_id, channel, product_id, currency, exponent
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, product_id, currency, exponent, toInt128(0) AS recommendation_direct_revenue_, recommendation_direct_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_, recommendation_assisted_revenue_reporting_, toInt128(0) AS unattributed_revenue_, unattributed_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_inclusive_, recommendation_assisted_revenue_inclusive_reporting_, toInt128(0) AS exposure_only_revenue_, exposure_only_revenue_reporting_, toInt128(0) AS recommendation_direct_taken_back_, toInt128(0) AS recommendation_direct_taken_back_reporting_, toInt128(0) AS recommendation_assisted_taken_back_, toInt128(0) AS recommendation_assisted_taken_back_reporting_, 0 AS recommended_product_purchases_, 0 AS recommended_units_, unconverted_orders_, 0 AS unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, product_id, currency, exponent, sumIf(toInt128(line_paid), earned = 'direct') AS recommendation_direct_revenue_reporting_, sumIf(toInt128(line_paid), earned = 'assisted') AS recommendation_assisted_revenue_reporting_, sumIf(toInt128(line_paid), earned != 'direct' AND earned != 'assisted') AS unattributed_revenue_reporting_, sumIf(toInt128(line_paid), has_interaction) AS recommendation_assisted_revenue_inclusive_reporting_, sumIf(toInt128(line_paid), line_shown_only) AS exposure_only_revenue_reporting_, uniqExactIf(order_id, NOT has_rate) AS unconverted_orders_
        FROM (
        SELECT store_date AS bucket, store_id, order_id, channel, reporting_currency AS currency, reporting_exponent AS exponent, bought AS product_id, of_credit AS earned, of_paid AS line_paid, of_only AS line_shown_only, has_interaction, reported AS has_rate
        FROM orders FINAL ARRAY JOIN credit AS of_credit, product_id AS bought, widget_id AS of_widget, placement AS of_placement, strategy AS of_strategy, reporting_paid AS of_paid, quantity AS of_quantity, exposure_only AS of_only
        WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND reporting_currency != '' AND 1
        )
        GROUP BY bucket, store_id, channel, product_id, currency, exponent
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, product_id, currency, exponent, toInt128(0) AS recommendation_direct_revenue_, toInt128(0) AS recommendation_direct_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_, toInt128(0) AS recommendation_assisted_revenue_reporting_, toInt128(0) AS unattributed_revenue_, toInt128(0) AS unattributed_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_inclusive_, toInt128(0) AS recommendation_assisted_revenue_inclusive_reporting_, toInt128(0) AS exposure_only_revenue_, toInt128(0) AS exposure_only_revenue_reporting_, recommendation_direct_taken_back_, toInt128(0) AS recommendation_direct_taken_back_reporting_, recommendation_assisted_taken_back_, toInt128(0) AS recommendation_assisted_taken_back_reporting_, 0 AS recommended_product_purchases_, 0 AS recommended_units_, 0 AS unconverted_orders_, 0 AS unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, product_id, currency, exponent, sumIf(toInt128(line_taken), earned = 'direct') AS recommendation_direct_taken_back_, sumIf(toInt128(line_taken), earned = 'assisted') AS recommendation_assisted_taken_back_
        FROM (
        SELECT back_date AS bucket, store_id, channel, currency, exponent, bought AS product_id, of_credit AS earned, of_taken AS line_taken
        FROM (
            SELECT
                store_id, order_id, channel, currency, exponent, reported, back_at, back_date, back_step,
                of_credit, bought, of_widget, of_placement, of_strategy, of_taken
            FROM
            (
                SELECT *, back_at, back_date, back_lines, back_step
                FROM (SELECT * FROM orders FINAL WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND notEmpty(adjustment))
                ARRAY JOIN adjustment AS kind, adjusted_at AS back_at, adjustment_date AS back_date, adjustment_amount AS back_amount, adjustment_lines AS back_lines, arrayEnumerate(adjustment) AS back_step
            )
            ARRAY JOIN credit AS of_credit, product_id AS bought, widget_id AS of_widget, placement AS of_placement, strategy AS of_strategy, back_lines AS of_taken
        )
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel, product_id, currency, exponent
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, product_id, currency, exponent, toInt128(0) AS recommendation_direct_revenue_, toInt128(0) AS recommendation_direct_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_, toInt128(0) AS recommendation_assisted_revenue_reporting_, toInt128(0) AS unattributed_revenue_, toInt128(0) AS unattributed_revenue_reporting_, toInt128(0) AS recommendation_assisted_revenue_inclusive_, toInt128(0) AS recommendation_assisted_revenue_inclusive_reporting_, toInt128(0) AS exposure_only_revenue_, toInt128(0) AS exposure_only_revenue_reporting_, toInt128(0) AS recommendation_direct_taken_back_, recommendation_direct_taken_back_reporting_, toInt128(0) AS recommendation_assisted_taken_back_, recommendation_assisted_taken_back_reporting_, 0 AS recommended_product_purchases_, 0 AS recommended_units_, 0 AS unconverted_orders_, unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, product_id, currency, exponent, sumIf(toInt128(line_taken), earned = 'direct') AS recommendation_direct_taken_back_reporting_, sumIf(toInt128(line_taken), earned = 'assisted') AS recommendation_assisted_taken_back_reporting_, uniqExactIf((order_id, step), NOT has_rate) AS unconverted_adjustments_
        FROM (
        SELECT back_date AS bucket, store_id, order_id, channel, reporting_currency AS currency, reporting_exponent AS exponent, bought AS product_id, of_credit AS earned, of_taken AS line_taken, reported AS has_rate, back_step AS step
        FROM (
            SELECT
                store_id, order_id, channel, reporting_currency, reporting_exponent, reported, back_at, back_date, back_step,
                of_credit, bought, of_widget, of_placement, of_strategy, of_taken
            FROM
            (
                SELECT *, back_at, back_date, back_lines, back_step
                FROM (SELECT * FROM orders FINAL WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND notEmpty(adjustment))
                ARRAY JOIN adjustment AS kind, adjusted_at AS back_at, adjustment_date AS back_date, reporting_adjustment_amount AS back_amount, reporting_adjustment_lines AS back_lines, arrayEnumerate(adjustment) AS back_step
            )
            ARRAY JOIN credit AS of_credit, product_id AS bought, widget_id AS of_widget, placement AS of_placement, strategy AS of_strategy, back_lines AS of_taken
        )
        WHERE 1 AND reporting_currency != '' AND 1
        )
        GROUP BY bucket, store_id, channel, product_id, currency, exponent
    )
)
GROUP BY store_id, store_date, channel, product_id, currency, exponent
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'What recommendations earned by product bought, day and currency';

CREATE OR REPLACE VIEW journeys_daily (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `journeys_started` UInt64 COMMENT 'M22: Executions with a `started`, dated by the earliest.',
    `journeys_completed` UInt64 COMMENT 'M23: Executions whose first terminal node is an `end`.',
    `journeys_canceled` UInt64 COMMENT 'M24: Executions whose first terminal node is a `cancel`.',
    `journey_notifications_sent` UInt64 COMMENT 'M25: Distinct communications that were sent.',
    `journeys_converted` UInt64 COMMENT 'M26: Executions started in the period with a goal conversion at any time.',
    `journeys_open` UInt64 COMMENT 'M26: Executions started in the period without a terminal node before data_as_of.',
    `journey_conversion_rate` Nullable(Float64) COMMENT 'M26: Of the executions started in the period, those with a goal conversion; provisional while one is open.'
) AS
SELECT
    store_id, store_date, channel,
    sum(journeys_started_) AS journeys_started,
    sum(journeys_completed_) AS journeys_completed,
    sum(journeys_canceled_) AS journeys_canceled,
    sum(journey_notifications_sent_) AS journey_notifications_sent,
    sum(journeys_converted_) AS journeys_converted,
    sum(journeys_open_) AS journeys_open,
    if(sum(journeys_started_) = 0, NULL, 100 * sum(journeys_converted_) / sum(journeys_started_)) AS journey_conversion_rate
FROM
(
    SELECT store_id, bucket AS store_date, channel, journeys_started_, journeys_completed_, journeys_canceled_, 0 AS journey_notifications_sent_, journeys_converted_, journeys_open_ FROM (
        SELECT bucket, store_id, channel, countIf(started) AS journeys_started_, countIf(completed) AS journeys_completed_, countIf(canceled) AS journeys_canceled_, countIf(started AND reached_goal) AS journeys_converted_, countIf(started AND open) AS journeys_open_
        FROM (
        SELECT if(step = 1, first_date, stop_date) AS bucket, of_store AS store_id, if(has_started, start.3, earliest.2) AS channel, step = 1 AS started, step = 2 AND stop % 2 = 0 AS completed, step = 2 AND stop % 2 = 1 AS canceled, has_goal AS reached_goal, NOT has_ended AS open
        FROM (
            SELECT
                any(journeys.store_id) AS of_store,
                minIf(started_at, started_at > 0) AS start_at,
                minIf(start_date, started_at > 0) AS first_date,
                argMinIf((journey_id, journey_version, channel), (started_at, start_event_id), started_at > 0) AS start,
                argMin((first_journey_id, first_channel), (first_at, first_event_id)) AS earliest,
                minIf(2 * toUnixTimestamp64Milli(terminal_at) + (terminal_kind = 'cancel'),
                    terminal_at > 0 AND terminal_at < toDateTime64('2100-01-01', 3, 'UTC')) AS stop,
                minIf(terminal_date, terminal_at > 0 AND terminal_at < toDateTime64('2100-01-01', 3, 'UTC')) AS stop_date,
                minIf(goal_at, goal_at > 0) AS reached_at,
                start_at > 0 AND start_at < toDateTime64('2100-01-01', 3, 'UTC') AS has_started,
                stop > 0 AS has_ended,
                reached_at > 0 AND reached_at < toDateTime64('2100-01-01', 3, 'UTC') AS has_goal
            FROM journeys FINAL
            WHERE 1
            GROUP BY execution_hash
        ) ARRAY JOIN [start_at, fromUnixTimestamp64Milli(intDiv(stop, 2), 'UTC')] AS step_at, [1, 2] AS step
        WHERE if(step = 1, has_started, has_ended) AND 1
        )
        GROUP BY bucket, store_id, channel
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, 0 AS journeys_started_, 0 AS journeys_completed_, 0 AS journeys_canceled_, journey_notifications_sent_, 0 AS journeys_converted_, 0 AS journeys_open_ FROM (
        SELECT bucket, store_id, channel, count() AS journey_notifications_sent_
        FROM (
        SELECT first_date AS bucket, of_store AS store_id, sent.1 AS channel
        FROM (
            SELECT
                any(notifications.store_id) AS of_store,
                min(sent_at) AS first_at,
                min(store_date) AS first_date,
                argMin((channel, notification_channel, journey_id), (sent_at, event_id)) AS sent
            FROM notifications FINAL
            WHERE 1
            GROUP BY communication_hash
        )
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel
    )
)
GROUP BY store_id, store_date, channel
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Executions of journeys and what they sent, by day';

CREATE OR REPLACE VIEW journeys_by_journey (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `journey_id` String COMMENT 'the journey',
    `journeys_started` UInt64 COMMENT 'M22: Executions with a `started`, dated by the earliest.',
    `journeys_completed` UInt64 COMMENT 'M23: Executions whose first terminal node is an `end`.',
    `journeys_canceled` UInt64 COMMENT 'M24: Executions whose first terminal node is a `cancel`.',
    `journey_notifications_sent` UInt64 COMMENT 'M25: Distinct communications that were sent.',
    `journeys_converted` UInt64 COMMENT 'M26: Executions started in the period with a goal conversion at any time.',
    `journeys_open` UInt64 COMMENT 'M26: Executions started in the period without a terminal node before data_as_of.',
    `journey_conversion_rate` Nullable(Float64) COMMENT 'M26: Of the executions started in the period, those with a goal conversion; provisional while one is open.'
) AS
SELECT
    store_id, store_date, channel, journey_id,
    sum(journeys_started_) AS journeys_started,
    sum(journeys_completed_) AS journeys_completed,
    sum(journeys_canceled_) AS journeys_canceled,
    sum(journey_notifications_sent_) AS journey_notifications_sent,
    sum(journeys_converted_) AS journeys_converted,
    sum(journeys_open_) AS journeys_open,
    if(sum(journeys_started_) = 0, NULL, 100 * sum(journeys_converted_) / sum(journeys_started_)) AS journey_conversion_rate
FROM
(
    SELECT store_id, bucket AS store_date, channel, journey_id, journeys_started_, journeys_completed_, journeys_canceled_, 0 AS journey_notifications_sent_, journeys_converted_, journeys_open_ FROM (
        SELECT bucket, store_id, channel, journey_id, countIf(started) AS journeys_started_, countIf(completed) AS journeys_completed_, countIf(canceled) AS journeys_canceled_, countIf(started AND reached_goal) AS journeys_converted_, countIf(started AND open) AS journeys_open_
        FROM (
        SELECT if(step = 1, first_date, stop_date) AS bucket, of_store AS store_id, if(has_started, start.3, earliest.2) AS channel, if(has_started, start.1, earliest.1) AS journey_id, step = 1 AS started, step = 2 AND stop % 2 = 0 AS completed, step = 2 AND stop % 2 = 1 AS canceled, has_goal AS reached_goal, NOT has_ended AS open
        FROM (
            SELECT
                any(journeys.store_id) AS of_store,
                minIf(started_at, started_at > 0) AS start_at,
                minIf(start_date, started_at > 0) AS first_date,
                argMinIf((journey_id, journey_version, channel), (started_at, start_event_id), started_at > 0) AS start,
                argMin((first_journey_id, first_channel), (first_at, first_event_id)) AS earliest,
                minIf(2 * toUnixTimestamp64Milli(terminal_at) + (terminal_kind = 'cancel'),
                    terminal_at > 0 AND terminal_at < toDateTime64('2100-01-01', 3, 'UTC')) AS stop,
                minIf(terminal_date, terminal_at > 0 AND terminal_at < toDateTime64('2100-01-01', 3, 'UTC')) AS stop_date,
                minIf(goal_at, goal_at > 0) AS reached_at,
                start_at > 0 AND start_at < toDateTime64('2100-01-01', 3, 'UTC') AS has_started,
                stop > 0 AS has_ended,
                reached_at > 0 AND reached_at < toDateTime64('2100-01-01', 3, 'UTC') AS has_goal
            FROM journeys FINAL
            WHERE 1
            GROUP BY execution_hash
        ) ARRAY JOIN [start_at, fromUnixTimestamp64Milli(intDiv(stop, 2), 'UTC')] AS step_at, [1, 2] AS step
        WHERE if(step = 1, has_started, has_ended) AND 1
        )
        GROUP BY bucket, store_id, channel, journey_id
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, journey_id, 0 AS journeys_started_, 0 AS journeys_completed_, 0 AS journeys_canceled_, journey_notifications_sent_, 0 AS journeys_converted_, 0 AS journeys_open_ FROM (
        SELECT bucket, store_id, channel, journey_id, count() AS journey_notifications_sent_
        FROM (
        SELECT first_date AS bucket, of_store AS store_id, sent.1 AS channel, sent.3 AS journey_id
        FROM (
            SELECT
                any(notifications.store_id) AS of_store,
                min(sent_at) AS first_at,
                min(store_date) AS first_date,
                argMin((channel, notification_channel, journey_id), (sent_at, event_id)) AS sent
            FROM notifications FINAL
            WHERE 1
            GROUP BY communication_hash
        )
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel, journey_id
    )
)
GROUP BY store_id, store_date, channel, journey_id
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Each journey by day';

CREATE OR REPLACE VIEW notifications_by_channel (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `notification_channel` String COMMENT 'email, sms, push, ...',
    `journey_id` String COMMENT 'the journey',
    `journey_notifications_sent` UInt64 COMMENT 'M25: Distinct communications that were sent.'
) AS
SELECT
    store_id, store_date, channel, notification_channel, journey_id,
    sum(journey_notifications_sent_) AS journey_notifications_sent
FROM
(
    SELECT store_id, bucket AS store_date, channel, notification_channel, journey_id, journey_notifications_sent_ FROM (
        SELECT bucket, store_id, channel, notification_channel, journey_id, count() AS journey_notifications_sent_
        FROM (
        SELECT first_date AS bucket, of_store AS store_id, sent.1 AS channel, sent.2 AS notification_channel, sent.3 AS journey_id
        FROM (
            SELECT
                any(notifications.store_id) AS of_store,
                min(sent_at) AS first_at,
                min(store_date) AS first_date,
                argMin((channel, notification_channel, journey_id), (sent_at, event_id)) AS sent
            FROM notifications FINAL
            WHERE 1
            GROUP BY communication_hash
        )
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel, notification_channel, journey_id
    )
)
GROUP BY store_id, store_date, channel, notification_channel, journey_id
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'What was sent, by day, notification channel and journey';

CREATE OR REPLACE VIEW sessions_daily (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `total_sessions` UInt64 COMMENT 'M1: Sessions with any sign of the shopper; a session is never split at midnight.',
    `channel_sessions` UInt64 COMMENT 'M32: Sessions in which the shopper did something.',
    `closed_sessions` UInt64 COMMENT 'M33: channel_sessions that are over at data_as_of.',
    `open_sessions` UInt64 COMMENT 'M33: channel_sessions that are still open at data_as_of.',
    `bounced_sessions` UInt64 COMMENT 'M33: Closed sessions of exactly one inbound message and nothing else the shopper did.',
    `bounce_rate` Nullable(Float64) COMMENT 'M33: Of the closed sessions, those of exactly one inbound message and nothing else; provisional while one is open.',
    `average_conversion_per_user` Nullable(Float64) COMMENT 'M34: Captured orders per user; orders by capture day, users by session start.',
    `total_users` UInt64 COMMENT 'M35: Distinct persons with a channel session; does not add up over days. Does not add up over days.',
    `total_new_users` UInt64 COMMENT 'M36: Users whose first-ever channel session (in the channel, or in any without a filter) lies in the period. Does not add up over days.',
    `total_returning_users` UInt64 COMMENT 'M37: Users whose first-ever channel session lies before the period. Does not add up over days.',
    `conversion_rate` Nullable(Float64) COMMENT 'M38: Captured orders per 100 channel sessions; may exceed 100.',
    `new_users_pct` Nullable(Float64) COMMENT 'M39: Of the users, the new ones.',
    `returning_users_pct` Nullable(Float64) COMMENT 'M40: Of the users, the returning ones.',
    `live_support_sessions` UInt64 COMMENT 'M41: channel_sessions with a human agent.',
    `human_support_pct` Nullable(Float64) COMMENT 'M41: Of the channel sessions, those with a human agent.',
    `self_service_sessions` UInt64 COMMENT 'M42: channel_sessions without a human agent.',
    `self_service_pct` Nullable(Float64) COMMENT 'M42: Of the channel sessions, those without a human agent: 100 - human_support_pct.'
) AS
SELECT
    store_id, store_date, channel,
    sum(total_sessions_) AS total_sessions,
    sum(channel_sessions_) AS channel_sessions,
    sum(closed_sessions_) AS closed_sessions,
    sum(open_sessions_) AS open_sessions,
    sum(bounced_sessions_) AS bounced_sessions,
    if(sum(closed_sessions_) = 0, NULL, 100 * sum(bounced_sessions_) / sum(closed_sessions_)) AS bounce_rate,
    if(sum(total_users_) = 0, NULL, sum(total_orders_) / sum(total_users_)) AS average_conversion_per_user,
    sum(total_users_) AS total_users,
    sum(total_new_users_) AS total_new_users,
    sum(total_returning_users_) AS total_returning_users,
    if(sum(channel_sessions_) = 0, NULL, 100 * sum(total_orders_) / sum(channel_sessions_)) AS conversion_rate,
    if(sum(total_users_) = 0, NULL, 100 * sum(total_new_users_) / sum(total_users_)) AS new_users_pct,
    if(sum(total_users_) = 0, NULL, 100 * sum(total_returning_users_) / sum(total_users_)) AS returning_users_pct,
    sum(live_support_sessions_) AS live_support_sessions,
    if(sum(channel_sessions_) = 0, NULL, 100 * sum(live_support_sessions_) / sum(channel_sessions_)) AS human_support_pct,
    sum(self_service_sessions_) AS self_service_sessions,
    if(sum(channel_sessions_) = 0, NULL, 100 * sum(self_service_sessions_) / sum(channel_sessions_)) AS self_service_pct
FROM
(
    SELECT store_id, bucket AS store_date, channel, total_sessions_, channel_sessions_, closed_sessions_, open_sessions_, bounced_sessions_, 0 AS total_orders_, 0 AS total_users_, 0 AS total_new_users_, 0 AS total_returning_users_, live_support_sessions_, self_service_sessions_ FROM (
        SELECT bucket, store_id, channel, sumIf(sessions, present) AS total_sessions_, sumIf(sessions, active) AS channel_sessions_, sumIf(sessions, active AND closed) AS closed_sessions_, sumIf(sessions, active AND NOT closed) AS open_sessions_, sumIf(sessions, active AND closed AND one_message) AS bounced_sessions_, sumIf(sessions, active AND supported) AS live_support_sessions_, sumIf(sessions, active AND NOT supported) AS self_service_sessions_
        FROM (
        SELECT bucket, store_id, channel,  bitTest(flags, 0) AS present, bitTest(flags, 1) AS active, bitTest(flags, 2) AS one_message, bitTest(flags, 3) AS supported, bitTest(flags, 4) AS personalized, bitTest(flags, 5) AS earned_goal, bitTest(flags, 6) AS ordered, bitTest(flags, 7) AS exposed, bitTest(flags, 8) AS viewed, bitTest(flags, 9) AS converting, bitTest(flags, 10) AS unpriced, closed, matured, mature_at, sessions
        FROM (
            SELECT bucket, store_id, channel,  flags, closed, matured, max(matures_at) AS mature_at, count() AS sessions
            FROM (
                SELECT store_date AS bucket, store_id, channel,  flags, (SELECT data_as_of FROM data_as_of) > closes_at AS closed, matures_at <= (SELECT data_as_of FROM data_as_of) AS matured, matures_at
                    
                FROM sessions FINAL
                WHERE 1 AND 1
            )
            GROUP BY bucket, store_id, channel,  flags, closed, matured
        )
        )
        GROUP BY bucket, store_id, channel
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, 0 AS total_sessions_, 0 AS channel_sessions_, 0 AS closed_sessions_, 0 AS open_sessions_, 0 AS bounced_sessions_, total_orders_, 0 AS total_users_, 0 AS total_new_users_, 0 AS total_returning_users_, 0 AS live_support_sessions_, 0 AS self_service_sessions_ FROM (
        SELECT bucket, store_id, channel, count() AS total_orders_
        FROM (
        SELECT store_date AS bucket, store_id, channel
        FROM orders FINAL
        WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND 1
        )
        GROUP BY bucket, store_id, channel
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, 0 AS total_sessions_, 0 AS channel_sessions_, 0 AS closed_sessions_, 0 AS open_sessions_, 0 AS bounced_sessions_, 0 AS total_orders_, total_users_, total_new_users_, total_returning_users_, 0 AS live_support_sessions_, 0 AS self_service_sessions_ FROM (
        SELECT bucket, store_id, channel, sum(persons) AS total_users_, sumIf(persons, is_new) AS total_new_users_, sumIf(persons, NOT is_new) AS total_returning_users_
        FROM (
        SELECT store_id, channel,  arrayJoin(groupUniqArrayIf(at_bucket, counts)) AS bucket, argMin(at_bucket, started_at) = bucket AS is_new, 1 AS persons FROM (SELECT person_hash, store_id, channel,  started_at, store_date AS at_bucket, 1 AS counts FROM sessions FINAL WHERE 1 AND active) GROUP BY store_id, channel,  person_hash
        )
        GROUP BY bucket, store_id, channel
    )
)
GROUP BY store_id, store_date, channel
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Sessions, users and support of a day, by channel';

CREATE OR REPLACE VIEW orders_daily (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `total_orders` UInt64 COMMENT 'M28: Captured orders, all currencies together.',
    `items` UInt64 COMMENT 'M30: Units of captured orders.',
    `items_per_order` Nullable(Float64) COMMENT 'M30: Average units of captured orders, all currencies together.',
    `canceled_orders` UInt64 COMMENT 'M28: First cancels of known orders.'
) AS
SELECT
    store_id, store_date, channel,
    sum(total_orders_) AS total_orders,
    sum(items_) AS items,
    if(sum(total_orders_) = 0, NULL, sum(items_) / sum(total_orders_)) AS items_per_order,
    sum(canceled_orders_) AS canceled_orders
FROM
(
    SELECT store_id, bucket AS store_date, channel, total_orders_, items_, 0 AS canceled_orders_ FROM (
        SELECT bucket, store_id, channel, count() AS total_orders_, sum(units) AS items_
        FROM (
        SELECT store_date AS bucket, store_id, channel, units
        FROM orders FINAL
        WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND 1
        )
        GROUP BY bucket, store_id, channel
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, 0 AS total_orders_, 0 AS items_, canceled_orders_ FROM (
        SELECT bucket, store_id, channel, countIf(is_cancel) AS canceled_orders_
        FROM (
        SELECT back_date AS bucket, store_id, channel, kind = 'cancel' AS is_cancel
        FROM (SELECT * FROM orders FINAL WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND notEmpty(adjustment)) ARRAY JOIN adjustment AS kind, adjusted_at AS back_at, adjustment_date AS back_date, adjustment_amount AS back_amount, adjustment_lines AS back_lines, arrayEnumerate(adjustment) AS back_step
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel
    )
)
GROUP BY store_id, store_date, channel
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Orders of a day, all currencies together';

CREATE OR REPLACE VIEW revenue_daily (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `store_date` Date COMMENT 'the day that each column\'s definition names, in the zone of the store',
    `channel` LowCardinality(String) COMMENT 'of the session, order or event',
    `currency` LowCardinality(String) COMMENT 'ISO 4217; two currencies are never added up',
    `exponent` UInt8 COMMENT 'digits of the currency\'s minor unit',
    `total_revenue` Decimal(38, 4) COMMENT 'M27: Totals of captured orders, after discounts, with shipping and tax; never shrinks.',
    `total_revenue_minor` Int128 COMMENT 'total_revenue in minor units.',
    `total_revenue_reporting` Decimal(38, 4) COMMENT 'M27: total_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `total_revenue_reporting_minor` Int128 COMMENT 'total_revenue_reporting in minor units.',
    `total_orders` UInt64 COMMENT 'M28: Captured orders, all currencies together.',
    `items` UInt64 COMMENT 'M30: Units of captured orders.',
    `line_revenue` Decimal(38, 4) COMMENT 'M31: Paid for the lines of captured orders: totals without shipping and tax.',
    `line_revenue_minor` Int128 COMMENT 'line_revenue in minor units.',
    `line_revenue_reporting` Decimal(38, 4) COMMENT 'M31: line_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `line_revenue_reporting_minor` Int128 COMMENT 'line_revenue_reporting in minor units.',
    `average_ticket` Nullable(Decimal(38, 6)) COMMENT 'M29: Average total of captured orders, per currency. Cut after six digits.',
    `items_per_order` Nullable(Float64) COMMENT 'M30: Average units of captured orders, all currencies together.',
    `average_price_per_item` Nullable(Decimal(38, 6)) COMMENT 'M31: Average paid for a unit, without shipping and tax, per currency. Cut after six digits.',
    `canceled_orders` UInt64 COMMENT 'M28: First cancels of known orders.',
    `canceled_revenue` Decimal(38, 4) COMMENT 'M27: What cancels took of order totals.',
    `canceled_revenue_minor` Int128 COMMENT 'canceled_revenue in minor units.',
    `canceled_revenue_reporting` Decimal(38, 4) COMMENT 'M27: canceled_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `canceled_revenue_reporting_minor` Int128 COMMENT 'canceled_revenue_reporting in minor units.',
    `refunded_revenue` Decimal(38, 4) COMMENT 'M27: What refunds took of order totals.',
    `refunded_revenue_minor` Int128 COMMENT 'refunded_revenue in minor units.',
    `refunded_revenue_reporting` Decimal(38, 4) COMMENT 'M27: refunded_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `refunded_revenue_reporting_minor` Int128 COMMENT 'refunded_revenue_reporting in minor units.',
    `net_revenue` Decimal(38, 4) COMMENT 'M27: total_revenue less canceled_revenue and refunded_revenue, each on its own day; may be negative.',
    `net_revenue_minor` Int128 COMMENT 'net_revenue in minor units.',
    `net_revenue_reporting` Decimal(38, 4) COMMENT 'M27: net_revenue in the currency that the store reports in, at the rate of each order\'s day; orders without a rate are left out, and counted.',
    `net_revenue_reporting_minor` Int128 COMMENT 'net_revenue_reporting in minor units.',
    `unconverted_orders` UInt64 COMMENT 'M27: Captured orders that are left out of the sums in the reporting currency: their day has no rate yet.',
    `unconverted_adjustments` UInt64 COMMENT 'M27: Cancels and refunds that are left out of the sums in the reporting currency, with their orders.'
) AS
SELECT
    store_id, store_date, channel, currency, exponent,
    toDecimal128(sum(total_revenue_), 4) / intExp10(exponent) AS total_revenue,
    sum(total_revenue_) AS total_revenue_minor,
    toDecimal128(sum(total_revenue_reporting_), 4) / intExp10(exponent) AS total_revenue_reporting,
    sum(total_revenue_reporting_) AS total_revenue_reporting_minor,
    sum(total_orders_) AS total_orders,
    sum(items_) AS items,
    toDecimal128(sum(line_revenue_), 4) / intExp10(exponent) AS line_revenue,
    sum(line_revenue_) AS line_revenue_minor,
    toDecimal128(sum(line_revenue_reporting_), 4) / intExp10(exponent) AS line_revenue_reporting,
    sum(line_revenue_reporting_) AS line_revenue_reporting_minor,
    if(sum(total_orders_) = 0, NULL, toDecimal128(sum(total_revenue_), 6) / intExp10(exponent) / greatest(sum(total_orders_), 1)) AS average_ticket,
    if(sum(total_orders_) = 0, NULL, sum(items_) / sum(total_orders_)) AS items_per_order,
    if(sum(items_) = 0, NULL, toDecimal128(sum(line_revenue_), 6) / intExp10(exponent) / greatest(sum(items_), 1)) AS average_price_per_item,
    sum(canceled_orders_) AS canceled_orders,
    toDecimal128(sum(canceled_revenue_), 4) / intExp10(exponent) AS canceled_revenue,
    sum(canceled_revenue_) AS canceled_revenue_minor,
    toDecimal128(sum(canceled_revenue_reporting_), 4) / intExp10(exponent) AS canceled_revenue_reporting,
    sum(canceled_revenue_reporting_) AS canceled_revenue_reporting_minor,
    toDecimal128(sum(refunded_revenue_), 4) / intExp10(exponent) AS refunded_revenue,
    sum(refunded_revenue_) AS refunded_revenue_minor,
    toDecimal128(sum(refunded_revenue_reporting_), 4) / intExp10(exponent) AS refunded_revenue_reporting,
    sum(refunded_revenue_reporting_) AS refunded_revenue_reporting_minor,
    toDecimal128((sum(total_revenue_) - sum(canceled_revenue_) - sum(refunded_revenue_)), 4) / intExp10(exponent) AS net_revenue,
    (sum(total_revenue_) - sum(canceled_revenue_) - sum(refunded_revenue_)) AS net_revenue_minor,
    toDecimal128((sum(total_revenue_reporting_) - sum(canceled_revenue_reporting_) - sum(refunded_revenue_reporting_)), 4) / intExp10(exponent) AS net_revenue_reporting,
    (sum(total_revenue_reporting_) - sum(canceled_revenue_reporting_) - sum(refunded_revenue_reporting_)) AS net_revenue_reporting_minor,
    sum(unconverted_orders_) AS unconverted_orders,
    sum(unconverted_adjustments_) AS unconverted_adjustments
FROM
(
    SELECT store_id, bucket AS store_date, channel, currency, exponent, total_revenue_, toInt128(0) AS total_revenue_reporting_, total_orders_, items_, line_revenue_, toInt128(0) AS line_revenue_reporting_, 0 AS canceled_orders_, toInt128(0) AS canceled_revenue_, toInt128(0) AS canceled_revenue_reporting_, toInt128(0) AS refunded_revenue_, toInt128(0) AS refunded_revenue_reporting_, 0 AS unconverted_orders_, 0 AS unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, currency, exponent, sum(toInt128(paid_total)) AS total_revenue_, count() AS total_orders_, sum(units) AS items_, sum(toInt128(lines_paid)) AS line_revenue_
        FROM (
        SELECT store_date AS bucket, store_id, channel, currency, exponent, total AS paid_total, units, lines_paid
        FROM orders FINAL
        WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND 1
        )
        GROUP BY bucket, store_id, channel, currency, exponent
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, currency, exponent, toInt128(0) AS total_revenue_, total_revenue_reporting_, 0 AS total_orders_, 0 AS items_, toInt128(0) AS line_revenue_, line_revenue_reporting_, 0 AS canceled_orders_, toInt128(0) AS canceled_revenue_, toInt128(0) AS canceled_revenue_reporting_, toInt128(0) AS refunded_revenue_, toInt128(0) AS refunded_revenue_reporting_, unconverted_orders_, 0 AS unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, currency, exponent, sum(toInt128(paid_total)) AS total_revenue_reporting_, sum(toInt128(lines_paid)) AS line_revenue_reporting_, countIf(NOT has_rate) AS unconverted_orders_
        FROM (
        SELECT store_date AS bucket, store_id, channel, reporting_currency AS currency, reporting_exponent AS exponent, reporting_total AS paid_total, reporting_lines_paid AS lines_paid, reported AS has_rate
        FROM orders FINAL
        WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND reporting_currency != '' AND 1
        )
        GROUP BY bucket, store_id, channel, currency, exponent
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, currency, exponent, toInt128(0) AS total_revenue_, toInt128(0) AS total_revenue_reporting_, 0 AS total_orders_, 0 AS items_, toInt128(0) AS line_revenue_, toInt128(0) AS line_revenue_reporting_, canceled_orders_, canceled_revenue_, toInt128(0) AS canceled_revenue_reporting_, refunded_revenue_, toInt128(0) AS refunded_revenue_reporting_, 0 AS unconverted_orders_, 0 AS unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, currency, exponent, countIf(is_cancel) AS canceled_orders_, sumIf(toInt128(taken), is_cancel) AS canceled_revenue_, sumIf(toInt128(taken), NOT is_cancel) AS refunded_revenue_
        FROM (
        SELECT back_date AS bucket, store_id, channel, currency, exponent, back_amount AS taken, kind = 'cancel' AS is_cancel
        FROM (SELECT * FROM orders FINAL WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND notEmpty(adjustment)) ARRAY JOIN adjustment AS kind, adjusted_at AS back_at, adjustment_date AS back_date, adjustment_amount AS back_amount, adjustment_lines AS back_lines, arrayEnumerate(adjustment) AS back_step
        WHERE 1 AND 1
        )
        GROUP BY bucket, store_id, channel, currency, exponent
    )
    UNION ALL
    SELECT store_id, bucket AS store_date, channel, currency, exponent, toInt128(0) AS total_revenue_, toInt128(0) AS total_revenue_reporting_, 0 AS total_orders_, 0 AS items_, toInt128(0) AS line_revenue_, toInt128(0) AS line_revenue_reporting_, 0 AS canceled_orders_, toInt128(0) AS canceled_revenue_, canceled_revenue_reporting_, toInt128(0) AS refunded_revenue_, refunded_revenue_reporting_, 0 AS unconverted_orders_, unconverted_adjustments_ FROM (
        SELECT bucket, store_id, channel, currency, exponent, sumIf(toInt128(taken), is_cancel) AS canceled_revenue_reporting_, sumIf(toInt128(taken), NOT is_cancel) AS refunded_revenue_reporting_, countIf(NOT has_rate) AS unconverted_adjustments_
        FROM (
        SELECT back_date AS bucket, store_id, channel, reporting_currency AS currency, reporting_exponent AS exponent, back_amount AS taken, kind = 'cancel' AS is_cancel, reported AS has_rate
        FROM (SELECT * FROM orders FINAL WHERE 1 AND captured_at < toDateTime64('2100-01-01', 3, 'UTC') AND notEmpty(adjustment)) ARRAY JOIN adjustment AS kind, adjusted_at AS back_at, adjustment_date AS back_date, reporting_adjustment_amount AS back_amount, reporting_adjustment_lines AS back_lines, arrayEnumerate(adjustment) AS back_step
        WHERE 1 AND reporting_currency != '' AND 1
        )
        GROUP BY bucket, store_id, channel, currency, exponent
    )
)
GROUP BY store_id, store_date, channel, currency, exponent
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Orders and revenue by day and currency';

CREATE OR REPLACE VIEW gauges (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `active_experiences` UInt64 COMMENT 'M3: Experiences whose latest status is `active`; inferred: those served in the last 24 hours.',
    `active_experiences_inferred` UInt8 COMMENT '1: the store defines none, so it was seen, not declared',
    `running_ab_tests` UInt64 COMMENT 'M4: A/B tests whose latest status is `running`; inferred: those served in the last 24 hours.',
    `running_ab_tests_inferred` UInt8 COMMENT '1: the store defines none, so it was seen, not declared',
    `active_journeys` UInt64 COMMENT 'M5: Journeys whose latest status is `active`; inferred: those with an event in the last 24 hours.',
    `active_journeys_inferred` UInt8 COMMENT '1: the store defines none, so it was seen, not declared',
    `journey_executions_in_progress` UInt64 COMMENT 'M5: Executions with a `started` and no terminal node yet, of any age.',
    `journey_executions_in_progress_inferred` UInt8 COMMENT '1: the store defines none, so it was seen, not declared'
) AS
SELECT
    store_id,
    maxIf(value, gauge = 'active_experiences') AS active_experiences,
    countIf(gauge = 'active_experiences' AND NOT inferred) = 0 AS active_experiences_inferred,
    maxIf(value, gauge = 'running_ab_tests') AS running_ab_tests,
    countIf(gauge = 'running_ab_tests' AND NOT inferred) = 0 AS running_ab_tests_inferred,
    maxIf(value, gauge = 'active_journeys') AS active_journeys,
    countIf(gauge = 'active_journeys' AND NOT inferred) = 0 AS active_journeys_inferred,
    maxIf(value, gauge = 'journey_executions_in_progress') AS journey_executions_in_progress,
    countIf(gauge = 'journey_executions_in_progress' AND NOT inferred) = 0 AS journey_executions_in_progress_inferred
FROM
(
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
                WHERE 1 AND effective_at <= (SELECT data_as_of FROM data_as_of)
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
                    SELECT store_id, experience_id, test_id, experience_first_at, experience_last_at FROM sessions FINAL
                    WHERE 1 AND born >= toDate((SELECT data_as_of FROM data_as_of) - INTERVAL 45 DAY) - (SELECT max(toDate(closes_at) - born) FROM sessions WHERE toDate(closes_at) - born > 2) AND personalized AND store_id NOT IN (SELECT store_id FROM definitions FINAL WHERE 1 AND kind IN ('experience', 'ab_test') AND effective_at <= (SELECT data_as_of FROM data_as_of) GROUP BY store_id HAVING uniqExact(kind) = 2)
                )
                ARRAY JOIN experience_id AS experience, test_id AS test, experience_first_at AS first_seen, experience_last_at AS last_seen
                WHERE (first_seen > (SELECT data_as_of FROM data_as_of) - INTERVAL 1 DAY AND first_seen < (SELECT data_as_of FROM data_as_of)) OR (last_seen > (SELECT data_as_of FROM data_as_of) - INTERVAL 1 DAY AND last_seen < (SELECT data_as_of FROM data_as_of))
                UNION ALL
                SELECT store_id, ('active_journeys', if(journey_id != '', journey_id, first_journey_id))
                FROM journeys FINAL
                WHERE 1 AND ((first_at > (SELECT data_as_of FROM data_as_of) - INTERVAL 1 DAY AND first_at < (SELECT data_as_of FROM data_as_of)) OR (last_at > (SELECT data_as_of FROM data_as_of) - INTERVAL 1 DAY AND last_at < (SELECT data_as_of FROM data_as_of))) AND store_id NOT IN (SELECT store_id FROM definitions FINAL WHERE 1 AND kind IN ('journey') AND effective_at <= (SELECT data_as_of FROM data_as_of) GROUP BY store_id HAVING uniqExact(kind) = 1)
            )
            WHERE seen.2 != ''
            GROUP BY store_id, seen.1
            UNION ALL
            SELECT store_id, 1, 'journey_executions_in_progress', uniqExact(execution_hash)
            FROM journeys FINAL
            WHERE 1 AND (started_at > 0 AND started_at < (SELECT data_as_of FROM data_as_of)) AND execution_hash NOT IN (
                SELECT execution_hash FROM journeys FINAL WHERE 1 AND (terminal_at > 0 AND terminal_at < (SELECT data_as_of FROM data_as_of))
            )
            GROUP BY store_id
        )
        GROUP BY store_id, gauge
)
GROUP BY store_id
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Gauges at data_as_of: by definitions, or by what was seen in the 24 hours before where a store defines none';
