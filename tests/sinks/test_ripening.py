"""A watermark is inserted after the rows it speaks of, and something ripens under any load."""

from sinks.batching import Origin
from sinks.ripening import Place, Ripening

TOPICS = ("sessions", "orders")


def seen(offset: int, partition: int = 0) -> Origin:
    return Origin("watermarks", partition, offset)


def ends(end: int, partition: int = 0) -> dict[Place, int]:
    return {(topic, partition): end for topic in TOPICS}


def test_a_watermark_waits_until_every_sibling_is_visible() -> None:
    held = Ripening(TOPICS)
    held.add(b"w1", seen(5))
    assert held.ripe(ends(99)) == []  # nobody knows yet how far the siblings must be
    held.bound(ends(10))
    assert held.ripe({("sessions", 0): 10, ("orders", 0): 9}) == []
    assert held.ripe({("sessions", 0): 10}) == []  # orders were never read
    assert held.first_offset(0) == 5
    assert held.ripe(ends(10)) == [(b"w1", seen(5))]
    assert not held
    assert held.first_offset(0) is None


def test_ends_of_one_partition_do_not_free_another() -> None:
    held = Ripening(TOPICS)
    held.add(b"w1", seen(5, 1))
    held.bound(ends(10, 0))
    assert held.unbounded() == {1}
    held.bound(ends(10, 1))
    assert held.ripe(ends(99, 0)) == []
    assert held.ripe(ends(10, 1)) == [(b"w1", seen(5, 1))]


def test_under_steady_load_the_oldest_ripens_though_ends_move_on() -> None:
    held = Ripening(TOPICS)
    ripened = []
    for step in range(1, 50):
        held.add(b"w%d" % step, seen(step))
        if held.unbounded():
            held.bound(ends(step + 3))  # always ahead of what is visible
        ripened += [origin.offset for _, origin in held.ripe(ends(step))]
    assert ripened == sorted(ripened)
    assert len(ripened) > 8


def test_a_newer_watermark_replaces_one_that_nothing_waits_for() -> None:
    held = Ripening(TOPICS)
    held.add(b"w1", seen(1))
    held.add(b"w2", seen(2))
    held.bound(ends(10))
    held.add(b"w3", seen(3))
    held.add(b"w4", seen(4))
    assert held.first_offset(0) == 2
    assert held.ripe(ends(10)) == [(b"w2", seen(2))]
    assert held.unbounded() == {0}
    held.bound(ends(12))
    assert held.ripe(ends(12)) == [(b"w4", seen(4))]


def test_a_watermark_that_comes_while_the_ends_are_asked_for_does_not_take_them() -> None:
    held = Ripening(TOPICS)
    held.add(b"w1", seen(1))
    assert held.unbounded() == {0}
    held.add(b"w2", seen(2))  # its rows may lie beyond the ends that are on their way
    held.bound(ends(10))
    assert held.ripe(ends(10)) == [(b"w1", seen(1))]
    assert held.unbounded() == {0}
    held.bound(ends(14))
    assert held.ripe(ends(13)) == []
    assert held.ripe(ends(14)) == [(b"w2", seen(2))]
