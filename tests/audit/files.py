"""The two CSV files of a store, line by line on both sides."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import zip_longest
from typing import Any, Final

from dashboard.export import Kind, Language
from dashboard.export_rows import csv_lines
from tests.audit.answers import Difference
from tests.audit.product import ask_of
from tests.audit.questions import HOUR_MS, Question, instants_of
from tests.oracle.calendar import date_of
from tests.oracle.metrics.cells import Cell
from tests.oracle.metrics.facts import StoreFacts
from tests.oracle.metrics.files import sales_file, sessions_file
from tests.oracle.metrics.report import channels
from tests.oracle.periods import resolve_period

DAYS: Final = 21
"""At most: the oracle goes through everything for each day."""


def files_asked(facts: StoreFacts) -> Iterator[Question]:
    """Of all channels and of one, over the last days with events, as of within the last of them."""
    zone = facts.store.zone
    instants = instants_of(facts)
    last = date_of(instants[-1], zone)
    first = max(date_of(instants[0], zone), last - timedelta(days=DAYS - 1))
    for channel in [None, *sorted(channels(facts))[:1]]:
        yield Question("custom", instants[-1] + HOUR_MS, first, last, channel=channel)


async def file_differences(
    client: Any, store: str, facts: StoreFacts, question: Question
) -> list[Difference]:
    """Every line that is not the same. A line that one side does not have is None there."""
    span = resolve_period(
        question.period, facts.store.zone, question.as_of, first=question.first, last=question.last
    ).current
    assert span is not None
    found = []
    for kind, oracle in ((Kind.SESSIONS, sessions_file), (Kind.SALES, sales_file)):
        ours = oracle(facts, span, question.as_of, question.channel)
        theirs = [each async for each in csv_lines(client, ask_of(store, question), kind, Language.EN)]
        for number, (one, other) in enumerate(zip_longest(ours, theirs), start=1):
            line = None if one is None else one + "\r\n"
            if line != other:
                cell = Cell(f"{kind.value}.csv", f"line {number}")
                found.append(Difference(question, cell, "text", line, other))
    return found
