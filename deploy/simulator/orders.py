"""Orders: what a cart becomes, and what becomes of the order afterwards (versions, refunds, a cancel)."""

from random import Random
from typing import Any, NamedTuple

from deploy.simulator.scenario import HOUR_MS, MINUTE_MS
from deploy.simulator.shop import Shop, Trail
from deploy.simulator.wire import CURRENCIES, money
from schemas.topics import DAY_MS

_MOST_LINES = 12


class Line(NamedTuple):
    """One order line, money in minor units."""

    line_id: str | None
    product_id: str
    sku: str | None
    quantity: int
    unit_price: int
    discount: int

    @property
    def value(self) -> int:
        """What the line costs before any discount of the whole order."""
        return self.quantity * self.unit_price - self.discount


class Basket(NamedTuple):
    """The money of one order version: `total = lines - order_discount + surcharge + shipping + tax`."""

    currency: str
    lines: tuple[Line, ...]
    adjustment: int
    """Added to the lines: negative for a discount of the whole order, positive for a surcharge."""
    shipping: int
    tax: int

    @property
    def total(self) -> int:
        """What is paid, in minor units."""
        return sum(line.value for line in self.lines) + self.adjustment + self.shipping + self.tax

    @property
    def units(self) -> int:
        """Pieces over all lines."""
        return sum(line.quantity for line in self.lines)


def check_out(trail: Trail) -> None:
    """The person's cart becomes an order; its follow-ups are put on the trail with their delays."""
    shop, person, habits = trail.shop, trail.person, trail.shop.habits
    order_id = shop.new_id("o")
    basket = _basket(shop, list(person.cart.items())[:_MOST_LINES])
    person.cart.clear()
    envelope = dict(trail.envelope)
    if shop.chance(habits.order_without_session_share):
        envelope.pop("session_id", None)
    as_text = person.money_as_text

    def capture(basket: Basket, version: int, delay_ms: int) -> None:
        body = {**envelope, "order_id": order_id, **_wire(basket, as_text=as_text)}
        if version > 1 or shop.chance(0.3):
            body["order_version"] = version
        note = ("captured", order_id, version, basket.currency, basket.total, basket.units)
        trail.later("order", "captured", delay_ms, person.key, body, note)

    capture(basket, 1, 0)
    if shop.chance(habits.capture_again_rate):
        capture(basket, 1, 1_000 + int(shop.rng.random() * 20_000))
    if shop.chance(habits.new_version_rate):
        _new_versions(shop, basket, capture)
    if shop.chance(habits.cancel_rate):
        delay_ms = 10 * MINUTE_MS + int(shop.rng.random() * 3 * DAY_MS)
        _canceled(trail, order_id, delay_ms)
    if shop.chance(habits.refund_rate):
        _refunds(trail, order_id, basket)


