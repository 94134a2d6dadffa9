"""What personalisation brought: M2, M6, M7, M10 to M13 (H85 to H89)."""

from collections.abc import Callable, Iterable

from tests.oracle.metrics.cells import Cell, Cells, Scope, add, by_currency, percent, quotient
from tests.oracle.metrics.facts import Goal, Purchase
from tests.oracle.sessions import Session


def served(session: Session | None, what: str) -> list[str]:
    """`experience_id`, `variant_id` or `test_id` of everything served in the session, in its whole length (H85)."""
    return [] if session is None else [getattr(event, what) for event in session.of("experience_served")]


def is_personalized(session: Session | None) -> bool:
    """At least one experience was served in it, before or after whatever is asked about."""
    return bool(served(session, "experience_id"))


def personalization(scope: Scope) -> Cells:
    """Sessions by their start, revenue by capture, goals by conversion (H89)."""
    cells = _sessions(scope)
    cells |= _revenue(scope)
    cells |= _goals(scope)
    return cells


def _sessions(scope: Scope) -> Cells:
    cells: Cells = {}
    personalized = [session for session in scope.sessions if is_personalized(session)]
    buyers = {purchase.session.identity for purchase in scope.known_purchases if purchase.session}
    dimensions: dict[str, Callable[[Session], Iterable[str]]] = {
        "experience_id": lambda session: served(session, "experience_id"),
        "variant_id": lambda session: served(session, "variant_id"),
        "test_id": lambda session: served(session, "test_id"),
    }
    for value, sessions in (scope.groups(personalized, **dimensions) or {}).items():
        bought = sum(session.identity in buyers for session in sessions)
        cells[Cell("personalization_purchase_rate", value)] = percent(bought, len(sessions))
        cells[Cell("personalized_sessions", value)] = len(sessions)
    # By goal only the sessions with the goal are told apart: all personalised ones stay below the line.
    inside = {session.identity for session in personalized}
    reached = [goal for goal in scope.facts.goals if goal.experiences and goal.session.identity in inside]
    for value, goals in (scope.groups(reached, goal_id=lambda goal: [goal.event.goal_id]) or {}).items():
        converted = {goal.session.identity for goal in goals}
        cells[Cell("personalization_conversion_rate", value)] = percent(len(converted), len(personalized))
    return cells


def _revenue(scope: Scope) -> Cells:
    cells: Cells = {}
    inside = [purchase for purchase in scope.purchases if is_personalized(purchase.session)]
    dimensions: dict[str, Callable[[Purchase], Iterable[str]]] = {
        "experience_id": lambda purchase: served(purchase.session, "experience_id"),
        "variant_id": lambda purchase: served(purchase.session, "variant_id"),
        "test_id": lambda purchase: served(purchase.session, "test_id"),
    }
    for value, purchases in (scope.groups(inside, **dimensions) or {}).items():
        for currency, same in by_currency(purchases).items():
            total = sum(purchase.total for purchase in same)
            cells[Cell("personalization_revenue", value, currency)] = total
            cells[Cell("personalization_aov", value, currency)] = quotient(total, len(same))
    return cells


def _goals(scope: Scope) -> Cells:
    cells: Cells = {}
    inside = [
        goal
        for goal in scope.facts.goals
        if goal.experiences and scope.holds(goal.event.at) and scope.speaks(goal.session.channel)
    ]
    dimensions: dict[str, Callable[[Goal], Iterable[str]]] = {
        "experience_id": lambda goal: goal.experiences,
        "goal_id": lambda goal: [goal.event.goal_id],
    }
    for value, goals in (scope.groups(inside, **dimensions) or {}).items():
        cells[Cell("personalization_conversions", value)] = len(goals)
        for goal in goals:
            if goal.value is not None:
                add(cells, "personalization_goal_revenue", value, goal.currency, goal.value)
    return cells
