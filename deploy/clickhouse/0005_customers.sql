-- Rendered from schemas/metrics/ by `make render`; do not edit. docs/metrics.md explains every column.
-- The customer base of all channels together. Filter by store_id: a view without it reads the orders of all stores.

CREATE OR REPLACE VIEW customers_by_recency (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `as_of_date` Date COMMENT 'date of the snapshot, in the zone of the store',
    `months_since` UInt8 COMMENT 'whole calendar months since the last receipt, 0 to 11',
    `customers_by_recency` UInt64 COMMENT 'M43: Customers by whole calendar months since their last receipt.'
) AS
SELECT
    store_id, as_of_date, months_since,
    count() AS customers_by_recency
FROM (SELECT store_id, last_day AS as_of_date, toUInt16(12 * (toYear(last_day) - toYear(last_0)) + toMonth(last_day) - toMonth(last_0) - (toDayOfMonth(last_day) < toDayOfMonth(last_0))) AS months_since FROM (SELECT store_id, any(today) AS last_day, max(store_date) AS last_0 FROM (
    SELECT
        store_id, person_hash, currency, exponent, store_date, today, total - arraySum((kind, amount, clock) -> if(kind = 'refund' AND clock < seen_clock, amount, 0), adjustment, adjustment_amount, taken_clock) AS net,
        count() OVER (PARTITION BY person_hash) AS receipts
    FROM (
    SELECT
        store_id, zone, home, seen_clock, today, base_days, window_ms, is_fixed, r_days, f_best, m_best,
        person_hash, currency, exponent, store_date, captured_at, total, adjustment,
        adjustment_amount, arrayMap(at -> toString(at, zone), adjusted_at) AS taken_clock,
        toString(captured_at, zone) AS bought_clock, toString(gone_at, zone) AS gone_clock
    FROM (SELECT *, person_hash, gone_at FROM orders FINAL WHERE is_customer) AS purchase
    INNER JOIN (
    SELECT
        store_id, zone, currency AS home, toString((SELECT data_as_of FROM data_as_of), zone) AS clock,
        concat(left(clock, 11), leftPad(toString(6 * intDiv(toUInt8(substring(clock, 12, 2)), 6)), 2, '0'), ':00:00.000')
            AS seen_clock,
        toDate(left(seen_clock, 10)) AS today,
        JSONExtractInt(settings, 'base_period_days') AS base_days,
        JSONExtractInt(settings, 'attribution_window_ms') AS window_ms,
        JSONExtractString(settings, 'rfm', 'method') = 'fixed' AS is_fixed,
        JSONExtract(settings, 'rfm', 'r_days', 'Array(Int64)') AS r_days,
        JSONExtract(settings, 'rfm', 'f', 'Array(Int64)')[4] AS f_best,
        JSONExtract(settings, 'rfm', 'm', 'Array(Int64)')[4] AS m_best
    FROM stores FINAL
) AS store USING (store_id)
)
    WHERE bought_clock < seen_clock AND gone_clock >= seen_clock AND store_date > today - base_days
) GROUP BY store_id, person_hash))
GROUP BY store_id, as_of_date, months_since
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Customers by whole months since their last receipt, as of the latest snapshot';

CREATE OR REPLACE VIEW customers (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `as_of_date` Date COMMENT 'date of the snapshot, in the zone of the store',
    `one_receipt_customers` UInt64 COMMENT 'M44: Customers with exactly one receipt.',
    `repeat_customers` UInt64 COMMENT 'M44: Customers with two receipts or more.',
    `repeat_customers_pct` Nullable(Float64) COMMENT 'M44: Of the customers with a receipt, those with two or more.'
) AS
SELECT
    store_id, as_of_date,
    countIf(receipts = 1) AS one_receipt_customers,
    countIf(receipts > 1) AS repeat_customers,
    if(count() = 0, NULL, 100 * countIf(receipts > 1) / count()) AS repeat_customers_pct
