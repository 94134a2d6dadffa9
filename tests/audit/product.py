"""The report's answer in the common form."""

from typing import Any, Final

from dashboard.asking import Ask, Value
from dashboard.periods import Compare, Convention, Period
from dashboard.report import report
from dashboard.series import series
from schemas.metrics import METRICS
from tests.audit.answers import Told, on_day
from tests.audit.questions import Question
from tests.oracle.metrics.cells import Cell

PROVISIONAL: Final = ("bounce_rate", "recommendation_conversion_rate", "journey_conversion_rate")
"""Metrics that always say whether they are; the others only when they are."""


def ask_of(store: str, question: Question, metrics: tuple[str, ...] = ()) -> Ask:
    """The question as the report takes it; about all metrics, or these."""
    return Ask(
        store=store,
        period=Period(question.period),
        first=question.first,
        last=question.last,
        channel=question.channel,
        convention=Convention.LITERAL if question.literal else Convention.NAMED,
        compare=Compare.SHIFT if question.shift else Compare.CALENDAR,
        as_of=question.as_of,
        by=(question.by,) if question.by else (),
        metrics=metrics,
    )


async def product_answer(
    client: Any, store: str, question: Question, metrics: tuple[str, ...] = ()
) -> dict[Cell, Told]:
    """All cells of the report. ValueError for two values of one cell. An empty period tells no periodic metrics."""
    if question.is_daily:
        return await _daily_answer(client, ask_of(store, question, metrics))
    answer = await report(client, ask_of(store, question, metrics))
    told: dict[Cell, Told] = {}
    for value in answer.values:
        if answer.resolved.empty_period and METRICS[value.metric].compares:
            said = (value.current, value.previous, value.change_pct, value.change_pp, value.state)
            if said != (None,) * 5:
                raise ValueError(f"{value}: says something of an empty period (H103)")
            continue
        cell = Cell(value.metric, "|".join(value.by), value.currency or "")
        if cell in told:
            raise ValueError(f"{cell}: two values in one report")
        told[cell] = told_of(value)
    return told


async def _daily_answer(client: Any, ask: Ask) -> dict[Cell, Told]:
    """The series: a cell a metric and day."""
    return {
        on_day(Cell(line.metric, "|".join(line.by), line.currency or ""), point.day): Told(
            point.current, point.previous
        )
        for line in (await series(client, ask)).lines
        for point in line.points
    }


def told_of(value: Value) -> Told:
    """A value in the common form."""
    return Told(
        current=value.current,
        previous=value.previous,
        pct=value.change_pct,
        pp=value.change_pp,
        state=value.state.value if value.state else None,
        provisional=value.is_provisional or (False if value.metric in PROVISIONAL else None),
        matures_at=value.matures_at,
        inferred=value.inferred,
    )
