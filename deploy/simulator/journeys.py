"""Journeys: automated messages to one person over hours and days, through nodes, to a goal, an end or a cancel."""

from typing import Any

from deploy.simulator.catalogue import Journey
from deploy.simulator.scenario import HOUR_MS
from deploy.simulator.shop import Trail
from deploy.simulator.wire import money

_MINUTE_MS = 60_000


def send_on_journey(trail: Trail, journey: Journey) -> None:
    """One execution: started, waits, asks a condition, notifies, then ends or is canceled."""
    shop = trail.shop
    base: dict[str, Any] = {
        name: value for name, value in trail.envelope.items() if name not in ("session_id", "channel")
    }
    base |= {"journey_id": journey.journey_id, "execution_id": shop.new_id("x")}
    if journey.notification_channel == "whatsapp":
        base["channel"] = "whatsapp"
    delay_ms = int(shop.rng.random() * _MINUTE_MS)

    def step(kind: str, **fields: Any) -> None:
        trail.later("journey-node", kind, delay_ms, trail.person.key, {**base, **fields})

    step("started", journey_version=journey.version)
    step("node_entered", node_id="wait-1", node_type="wait")
    delay_ms += int(journey.wait_hours * HOUR_MS * (0.5 + shop.rng.random()))
    step("node_entered", node_id="asked", node_type="condition")
    delay_ms += 1_000
    if shop.chance(journey.cancel_share):
        step("node_entered", node_id="stop", node_type="cancel")
        return
    step("node_entered", node_id="tell", node_type="notification")
    delay_ms += int(shop.rng.random() * 20_000)
    step(
        "notification_sent",
        communication_id=shop.new_id("m"),
        notification_channel=journey.notification_channel,
        node_id="tell",
    )
    delay_ms += int(HOUR_MS * shop.rng.random())
    if shop.chance(journey.goal_share):
        currency = shop.spec.currency
        value = money(int(shop.rng.random() * 9_000), currency, as_text=trail.person.money_as_text)
        step("goal_reached", goal_id="purchase", value=value, currency=currency)
        delay_ms += _MINUTE_MS
    if shop.chance(0.9):  # the rest is still under way, however long one waits
        step("node_entered", node_id="finish", node_type="end")
