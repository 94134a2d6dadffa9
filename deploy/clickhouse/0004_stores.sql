-- The stores as the migration found them in stores.toml.

CREATE TABLE IF NOT EXISTS stores (
    `store_id` String COMMENT 'the tenant',
    `name` String COMMENT 'for people',
    `zone` String COMMENT 'IANA time zone of the book-keeping day',
    `currency` String COMMENT 'ISO 4217: the currency of goal values without one',
    `settings` String COMMENT 'all settings of the store, JSON',
    `version` UInt64 COMMENT 'grows with every change',
    `is_deleted` UInt8 COMMENT 'no longer in stores.toml; its rows stay'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY store_id
COMMENT 'A tenant: zone, currency, settings';

CREATE OR REPLACE VIEW store (
    `store_id` String COMMENT 'the tenant',
    `name` String COMMENT 'for people',
    `zone` String COMMENT 'IANA time zone of the book-keeping day',
    `currency` String COMMENT 'ISO 4217',
    `settings` String COMMENT 'all settings of the store, JSON'
) AS
SELECT store_id, name, zone, currency, settings
FROM stores FINAL
COMMENT 'The stores that are configured';
