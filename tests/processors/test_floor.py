"""State expires by the least watermark of all partitions: what was misrouted finds its orders, sessions and touches."""

from collections.abc import Sequence

import pytest

from processors.progress import IDLE_AGAIN_MS, IDLE_HOLDS_MS, Progress, RepeatedMessage, fresh
from schemas.epoch import Outgoing
from schemas.stores import Store
from tests.driver import PipelineDriver
from tests.golden.cases import MINUTE, TEN, event
from tests.oracle.recompute import recompute
from tests.oracle.records import Rows
from tests.oracle.wire import partition_of, raw_records
from tests.processors.apart import driver_read_apart
from tests.processors.test_convergence import assert_equal
from tests.worlds import compare, random_world

DAY = 86_400_000


@pytest.mark.parametrize("seed", range(80))
def test_misrouted_records_are_exact_whoever_is_weeks_ahead(seed: int) -> None:
    world = random_world(seed, most_stories=40)
    assert_equal(
        driver_read_apart(world, seed).rows(),
        recompute(world.records, world.stores, rates=world.oracle_rates).rows,
        world,
    )


def rows_of_a_slow_partition() -> tuple[Rows, Rows]:
    """(rows, oracle): ann's order is in her own partition, which goes on for a month before hers reads her touches."""
    ann, bob = {"customer_id": "ann"}, {"customer_id": "bob"}
    here = partition_of(b"acme|ann", 2)
    driver = PipelineDriver({"acme": Store()}, partitions=2)
    driver.expect_records(1 - here, ["impression", "cart"])
    products = [{"product_id": "p1"}]
    lines = [{"product_id": "p1", "quantity": 1, "unit_price": 1}]
    bought = {"order_id": "o1", "currency": "EUR", "lines": lines, "total": 1}
    records = raw_records(
        [
            event("order", "captured", TEN, **ann, **bought),
            *[
                event("order", "captured", TEN + n * DAY, **ann, **bought | {"order_id": f"x{n}"})
                for n in range(30)
            ],
            event("impression", "shown", TEN - 2 * MINUTE, **ann, widget_id="W", products=products),
            event("cart", "added", TEN - MINUTE, **ann, product_id="p1", quantity=1),
            event("impression", "shown", TEN + 40 * DAY, **bob, widget_id="W", products=products),
        ]
    )
    for record in records[:31]:
        driver.pipe([record], to=here)
    driver.crash()  # else ann is in memory, where nothing is looked for that could be forgotten
    driver.pipe(records[31:], to=1 - here)
    return driver.rows(), recompute(records, driver.stores).rows


def test_a_touch_finds_its_order_though_its_partition_is_a_month_ahead() -> None:
    rows, oracle = rows_of_a_slow_partition()
    assert not compare(rows, oracle)
    assert rows["orders"]["acme", "o1"].credit == ["direct"]


def test_without_a_common_floor_it_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Progress, "settle_floor", lambda self, watermark, **_: watermark)
    rows, oracle = rows_of_a_slow_partition()
    assert compare(rows, oracle)


# -- the floor itself --------------------------------------------------------------------------------------------------


class Log:
    """Two or more partitions and the log of their reports."""

    def __init__(self, partitions: int = 2) -> None:
        self.members = [Progress(number, partitions, fresh()) for number in range(partitions)]
        self.now_ms = 1_000

    def tell(self, number: int, watermark: int, *, idle: bool = False) -> Sequence[Outgoing]:
        sealed = self.members[number].seal(0)
        report = self.members[number].report(watermark, idle=idle, now_ms=self.now_ms)
        if report is not None:
            for member in self.members:
                member.hear(number, report)
        return sealed

    def floor(self, number: int, watermark: int = 1 << 60) -> int:
        return self.members[number].settle_floor(watermark, has_times=True, now_ms=self.now_ms)


def letter(to: int) -> Outgoing:
    return Outgoing("forwarded", b"k", b"v", None, (), to)


def test_nothing_expires_before_every_partition_was_heard_and_then_by_the_slowest() -> None:
    log = Log()
    log.tell(0, 30 * DAY)
    assert log.floor(0) == 0
    log.tell(1, 2 * DAY)
    assert log.floor(0) == 2 * DAY
    assert log.floor(1, watermark=DAY) == DAY, "its own watermark holds it too"


def test_an_idle_partition_holds_nobody_until_it_is_silent_for_too_long() -> None:
    log = Log()
    log.tell(0, 30 * DAY)
    log.tell(1, 2 * DAY, idle=True)
    assert log.floor(0) == 30 * DAY
    log.tell(0, 40 * DAY)
    log.now_ms += IDLE_HOLDS_MS
    assert log.floor(0) == 30 * DAY, "it may be down, with a backlog that nobody has judged"
    assert log.members[1].has_news(2 * DAY, idle=True, now_ms=log.now_ms), (
        "one that is up says it again in time"
    )
    log.tell(1, 2 * DAY, idle=True)
    assert log.floor(0) == 40 * DAY
    assert IDLE_AGAIN_MS < IDLE_HOLDS_MS


def test_a_message_holds_the_floor_where_it_was_judged_until_it_and_all_that_follows_from_it_is_taken() -> (
    None
):
    log = Log(3)
    log.members[0].send([letter(1)], DAY)
    (first,) = log.tell(0, 30 * DAY, idle=True)
    log.tell(1, 40 * DAY, idle=True)
    log.tell(2, 50 * DAY)
    assert log.floor(2) == DAY
    bound = log.members[1].taken(dict(first.headers)["fwd_from"])
    assert bound == DAY
    log.members[1].send([letter(2)], bound)
    (second,) = log.tell(1, 40 * DAY, idle=True)
    log.tell(0, 31 * DAY, idle=True)
    assert log.floor(2) == DAY, "the receiver has sent something on"
    log.members[2].taken(dict(second.headers)["fwd_from"])
    log.tell(2, 50 * DAY)
    assert log.members[1].has_news(40 * DAY, idle=True, now_ms=log.now_ms), "it owes nothing any more"
    log.tell(1, 40 * DAY, idle=True)
    assert log.floor(2) == 50 * DAY


def test_the_floor_never_goes_back_and_survives_a_restart() -> None:
    log = Log()
    log.tell(0, 30 * DAY)
    log.tell(1, 30 * DAY, idle=True)
    assert log.floor(0) == 30 * DAY
    log.tell(1, 30 * DAY)
    log.members[0].send([letter(1)], DAY)
    log.tell(0, 30 * DAY)
    assert log.floor(0) == 30 * DAY
    again = Progress(0, 2, log.members[0].saved)
    assert again.settle_floor(31 * DAY, has_times=True, now_ms=0) == 30 * DAY


def test_a_message_that_comes_again_ends_the_worker() -> None:
    """Its epoch was taken back after it was seen. Dropped, it might take another message of that number with it."""
    log = Log()
    log.members[0].send([letter(1), letter(1)], DAY)
    first, second = log.tell(0, 30 * DAY)
    for sent in (first, second):
        log.members[1].taken(dict(sent.headers)["fwd_from"])
    with pytest.raises(RepeatedMessage, match="partition 0 has sent 1 its message 2 again, after number 2"):
        log.members[1].taken(dict(second.headers)["fwd_from"])
    with pytest.raises(RepeatedMessage, match="partition 5 has sent 1 its message 0 again, after number 0"):
        log.members[1].taken(b"5:0:0:0")
    # Set aside by hand, an older one takes no receipt back.
    log.members[1].passed(dict(first.headers)["fwd_from"])
    assert log.members[1].saved.received == {0: 2}
