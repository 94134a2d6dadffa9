"""What the windowed counters count: one measure for each kind of accepted event."""

from typing import Final

# (short topic, type) -> measure. `message` is split by direction; products and units are counted beside their events.
MEASURE_OF: Final = {
    ("session", "started"): "sessions_started",
    ("session", "ended"): "sessions_ended",
    ("session", "activity"): "activities",
    ("session", "message"): "messages_in",  # messages_out when the direction is `out`
    ("session", "support_joined"): "supports_joined",
    ("session", "experience_served"): "experiences_served",
    ("session", "goal_reached"): "goals_reached",
    ("session", "identified"): "logins",
    ("impression", "shown"): "impressions",
    ("click", "clicked"): "clicks",
    ("click", "detail_viewed"): "detail_views",
    ("cart", "added"): "adds",
    ("cart", "removed"): "removes",
    ("cart", "emptied"): "empties",
    ("order", "captured"): "captures",
    ("order", "canceled"): "cancels",
    ("order", "refunded"): "refunds",
    ("journey-node", "started"): "journeys_started",
    ("journey-node", "node_entered"): "nodes_entered",
    ("journey-node", "notification_sent"): "notifications_sent",
    ("journey-node", "goal_reached"): "journey_goals",
}
MESSAGES_OUT: Final = "messages_out"
PRODUCTS_SHOWN: Final = "products_shown"  # sum of the impressions' product lists
UNITS_ADDED: Final = "units_added"  # sum of `quantity` of the adds

MEASURES: Final = tuple(sorted({*MEASURE_OF.values(), MESSAGES_OUT, PRODUCTS_SHOWN, UNITS_ADDED}))

WINDOW_SECONDS: Final = 900
LIVE_WINDOW_SECONDS: Final = 60
# An event counts in a live window only if it reached the broker within this of happening: a loaded history has no live
# tiles, and must not make sixteen times the rows. A function of the record alone, so replays agree.
LIVE_HORIZON_MS: Final = 2 * 3_600_000
