"""Orders joined to the touches of the seven days before them: direct and assisted credit (decisions H70 to H77)."""

from collections.abc import Callable
from typing import NamedTuple

from msgspec import Struct

from processors.segments import ADDED, KIND_NAMES, REMOVED
from processors.touches import History


class Credit(Struct, array_like=True, gc=False):
    """What the lines of one product in one order have earned. `until`: of a direct one, the last add to the cart."""

    direct: bool
    exposure_only: bool
    at: int = 0
    widget: str = ""
    strategy: str = ""
    placement: str = ""
    until: int = 0


class Assist(Struct, array_like=True, gc=False):
    """The interaction that assists an order's lines, and the impression behind it."""

    kind: str
    at: int
    product: str
    widget: str
    strategy: str
    placement: str


class Cart(NamedTuple):
    """The cart step of a product at an order: still in the cart, and when it was last added (0: never)."""

    holds: bool
    last_added: int


def cart_step(history: History, product: str, at: int, window: int) -> Cart:
    """Replay the product's cart events of the window before an order at `at`, from quantity 0 (H70).

    In one ms: emptied, removed, added. What is removed or emptied at `at` itself comes after the order.
    """
    steps = [
        (act.at, 1 if act.kind == REMOVED else 2, act.quantity)
        for act in history.acts_of(product, at - window, at)
        if act.kind == ADDED or (act.kind == REMOVED and act.at < at)
    ]
    last_added = max([when for when, rank, _ in steps if rank == 2], default=0)
    if not last_added:
        return Cart(False, 0)
    steps += [(when, 0, 0) for when in history.empties_in(at - window, at - 1)]
    steps.sort()
    quantity = 0
    for _, rank, units in steps:
        if rank == 2:
            quantity += units
        elif rank == 1:
            quantity = max(0, quantity - units)
        else:
            quantity = 0
    return Cart(quantity > 0, last_added)


def credit_of(history: History, product: str, at: int, window: int) -> Credit:
    """The credit of the lines of `product` in an order at `at`: direct, or what is known of it otherwise."""
    cart = cart_step(history, product, at, window)
    if cart.holds:
        anchor = history.latest_impression(product, at - window, cart.last_added)
        if anchor is not None:
            return Credit(
                True, False, anchor.at, anchor.widget, anchor.strategy, anchor.placement, cart.last_added
            )
    seen = not cart.last_added and history.latest_impression(product, at - window, at) is not None
    return Credit(False, seen)


def exposed_by(
    history: History, product: str, low: int, high: int, session_key_of: Callable[[str, str, int], str | None]
) -> set[tuple[str, str]]:
    """(session key, widget) of all impressions of the product in [low, high]: a direct line confirms them (H77).

    `session_key_of`: (session id, channel, time) -> key; None: the session has forgotten it, and its exposure's row.
    """
    impressions = history.impressions_of(product, low, high)
    # Of a producer's session one impression is as good as another; of a made one the time tells which.
    named: dict[str, set[str]] = {}
    found: set[tuple[str, str]] = set()
    for one in impressions:
        session_id = one.session_id
        if not session_id:
            made = session_key_of("", one.channel, one.at)
            if made is not None:
                found.add((made, one.widget))
        elif (widgets := named.get(session_id)) is None:
            named[session_id] = {one.widget}
        else:
            widgets.add(one.widget)
    for session_id, widgets in named.items():
        key = session_key_of(session_id, "", 0)
        if key is not None:
            found.update((key, widget) for widget in widgets)
    return found


def assist_of(history: History, at: int, window: int) -> Assist | None:
    """The latest interaction with a recommended product in the window before an order at `at` (H72, H73)."""
    found = history.latest_interaction(at - window, at)
    if found is None:
        return None
    product, act = found
    anchor = act.anchor
    assert anchor is not None
    return Assist(KIND_NAMES[act.kind], act.at, product, anchor.widget, anchor.strategy, anchor.placement)
