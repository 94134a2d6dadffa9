"""The golden cases hold for the oracle's report."""

import pytest

from tests.golden.asking import Ask, MetricCase
from tests.golden.metric_cases import METRIC_CASES, METRIC_NAMES
from tests.oracle.definitions import definitions_of
from tests.oracle.metrics.facts import facts_of
from tests.oracle.metrics.report import report, value_of
from tests.oracle.periods import resolve_period
from tests.oracle.reporting import read_rates
from tests.oracle.verdicts import judge


@pytest.mark.parametrize("case", METRIC_CASES, ids=METRIC_NAMES)
def test_the_oracle_answers_as_worked_out_by_hand(case: MetricCase) -> None:
    verdicts, events = judge(case.records, case.stores)
    assert {verdict.bucket for verdict in verdicts.values()} == {"accepted"}
    definitions = definitions_of(case.records, case.stores)
    facts = facts_of(events, case.stores, definitions, read_rates(case.rates_csv))["acme"]
    for ask in case.asks:
        period = resolve_period(
            ask.period,
            case.store.zone,
            ask.as_of,
            first=ask.first,
            last=ask.last,
            literal=ask.literal,
            shift=ask.shift,
        )
        for span, answers in ((period.current, ask.cells), (period.previous, ask.previous_cells)):
            assert span or not answers
            cells = report(facts, span, ask.as_of, channel=ask.channel, by=ask.by) if span else {}
            found = {cell: value_of(cell, cells) for cell in answers}
            assert found == answers, told(case, ask)


def told(case: MetricCase, ask: Ask) -> str:
    """Which question it was."""
    return f"{case.name}: {ask.period} {ask.first}..{ask.last} as of {ask.as_of}, {ask.channel}, by {ask.by}"
