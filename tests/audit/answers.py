"""One form for both answers, and where they differ."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from fractions import Fraction

from tests.audit.questions import Question
from tests.oracle.metrics.cells import Cell, Cells
from tests.oracle.metrics.facts import StoreFacts
from tests.oracle.metrics.report import Change, change_of, daily, measured, report, value_of
from tests.oracle.periods import Span, resolve_period

Number = int | Fraction | None
PREFIXES_STANDING = (
    *("active_", "running_", "customers_by", "one_receipt", "repeat_", "best_", "lost_"),
    *("assisted_", "regular_", "journey_executions"),
)


@dataclass(frozen=True)
class Told:
    """What is said about a cell. None in `provisional`, `inferred`, `matures_at`: it is not said."""

    current: Number
    previous: Number = None
    pct: Number = None
    pp: Number = None
    state: str | None = None
    provisional: bool | None = None
    matures_at: int | None = None
    inferred: bool | None = None


Answer = Mapping[Cell, Told]

OPEN_IN_THE_PAST = frozenset(
    {
        # Whether an order after `as_of` makes an older session a buyer's is left open by H16, as is a later goal.
        "personalization_purchase_rate",
        "purchase_sessions_with_recommended_pct",
        "journey_conversion_rate",
        "personalization_goal_revenue",
        # Inferred gauges look back from now; what the rows keep of it is the first and the last time.
        "active_experiences",
        "running_ab_tests",
        "active_journeys",
    }
)


@dataclass(frozen=True)
class Difference:
    """Where the two disagree; `aspect` is a field of Told."""

    question: Question
    cell: Cell
    aspect: str
    oracle: object
    product: object

    def __str__(self) -> str:
        where = " ".join(filter(None, self.cell))
        return f"{where}: {self.aspect} is {self.oracle} by the oracle, {self.product} by the report ({self.question})"


def has_no_previous(metric: str) -> bool:
    """Gauges, snapshots and monthly metrics (H97)."""
    return metric.startswith(PREFIXES_STANDING)


def oracle_answer(facts: StoreFacts, question: Question) -> dict[Cell, Told]:
    """All cells the oracle knows. An empty period has no numbers but gauges and snapshots."""
    period = resolve_period(
        question.period,
        facts.store.zone,
        question.as_of,
        first=question.first,
        last=question.last,
        literal=question.literal,
        shift=question.shift,
    )
    if period.current is None or period.previous is None:
        return {}
    if question.is_daily:
        return _daily_answer(facts, question, period.current, period.previous)
    asked = {"channel": question.channel, "by": question.by}
    current = report(facts, period.current, question.as_of, **asked)
    previous = measured(facts, period.previous, question.as_of, **asked)
    told = {}
    for cell in {*current, *previous}:
        if ":" in cell.metric:
            continue
        if has_no_previous(cell.metric):
            change = Change(current.get(cell), None, None, None, None)
        else:
            change = change_of(cell, current, previous)
        provisional = mark(current, cell, "provisional")
        matures = current.get(cell._replace(metric=f"{cell.metric}:matures_at"))
        told[cell] = replace(
            told_of(change, provisional, matures if provisional and isinstance(matures, int) else None),
            inferred=mark(current, cell, "inferred"),
        )
    return told


def _daily_answer(facts: StoreFacts, question: Question, current: Span, previous: Span) -> dict[Cell, Told]:
    """Every day beside the day at the same place of the previous period; the cell's value begins with the date."""
    days, before = (
        daily(facts, span, question.as_of, channel=question.channel, by=question.by)
        for span in (current, previous)
    )
    told = {}
    for place, (day, cells) in enumerate(days.items()):
        then = list(before.values())[place] if place < len(before) else None
        for cell in {*cells, *(then or ())}:
            if ":" not in cell.metric:
                was = None if then is None else value_of(cell, then)
                told[on_day(cell, day)] = Told(value_of(cell, cells), was)
    return told


def on_day(cell: Cell, day: date) -> Cell:
    """The cell of one day of a series."""
    return cell._replace(value=f"{day}|{cell.value}" if cell.value else str(day))


def told_of(change: Change, provisional: bool | None, matures_at: int | None) -> Told:
    """A change with its marks."""
    return Told(change.current, change.previous, change.pct, change.pp, change.state, provisional, matures_at)


def mark(cells: Cells, cell: Cell, name: str) -> bool | None:
    """A mark beside a cell, such as `bounce_rate:provisional`; None if it has none."""
    found = cells.get(cell._replace(metric=f"{cell.metric}:{name}"))
    return None if found is None else bool(found)


def differences(question: Question, oracle: Answer, product: Answer) -> list[Difference]:
    """Every aspect of every cell. What one side leaves out must be nothing on the other: 0, or None.

    Marks that a side does not set are not compared, nor are metrics that the other does not know at all.
    """
    known = {cell.metric for cell in oracle} & {cell.metric for cell in product}
    found = []
    for cell in sorted({*oracle, *product}):
        if cell.metric not in known or (question.is_past and cell.metric in OPEN_IN_THE_PAST):
            continue
        ours, theirs = oracle.get(cell), product.get(cell)
        if ours is None or theirs is None:
            alone = ours or theirs
            if alone and (alone.current or alone.previous):
                found.append(Difference(question, cell, "there", ours is not None, theirs is not None))
            continue
        for field in fields(Told):
            one, other = getattr(ours, field.name), getattr(theirs, field.name)
            if one == other or (field.name in ("provisional", "inferred") and None in (one, other)):
                continue
            found.append(Difference(question, cell, field.name, one, other))
    return found


def unanswered(oracle: Answer, product: Answer) -> set[str]:
    """Metrics that say something by the oracle and are not in the report at all."""
    said = {cell.metric for cell, told in oracle.items() if told.current or told.previous}
    return said - {cell.metric for cell in product}
