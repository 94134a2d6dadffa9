"""A report: all metrics (or the chosen ones) of a store over a period, beside the period before."""

import asyncio
from collections.abc import Iterable
from typing import Any

from dashboard.asking import Ask, AskError, Freshness, Report, Value
from dashboard.compiling import Question, frame_of, parameters, questions
from dashboard.customers import customer_ask, customer_values
from dashboard.dimensions import can_be_told_apart
from dashboard.freshness import freshness
from dashboard.gauges import gauge_values
from dashboard.measured import Measured
from dashboard.periods import resolve
from dashboard.values import empty_value, values_of
from schemas.metrics import METRICS, SHOWN
from schemas.metrics.model import CURRENCY, Section


async def report(client: Any, ask: Ask) -> Report:
    """The answer. `client`: of clickhouse-connect, asynchronous. Raises AskError, PeriodError, and the client's errors.

    All queries run at the same time: they must see one state of the tables only as far as `data_as_of` promises.
    """
    known = await freshness(client, ask.store)
    as_of = known.complete_until if ask.as_of is None else ask.as_of
    resolved = resolve(
        ask.period,
        as_of=as_of,
        zone=known.zone,
        first=ask.first,
        last=ask.last,
        convention=ask.convention,
        compare=ask.compare,
    )
    names = chosen(ask, known)
    own = [name for name in names if not METRICS[name].query]
    gauges = [name for name in names if METRICS[name].query == "gauges"]
    answers = [gauge_values(client, known, as_of, gauges)] if gauges else []
    customers = [name for name in names if METRICS[name].section is Section.CUSTOMERS]
    if customers:
        answers.append(customer_values(client, customer_ask(ask, known, as_of, resolved), customers))
    found: list[Value]
    if resolved.empty_period:
        found = [] if ask.by else [empty_value(name, known) for name in own]
        extra = await asyncio.gather(*answers)
    else:
        measured = Measured(ask.by)
        asked = questions(own, ask.by, frame_of(resolved, ask.channel))
        bound = parameters(known, resolved, as_of, ask.channel)
        extra, _ = await asyncio.gather(asyncio.gather(*answers), fetch(client, asked, bound, measured))
        found = [
            value
            for name in own
            for value in values_of(
                name,
                measured,
                by=ask.by,
                by_currency=CURRENCY in ask.by,
                known=known,
            )
        ]
    order = {name: place for place, name in enumerate(names)}
    found += (value for values in extra for value in values)
    return Report(
        ask=ask,
        freshness=known,
        data_as_of=as_of,
        as_of_past=as_of < known.complete_until,
        resolved=resolved,
        values=sorted(found, key=lambda value: order[value.metric]),
    )


async def fetch(client: Any, asked: Iterable[Question], bound: dict[str, Any], measured: Measured) -> None:
    """Ask all questions at the same time and take their answers."""

    async def one(question: Question) -> None:
        answer = await client.query(question.sql, parameters=bound)
        measured.take(question, answer.result_rows)

    await asyncio.gather(*map(one, asked))


def chosen(ask: Ask, known: Freshness) -> tuple[str, ...]:
    """Names of the metrics that are asked; without a choice all that the store has and that can be told apart so.

    Raises AskError.
    """
    if unknown := [name for name in ask.metrics if name not in METRICS]:
        raise AskError(f"metric {', '.join(unknown)} is not known; `shopmeter metrics` lists them")
    if not ask.metrics:
        names = tuple(name for name in SHOWN if has(known, name) and can_be_told_apart(name, ask.by))
        if not names:
            raise AskError(f"no metric can be told apart by {', '.join(ask.by)}")
        return names
    if wrong := [name for name in ask.metrics if not can_be_told_apart(name, ask.by)]:
        raise AskError(f"{', '.join(wrong)} can't be told apart by {', '.join(ask.by)}; see docs/metrics.md")
    if wrong := [name for name in ask.metrics if not has(known, name)]:
        raise AskError(
            f"{', '.join(wrong)}: store {known.store} has no reporting currency; see reporting_currency in docs/stores.md"
        )
    return ask.metrics


def has(known: Freshness, name: str) -> bool:
    """Whether the store has values of this metric."""
    return bool(known.settings.reporting_currency) or not METRICS[name].reporting
