"""What happens in a small nasty world: one event at a time, valid unless poison is asked for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from schemas.stores import Rfm, Store
from tests.oracle.bodies import EXPONENTS, choose_body
from tests.oracle.chooser import Chooser
from tests.oracle.flavours import (
    ACQUAINTANCES,
    BASES,
    CHATS,
    CLUSTER_MS,
    CLUSTERS,
    CROWD,
    CUSTOMERS,
    DAY_MS,
    EXPERIMENTS,
    FLAVOURS,
    HOUR_MS,
    LIVE_MS,
    METRIC_FLAVOURS,
    MINUTE_MS,
    MONTHS,
    PRODUCTS,
    STORY,
    STRANGERS,
    ZONES,
    Kinds,
    People,
)

QUINTILES: Final = Rfm()
# Thresholds that these small customers reach.
FIXED: Final = Rfm(method="fixed", r_days=(3, 10, 40, 90), f=(2, 3, 4, 5), m=(1, 100, 300, 1000))


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
    people: People
    products: tuple[str, ...]
    kinds: Kinds
    clusters: tuple[int, ...]
    """Around which multiples of the attribution window things happen."""


def choose_setting(
    chooser: Chooser, *, shared_orders: bool, identity: bool = False, metrics: bool = False
) -> Setting:
    """One or two stores; time-outs are never longer than the attribution window, so retention covers them.

    `identity`: devices log in. `metrics`: all subjects, and histories of months.
    """
    stores = {}
    for store_id in ("acme", "beta") if chooser.chance(4) else ("acme",):
        stores[store_id] = Store(
            zone=chooser.pick(ZONES),
            currency=chooser.pick(tuple(EXPONENTS)),
            session_timeout_ms=chooser.pick((30 * MINUTE_MS, MINUTE_MS, HOUR_MS)),
            channel_session_timeout_ms={"whatsapp": chooser.pick((2 * HOUR_MS, CLUSTER_MS))},
            attribution_window_ms=chooser.pick((7 * DAY_MS, 7 * DAY_MS, DAY_MS)),
            tax_in_lines=chooser.chance(4),
            base_period_days=chooser.pick((365, 365, 60)),
            rfm=chooser.pick((QUINTILES, QUINTILES, FIXED)),
        )
    kinds = chooser.pick(METRIC_FLAVOURS if metrics else FLAVOURS)
    people = chooser.pick(ACQUAINTANCES if identity and chooser.chance(2) else STRANGERS)
    customers = kinds is CUSTOMERS
    return Setting(
        stores=stores,
        base=chooser.pick(BASES),
        shared_orders=shared_orders and not customers,
        people=CROWD[: chooser.integer(1, len(CROWD))] + (people if identity else ())
        if customers
        else people,
        products=PRODUCTS[: chooser.integer(1, 3)],
        kinds=kinds,
        clusters=chooser.pick(MONTHS if customers else CLUSTERS),
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
        both = [somebody for somebody in setting.people if len(somebody) == 2]
        person = chooser.pick(both or STRANGERS[2][2:])
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
    if setting.kinds is EXPERIMENTS or chooser.chance(2):
        # One id is used within less than the window (H41), by all persons and channels.
        value["session_id"] = (
            f"{chooser.pick(('s1', 's2'))}-{(at - setting.base) // store.attribution_window_ms}"
        )
    if setting.kinds is CHATS or chooser.chance(3):
        value["channel"] = chooser.pick(
            ("whatsapp", "web:app") if setting.kinds is CHATS else ("web:app", "whatsapp")
        )
    if chooser.chance(4):
        value["context"] = {"device": chooser.pick(("phone", "desk")), "country": chooser.pick(("ES", "JP"))}
    # A communication is sent again within weeks, not after months: then it is another one.
    to = f"{'-'.join(person.values())}-{(at - setting.base) // (50 * DAY_MS)}"
    value.update(choose_body(chooser, topic, kind, products, to))
    timestamp_ms = at + chooser.pick((0, 5, MINUTE_MS, LIVE_MS, LIVE_MS + 1, -10 * MINUTE_MS))
    occurred_at = at
    if chooser.chance(5):
        # A device clock that is wrong by `shift`: put right from 60 001 ms on (H04).
        shift = chooser.pick((60_001, -60_001, DAY_MS, 60_000, -60_000))
        value["sent_at"] = _time(chooser, timestamp_ms - shift)
        occurred_at = at - shift if abs(shift) > 60_000 else at
    value["occurred_at"] = _time(chooser, occurred_at)
    return Happening(topic, value, at, timestamp_ms, latest_ms, chooser.integer(0, 9))


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
        everybody = tuple("-".join(somebody.values()) for somebody in setting.people)
        owner = "-" + (chooser.pick(everybody) if any_order else "-".join(person.values()))
    names = ("o1", "o2", "o3", "o4") if setting.kinds is CUSTOMERS else ("o1", "o2")
    return f"{chooser.pick(names)}-{cluster}{owner}"