FROM (SELECT store_id, any(today) AS as_of_date, any(receipts) AS receipts FROM (
    SELECT
        store_id, person_hash, currency, exponent, store_date, today, total - arraySum((kind, amount, clock) -> if(kind = 'refund' AND clock < seen_clock, amount, 0), adjustment, adjustment_amount, taken_clock) AS net,
        count() OVER (PARTITION BY person_hash) AS receipts
    FROM (
    SELECT
        store_id, zone, home, seen_clock, today, base_days, window_ms, is_fixed, r_days, f_best, m_best,
        person_hash, currency, exponent, store_date, captured_at, total, adjustment,
        adjustment_amount, arrayMap(at -> toString(at, zone), adjusted_at) AS taken_clock,
        toString(captured_at, zone) AS bought_clock, toString(gone_at, zone) AS gone_clock
    FROM (SELECT *, person_hash, gone_at FROM orders FINAL WHERE is_customer) AS purchase
    INNER JOIN (
    SELECT
        store_id, zone, currency AS home, toString((SELECT data_as_of FROM data_as_of), zone) AS clock,
        concat(left(clock, 11), leftPad(toString(6 * intDiv(toUInt8(substring(clock, 12, 2)), 6)), 2, '0'), ':00:00.000')
            AS seen_clock,
        toDate(left(seen_clock, 10)) AS today,
        JSONExtractInt(settings, 'base_period_days') AS base_days,
        JSONExtractInt(settings, 'attribution_window_ms') AS window_ms,
        JSONExtractString(settings, 'rfm', 'method') = 'fixed' AS is_fixed,
        JSONExtract(settings, 'rfm', 'r_days', 'Array(Int64)') AS r_days,
        JSONExtract(settings, 'rfm', 'f', 'Array(Int64)')[4] AS f_best,
        JSONExtract(settings, 'rfm', 'm', 'Array(Int64)')[4] AS m_best
    FROM stores FINAL
) AS store USING (store_id)
)
    WHERE bought_clock < seen_clock AND gone_clock >= seen_clock AND store_date > today - base_days
) GROUP BY store_id, person_hash)
GROUP BY store_id, as_of_date
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Customers by their receipts of the base period, as of the latest snapshot';

CREATE OR REPLACE VIEW customer_revenue (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `as_of_date` Date COMMENT 'date of the snapshot, in the zone of the store',
    `currency` LowCardinality(String) COMMENT 'ISO 4217; two currencies are never added up',
    `exponent` UInt8 COMMENT 'digits of the currency\'s minor unit',
    `one_receipt_revenue` Decimal(38, 4) COMMENT 'M45: Receipt totals, less refunds, of customers with exactly one receipt.',
    `one_receipt_revenue_minor` Int128 COMMENT 'one_receipt_revenue in minor units.',
    `repeat_revenue` Decimal(38, 4) COMMENT 'M45: Receipt totals, less refunds, of customers with two receipts or more.',
    `repeat_revenue_minor` Int128 COMMENT 'repeat_revenue in minor units.',
    `repeat_revenue_pct` Nullable(Float64) COMMENT 'M45: Of the receipt totals of a currency, those of customers with two receipts or more.'
) AS
SELECT
    store_id, as_of_date, currency, exponent,
    toDecimal128(sumIf(toInt128(net), receipts = 1), 4) / intExp10(exponent) AS one_receipt_revenue,
    sumIf(toInt128(net), receipts = 1) AS one_receipt_revenue_minor,
    toDecimal128(sumIf(toInt128(net), receipts > 1), 4) / intExp10(exponent) AS repeat_revenue,
    sumIf(toInt128(net), receipts > 1) AS repeat_revenue_minor,
    if(sum(toInt128(net)) = 0, NULL, 100 * sumIf(toInt128(net), receipts > 1) / sum(toInt128(net))) AS repeat_revenue_pct
