"""The fields of each type of event, chosen for nastiness: zero prices, surcharges, repeated products, odd amounts."""

from typing import Any, Final

from tests.oracle.chooser import Chooser

WIDGETS: Final = ("A", "B")
EXPONENTS: Final = {"EUR": 2, "JPY": 0, "KWD": 3}


def choose_body(
    chooser: Chooser, topic: str, kind: str, products: tuple[str, ...], who: str
) -> dict[str, Any]:
    """The fields beyond the envelope; products out of `products`, communications to `who`."""
    match topic, kind:
        case "session", "message":
            return {"direction": chooser.pick(("in", "out"))}
        case "session", "experience_served":
            return {
                "experience_id": chooser.pick(("e2", "e1")),
                "variant_id": chooser.pick((None, "v1", "v2")),
                "test_id": chooser.pick((None, "t")),
            }
        case "session", "goal_reached":
            return {
                "goal_id": chooser.pick(("g", "purchase")),
                "experience_id": chooser.pick((None, "e1", "e3")),
                "value": chooser.pick((None, None, "5", "0", "7000")),
                "currency": chooser.pick((None, "EUR", "KWD")),
            }
        case "impression", _:
            body: dict[str, Any] = {"widget_id": chooser.pick(WIDGETS)}
            if chooser.chance(2):
                body["strategy"] = chooser.pick(("top", "also-bought"))
            if chooser.chance(3):
                body["placement"] = chooser.pick(("side", "main"))
            return {**body, "products": chooser.repeat(lambda inner: _shown_product(inner, products), 1, 3)}
        case "click", _:
            body = {"product_id": chooser.pick(products)}
            return {**body, "widget_id": chooser.pick(WIDGETS)} if chooser.chance(2) else body
        case "cart", "added" | "removed":
            return {"product_id": chooser.pick(products), "quantity": chooser.integer(1, 3)}
        case "order", "captured":
            return _capture(chooser, products)
        case "order", "refunded":
            return _refund(chooser, products)
        case "journey-node", _:
            return _journey(chooser, kind, who)
    return {}


def _journey(chooser: Chooser, kind: str, who: str) -> dict[str, Any]:
    """An execution stays with its journey; whose it is changes, so its events come under several keys."""
    execution_id, journey_id = chooser.pick((("x1", "j1"), ("x2", "j1"), ("x3", "j2")))
    body: dict[str, Any] = {"execution_id": execution_id, "journey_id": journey_id}
    match kind:
        case "started":
            body["journey_version"] = chooser.pick((None, "v2", 3))
        case "node_entered":
            body |= {"node_id": "n", "node_type": chooser.pick(("end", "cancel", "wait"))}
        case "notification_sent":
            body["communication_id"] = f"c{chooser.integer(1, 3)}-{who}"
            body["notification_channel"] = chooser.pick(("email", "sms"))
        case _:
            body["value"] = chooser.pick((None, "3"))
    return body


def _shown_product(chooser: Chooser, products: tuple[str, ...]) -> dict[str, Any]:
    product = {"product_id": chooser.pick(products)}
    return product if chooser.chance(3) else {**product, "position": chooser.integer(0, 2)}


def _money(chooser: Chooser, minor: int, exponent: int) -> str | int | float:
    """Minor units as the wire allows them: a decimal text or a JSON number."""
    digits = str(minor).rjust(exponent + 1, "0")
    text = f"{digits[:-exponent]}.{digits[-exponent:]}" if exponent else digits
    if chooser.chance(2):
        return text
    return float(text) if exponent else minor


def _capture(chooser: Chooser, products: tuple[str, ...]) -> dict[str, Any]:
    currency = chooser.pick(tuple(EXPONENTS))
    exponent = EXPONENTS[currency]
    lines, values = [], []
    for index in range(chooser.integer(1, 3)):
        quantity, price = chooser.integer(1, 3), chooser.pick((100, 1, 333, 3334, 0))
        discount = min(chooser.pick((0, 0, 1, 50)), quantity * price)
        values.append(quantity * price - discount)
        line: dict[str, Any] = {"product_id": chooser.pick(products), "quantity": quantity}
        line["unit_price"] = _money(chooser, price, exponent)
        if discount or chooser.chance(3):
            line["discount"] = _money(chooser, discount, exponent)
        if chooser.chance(2):
            line["line_id"] = f"l{index}"
        if chooser.chance(3):
            line["sku"] = line["product_id"] + "-red"
        lines.append(line)
    # An order-level discount, up to everything, or a surcharge.
    target = max(0, sum(values) + chooser.pick((0, 0, -1, -2, -(sum(values) // 3), -sum(values), 1, 100)))
    shipping, tax = chooser.pick((0, 0, 500)), chooser.pick((0, 0, 7))
    body = {"currency": currency, "lines": lines, "total": _money(chooser, target + shipping + tax, exponent)}
    if shipping:
        body["shipping"] = _money(chooser, shipping, exponent)
    if tax:
        body["tax"] = _money(chooser, tax, exponent)
    if chooser.chance(2):
        body["order_version"] = chooser.integer(1, 3)
    return body


def _refund(chooser: Chooser, products: tuple[str, ...]) -> dict[str, Any]:
    """Amounts in tenths of a cent: some do not fit the order's currency, some are more than the order."""
    body: dict[str, Any] = {"refund_id": chooser.pick(("r1", "r2", "r3"))}
    extra = chooser.pick((1000, 0, 500, 10, 3, 100_000))
    parts = [0]
    if chooser.chance(2):
        lines = []
        for _ in range(chooser.integer(1, 2)):
            parts.append(chooser.pick((1000, 330, 0, 20_000)))
            line: dict[str, Any] = {"product_id": chooser.pick(products), "quantity": 1}
            line["amount"] = _money(chooser, parts[-1], 3)
            if chooser.chance(2):
                line["line_id"] = chooser.pick(("l0", "l1", "l2"))
            lines.append(line)
        body["lines"] = lines
    body["amount"] = _money(chooser, sum(parts) + extra, 3)
    return body
