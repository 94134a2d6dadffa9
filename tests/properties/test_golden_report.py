"""The golden cases of the contract hold for the product: from events to the report's answers, and period by period."""

import pytest

from dashboard.periods import Compare, Convention, Period, PeriodError, resolve
from tests.audit.house import Settled, fill, open_house
from tests.audit.product import product_answer
from tests.audit.questions import Question
from tests.golden.asking import Ask
from tests.golden.metric_cases import METRIC_CASES
from tests.golden.period_cases import PERIOD_CASES, PeriodCase
from tests.properties.conftest import House
from tests.worlds import Arrival, World


def question_of(ask: Ask) -> Question:
    """The case's question in the common form."""
    return Question(ask.period, ask.as_of, ask.first, ask.last, ask.channel, ask.by, ask.literal, ask.shift)


@pytest.mark.clickhouse
async def test_the_report_answers_as_worked_out_by_hand(house: House) -> None:
    settled = []
    for number, case in enumerate(METRIC_CASES):
        arrivals = tuple(Arrival(sent, sent.timestamp_ms, 0, 0) for sent in case.events)
        settled.append(Settled(number, World(arrivals, case.stores, rates_csv=case.rates_csv)))
    open_house(house.warehouse.address, settled)
    await fill(house.warehouse, settled, partitions=(1,))
    wrong = []
    for world, case in zip(settled, METRIC_CASES, strict=True):
        for ask in case.asks:
            answer = await product_answer(house.client, world.name("acme"), question_of(ask))
            for cell, expected in ask.cells.items():
                found = answer[cell].current if cell in answer else None
                if found != expected and (found or expected):
                    wrong.append(f"{case.name}: {cell} is {found}, not {expected} ({question_of(ask)})")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("case", PERIOD_CASES, ids=lambda case: f"{case.period} {case.current}")
def test_a_period_resolves_to_the_dates_of_the_calendar(case: PeriodCase) -> None:
    first, last = case.dates or (None, None)
    period = resolve(
        Period(case.period),
        as_of=case.as_of,
        zone=case.zone,
        first=first,
        last=last,
        convention=Convention.LITERAL if case.literal else Convention.NAMED,
        compare=Compare.SHIFT if case.shift else Compare.CALENDAR,
    )
    for span, dates in ((period.current, case.current), (period.previous, case.previous)):
        assert (span and (span.first.isoformat(), span.last.isoformat())) == dates
    assert period.empty_period == (case.current is None)
    assert period.comparison_clamped == case.clamped
    if case.instants:
        assert period.current
        assert period.previous
        found = (period.current.start, period.current.end, period.previous.start, period.previous.end)
        assert found == case.instants


def test_a_reversed_range_is_an_error() -> None:
    first, last = PERIOD_CASES[6].dates or (None, None)
    with pytest.raises(PeriodError):
        resolve(Period.CUSTOM, as_of=PERIOD_CASES[0].as_of, zone="UTC", first=last, last=first)
