"""Topic `journey-node`: executions of marketing journeys and the messages they send."""

from typing import Literal

from schemas.events.envelope import Envelope
from schemas.events.fields import UNREAD, Id, OptionalMoney, VersionText


class JourneyStarted(Envelope, tag="started", kw_only=True, gc=False):
    """An execution began. `journey_version` is text, whether the wire had a string or an integer."""

    journey_id: Id
    execution_id: Id
    journey_version: VersionText | None = None


class NodeEntered(Envelope, tag="node_entered", kw_only=True, gc=False):
    """An execution reached a node; `end` and `cancel` are terminal."""

    journey_id: Id
    execution_id: Id
    node_id: Id
    node_type: Literal["end", "cancel", "action", "condition", "wait", "notification"]


class NotificationSent(Envelope, tag="notification_sent", kw_only=True, gc=False):
    """One communication was sent to one person, successfully."""

    journey_id: Id
    execution_id: Id
    communication_id: Id
    notification_channel: Id
    node_id: Id | None = None


class JourneyGoalReached(Envelope, tag="goal_reached", kw_only=True, gc=False):
    """An execution reached its goal. `value` is minor units of `currency`, the store's if none was sent."""

    journey_id: Id
    execution_id: Id
    goal_id: Id | None = None
    value: OptionalMoney = UNREAD
    currency: str | None = None


JourneyNodeEvent = JourneyStarted | NodeEntered | NotificationSent | JourneyGoalReached
