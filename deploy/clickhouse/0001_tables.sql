-- Rendered from schemas/rows.py and schemas/tables.py by `make render`; do not edit.
-- Rows are absolute and versioned: read them with FINAL, or through the views of the next migration.

CREATE TABLE IF NOT EXISTS sessions (
    `store_id` LowCardinality(String),
    `person` String COMMENT 'c:<customer_id> or a:<anonymous_id>',
    `session_key` String COMMENT 's:<session_id>, or g:<channel>:<start in ms> for one made from an idle gap',
    `born` Date,
    `channel` LowCardinality(String) COMMENT 'of the earliest member event',
    `device` LowCardinality(String) COMMENT 'of the earliest member event that has one',
    `country` LowCardinality(String),
    `started_at` DateTime64(3, 'UTC') CODEC(T64),
    `ended_at` DateTime64(3, 'UTC') COMMENT 'the latest member event' CODEC(T64),
    `closes_at` DateTime64(3, 'UTC') COMMENT 'last interaction, joined orders too, + the channel\'s time-out; closed after it' CODEC(T64),
    `store_date` Date COMMENT 'of started_at, in the store\'s zone',
    `present` UInt8 COMMENT 'any sign of the shopper: counts in M1',
    `active` UInt8 COMMENT 'the shopper did something: counts in M32',
    `activities` UInt32,
    `messages_in` UInt32,
    `messages_out` UInt32,
    `supports` UInt32,
    `impressions` UInt32,
    `clicks` UInt32,
    `detail_views` UInt32,
    `adds` UInt32,
    `removes` UInt32,
    `empties` UInt32,
    `orders` UInt32 COMMENT 'first captures in it, and those that joined it (H36)',
    `goals` UInt32,
    `experience_id` Array(String),
    `variant_id` Array(String) COMMENT 'empty where none was named',
    `test_id` Array(String) COMMENT 'empty where none was named',
    `experience_first_at` Array(DateTime64(3, 'UTC')),
    `experience_last_at` Array(DateTime64(3, 'UTC')),
    `goal_event_id` Array(String) COMMENT 'the goal conversions, ascending by time and event; nine parallel arrays',
    `goal_id` Array(String),
    `goal_experience_id` Array(String) COMMENT 'the experience it names, empty for none (H86)',
    `goal_at` Array(DateTime64(3, 'UTC')),
    `goal_date` Array(Date) COMMENT 'of goal_at, in the store\'s zone',
    `goal_valued` Array(UInt8) COMMENT 'it carries a value',
    `goal_value` Array(Int64) COMMENT 'in minor units of goal_currency; 0 without a value',
    `goal_currency` Array(LowCardinality(String)) COMMENT 'as given, else the store\'s (H88)',
    `goal_exponent` Array(UInt8) COMMENT 'digits of goal_currency\'s minor unit',
    `last_shown_at` DateTime64(3, 'UTC') COMMENT 'latest impression, 0 if none' CODEC(T64),
    `matures_at` DateTime64(3, 'UTC') COMMENT 'last_shown_at + attribution window, 0 if none' CODEC(T64),
    `viewed` UInt8 COMMENT 'an impression, then the details of the same product (M17)',
    `version` UInt64,
    `is_deleted` UInt8,
    `person_hash` UInt128 MATERIALIZED reinterpretAsUInt128(sipHash128(store_id, person)) COMMENT '128-bit hash of store and person, for distinct counts and joins' CODEC(NONE),
    `session_hash` UInt128 MATERIALIZED reinterpretAsUInt128(sipHash128(store_id, person, session_key)) COMMENT '128-bit hash of store, person and session, for distinct counts and joins' CODEC(NONE),
    `personalized` UInt8 MATERIALIZED notEmpty(experience_id) COMMENT '1: at least one experience was served (M2)',
    `conversions` Array(Tuple(goal LowCardinality(String), at DateTime64(3, 'UTC'), date Date, value Int64, currency LowCardinality(String), exponent UInt8, unpriced UInt8, experiences Array(LowCardinality(String)))) MATERIALIZED arrayFilter(each -> notEmpty(each.8), arrayMap((named, goal, at, date, valued, value, currency, exponent) -> (goal, at, date, value, currency, exponent, goal = 'purchase' AND NOT valued, if(named != '', [named], arrayDistinct(arrayFilter((id, first) -> first <= at, experience_id, experience_first_at)))), goal_experience_id, goal_id, goal_at, goal_date, goal_valued, goal_value, goal_currency, goal_exponent)) COMMENT 'goal conversions that an experience has earned: the one they name, else those served at or before them (E39, H86); unpriced: a purchase, worth what the closest order is (H87)',
    `flags` UInt16 MATERIALIZED 1 * present + 2 * active + 4 * (messages_in = 1 AND activities + clicks + detail_views + adds + removes + empties + orders = 0) + 8 * (supports > 0) + 16 * notEmpty(experience_id) + 32 * (notEmpty(experience_id) AND notEmpty(conversions)) + 64 * (orders > 0) + 128 * (impressions > 0) + 256 * viewed + 512 * notEmpty(conversions) + 1024 * arrayExists(each -> each.7, conversions) COMMENT 'bits from the lowest: present, active, one_message, supported, personalized, earned_goal, ordered, exposed, viewed, converting, unpriced (M1, M32, H42, M41, M2, M12, M11, M16, M17, M10, H87)' CODEC(T64),
    INDEX skip (toDate(closes_at) - born) TYPE minmax
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toStartOfMonth(born)
ORDER BY (store_id, born, person, session_key)
SETTINGS min_age_to_force_merge_seconds = 3600, min_parts_to_merge_at_once = 20, merge_selector_enable_heuristic_to_remove_small_parts_at_right = 0, min_age_to_force_merge_on_partition_only = 1
COMMENT 'A session of a person: when, where, what was done in it. Counts are of member events (decisions H30 to H42).';

CREATE TABLE IF NOT EXISTS exposures (
    `store_id` LowCardinality(String),
    `person` String,
    `session_key` String,
    `widget_id` LowCardinality(String),
    `born` Date,
    `channel` LowCardinality(String) COMMENT 'of the session',
    `started_at` DateTime64(3, 'UTC') COMMENT 'of the session' CODEC(T64),
    `store_date` Date COMMENT 'of the session\'s start',
    `strategies` Array(LowCardinality(String)) COMMENT 'distinct, ascending',
    `placements` Array(LowCardinality(String)) COMMENT 'distinct, ascending',
    `impressions` UInt32,
    `first_shown_at` DateTime64(3, 'UTC') CODEC(T64),
    `last_shown_at` DateTime64(3, 'UTC') CODEC(T64),
    `shown_dates` Array(Date) COMMENT 'with shown_channels: distinct (store date, channel) of its impressions, ascending',
    `shown_channels` Array(LowCardinality(String)),
    `shown_at` Array(DateTime64(3, 'UTC')) COMMENT 'the earliest impression of each of these',
    `viewed` UInt8 COMMENT 'details of a product this widget had shown in the session (M17 by widget)',
    `version` UInt64,
    `is_deleted` UInt8,
    `person_hash` UInt128 MATERIALIZED reinterpretAsUInt128(sipHash128(store_id, person)) COMMENT '128-bit hash of store and person, for distinct counts and joins' CODEC(NONE),
    `session_hash` UInt128 MATERIALIZED reinterpretAsUInt128(sipHash128(store_id, person, session_key)) COMMENT '128-bit hash of store, person and session, for distinct counts and joins' CODEC(NONE)
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toStartOfMonth(born)
ORDER BY (store_id, born, person, session_key, widget_id)
SETTINGS min_age_to_force_merge_seconds = 3600, min_parts_to_merge_at_once = 20, merge_selector_enable_heuristic_to_remove_small_parts_at_right = 0, min_age_to_force_merge_on_partition_only = 1
COMMENT 'What a session saw of one widget, and whether it led to a detail view and to an order.';

CREATE TABLE IF NOT EXISTS orders (
    `store_id` LowCardinality(String),
    `order_id` String,
    `born` Date,
    `person` String COMMENT 'of the earliest capture, like channel, session and captured_at (H50)',
    `channel` LowCardinality(String),
    `session_key` String COMMENT 'empty: no session',
    `captured_at` DateTime64(3, 'UTC') CODEC(T64),
    `store_date` Date,
    `currency` LowCardinality(String),
    `exponent` UInt8 COMMENT 'digits of the currency\'s minor unit',
    `order_version` UInt32,
    `total` Int64,
    `shipping` Int64,
    `tax` Int64,
    `line_id` Array(String),
    `product_id` Array(String),
    `sku` Array(String),
    `quantity` Array(UInt32),
    `unit_price` Array(Int64),
    `discount` Array(Int64) COMMENT 'as sent, for the line',
    `paid` Array(Int64) COMMENT 'line_paid (E6): adds up to total - shipping - tax exactly',
    `credit` Array(LowCardinality(String)) COMMENT 'direct, assisted or none',
    `exposure_only` Array(UInt8) COMMENT 'E21, H75',
    `touch_kind` Array(LowCardinality(String)) COMMENT 'shown (direct); clicked, detail_viewed or added (assisted); empty',
    `touch_at` Array(DateTime64(3, 'UTC')) COMMENT 'the anchor: impression (direct), interaction (assisted); 0 if none',
    `touch_product` Array(String),
    `widget_id` Array(LowCardinality(String)),
    `strategy` Array(LowCardinality(String)),
    `placement` Array(LowCardinality(String)),
    `has_interaction` UInt8 COMMENT 'an interaction in the window: inclusive reading, all lines are assisted (H74)',
    `exposed_session` Array(String),
    `exposed_widget` Array(LowCardinality(String)) COMMENT 'confirms (H77): those sessions and exposures have converted (M18); ascending',
    `adjustment` Array(LowCardinality(String)) COMMENT 'what was taken back, in order of application (H56): refund or cancel',
    `adjustment_id` Array(String) COMMENT 'refund_id, empty for the cancel',
    `adjusted_at` Array(DateTime64(3, 'UTC')),
    `adjustment_date` Array(Date) COMMENT 'in the store\'s zone',
    `adjustment_amount` Array(Int64) COMMENT 'what it took of the total',
    `adjustment_lines` Array(Array(Int64)) COMMENT 'for each adjustment, what it took of each line\'s paid amount (H57)',
    `reporting_currency` LowCardinality(String) COMMENT 'what the store reports in (E4); empty: nothing',
    `reporting_exponent` UInt8 COMMENT 'digits of the reporting currency\'s minor unit',
    `reporting_rate` LowCardinality(String),
    `reported` UInt8,
    `reporting_total` Int64,
    `reporting_paid` Array(Int64),
    `reporting_adjustment_amount` Array(Int64) COMMENT 'all that was taken back so far at this rate, less that before it',
    `reporting_adjustment_lines` Array(Array(Int64)) COMMENT 'the same of each line: in all, its share of reporting_paid',
    `version` UInt64,
    `is_deleted` UInt8,
    `person_hash` UInt128 MATERIALIZED reinterpretAsUInt128(sipHash128(store_id, person)) COMMENT '128-bit hash of store and person, for distinct counts and joins' CODEC(NONE),
    `is_customer` UInt8 MATERIALIZED startsWith(person, 'c:') COMMENT 'the person is an identified customer',
    `session_hash` UInt128 MATERIALIZED reinterpretAsUInt128(sipHash128(store_id, person, session_key)) COMMENT '128-bit hash of store, person and session, for distinct counts and joins' CODEC(NONE),
    `exposed_hash` Array(UInt128) MATERIALIZED arrayMap(key -> reinterpretAsUInt128(sipHash128(store_id, person, key)), exposed_session) COMMENT '128-bit hash of store, person and session, for each of exposed_session',
    `gone_at` DateTime64(3, 'UTC') MATERIALIZED arrayMin(arrayFilter(at -> at > toDateTime64(0, 3, 'UTC'), [adjusted_at[indexOf(adjustment, 'cancel')], if(arraySum(paid) > 0, adjusted_at[arrayFirstIndex(taken -> taken >= arraySum(paid), arrayCumSum(arrayMap((kind, lines) -> if(kind = 'refund', arraySum(lines), 0), adjustment, adjustment_lines)))], toDateTime64(0, 3, 'UTC')), toDateTime64('2299-01-01 00:00:00', 3, 'UTC')])) COMMENT 'when it ceased to be a receipt: its cancel, or the refund that took the last of its lines (H113); 2299: it is one',
    `lines_paid` Int64 MATERIALIZED arraySum(paid) COMMENT 'what the lines add up to: total - shipping - tax' CODEC(T64),
    `reporting_lines_paid` Int64 MATERIALIZED arraySum(reporting_paid) COMMENT 'what the lines add up to: total - shipping - tax, in the reporting currency' CODEC(T64),
    `direct_paid` Int64 MATERIALIZED arraySum((amount, earned, only) -> if(earned = 'direct', amount, 0), paid, credit, exposure_only) COMMENT 'paid for lines with direct credit (M14)' CODEC(T64),
    `reporting_direct_paid` Int64 MATERIALIZED arraySum((amount, earned, only) -> if(earned = 'direct', amount, 0), reporting_paid, credit, exposure_only) COMMENT 'paid for lines with direct credit (M14), in the reporting currency' CODEC(T64),
    `assisted_paid` Int64 MATERIALIZED arraySum((amount, earned, only) -> if(earned = 'assisted', amount, 0), paid, credit, exposure_only) COMMENT 'paid for lines with assisted credit (M15)' CODEC(T64),
    `reporting_assisted_paid` Int64 MATERIALIZED arraySum((amount, earned, only) -> if(earned = 'assisted', amount, 0), reporting_paid, credit, exposure_only) COMMENT 'paid for lines with assisted credit (M15), in the reporting currency' CODEC(T64),
    `shown_only_paid` Int64 MATERIALIZED arraySum((amount, earned, only) -> if(only, amount, 0), paid, credit, exposure_only) COMMENT 'paid for lines that were shown and never added to the cart (E21, H75)' CODEC(T64),
    `reporting_shown_only_paid` Int64 MATERIALIZED arraySum((amount, earned, only) -> if(only, amount, 0), reporting_paid, credit, exposure_only) COMMENT 'paid for lines that were shown and never added to the cart (E21, H75), in the reporting currency' CODEC(T64),
    `units` UInt64 MATERIALIZED arraySum(quantity) COMMENT 'over all lines' CODEC(T64),
    `direct_units` UInt64 MATERIALIZED arraySum((number, earned) -> if(earned = 'direct', number, 0), quantity, credit) COMMENT 'units of lines with direct credit' CODEC(T64),
    `has_direct` UInt8 MATERIALIZED has(credit, 'direct') COMMENT '1: a line has direct credit'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toStartOfMonth(born)
ORDER BY (store_id, born, order_id)
SETTINGS min_age_to_force_merge_seconds = 3600, min_parts_to_merge_at_once = 20, merge_selector_enable_heuristic_to_remove_small_parts_at_right = 0, min_age_to_force_merge_on_partition_only = 1
COMMENT 'An order with its lines, the credit of each line, its cancel and its refunds: never half an order.';

CREATE TABLE IF NOT EXISTS journeys (
    `store_id` LowCardinality(String),
    `execution_id` String,
    `partition` UInt16,
    `born` Date,
    `started_at` DateTime64(3, 'UTC') COMMENT 'the earliest `started`, like the five after it; 0 if none came here' CODEC(T64),
    `start_event_id` String,
    `start_date` Date COMMENT 'of started_at, in the store\'s zone',
    `journey_id` String,
    `journey_version` String,
    `channel` LowCardinality(String),
    `first_at` DateTime64(3, 'UTC') COMMENT 'the earliest event of any kind, like the three after it' CODEC(T64),
    `first_event_id` String,
    `first_journey_id` String,
    `first_channel` LowCardinality(String),
    `terminal_at` DateTime64(3, 'UTC') COMMENT 'the earliest terminal node, at the same ms `end` (H91); 0 if none came here' CODEC(T64),
    `terminal_kind` LowCardinality(String) COMMENT 'end, cancel or empty',
    `terminal_date` Date COMMENT 'of terminal_at, in the store\'s zone',
    `goal_at` DateTime64(3, 'UTC') COMMENT 'the earliest goal, 0 if none came here' CODEC(T64),
    `last_at` DateTime64(3, 'UTC') COMMENT 'the latest event' CODEC(T64),
    `version` UInt64,
    `is_deleted` UInt8,
    `execution_hash` UInt128 MATERIALIZED reinterpretAsUInt128(sipHash128(store_id, execution_id)) COMMENT '128-bit hash of store and execution, for distinct counts and joins' CODEC(NONE)
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toStartOfMonth(born)
ORDER BY (store_id, born, execution_id, partition)
SETTINGS min_age_to_force_merge_seconds = 3600, min_parts_to_merge_at_once = 20, merge_selector_enable_heuristic_to_remove_small_parts_at_right = 0, min_age_to_force_merge_on_partition_only = 1
COMMENT 'An execution of a journey as one Kafka partition saw it: its events may come under different keys.';

CREATE TABLE IF NOT EXISTS notifications (
    `store_id` LowCardinality(String),
    `communication_id` String,
    `person` String COMMENT 'c:<customer_id> or a:<anonymous_id>',
    `event_id` String,
    `born` Date,
    `sent_at` DateTime64(3, 'UTC') CODEC(T64),
    `store_date` Date COMMENT 'of sent_at, in the store\'s zone',
    `channel` LowCardinality(String),
    `notification_channel` LowCardinality(String),
    `journey_id` String,
    `execution_id` String,
    `version` UInt64,
    `is_deleted` UInt8,
    `person_hash` UInt128 MATERIALIZED reinterpretAsUInt128(sipHash128(store_id, person)) COMMENT '128-bit hash of store and person, for distinct counts and joins' CODEC(NONE),
    `is_customer` UInt8 MATERIALIZED startsWith(person, 'c:') COMMENT 'the person is an identified customer',
    `communication_hash` UInt128 MATERIALIZED reinterpretAsUInt128(sipHash128(store_id, communication_id)) COMMENT '128-bit hash of store and communication, for distinct counts and joins' CODEC(NONE)
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toStartOfMonth(born)
ORDER BY (store_id, born, communication_id, person, event_id)
SETTINGS min_age_to_force_merge_seconds = 3600, min_parts_to_merge_at_once = 20, merge_selector_enable_heuristic_to_remove_small_parts_at_right = 0, min_age_to_force_merge_on_partition_only = 1
COMMENT 'One sending of a communication to a person; which of several is the communication\'s is decided at reading (H90).';

CREATE TABLE IF NOT EXISTS links (
    `store_id` LowCardinality(String),
    `anonymous_id` String,
    `linked_at` DateTime64(3, 'UTC'),
    `born` Date,
    `customer_id` String,
    `version` UInt64,
    `is_deleted` UInt8
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toStartOfMonth(born)
ORDER BY (store_id, anonymous_id, linked_at)
SETTINGS min_age_to_force_merge_seconds = 3600, min_parts_to_merge_at_once = 20, merge_selector_enable_heuristic_to_remove_small_parts_at_right = 0, min_age_to_force_merge_on_partition_only = 1
COMMENT 'From when on a device is a customer\'s: the first of its links to them after none, or after somebody else\'s.';

CREATE TABLE IF NOT EXISTS definitions (
    `store_id` LowCardinality(String),
    `kind` LowCardinality(String) COMMENT 'experience, ab_test, journey, goal or product',
    `id` String,
    `effective_at` DateTime64(3, 'UTC'),
    `born` Date COMMENT 'always the same: they are few, and may take effect in any year',
    `status` LowCardinality(String) COMMENT 'active, running, paused or ended; empty where none was given',
    `name` String COMMENT 'empty where none was given',
    `version` UInt64,
    `is_deleted` UInt8
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toStartOfMonth(born)
ORDER BY (store_id, kind, id, effective_at)
SETTINGS min_age_to_force_merge_seconds = 3600, min_parts_to_merge_at_once = 20, merge_selector_enable_heuristic_to_remove_small_parts_at_right = 0, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Name and status of one thing from `effective_at` on, until the next row of the same thing (H93).';

CREATE TABLE IF NOT EXISTS counters (
    `store_id` LowCardinality(String),
    `window_seconds` UInt16 COMMENT '900, correctable for the whole retention; 60 for events that came live',
    `window_start` DateTime64(3, 'UTC'),
    `channel` LowCardinality(String),
    `partition` UInt16,
    `born` Date,
    `measures` Array(LowCardinality(String)) COMMENT 'ascending; see schemas.measures',
    `values` Array(UInt64),
    `version` UInt64,
    `is_deleted` UInt8
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toStartOfMonth(born)
ORDER BY (store_id, window_seconds, window_start, channel, partition)
TTL toDateTime(window_start) + INTERVAL 3 DAY DELETE WHERE window_seconds = 60
SETTINGS min_age_to_force_merge_seconds = 3600, min_parts_to_merge_at_once = 20, merge_selector_enable_heuristic_to_remove_small_parts_at_right = 0, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Accepted events of a tumbling window by measure; partial for one Kafka partition, so views sum partitions.';

CREATE TABLE IF NOT EXISTS ledger (
    `topic` LowCardinality(String) COMMENT 'short name',
    `partition` UInt16,
    `hour` DateTime64(3, 'UTC'),
    `born` Date,
    `read` UInt64,
    `accepted` UInt64,
    `duplicate` UInt64,
    `test_traffic` UInt64,
    `dead_letter` UInt64,
    `too_late` UInt64,
    `forwarded` UInt64,
    `reasons` Array(LowCardinality(String)) COMMENT 'of the dead letters, ascending',
    `reason_counts` Array(UInt64),
    `version` UInt64,
    `is_deleted` UInt8
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toStartOfMonth(born)
ORDER BY (topic, partition, hour)
SETTINGS min_age_to_force_merge_seconds = 3600, min_parts_to_merge_at_once = 20, merge_selector_enable_heuristic_to_remove_small_parts_at_right = 0, min_age_to_force_merge_on_partition_only = 1
COMMENT 'What became of the records of a topic, partition and hour (of the record\'s timestamp). read = sum of the rest.';

CREATE TABLE IF NOT EXISTS watermarks (
    `partition` UInt16,
    `born` Date COMMENT 'always the same: one row a partition',
    `watermark` DateTime64(3, 'UTC'),
    `idle` UInt8 COMMENT 'all its topics are at their end: it holds nobody back',
    `record_time` DateTime64(3, 'UTC') COMMENT 'the largest record timestamp taken',
    `version` UInt64,
    `is_deleted` UInt8
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toStartOfMonth(born)
ORDER BY (partition)
SETTINGS min_age_to_force_merge_seconds = 3600, min_parts_to_merge_at_once = 20, merge_selector_enable_heuristic_to_remove_small_parts_at_right = 0, min_age_to_force_merge_on_partition_only = 1
COMMENT 'How far a partition is. Written last in each epoch, so that it never promises what is not yet visible.';

CREATE TABLE IF NOT EXISTS interventions (
    `kind` LowCardinality(String) COMMENT 'skip or replay',
    `topic` LowCardinality(String) COMMENT 'short name; with partition and offset: where the record was read, or was to be',
    `partition` UInt16,
    `offset` UInt64,
    `born` Date,
    `done_at` DateTime64(3, 'UTC'),
    `version` UInt64,
    `is_deleted` UInt8
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toStartOfMonth(born)
ORDER BY (kind, topic, partition, offset)
SETTINGS min_age_to_force_merge_seconds = 3600, min_parts_to_merge_at_once = 20, merge_selector_enable_heuristic_to_remove_small_parts_at_right = 0, min_age_to_force_merge_on_partition_only = 1
COMMENT 'What a person did by hand to one record: set it aside before it was processed, or replayed its dead letter.';

CREATE TABLE IF NOT EXISTS dead_letters (
    `topic` LowCardinality(String) COMMENT 'short name of where it was read',
    `partition` UInt16,
    `offset` UInt64,
    `born` Date,
    `record_time` DateTime64(3, 'UTC'),
    `first_seen_at` DateTime64(3, 'UTC') COMMENT 'wall clock of the worker',
    `reason` LowCardinality(String),
    `field` String,
    `store_id` LowCardinality(String) COMMENT 'as far as it could be told, else empty',
    `key` String,
    `value` String,
    `header_names` Array(String),
    `header_values` Array(String),
    `version` UInt64,
    `is_deleted` UInt8
)
ENGINE = ReplacingMergeTree(version, is_deleted)
PARTITION BY toStartOfMonth(born)
ORDER BY (topic, partition, offset)
SETTINGS min_age_to_force_merge_seconds = 3600, min_parts_to_merge_at_once = 20, merge_selector_enable_heuristic_to_remove_small_parts_at_right = 0, min_age_to_force_merge_on_partition_only = 1
COMMENT 'A record that could not be processed, byte for byte, with its origin and the reason.';
