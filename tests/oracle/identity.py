"""Whose an event is when it names only a device: links, and how far they reach back and forward (H20 to H25)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from schemas.stores import Store
from tests.oracle.model import Event


@dataclass(frozen=True)
class Link:
    """From `at` on (event time, ms) this device is this customer, until the device's next link."""

    at: int
    customer_id: str


def links_of(events: Sequence[Event]) -> dict[tuple[str, str], list[Link]]:
    """(store, anonymous_id) -> its links in time, one an instant: of several the smallest customer (H23).

    Every event with both ids links (H20) but `canceled` and `refunded`, whose ids are not looked at (H51).
    """
    found: dict[tuple[str, str], dict[int, str]] = {}
    for event in events:
        if event.customer_id is None or event.anonymous_id is None or event.type in ("canceled", "refunded"):
            continue
        by_instant = found.setdefault((event.store_id, event.anonymous_id), {})
        by_instant[event.at] = min(event.customer_id, by_instant.get(event.at, event.customer_id))
    return {
        device: [Link(at, customer_id) for at, customer_id in sorted(by_instant.items())]
        for device, by_instant in found.items()
    }


def owner_at(links: Sequence[Link], at: int, window_ms: int) -> str:
    """The customer of a device at an instant; empty: nobody, the device stands for itself (H21, H22)."""
    before = [link for link in links if link.at <= at]
    if before:
        return before[-1].customer_id
    if links and links[0].at - at <= window_ms:
        return links[0].customer_id
    return ""


def resolve(events: Sequence[Event], stores: Mapping[str, Store]) -> list[Event]:
    """The events, those of a device alone with the customer it is linked to as `owner`."""
    links = links_of(events)
    resolved = []
    for event in events:
        if event.customer_id is None and event.anonymous_id is not None:
            known = links.get((event.store_id, event.anonymous_id), [])
            window_ms = stores[event.store_id].attribution_window_ms
            event = replace(event, owner=owner_at(known, event.at, window_ms))
        resolved.append(event)
    return resolved
