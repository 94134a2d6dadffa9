"""What both sides are asked about a world: all periods, channels and dimensions, at instants where things change."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Final

from tests.oracle.calendar import date_of, instant, next_month
from tests.oracle.metrics.facts import StoreFacts
from tests.oracle.metrics.report import channels
from tests.oracle.periods import NAMES

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
AFTER: Final = (1, HOUR_MS, 13 * HOUR_MS, DAY_MS, 3 * DAY_MS, 8 * DAY_MS, 20 * DAY_MS, 40 * DAY_MS)
"""How long after the last event a question is asked, ms."""

DIMENSIONS: Final = (
    *("channel", "device", "country", "experience_id", "variant_id", "test_id", "goal_id", "widget_id"),
    *("strategy", "placement", "product_id", "journey_id", "journey_version", "notification_channel"),
    "recency_months",
)


@dataclass(frozen=True)
class Question:
    """A question as a reader asks it; `first` and `last` of `custom` alone."""

    period: str
    as_of: int
    first: date | None = None
    last: date | None = None
    channel: str | None = None
    by: str | None = None
    literal: bool = False
    shift: bool = False
    is_daily: bool = False
    """Every day for itself."""
    is_past: bool = False
    """Asked as of an instant that something comes after (H16)."""

    def __str__(self) -> str:
        parts = [self.period, f"as of {self.as_of}"]
        parts += [f"{self.first}..{self.last}"] if self.first else []
        parts += [f"channel {self.channel}"] if self.channel is not None else []
        parts += [f"by {self.by}"] if self.by else []
        parts += ["daily"] if self.is_daily else []
        return ", ".join(
            [*parts, *("literal" for _ in "1" if self.literal), *("shift" for _ in "1" if self.shift)]
        )


def instants_of(facts: StoreFacts) -> list[int]:
    """Every event time that has a place in a fact, ascending; one at least."""
    instants = [event.at for session in facts.sessions for event in session.members]
    instants += [event.at for execution in facts.executions for event in execution.events]
    instants += [purchase.at for purchase in facts.purchases]
    instants += [step.event.at for purchase in facts.purchases for step in purchase.adjustments]
    return sorted(instants) or [1_767_262_500_000]


def edges(facts: StoreFacts, newest: int) -> list[int]:
    """Instants after everything at which a day, a month, a snapshot begins, or the last session matures."""
    zone = facts.store.zone
    day = date_of(newest, zone) + timedelta(days=1)
    found = [instant(day, zone), instant(day, zone, time(6)), instant(next_month(day), zone)]
    shown = [event.at for session in facts.sessions for event in session.impressions]
    found += [max(shown) + facts.store.attribution_window_ms] if shown else []
    return [at for at in found if at > newest]


def questions_about(facts: StoreFacts, chance: random.Random, most: int) -> list[Question]:
    """At most `most` of all questions, taken at random; the first is always about everything."""
    everything, *others = all_questions(facts, chance)
    return [everything, *chance.sample(others, min(most - 1, len(others)))]


def all_questions(facts: StoreFacts, chance: random.Random) -> Iterator[Question]:
    """Everything by every dimension once, each channel, each named period, and some ranges of days."""
    instants = instants_of(facts)
    zone, newest = facts.store.zone, instants[-1]
    after = newest + chance.choice(AFTER)
    first, last = date_of(instants[0], zone), date_of(newest, zone)
    yield Question("custom", after, first, last)
    for channel in sorted(channels(facts)):
        yield Question("custom", after, first, last, channel=channel)
    for by in DIMENSIONS:
        yield Question("custom", after, first, last, by=by)
    for name in NAMES:
        if name != "custom":
            as_of = newest + chance.choice(AFTER)
            yield Question(name, as_of, literal=chance.random() < 0.3, shift=chance.random() < 0.3)
            yield Question(name, newest + 1, channel=chance.choice([None, "whatsapp", "web", "web:app"]))
    for _ in range(4):
        start = date_of(chance.choice(instants), zone) + timedelta(days=chance.choice((-1, 0, 0, 0, 1)))
        end = start + timedelta(days=chance.choice((0, 0, 1, 3, 9, 30)))
        cut = chance.choice((None, None, *DIMENSIONS))
        yield Question("custom", newest + chance.choice(AFTER), start, end, by=cut)
    for as_of in edges(facts, newest):
        yield Question("custom", as_of, first, last)
        yield Question("today", as_of)
    for name in ("today", "last_7_days", "last_14_days"):
        told_apart = chance.choice((None, None, "channel", "widget_id", "experience_id"))
        yield Question(name, newest + chance.choice(AFTER), by=told_apart, is_daily=True)
    for name in ("custom", "today", "last_30_days"):
        as_of = chance.choice(instants) + chance.choice((0, 1, HOUR_MS))
        if name != "custom":
            yield Question(name, as_of, is_past=as_of <= newest)
        elif date_of(as_of, zone) >= first:
            yield Question(name, as_of, first, last, is_past=as_of <= newest)
