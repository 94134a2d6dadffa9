"""A visit: someone comes, looks, clicks, fills the cart, perhaps orders; or writes to the shop on WhatsApp."""

import math

from deploy.simulator.catalogue import EXPERIENCES, GOALS, JOURNEYS, Shelf
from deploy.simulator.journeys import send_on_journey
from deploy.simulator.orders import check_out
from deploy.simulator.shop import Person, Shop, Trail
from deploy.simulator.wire import Draft, money

_MOST_PAGES = 30
_REMEMBERED = 8  # products a person keeps in mind for the next visit


def visit(shop: Shop, person: Person) -> list[Draft]:
    """All events of one visit and of what follows from it (refunds, journeys), in no order; see `Draft.after_ms`."""
    habits = shop.habits
    channels = shop.spec.channels
    if "whatsapp" in channels and (len(channels) == 1 or shop.chance(habits.whatsapp_share)):
        channel = "whatsapp"
    else:
        channel = shop.rng.choice([name for name in channels if name != "whatsapp"])
    session_id = None if shop.chance(habits.no_session_id_share) else shop.new_id("s")
    trail = Trail(shop, person, channel, session_id)
    if channel == "whatsapp":
        _converse(trail)
    else:
        _browse(trail)
    if shop.chance(habits.journey_rate):
        send_on_journey(trail, shop.rng.choice(JOURNEYS))
    return trail.drafts


def _browse(trail: Trail) -> None:
    shop, person, habits = trail.shop, trail.person, trail.shop.habits
    random = shop.rng.random
    served = None
    trail.emit("session", "started")
    if random() < habits.experience_rate:
        served = _serve_experience(trail)
    pages = min(_MOST_PAGES, 1 + int(-math.log(1.0 - random()) * 2.1))
    if person.wishes and random() < habits.comeback_rate:
        _come_back(trail)
    logs_in = person.customer_id is None and random() < habits.login_rate
    for page in range(pages):
        trail.pause(2_000, 90_000)
        if random() < 0.75:
            trail.emit("session", "activity", name="search" if random() < 0.2 else "page_view")
        for _ in range(3 if random() < 0.45 else 2):
            _look_at_widget(trail, shop.catalogue.shelves[int(random() * len(shop.catalogue.shelves))], 0.30)
        if person.cart and random() < 0.08:
            _take_out(trail)
        if logs_in and page == pages // 2:
            _log_in(trail)
    if random() < habits.goal_rate:
        _reach_goal(trail, served)
    if person.cart:
        if random() < habits.order_rate:
            trail.pause(20_000, 240_000)
            check_out(trail)
        elif random() < 0.03:
            trail.emit("cart", "emptied")
            person.cart.clear()
    if random() < 0.4:
        trail.pause(500, 20_000)
        trail.emit("session", "ended")


def _look_at_widget(trail: Trail, shelf: Shelf, interest: float) -> None:
    """A widget comes into view; some of its products get a click, some of those go into the cart."""
    shop, person = trail.shop, trail.person
    random = shop.rng.random
    trail.pause(100, 8_000)
    body = trail.emit("impression", "shown", widget_id=shelf.widget_id, products=shelf.fragment)
    if shelf.strategy is not None:
        body["strategy"] = shelf.strategy
    if shelf.placement is not None:
        body["placement"] = shelf.placement
    while random() < interest:
        trail.pause(1_000, 25_000)
        product = shelf.products[int(len(shelf.products) * random() ** 2)]
        product_id = shop.catalogue.product_ids[product]
        if random() < 0.85:
            trail.emit("click", "clicked", product_id=product_id, widget_id=shelf.widget_id)
        trail.pause(300, 3_000)
        if random() < 0.45:
            trail.emit("click", "detail_viewed", product_id=product_id, widget_id=shelf.widget_id)
        if random() < 0.48:
            trail.pause(2_000, 60_000)
            _put_in(trail, product)
        elif len(person.wishes) < _REMEMBERED:
            person.wishes.append(product)