def _basket(shop: Shop, cart: list[tuple[int, int]]) -> Basket:
    rng, spec = shop.rng, shop.spec
    currency = spec.currency
    if spec.other_currencies and shop.chance(0.05):
        currency = rng.choice(spec.other_currencies)
    numbered = shop.chance(0.5)
    lines = []
    for index, (product, quantity) in enumerate(cart):
        unit_price = shop.catalogue.price(product, currency)
        if shop.chance(0.01):
            unit_price = 0  # a free gift
        discount = int(quantity * unit_price * 0.3 * rng.random()) if shop.chance(0.15) else 0
        product_id = shop.catalogue.product_ids[product]
        sku = f"{product_id}-M" if shop.catalogue.has_sku[product] else None
        lines.append(
            Line(f"l{index + 1}" if numbered else None, product_id, sku, quantity, unit_price, discount)
        )
    goods = sum(line.value for line in lines)
    chosen = rng.random()
    adjustment = (
        -int(goods * 0.25 * rng.random()) if chosen < 0.25 else int(1 + goods * 0.05) if chosen < 0.27 else 0
    )
    shipping = 0 if shop.chance(0.4) else round(rng.choice((390, 495, 1_000)) * CURRENCIES[currency][1])
    return Basket(currency, tuple(lines), adjustment, shipping, goods * spec.tax_percent // 100)


def _wire(basket: Basket, *, as_text: bool) -> dict[str, Any]:
    currency = basket.currency
    lines = []
    for line in basket.lines:
        member: dict[str, Any] = {"product_id": line.product_id, "quantity": line.quantity}
        member["unit_price"] = money(line.unit_price, currency, as_text=as_text)
        if line.line_id is not None:
            member["line_id"] = line.line_id
        if line.sku is not None:
            member["sku"] = line.sku
        if line.discount:
            member["discount"] = money(line.discount, currency, as_text=as_text)
        lines.append(member)
    body: dict[str, Any] = {"currency": currency, "lines": lines}
    if basket.shipping:
        body["shipping"] = money(basket.shipping, currency, as_text=as_text)
    if basket.tax:
        body["tax"] = money(basket.tax, currency, as_text=not as_text)
    body["total"] = money(basket.total, currency, as_text=as_text)
    return body


def _new_versions(shop: Shop, basket: Basket, capture: Any) -> None:
    """The order is changed, hours or weeks later: a line gets more or fewer pieces, or shipping is waived."""
    delay_ms = HOUR_MS
    for version in range(2, 2 + (1 if shop.chance(0.8) else 2)):
        delay_ms += int(24 * DAY_MS * shop.rng.random() ** 2)
        basket = _changed(shop.rng, basket)
        capture(basket, version, delay_ms)


def _changed(rng: Random, basket: Basket) -> Basket:
    index = int(len(basket.lines) * rng.random())
    line = basket.lines[index]
    quantity = line.quantity + 1 if line.quantity == 1 or rng.random() < 0.5 else line.quantity - 1
    lines = list(basket.lines)
    lines[index] = line._replace(quantity=quantity, discount=0)
    # A discount of the whole order could be more than the changed lines; it is given anew.
    return basket._replace(
        lines=tuple(lines), adjustment=0, shipping=0 if rng.random() < 0.3 else basket.shipping
    )


def _erp(trail: Trail, order_id: str) -> tuple[bytes, dict[str, Any]]:
    """Key and envelope of an event from the back office, which knows orders and only sometimes persons."""
    body = {name: value for name, value in trail.envelope.items() if name not in ("session_id", "channel")}
    if trail.shop.chance(0.6):
        body.pop("customer_id", None)
        body.pop("anonymous_id", None)
    body["order_id"] = order_id
    return trail.shop.key(f"order:{order_id}"), body


def _canceled(trail: Trail, order_id: str, delay_ms: int) -> None:
    key, body = _erp(trail, order_id)
    trail.later("order", "canceled", delay_ms, key, body, ("canceled", order_id))
    if trail.shop.chance(0.1):  # canceled once more, which changes nothing
        again = dict(body)
        trail.later("order", "canceled", delay_ms + HOUR_MS, key, again, ("canceled", order_id))


def _refunds(trail: Trail, order_id: str, basket: Basket) -> None:
    shop, rng = trail.shop, trail.shop.rng
    delay_ms = 2 * HOUR_MS + int(20 * DAY_MS * rng.random())
    paid = [line for line in basket.lines if line.value > 0]
    chosen = rng.random()
    if basket.total == 0:
        return
    if chosen < 0.4 or not paid:
        _refunded(trail, order_id, basket, basket.total, (), delay_ms)
    elif chosen < 0.8:  # some lines come back
        back = paid[: 1 + int(len(paid) * rng.random())]
        _refunded(trail, order_id, basket, sum(line.value for line in back), back, delay_ms)
    else:  # shipping given back as goodwill, with the smallest sign of the line it was for
        _refunded(
            trail,
            order_id,
            basket,
            1 + basket.shipping,
            (paid[0]._replace(quantity=1, unit_price=1, discount=0),),
            delay_ms,
        )
    if shop.chance(shop.habits.over_refund_rate):
        _refunded(trail, order_id, basket, basket.total, (), delay_ms + int(DAY_MS * rng.random()))


def _refunded(trail: Trail, order_id: str, basket: Basket, amount: int, lines: Any, delay_ms: int) -> None:
    key, body = _erp(trail, order_id)
    as_text = trail.person.money_as_text
    refund_id = trail.shop.new_id("r")
    body |= {"refund_id": refund_id, "amount": money(amount, basket.currency, as_text=as_text)}
    if lines:
        body["lines"] = [
            ({"line_id": line.line_id} if line.line_id is not None else {})
            | {
                "product_id": line.product_id,
                "quantity": line.quantity,
                "amount": money(line.value, basket.currency, as_text=as_text),
            }
            for line in lines
        ]
    trail.later("order", "refunded", delay_ms, key, body, ("refunded", order_id, refund_id, amount))
