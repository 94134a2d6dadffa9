"""A text that has passed is not parsed again; nothing else is let through by it."""

import pytest

from deploy.local.clickhouse.errors import EngineError
from deploy.local.clickhouse.guard import REMEMBERED, REMEMBERED_CHARS, Guard, Side


class Parser:
    """Takes every text for a reading one, and counts."""

    def __init__(self, kind: str = "READ_ONLY") -> None:
        self.kind = kind
        self.asked = 0

    def classify(self, sql: str) -> tuple[str, int]:
        self.asked += 1
        return self.kind, 1

    def normalise(self, sql: str) -> str:
        return sql


def test_a_reading_text_is_parsed_once() -> None:
    guard, parser = Guard([]), Parser()
    assert [guard.check(parser, "SELECT 1", Side.READER) for _ in range(3)] == ["READ_ONLY"] * 3
    assert parser.asked == 1


def test_the_same_text_under_other_settings_or_for_somebody_else_is_judged_anew() -> None:
    guard, parser = Guard([]), Parser()
    guard.check(parser, "SELECT 1", Side.READER)
    guard.check(parser, "SELECT 1", Side.READER, {"dialect": "prql"})
    guard.check(parser, "SELECT 1", Side.FULL)
    assert parser.asked == 3


def test_what_changes_something_is_judged_each_time() -> None:
    guard, parser = Guard([]), Parser("MUTATING")
    for _ in range(2):
        assert guard.check(parser, "DROP TABLE t", Side.FULL) == "MUTATING"
    assert parser.asked == 2
    for _ in range(2):
        with pytest.raises(EngineError, match="readonly"):
            guard.check(parser, "DROP TABLE t", Side.READER)


def test_memory_is_bounded() -> None:
    guard, parser = Guard([]), Parser()
    for number in range(3 * REMEMBERED):
        guard.check(parser, f"SELECT {number}", Side.READER)
    long = f"SELECT '{'x' * REMEMBERED_CHARS}'"
    guard.check(parser, long, Side.READER)
    assert len(guard._passed) <= REMEMBERED
    asked = parser.asked
    guard.check(parser, long, Side.READER)
    assert parser.asked == asked + 1
