-- Rendered from sinks/access.py by `make render`; do not edit.
-- Not a migration: whoever may manage access runs it after `shopmeter migrate`, and gives the roles to users, such as
--   CREATE USER sink IDENTIFIED WITH sha256_password BY '...' DEFAULT ROLE shopmeter_writer;
--   GRANT shopmeter_writer TO sink;
-- Untested against a server: the embedded engine of the tests has no users.

-- The sink: inserts rows, and reads nothing.
CREATE ROLE IF NOT EXISTS shopmeter_writer;
CREATE SETTINGS PROFILE OR REPLACE shopmeter_writer SETTINGS async_insert = 0, max_execution_time = 60 TO shopmeter_writer;
GRANT INSERT ON shopmeter.sessions TO shopmeter_writer;
GRANT INSERT ON shopmeter.exposures TO shopmeter_writer;
GRANT INSERT ON shopmeter.orders TO shopmeter_writer;
GRANT INSERT ON shopmeter.journeys TO shopmeter_writer;
GRANT INSERT ON shopmeter.notifications TO shopmeter_writer;
GRANT INSERT ON shopmeter.links TO shopmeter_writer;
GRANT INSERT ON shopmeter.definitions TO shopmeter_writer;
GRANT INSERT ON shopmeter.counters TO shopmeter_writer;
GRANT INSERT ON shopmeter.ledger TO shopmeter_writer;
GRANT INSERT ON shopmeter.watermarks TO shopmeter_writer;
GRANT INSERT ON shopmeter.interventions TO shopmeter_writer;
GRANT INSERT ON shopmeter.dead_letters TO shopmeter_writer;

-- Dashboards and reports: all tables and views but raw records.
CREATE ROLE IF NOT EXISTS shopmeter_reader;
CREATE SETTINGS PROFILE OR REPLACE shopmeter_reader SETTINGS readonly = 1, max_execution_time = 60, max_memory_usage = 4000000000, max_result_rows = 1000000, max_rows_to_read = 2000000000 TO shopmeter_reader;
GRANT SELECT ON shopmeter.* TO shopmeter_reader;
REVOKE SELECT ON shopmeter.dead_letters FROM shopmeter_reader;
REVOKE SELECT ON shopmeter.dead_letter_records FROM shopmeter_reader;
CREATE QUOTA OR REPLACE shopmeter_reader FOR INTERVAL 1 minute MAX queries = 600, execution_time = 600 TO shopmeter_reader;

-- Who looks after dead letters and audits: everything, raw records too.
CREATE ROLE IF NOT EXISTS shopmeter_operator;
CREATE SETTINGS PROFILE OR REPLACE shopmeter_operator SETTINGS readonly = 1, max_execution_time = 60, max_memory_usage = 4000000000, max_result_rows = 1000000, max_rows_to_read = 2000000000 TO shopmeter_operator;
GRANT SELECT ON shopmeter.* TO shopmeter_operator;

-- Migrations: tables and views of this database, and their rows.
CREATE ROLE IF NOT EXISTS shopmeter_admin;
CREATE SETTINGS PROFILE OR REPLACE shopmeter_admin SETTINGS readonly = 0 TO shopmeter_admin;
GRANT CREATE TABLE, CREATE VIEW, DROP TABLE, DROP VIEW, ALTER TABLE, ALTER VIEW ON shopmeter.* TO shopmeter_admin;
GRANT SELECT, INSERT ON shopmeter.* TO shopmeter_admin;
GRANT CREATE DATABASE ON shopmeter.* TO shopmeter_admin;
