"""Journeys and their messages: M22 to M26; and the gauges that stand for this moment: M3 to M5 (H90 to H96)."""

from collections.abc import Callable, Iterable

from tests.oracle.definitions import status_at
from tests.oracle.metrics.cells import Cell, Cells, Scope, percent
from tests.oracle.metrics.facts import Execution

DAY_MS = 86_400_000
STATUS_OF_KIND = {"experience": "active", "ab_test": "running", "journey": "active"}  # H95
GAUGE_OF_KIND = {
    "experience": "active_experiences",
    "ab_test": "running_ab_tests",
    "journey": "active_journeys",
}


def journeys(scope: Scope) -> Cells:
    """Each on its own day: start, terminal node, send."""
    cells: Cells = {}
    executions = [each for each in scope.facts.executions if scope.speaks(each.head.channel)]
    started = [each for each in executions if each.started and scope.holds(each.started.at)]
    dimensions: dict[str, Callable[[Execution], Iterable[str]]] = {
        "journey_id": lambda execution: [execution.head.journey_id],
        "journey_version": lambda execution: [execution.head.journey_version],
    }
    for value, cohort in (scope.groups(started, **dimensions) or {}).items():
        cells[Cell("journeys_started", value)] = len(cohort)
        reached = sum(execution.has_goal for execution in cohort)
        cells[Cell("journey_conversion_rate", value)] = percent(reached, len(cohort))
        is_open = any(not _ended(execution, scope.as_of) for execution in cohort)
        cells[Cell("journey_conversion_rate:provisional", value)] = int(is_open)  # H92
    for metric, node in (("journeys_completed", "end"), ("journeys_canceled", "cancel")):
        ended = [
            execution
            for execution in executions
            if (last := execution.terminal) and last.node_type == node and scope.holds(last.at)
        ]
        for value, same in (scope.groups(ended, **dimensions) or {}).items():
            cells[Cell(metric, value)] = len(same)
    sent = [
        event for event in scope.facts.communications if scope.holds(event.at) and scope.speaks(event.channel)
    ]
    sends = scope.groups(
        sent,
        notification_channel=lambda event: [event.notification_channel],
        journey_id=lambda event: [event.journey_id],
    )
    for value, events in (sends or {}).items():
        cells[Cell("journey_notifications_sent", value)] = len(events)
    return cells


def _ended(execution: Execution, as_of: int) -> bool:
    return execution.terminal is not None and execution.terminal.at < as_of


def gauges(scope: Scope) -> Cells:
    """M3, M4, M5 at `as_of`, whatever the period and the channel (H39); `:inferred` without any definition (H94)."""
    cells: Cells = {}
    if scope.by is not None:
        return cells
    for kind, metric in GAUGE_OF_KIND.items():
        defined = [definition for definition in scope.facts.definitions if definition.kind == kind]
        statuses = status_at(defined, scope.as_of)
        standing = {name for name, status in statuses.items() if status == STATUS_OF_KIND[kind]}
        cells[Cell(metric)] = len(standing if statuses else _seen(scope, kind))
        cells[Cell(f"{metric}:inferred")] = int(not statuses)
    cells[Cell("journey_executions_in_progress")] = sum(
        execution.started is not None
        and execution.started.at < scope.as_of
        and not _ended(execution, scope.as_of)
        for execution in scope.facts.executions
    )
    return cells


def _seen(scope: Scope, kind: str) -> set[str]:
    """Ids in (as_of - 24 h, as_of)."""
    if kind == "journey":
        events = [event for execution in scope.facts.executions for event in execution.events]
    else:
        events = [event for session in scope.facts.sessions for event in session.of("experience_served")]
    name = {"journey": "journey_id", "experience": "experience_id", "ab_test": "test_id"}[kind]
    ids = {getattr(event, name) for event in events if scope.as_of - DAY_MS < event.at < scope.as_of}
    return ids - {""}