FROM (SELECT *, today AS as_of_date FROM (
    SELECT
        store_id, person_hash, currency, exponent, store_date, today, total - arraySum((kind, amount, clock) -> if(kind = 'refund' AND clock < seen_clock, amount, 0), adjustment, adjustment_amount, taken_clock) AS net,
        count() OVER (PARTITION BY person_hash) AS receipts
    FROM (
    SELECT
        store_id, zone, home, seen_clock, today, base_days, window_ms, is_fixed, r_days, f_best, m_best,
        person_hash, currency, exponent, store_date, captured_at, total, adjustment,
        adjustment_amount, arrayMap(at -> toString(at, zone), adjusted_at) AS taken_clock,
        toString(captured_at, zone) AS bought_clock, toString(gone_at, zone) AS gone_clock
    FROM (SELECT *, person_hash, gone_at FROM orders FINAL WHERE is_customer) AS purchase
    INNER JOIN (
    SELECT
        store_id, zone, currency AS home, toString((SELECT data_as_of FROM data_as_of), zone) AS clock,
        concat(left(clock, 11), leftPad(toString(6 * intDiv(toUInt8(substring(clock, 12, 2)), 6)), 2, '0'), ':00:00.000')
            AS seen_clock,
        toDate(left(seen_clock, 10)) AS today,
        JSONExtractInt(settings, 'base_period_days') AS base_days,
        JSONExtractInt(settings, 'attribution_window_ms') AS window_ms,
        JSONExtractString(settings, 'rfm', 'method') = 'fixed' AS is_fixed,
        JSONExtract(settings, 'rfm', 'r_days', 'Array(Int64)') AS r_days,
        JSONExtract(settings, 'rfm', 'f', 'Array(Int64)')[4] AS f_best,
        JSONExtract(settings, 'rfm', 'm', 'Array(Int64)')[4] AS m_best
    FROM stores FINAL
) AS store USING (store_id)
)
    WHERE bought_clock < seen_clock AND gone_clock >= seen_clock AND store_date > today - base_days
))
GROUP BY store_id, as_of_date, currency, exponent
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Receipt totals of the base period by currency, as of the latest snapshot';

CREATE OR REPLACE VIEW customers_monthly (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `month` Date COMMENT 'the first day of the month',
    `is_provisional` UInt8 COMMENT '1: the month still runs, and this is as of the snapshot',
    `best_customers` Nullable(UInt64) COMMENT 'M46: Customers with score 5 in recency (most recent), frequency and money at the end of the month.',
    `lost_customers` Nullable(UInt64) COMMENT 'M47: Customers with score 1 in recency (longest ago) at the end of the month; by quintiles about a fifth are.',
    `buyers` UInt64 COMMENT 'M48: Customers with a receipt in the month.',
    `repeat_buyers` UInt64 COMMENT 'M48: Of these, those with two receipts or more up to its end.',
    `repeat_purchase_share` Nullable(Float64) COMMENT 'M48: Of the customers with a receipt in the month, those with two or more ever up to its end.',
    `known_customers` UInt64 COMMENT 'M48: Customers with a receipt up to the end of the month.',
    `known_repeat_customers` UInt64 COMMENT 'M48: Of these, those with two or more.',
    `repeat_purchase_share_of_base` Nullable(Float64) COMMENT 'M48: Of all customers with a receipt up to the end of the month, those with two or more.'
) AS
SELECT
    store_id, month,
    max(runs) AS is_provisional,
    if(any(runs), NULL, if(any(fixed), countIf(receipts_0 > 0 AND toInt32(last_day_0) - toInt32(last_0) <= r_best AND receipts_0 >= f_best AND spent_0_0 >= m_best), arrayCount((l, c, s) -> l > arraySort(groupArrayIf(last_0, receipts_0 > 0))[intDiv(4 * length(groupArrayIf(last_0, receipts_0 > 0)) + 4, 5)] AND c > arraySort(groupArrayIf(receipts_0, receipts_0 > 0))[intDiv(4 * length(groupArrayIf(receipts_0, receipts_0 > 0)) + 4, 5)] AND s > arraySort(groupArrayIf(spent_0_0, receipts_0 > 0))[intDiv(4 * length(groupArrayIf(spent_0_0, receipts_0 > 0)) + 4, 5)], groupArrayIf(last_0, receipts_0 > 0), groupArrayIf(receipts_0, receipts_0 > 0), groupArrayIf(spent_0_0, receipts_0 > 0)))) AS best_customers,
    if(any(runs), NULL, if(any(fixed), countIf(receipts_0 > 0 AND toInt32(last_day_0) - toInt32(last_0) > r_lost), arrayCount(l -> l <= arraySort(groupArrayIf(last_0, receipts_0 > 0))[intDiv(1 * length(groupArrayIf(last_0, receipts_0 > 0)) + 4, 5)], groupArrayIf(last_0, receipts_0 > 0)))) AS lost_customers,
    countIf(bought_0 > 0) AS buyers,
    countIf(bought_0 > 0 AND ever_0 > 1) AS repeat_buyers,
    if(countIf(bought_0 > 0) = 0, NULL, 100 * countIf(bought_0 > 0 AND ever_0 > 1) / countIf(bought_0 > 0)) AS repeat_purchase_share,
    count() AS known_customers,
    countIf(ever_0 > 1) AS known_repeat_customers,
    if(count() = 0, NULL, 100 * countIf(ever_0 > 1) / count()) AS repeat_purchase_share_of_base
