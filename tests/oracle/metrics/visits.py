"""Sessions, users, bounces and human support: M1, M32 to M42."""

from tests.oracle.metrics.cells import Cell, Cells, Scope, percent, quotient
from tests.oracle.sessions import ACTIVE_TYPES, Session, closes_at, first_given, is_active, is_present


def visits(scope: Scope) -> Cells:
    """M1 by device and country; everything else in total."""
    cells: Cells = {}
    seen = [session for session in scope.sessions if is_present(session)]
    groups = scope.groups(
        seen,
        device=lambda session: [first_given(session, "device")],
        country=lambda session: [first_given(session, "country")],
    )
    for value, sessions in (groups or {}).items():
        cells[Cell("total_sessions", value)] = len(sessions)
    if scope.by is None:
        cells |= _conversations(scope)
    return cells


def _conversations(scope: Scope) -> Cells:
    active = [session for session in scope.sessions if is_active(session)]
    sessions = len(active)
    closed = [session for session in active if scope.as_of > closes_at(session, scope.store)]  # H37
    users = {session.person for session in active}
    new = {person for person in users if scope.holds(_first_session(scope, person))}
    supported = sum(bool(session.of("support_joined")) for session in active)
    orders = len(scope.purchases)
    values = {
        "channel_sessions": sessions,
        "bounce_rate": percent(sum(is_bounce(session) for session in closed), len(closed)),
        "average_conversion_per_user": quotient(orders, len(users)),
        "total_users": len(users),
        "total_new_users": len(new),
        "total_returning_users": len(users - new),
        "conversion_rate": percent(orders, sessions),
        "new_users_pct": percent(len(new), len(users)),
        "returning_users_pct": percent(len(users - new), len(users)),
        "live_support_sessions": supported,
        "human_support_pct": percent(supported, sessions),
        "self_service_sessions": sessions - supported,
        "self_service_pct": percent(sessions - supported, sessions),
        "bounce_rate:provisional": int(len(closed) < sessions),
    }
    return {Cell(metric): value for metric, value in values.items()}


def _first_session(scope: Scope, person: str) -> int:
    """Start of the person's first active session ever: in the channel that is asked for, else in any (E17, H39)."""
    return min(
        session.started_at
        for session in scope.facts.sessions
        if session.person == person and scope.speaks(session.channel) and is_active(session)
    )


def is_bounce(session: Session) -> bool:
    """One inbound message and nothing else that the shopper did (M33, H42); an order is an interaction (E16)."""
    written = [event for event in session.of("message") if event.direction == "in"]
    return len(written) == 1 and not session.of(*ACTIVE_TYPES) and not session.joined
