"""Fixtures shared by all tests: the real parts, started once for a session when a test first asks."""

from hypothesis import settings

pytest_plugins = ["tests.fixtures.kafka", "tests.fixtures.clickhouse"]

# Nothing is asserted about speed: an example that takes long on a busy machine is no failure.
settings.register_profile("shopmeter", deadline=None)
settings.load_profile("shopmeter")