FROM (
    SELECT
        store_id, month, any(is_running) AS runs, any(is_fixed) AS fixed, any(last_day) AS last_day_0,
        any(r_days[1]) AS r_best, any(r_days[4]) AS r_lost, any(f_best) AS f_best, any(m_best) AS m_best,
        count() AS ever_0, countIf(store_date >= month) AS bought_0, countIf(in_base) AS receipts_0,
        maxIf(store_date, in_base) AS last_0, sumIf(toInt128(net), in_base AND currency = home) AS spent_0_0
    FROM (
    SELECT
        *, month, month = toStartOfMonth(today) AS is_running, toLastDayOfMonth(month) AS last_day,
        if(is_running, seen_clock, concat(toString(addMonths(month, 1)), ' 00:00:00.000')) AS until,
        total - arraySum((kind, amount, clock) -> if(kind = 'refund' AND clock < until, amount, 0), adjustment, adjustment_amount, taken_clock) AS net,
        store_date > if(is_running, today, last_day) - base_days AS in_base
    FROM (
    SELECT
        store_id, zone, home, seen_clock, today, base_days, window_ms, is_fixed, r_days, f_best, m_best,
        person_hash, currency, exponent, store_date, captured_at, total, adjustment,
        adjustment_amount, arrayMap(at -> toString(at, zone), adjusted_at) AS taken_clock,
        toString(captured_at, zone) AS bought_clock, toString(gone_at, zone) AS gone_clock
    FROM (SELECT *, person_hash, gone_at FROM orders FINAL WHERE is_customer) AS purchase
    INNER JOIN (
    SELECT
        store_id, zone, currency AS home, toString((SELECT data_as_of FROM data_as_of), zone) AS clock,
        concat(left(clock, 11), leftPad(toString(6 * intDiv(toUInt8(substring(clock, 12, 2)), 6)), 2, '0'), ':00:00.000')
            AS seen_clock,
        toDate(left(seen_clock, 10)) AS today,
        JSONExtractInt(settings, 'base_period_days') AS base_days,
        JSONExtractInt(settings, 'attribution_window_ms') AS window_ms,
        JSONExtractString(settings, 'rfm', 'method') = 'fixed' AS is_fixed,
        JSONExtract(settings, 'rfm', 'r_days', 'Array(Int64)') AS r_days,
        JSONExtract(settings, 'rfm', 'f', 'Array(Int64)')[4] AS f_best,
        JSONExtract(settings, 'rfm', 'm', 'Array(Int64)')[4] AS m_best
    FROM stores FINAL
) AS store USING (store_id)
)
    ARRAY JOIN arrayMap(n -> addMonths(toStartOfMonth(store_date), n), range(0, greatest(0,
        dateDiff('month', store_date, today) + 1))) AS month
    WHERE bought_clock < until AND gone_clock >= until
)
    GROUP BY store_id, month, person_hash
)
GROUP BY store_id, month
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Segments and repeat purchases at the end of each month';

