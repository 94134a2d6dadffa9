"""Communications that journeys have sent: a row for each sending, and nothing to remember.

Which sending of a communication counts is decided at reading (decisions H90), so one that comes late, or goes over to
another person when a device turns out to be somebody's, touches no other: it is its own row.
"""

from processors.person import Tenant
from schemas.events.journey import NotificationSent
from schemas.rows import NotificationRow

SendingKey = tuple[str, str, str, str]  # store id, communication id, person, event id


class Notifications:
    """The sendings of an epoch, and those that are withdrawn in it."""

    def __init__(self) -> None:
        self.dirty: dict[SendingKey, tuple[Tenant, NotificationSent, int, bool]] = {}
        """Key -> store, event, event time, and whether it is there (False: withdrawn)."""

    def sent(self, event: NotificationSent, at: int, tenant: Tenant, person: str) -> None:
        """A communication went to `person` (`c:...` or `a:...`) at event time `at`."""
        key = tenant.store_id, event.communication_id, person, event.event_id
        self.dirty[key] = tenant, event, at, True

    def withdraw(self, event: NotificationSent, at: int, tenant: Tenant, person: str) -> None:
        """It went to somebody else: undo `sent` of the same event, event time and person."""
        key = tenant.store_id, event.communication_id, person, event.event_id
        self.dirty[key] = tenant, event, at, False


def notification_row(
    tenant: Tenant, event: NotificationSent, at: int, person: str, *, is_there: bool, born: int, version: int
) -> NotificationRow:
    """The sending as ClickHouse keeps it. `born` is that of `at`, so a withdrawal finds what it withdraws."""
    return NotificationRow(
        tenant.store_id,
        event.communication_id,
        person,
        event.event_id,
        born,
        at,
        tenant.calendar.day(at),
        event.channel,
        event.notification_channel,
        event.journey_id,
        event.execution_id,
        version,
        int(not is_there),
    )
