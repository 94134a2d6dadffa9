"""What worlds are made of: places in time, people, and what they do there."""

from collections.abc import Sequence
from typing import Final

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
CLUSTER_MS: Final = 12 * HOUR_MS  # all instants around one edge lie within this
LIVE_MS: Final = 2 * HOUR_MS

# Local midnights, days of 23 and 25 hours, the ends of months, a quarter of an hour: where dates and windows change.
BASES: Final = (
    1_767_262_500_000,  # 2026-01-01T10:15:00Z
    1_774_738_740_000,  # 2026-03-28T22:59:00Z, 23:59 in Madrid on the eve of the short day
    1_767_205_740_000,  # 2025-12-31T18:29:00Z, a minute before midnight in Kolkata
    1_761_430_200_000,  # 2025-10-25T22:10:00Z, ten past midnight in Madrid on the long day
    1_772_319_540_000,  # 2026-02-28T22:59:00Z, 23:59 in Madrid on the last of the month
)
ZONES: Final = ("UTC", "Europe/Madrid", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns")
PRODUCTS: Final = ("p1", "p2", "p3")

People = tuple[dict[str, str], ...]
PEOPLE: Final[People] = (
    {"customer_id": "ann"},
    {"anonymous_id": "x"},
    # A device that is never seen without its customer: who it is does not hang on identity stitching.
    {"customer_id": "ann", "anonymous_id": "ann-phone"},
    # Shares the Kafka key of device x, and is somebody else (H08).
    {"customer_id": "x"},
)
STRANGERS: Final = (PEOPLE[:1], PEOPLE[1:2], PEOPLE[:3], PEOPLE[1:4])
"""People without a device that logs in."""

_X: Final = {"anonymous_id": "x"}
_ANN_X: Final = {"customer_id": "ann", "anonymous_id": "x"}
_BOB_X: Final = {"customer_id": "bob", "anonymous_id": "x"}
_Y: Final = {"anonymous_id": "y"}
_ANN_Y: Final = {"customer_id": "ann", "anonymous_id": "y"}
ACQUAINTANCES: Final[tuple[People, ...]] = (
    (_X, _ANN_X),
    (_X, _X, _ANN_X, {"customer_id": "ann"}),
    # Two customers of one device, who log in again and again.
    (_X, _X, _ANN_X, _BOB_X),
    (_X, _X, _ANN_X, _BOB_X, {"customer_id": "ann"}, {"customer_id": "bob"}),
    # One customer of two devices; customer x is not device x.
    (_X, _Y, _ANN_X, _ANN_Y, {"customer_id": "x"}),
)
"""People whose devices log in, among others."""
CROWD: Final[People] = tuple(
    {"customer_id": name} for name in ("ann", "bob", "cid", "dan", "eve", "fay", "gus")
)

Kinds = tuple[tuple[str, str], ...]
RECOMMENDED: Final[Kinds] = (
    *(("impression", "shown"),) * 4,
    *(("cart", "added"), ("order", "captured")) * 3,
    *(("click", "detail_viewed"), ("click", "clicked"), ("cart", "removed"), ("cart", "emptied")),
    *(("click", "clicked"), ("cart", "removed")),
)
MONEY: Final[Kinds] = (
    *(("order", "captured"), ("order", "refunded"), ("order", "canceled")) * 3,
    *(("impression", "shown"), ("cart", "added")),
)
VISITS: Final[Kinds] = (
    *(("session", "activity"), ("session", "message"), ("impression", "shown"), ("order", "captured")) * 2,
    *(
        ("session", "started"),
        ("session", "ended"),
        ("session", "support_joined"),
        ("click", "detail_viewed"),
    ),
    *(("session", "experience_served"), ("session", "goal_reached"), ("session", "identified")),
)
CHATS: Final[Kinds] = (
    *(("session", "message"),) * 8,
    *(("session", "support_joined"),) * 2,
    *(("order", "captured"), ("session", "activity"), ("session", "ended"), ("session", "identified")),
)
EXPERIMENTS: Final[Kinds] = (
    *(("session", "experience_served"), ("session", "goal_reached")) * 4,
    *(("order", "captured"),) * 5,
    *(("session", "activity"), ("session", "identified")),
)
JOURNEYS: Final[Kinds] = tuple(
    ("journey-node", kind)
    for kind in ("started", "node_entered", "node_entered", "notification_sent", "goal_reached")
)
CUSTOMERS: Final[Kinds] = (
    *(("order", "captured"),) * 12,
    *(("journey-node", "notification_sent"),) * 4,
    *(("order", "refunded"), ("order", "canceled"), ("session", "activity")),
)
EVERYTHING: Final[Kinds] = RECOMMENDED + MONEY + VISITS + JOURNEYS + CHATS + EXPERIMENTS
STORY: Final[Kinds] = (("impression", "shown"), ("cart", "added"), ("order", "captured"))

# Most worlds stay with one subject, or hardly an order would ever meet its impression.
FLAVOURS: Final[Sequence[Kinds]] = (RECOMMENDED, RECOMMENDED, MONEY, VISITS, EVERYTHING)
METRIC_FLAVOURS: Final[Sequence[Kinds]] = (
    *(RECOMMENDED, MONEY, VISITS, CHATS, EXPERIMENTS, JOURNEYS, CUSTOMERS, CUSTOMERS, EVERYTHING),
)
"""Those of worlds that are made for metrics."""

CLUSTERS: Final = ((0,), (0, 0, 1), (0, 1, 1, 2))
"""Around which multiples of the attribution window things happen."""
MONTHS: Final = (tuple(range(12)), (0, 4, 5, 9), (0, 1, 4, 9, 13, 30, 51), (0, 26, 51, 52, 53))
"""The same for histories: weeks to a year."""