CREATE OR REPLACE VIEW assisted_receipts_monthly (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `month` Date COMMENT 'the first day of the month',
    `is_provisional` UInt8 COMMENT '1: the month still runs, and this is as of the snapshot',
    `assisted_receipts` UInt64 COMMENT 'M49: Receipts of the month with a communication sent to the customer in the attribution window before.',
    `regular_receipts` UInt64 COMMENT 'M49: Receipts of the month without such a communication.'
) AS
SELECT
    store_id, month,
    max(is_running) AS is_provisional,
    countIf(assisted) AS assisted_receipts,
    countIf(NOT assisted) AS regular_receipts
FROM (
    SELECT
        store_id, month, is_running, currency, exponent, net,
        arrayExists(at -> at <= bought_ms AND at >= bought_ms - window_ms, sent_ms) AS assisted
    FROM (SELECT *, toUnixTimestamp64Milli(captured_at) AS bought_ms FROM (
    SELECT
        *, month, month = toStartOfMonth(today) AS is_running, toLastDayOfMonth(month) AS last_day,
        if(is_running, seen_clock, concat(toString(addMonths(month, 1)), ' 00:00:00.000')) AS until,
        total - arraySum((kind, amount, clock) -> if(kind = 'refund' AND clock < until, amount, 0), adjustment, adjustment_amount, taken_clock) AS net,
        store_date > if(is_running, today, last_day) - base_days AS in_base
    FROM (
    SELECT
        store_id, zone, home, seen_clock, today, base_days, window_ms, is_fixed, r_days, f_best, m_best,
        person_hash, currency, exponent, store_date, captured_at, total, adjustment,
        adjustment_amount, arrayMap(at -> toString(at, zone), adjusted_at) AS taken_clock,
        toString(captured_at, zone) AS bought_clock, toString(gone_at, zone) AS gone_clock
    FROM (SELECT *, person_hash, gone_at FROM orders FINAL WHERE is_customer) AS purchase
    INNER JOIN (
    SELECT
        store_id, zone, currency AS home, toString((SELECT data_as_of FROM data_as_of), zone) AS clock,
        concat(left(clock, 11), leftPad(toString(6 * intDiv(toUInt8(substring(clock, 12, 2)), 6)), 2, '0'), ':00:00.000')
            AS seen_clock,
        toDate(left(seen_clock, 10)) AS today,
        JSONExtractInt(settings, 'base_period_days') AS base_days,
        JSONExtractInt(settings, 'attribution_window_ms') AS window_ms,
        JSONExtractString(settings, 'rfm', 'method') = 'fixed' AS is_fixed,
        JSONExtract(settings, 'rfm', 'r_days', 'Array(Int64)') AS r_days,
        JSONExtract(settings, 'rfm', 'f', 'Array(Int64)')[4] AS f_best,
        JSONExtract(settings, 'rfm', 'm', 'Array(Int64)')[4] AS m_best
    FROM stores FINAL
) AS store USING (store_id)
)
    ARRAY JOIN arrayMap(n -> addMonths(toStartOfMonth(store_date), n), range(0, greatest(0,
        dateDiff('month', store_date, today) + 1))) AS month
    WHERE bought_clock < until AND gone_clock >= until
) WHERE store_date >= month) AS bought
    LEFT JOIN (
    SELECT first.1 AS person_hash, groupArray(first.2) AS sent_ms
    FROM
    (
        SELECT argMin((n.person_hash, toUnixTimestamp64Milli(n.sent_at)), (n.sent_at, event_id, person)) AS first
        FROM notifications AS n FINAL
        GROUP BY store_id, communication_hash
    )
    GROUP BY person_hash
) AS sent USING (person_hash)
)
GROUP BY store_id, month
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Receipts of each month with and without a communication before';

