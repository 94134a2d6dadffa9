"""A device's links: what is let go of changes no answer, and a device of everybody's does not grow."""

import random

import pytest

from processors.links import Device, DeviceState

DAY = 86_400_000
WINDOW = 7 * DAY
KEPT = 11 * DAY


def owner(links: list[tuple[int, str]], at: int) -> str:
    """By the letter of H21 and H23."""
    before = max((when for when, _ in links if when <= at), default=None)
    first = min(when for when, _ in links)
    when = before if before is not None else first if first - at <= WINDOW else None
    return "" if when is None else min(customer for one, customer in links if one == when)


@pytest.mark.parametrize("seed", range(30))
def test_owners_are_those_of_all_links_while_time_goes_on(seed: int) -> None:
    chance = random.Random(seed)
    device = Device("acme|a:x", DeviceState({}, False, []))
    # Shared from the first: of one that is not, only the first link is asked for.
    links = [(80 * DAY, "a"), (81 * DAY, "b")]
    for at, customer in links:
        device.link(customer, [at], 0, 0)
    floor = 100 * DAY
    for _ in range(300):
        floor += chance.choice((0, 0, DAY // 4, 3 * DAY))
        at = floor + chance.choice((-DAY, 0, 1, DAY // 2)) + chance.randint(0, 2)
        customer = chance.choice("abc")
        links.append((at, customer))
        device.link(customer, [at], floor - DAY, floor - KEPT)
        for when in (
            floor - KEPT,
            floor - DAY,
            at - 1,
            at,
            at + 1,
            at - WINDOW,
            at - WINDOW - 1,
            floor + DAY,
        ):
            if when >= floor - KEPT:
                assert device.owner_at(when, WINDOW) == owner(links, when)


def test_a_device_with_a_customer_an_hour_keeps_those_of_the_days_in_which_events_move() -> None:
    device = Device("acme|a:till", DeviceState({}, False, []))
    for hour in range(5_000):
        at = hour * DAY // 24
        device.link(f"c{hour}", [at], at - DAY, at - KEPT)
    assert len(device.times) <= 24 * 11 + 2
    assert device.owner_at(at, WINDOW) == "c4999"
