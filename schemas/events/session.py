"""Topic `session`: what a shopper did in a session, and what the shop did in it."""

from typing import Literal

from schemas.events.envelope import Envelope
from schemas.events.fields import UNREAD, Id, OptionalMoney


class SessionStarted(Envelope, tag="started", kw_only=True, gc=False):
    """The producer opened a session."""


class SessionEnded(Envelope, tag="ended", kw_only=True, gc=False):
    """The producer closed a session."""


class ActivitySeen(Envelope, tag="activity", kw_only=True, gc=False):
    """A page view, a search: any sign of the shopper without a topic of its own."""

    name: Id | None = None


class MessageExchanged(Envelope, tag="message", kw_only=True, gc=False):
    """A chat message, `in` from the shopper or `out` to them."""

    direction: Literal["in", "out"]


class SupportJoined(Envelope, tag="support_joined", kw_only=True, gc=False):
    """A human agent took part in the session."""

    agent_id: Id | None = None


class ExperienceServed(Envelope, tag="experience_served", kw_only=True, gc=False):
    """The session got a personalization."""

    experience_id: Id
    variant_id: Id | None = None
    test_id: Id | None = None


class GoalReached(Envelope, tag="goal_reached", kw_only=True, gc=False):
    """A conversion. `value` is minor units of `currency`; a value sent without one is in the store's, filled in."""

    goal_id: Id
    experience_id: Id | None = None
    value: OptionalMoney = UNREAD
    currency: str | None = None


class PersonIdentified(Envelope, tag="identified", kw_only=True, gc=False):
    """From here on this `anonymous_id` is this `customer_id`; both are present."""


SessionEvent = (
    SessionStarted
    | SessionEnded
    | ActivitySeen
    | MessageExchanged
    | SupportJoined
    | ExperienceServed
    | GoalReached
    | PersonIdentified
)