CREATE OR REPLACE VIEW assisted_revenue_monthly (
    `store_id` LowCardinality(String) COMMENT 'the tenant',
    `month` Date COMMENT 'the first day of the month',
    `currency` LowCardinality(String) COMMENT 'ISO 4217; two currencies are never added up',
    `exponent` UInt8 COMMENT 'digits of the currency\'s minor unit',
    `is_provisional` UInt8 COMMENT '1: the month still runs, and this is as of the snapshot',
    `assisted_amount` Decimal(38, 4) COMMENT 'M50: Totals of the assisted receipts, less refunds.',
    `assisted_amount_minor` Int128 COMMENT 'assisted_amount in minor units.',
    `regular_amount` Decimal(38, 4) COMMENT 'M50: Totals of the regular receipts, less refunds.',
    `regular_amount_minor` Int128 COMMENT 'regular_amount in minor units.'
) AS
SELECT
    store_id, month, currency, exponent,
    max(is_running) AS is_provisional,
    toDecimal128(sumIf(toInt128(net), assisted), 4) / intExp10(exponent) AS assisted_amount,
    sumIf(toInt128(net), assisted) AS assisted_amount_minor,
    toDecimal128(sumIf(toInt128(net), NOT assisted), 4) / intExp10(exponent) AS regular_amount,
    sumIf(toInt128(net), NOT assisted) AS regular_amount_minor
FROM (
    SELECT
        store_id, month, is_running, currency, exponent, net,
        arrayExists(at -> at <= bought_ms AND at >= bought_ms - window_ms, sent_ms) AS assisted
    FROM (SELECT *, toUnixTimestamp64Milli(captured_at) AS bought_ms FROM (
    SELECT
        *, month, month = toStartOfMonth(today) AS is_running, toLastDayOfMonth(month) AS last_day,
        if(is_running, seen_clock, concat(toString(addMonths(month, 1)), ' 00:00:00.000')) AS until,
        total - arraySum((kind, amount, clock) -> if(kind = 'refund' AND clock < until, amount, 0), adjustment, adjustment_amount, taken_clock) AS net,
        store_date > if(is_running, today, last_day) - base_days AS in_base
    FROM (
    SELECT
        store_id, zone, home, seen_clock, today, base_days, window_ms, is_fixed, r_days, f_best, m_best,
        person_hash, currency, exponent, store_date, captured_at, total, adjustment,
        adjustment_amount, arrayMap(at -> toString(at, zone), adjusted_at) AS taken_clock,
        toString(captured_at, zone) AS bought_clock, toString(gone_at, zone) AS gone_clock
    FROM (SELECT *, person_hash, gone_at FROM orders FINAL WHERE is_customer) AS purchase
    INNER JOIN (
    SELECT
        store_id, zone, currency AS home, toString((SELECT data_as_of FROM data_as_of), zone) AS clock,
        concat(left(clock, 11), leftPad(toString(6 * intDiv(toUInt8(substring(clock, 12, 2)), 6)), 2, '0'), ':00:00.000')
            AS seen_clock,
        toDate(left(seen_clock, 10)) AS today,
        JSONExtractInt(settings, 'base_period_days') AS base_days,
        JSONExtractInt(settings, 'attribution_window_ms') AS window_ms,
        JSONExtractString(settings, 'rfm', 'method') = 'fixed' AS is_fixed,
        JSONExtract(settings, 'rfm', 'r_days', 'Array(Int64)') AS r_days,
        JSONExtract(settings, 'rfm', 'f', 'Array(Int64)')[4] AS f_best,
        JSONExtract(settings, 'rfm', 'm', 'Array(Int64)')[4] AS m_best
    FROM stores FINAL
) AS store USING (store_id)
)
    ARRAY JOIN arrayMap(n -> addMonths(toStartOfMonth(store_date), n), range(0, greatest(0,
        dateDiff('month', store_date, today) + 1))) AS month
    WHERE bought_clock < until AND gone_clock >= until
) WHERE store_date >= month) AS bought
    LEFT JOIN (
    SELECT first.1 AS person_hash, groupArray(first.2) AS sent_ms
    FROM
    (
        SELECT argMin((n.person_hash, toUnixTimestamp64Milli(n.sent_at)), (n.sent_at, event_id, person)) AS first
        FROM notifications AS n FINAL
        GROUP BY store_id, communication_hash
    )
    GROUP BY person_hash
) AS sent USING (person_hash)
)
GROUP BY store_id, month, currency, exponent
SETTINGS do_not_merge_across_partitions_select_final = 1
COMMENT 'Totals of the receipts of each month with and without a communication before, by currency';
