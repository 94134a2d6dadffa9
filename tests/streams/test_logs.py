"""The lines of a process: text for people, one JSON object a line for machines."""

import io
import logging
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest

from streams.logs import log_to_stderr


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_json_line_says_when_who_and_what() -> None:
    out = io.StringIO()
    log_to_stderr("json", stream=out)
    logging.getLogger("shopmeter.sink").warning("inserts into %s pass again", "orders")
    line = orjson.loads(out.getvalue())
    assert (line["level"], line["logger"], line["event"]) == (
        "warning",
        "shopmeter.sink",
        "inserts into orders pass again",
    )
    assert datetime.fromisoformat(line["timestamp"]).tzinfo == UTC


def test_an_exception_stays_on_its_line() -> None:
    out = io.StringIO()
    log_to_stderr("json", stream=out)
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("shopmeter.engine").exception("stopped")
    assert len(out.getvalue().splitlines()) == 1
    assert "ValueError: two\nlines" in orjson.loads(out.getvalue())["exception"]


def test_text_is_a_line_for_people_and_libraries_are_quiet() -> None:
    out = io.StringIO()
    log_to_stderr("text", stream=out)
    logging.getLogger("aiokafka.consumer").info("fetching")
    logging.getLogger("shopmeter.engine").info("processing partitions [1]")
    assert out.getvalue().endswith("INFO    shopmeter.engine: processing partitions [1]\n")
    assert len(out.getvalue().splitlines()) == 1