def _come_back(trail: Trail) -> None:
    """Buy what was seen days ago: the impression lies in an earlier visit."""
    person, random = trail.person, trail.shop.rng.random
    for product in person.wishes[: 1 + int(random() * 3)]:
        trail.pause(2_000, 40_000)
        if random() < 0.6:
            trail.emit("click", "detail_viewed", product_id=trail.shop.catalogue.product_ids[product])
        _put_in(trail, product)
    person.wishes.clear()


def _put_in(trail: Trail, product: int) -> None:
    shop, random = trail.shop, trail.shop.rng.random
    quantity = 1 if random() < 0.8 else 2 + int(random() * 3)
    product_id = shop.catalogue.product_ids[product]
    body = trail.emit("cart", "added", product_id=product_id, quantity=quantity)
    if shop.catalogue.has_sku[product]:
        body["sku"] = f"{product_id}-{'SML'[quantity % 3]}"
    trail.person.cart[product] = trail.person.cart.get(product, 0) + quantity


def _take_out(trail: Trail) -> None:
    cart = trail.person.cart
    product = list(cart)[int(len(cart) * trail.shop.rng.random())]
    # More than is in the cart, now and then: some shops send "remove all" as a large number.
    quantity = cart[product] if trail.shop.chance(0.9) else cart[product] + 5
    trail.emit("cart", "removed", product_id=trail.shop.catalogue.product_ids[product], quantity=quantity)
    del cart[product]


def _serve_experience(trail: Trail) -> str:
    shop = trail.shop
    experience = shop.rng.choice(EXPERIENCES)
    trail.pause(50, 500)
    body = trail.emit("session", "experience_served", experience_id=experience.experience_id)
    if experience.variants:
        body["variant_id"] = shop.rng.choice(experience.variants)
        body["test_id"] = experience.test_id
    return experience.experience_id


def _reach_goal(trail: Trail, served: str | None) -> None:
    shop = trail.shop
    goal_id = shop.rng.choice(GOALS)
    trail.pause(500, 9_000)
    body = trail.emit("session", "goal_reached", goal_id=goal_id)
    if served is not None and shop.chance(0.5):
        body["experience_id"] = served
    # What a purchase is worth its order says; some shops send it with the goal all the same.
    if shop.chance(0.6 if goal_id != "purchase" else 0.2):
        currency = shop.spec.currency
        body["value"] = money(int(shop.rng.random() * 5_000), currency, as_text=trail.person.money_as_text)
        if shop.chance(0.5):
            body["currency"] = currency


def _log_in(trail: Trail) -> None:
    """A guest becomes a known customer: from here on, this visit and all later ones carry both ids."""
    shop, person = trail.shop, trail.person
    person.customer_id = shop.customer_id(shop.people.index(person))
    person.both_ids = True
    person.key = shop.key(person.customer_id)
    trail.envelope["customer_id"] = person.customer_id
    trail.emit("session", "identified")


def _converse(trail: Trail) -> None:
    """A WhatsApp thread: questions and answers, sometimes a human, sometimes picks, sometimes an order."""
    shop, person, habits = trail.shop, trail.person, trail.shop.habits
    random = shop.rng.random
    if random() < 0.15:  # the business writes first
        trail.emit("session", "message", direction="out")
        if random() < 0.5:  # and nobody answers: no session in the sense of M32
            return
        trail.pause(10_000, 1_200_000)
    trail.emit("session", "message", direction="in")
    if random() < 0.2:  # one message and gone: a bounce
        return
    for _ in range(1 + int(random() * 4)):
        trail.pause(1_000, 20_000)
        trail.emit("session", "message", direction="out")
        trail.pause(5_000, 180_000)
        trail.emit("session", "message", direction="in")
    if random() < habits.support_rate:
        trail.pause(5_000, 300_000)
        trail.emit("session", "support_joined", agent_id=f"agent-{1 + int(random() * 6)}")
        trail.emit("session", "message", direction="out")
    while random() < 0.5:
        _look_at_widget(trail, shop.rng.choice(shop.catalogue.chat_shelves), 0.5)
    if person.cart and random() < habits.order_rate:
        trail.pause(20_000, 600_000)
        check_out(trail)
