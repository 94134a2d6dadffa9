"""Fixtures shared by all tests: the real parts, started once for a session when a test first asks."""

pytest_plugins = ["tests.fixtures.kafka", "tests.fixtures.clickhouse"]
