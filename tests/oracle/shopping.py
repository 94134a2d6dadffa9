"""What happens in a small nasty world: one event at a time, valid unless poison is asked for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from schemas.stores import Store
from tests.oracle.bodies import EXPONENTS, choose_body
from tests.oracle.chooser import Chooser

MINUTE_MS: Final = 60_000
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS
CLUSTER_MS: Final = 12 * HOUR_MS  # all instants around one edge lie within this
LIVE_MS: Final = 2 * HOUR_MS

# Local midnights, a day of 23 hours, a quarter of an hour: places where dates and windows change.
BASES: Final = (
    1_767_262_500_000,  # 2026-01-01T10:15:00Z
    1_774_738_740_000,  # 2026-03-28T22:59:00Z, 23:59 in Madrid on the eve of the short day
    1_767_205_740_000,  # 2025-12-31T18:29:00Z, a minute before midnight in Kolkata
)
ZONES: Final = ("UTC", "Europe/Madrid", "Asia/Kolkata", "Australia/Lord_Howe", "America/St_Johns")
PRODUCTS: Final = ("p1", "p2", "p3")
PEOPLE: Final[tuple[dict[str, str], ...]] = (
    {"customer_id": "ann"},
    {"anonymous_id": "x"},
    # A device that is never seen without its customer: who it is does not hang on identity stitching.
    {"customer_id": "ann", "anonymous_id": "ann-phone"},
    # Shares the Kafka key of device x, and is somebody else (H08).
    {"customer_id": "x"},
)
RECOMMENDED: Final = (
    *(("impression", "shown"),) * 4,
    *(("cart", "added"), ("order", "captured")) * 3,
    *(("click", "detail_viewed"), ("click", "clicked"), ("cart", "removed"), ("cart", "emptied")),
)
MONEY: Final = (
    *(("order", "captured"), ("order", "refunded")) * 3,
    *(("order", "canceled"), ("impression", "shown"), ("cart", "added")),
)
VISITS: Final = (
    *(("session", "activity"), ("session", "message"), ("impression", "shown"), ("order", "captured")) * 2,
    *(
        ("session", "started"),
        ("session", "ended"),
        ("session", "support_joined"),
        ("click", "detail_viewed"),
    ),
    *(("session", "experience_served"), ("session", "goal_reached"), ("session", "identified")),
)
JOURNEYS: Final = tuple(
    ("journey-node", kind) for kind in ("started", "node_entered", "notification_sent", "goal_reached")
)
STORY: Final = (("impression", "shown"), ("cart", "added"), ("order", "captured"))
# Most worlds stay with one subject, or hardly an order would ever meet its impression.
FLAVOURS: Final = (RECOMMENDED, RECOMMENDED, MONEY, VISITS, RECOMMENDED + MONEY + VISITS + JOURNEYS)


@dataclass(frozen=True)
class Happening:
    """An event before it is sent: no event_id yet. `at` is its event time, `latest_ms` how late it may come."""

    topic: str
    value: dict[str, Any]
    at: int
    timestamp_ms: int
    latest_ms: int
    id_rank: int


@dataclass(frozen=True)
class Setting:
    """What all events of a world share."""

    stores: dict[str, Store]
    base: int
    shared_orders: bool
    people: tuple[dict[str, str], ...]
    products: tuple[str, ...]
    kinds: tuple[tuple[str, str], ...]
    clusters: tuple[int, ...]
    """Around which multiples of the attribution window things happen."""


def choose_setting(chooser: Chooser, *, shared_orders: bool) -> Setting:
    """One or two stores; time-outs are never longer than the attribution window, so retention covers them."""
    stores = {}
    for store_id in ("acme", "beta") if chooser.chance(4) else ("acme",):
        stores[store_id] = Store(
            zone=chooser.pick(ZONES),
            currency=chooser.pick(tuple(EXPONENTS)),
            session_timeout_ms=chooser.pick((30 * MINUTE_MS, MINUTE_MS, HOUR_MS)),
            channel_session_timeout_ms={"whatsapp": chooser.pick((2 * HOUR_MS, CLUSTER_MS))},
            attribution_window_ms=chooser.pick((7 * DAY_MS, 7 * DAY_MS, DAY_MS)),
            tax_in_lines=chooser.chance(4),
        )
    return Setting(
        stores=stores,
        base=chooser.pick(BASES),
        shared_orders=shared_orders,
        people=chooser.pick((PEOPLE[:1], PEOPLE[1:2], PEOPLE[:3], PEOPLE[1:4])),
        products=PRODUCTS[: chooser.integer(1, 3)],
        kinds=chooser.pick(FLAVOURS),
        clusters=chooser.pick(((0,), (0, 0, 1), (0, 1, 1, 2))),
    )


def choose_happenings(chooser: Chooser, setting: Setting) -> list[Happening]:
    """One valid event, or a short story: a product is shown, put into the cart, and bought."""
    store_id, person = chooser.pick(tuple(setting.stores)), chooser.pick(setting.people)
    if not chooser.chance(4):
        at = _instant(chooser, setting, setting.stores[store_id])
        return [
            _happening(chooser, setting, chooser.pick(setting.kinds), store_id, person, at, setting.products)
        ]
    times = sorted(_instant(chooser, setting, setting.stores[store_id]) for _ in range(3))
    product = (chooser.pick(setting.products),)
    return [
        _happening(chooser, setting, step, store_id, person, at, product)
        for step, at in zip(STORY, times, strict=True)
    ]


def _happening(
    chooser: Chooser,
    setting: Setting,
    step: tuple[str, str],
    store_id: str,
    person: dict[str, str],
    at: int,
    products: tuple[str, ...],
) -> Happening:
    (topic, kind), store = step, setting.stores[store_id]
    if kind == "identified":
        person = PEOPLE[2]
    value: dict[str, Any] = {"type": kind, "store_id": store_id, **person}
    latest_ms = store.allowed_lateness_ms
    if topic == "order":
        if kind != "captured" and chooser.chance(2):
            value = {"type": kind, "store_id": store_id}
        value["order_id"] = _order_id(chooser, setting, store, at, person, any_order=kind != "captured")
    if kind == "captured":
        # A later version must come while the touches of the first capture are still remembered (H58): captures of
        # one order lie within a cluster, and this is what the cluster leaves of the lateness.
        latest_ms -= CLUSTER_MS + 2
    if chooser.chance(2):
        # One id is used within less than the window (H41), by all persons and channels.
        value["session_id"] = (
            f"{chooser.pick(('s1', 's2'))}-{(at - setting.base) // store.attribution_window_ms}"
        )
    if chooser.chance(3):
        value["channel"] = chooser.pick(("app", "whatsapp"))
    if chooser.chance(4):
        value["context"] = {"device": chooser.pick(("phone", "desk")), "country": chooser.pick(("ES", "JP"))}
    value.update(choose_body(chooser, topic, kind, products))
    timestamp_ms = at + chooser.pick((0, 5, MINUTE_MS, LIVE_MS, LIVE_MS + 1, -10 * MINUTE_MS))
    occurred_at = at
    if chooser.chance(5):
        # A device clock that is wrong by `shift`: put right from 60 001 ms on (H04).
        shift = chooser.pick((60_001, -60_001, DAY_MS, 60_000, -60_000))
        value["sent_at"] = _time(chooser, timestamp_ms - shift)
        occurred_at = at - shift if abs(shift) > 60_000 else at
    value["occurred_at"] = _time(chooser, occurred_at)
    return Happening(topic, value, at, timestamp_ms, latest_ms, chooser.integer(0, 9))


def choose_poison(chooser: Chooser, setting: Setting) -> tuple[str, dict[str, Any] | bytes | None, int, int]:
    """Something that is not counted: (topic, value, event time, timestamp)."""
    happening = choose_happenings(chooser, setting)[0]
    value, at = dict(happening.value), happening.at
    broken = chooser.pick(
        (
            "is_test",
            "store",
            "type",
            "version",
            "missing",
            "future",
            "bytes",
            "null",
            "array",
            "time",
            "words",
        )
    )
    match broken:
        case "is_test":
            value["is_test"] = True
        case "store":
            value["store_id"] = "nowhere"
        case "type":
            value["type"] = "imagined"
        case "version":
            value["schema_version"] = 2
        case "missing":
            del value["occurred_at"]
        case "future":
            value["occurred_at"], at = happening.timestamp_ms + 600_001, happening.timestamp_ms
            value.pop("sent_at", None)
        case "time":
            value["occurred_at"] = "yesterday"
        case "words":
            value["session_id"] = 7
        case "bytes":
            return happening.topic, b'{"event_id": ', at, happening.timestamp_ms
        case "null":
            return happening.topic, None, at, happening.timestamp_ms
        case _:
            return happening.topic, b"[]", at, happening.timestamp_ms
    return happening.topic, value, at, happening.timestamp_ms


def _instant(chooser: Chooser, setting: Setting, store: Store) -> int:
    """An instant around an edge: a few offsets from the start, from one window later, from two windows later."""
    cluster = chooser.pick(setting.clusters) * store.attribution_window_ms
    timeout, chat_timeout = store.timeout("web"), store.timeout("whatsapp")
    offset = chooser.pick((0, 0, MINUTE_MS, timeout, 2 * timeout, 15 * MINUTE_MS, chat_timeout - 1))
    return setting.base + cluster + offset + chooser.pick((0, 0, 0, 1, -1))


def _time(chooser: Chooser, at: int) -> int | str:
    """An instant as the wire allows it."""
    if not chooser.chance(4):
        return at
    zone = timezone(timedelta(minutes=chooser.pick((0, 330, -210))))
    local = datetime.fromtimestamp(at // 1000, tz=UTC).astimezone(zone)
    # More digits than milliseconds are cut, not rounded (H06).
    return (
        local.strftime("%Y-%m-%dT%H:%M:%S.")
        + f"{at % 1000:03d}{chooser.pick(('', '9', '999'))}"
        + (local.strftime("%z")[:3] + ":" + local.strftime("%z")[3:])
    )


def _order_id(
    chooser: Chooser, setting: Setting, store: Store, at: int, person: dict[str, str], *, any_order: bool
) -> str:
    """An order of the cluster around `at`; cancels and refunds may name any order, also one that never comes."""
    cluster = (at + 1 - setting.base) // store.attribution_window_ms
    if any_order:
        cluster = chooser.pick((cluster, 0, 1))
    owner = ""
    if not setting.shared_orders:
        everybody = tuple("-".join(somebody.values()) for somebody in PEOPLE)
        owner = "-" + (chooser.pick(everybody) if any_order else "-".join(person.values()))
    return f"{chooser.pick(('o1', 'o2'))}-{cluster}{owner}"
