"""Sessions made again without what has gone from them: their orders, and the rows of what they no longer show."""

import pytest

from processors import journal
from schemas.stores import Store
from schemas.topics import DAY_MS
from tests.driver import PipelineDriver
from tests.golden.cases import MINUTE, TEN, event
from tests.oracle.recompute import recompute
from tests.oracle.wire import Sent, raw_records
from tests.processors.test_convergence import assert_equal
from tests.processors.test_identity import ANN, BOB, BOUGHT, CID, DEVICE, P1, login, stay
from tests.worlds import World


def together(*epochs: list[Sent]) -> PipelineDriver:
    """A driver of one partition that has taken each of these lists in one epoch. Its rows are the oracle's."""
    stores = {"acme": Store()}
    driver = PipelineDriver(stores)
    for events in epochs:
        driver.pipe(raw_records(events))
        driver.crash()
    records = raw_records([event for events in epochs for event in events])
    assert_equal(driver.rows(), recompute(records, stores).rows, World((), stores))
    return driver


def test_an_exposure_that_is_taken_back_goes_also_when_more_is_taken_back_in_the_same_epoch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(journal, "PART_BYTES", 1)
    both = {"session_id": "s"}
    driver = together(
        [
            login(TEN, {**BOB, **both}),
            event("impression", "shown", TEN + 2 * MINUTE, **DEVICE, **both, widget_id="W", products=P1),
        ],
        [stay(TEN + 3 * MINUTE, **both)],
        [login(TEN + MINUTE, ANN)],
    )
    assert set(driver.rows()["exposures"]) == {("acme", "c:ann", "s:s", "W")}


def bought(at: int, who: dict[str, str], order_id: str = "o1") -> Sent:
    return event("order", "captured", at, **who, **BOUGHT, order_id=order_id)


def test_a_made_session_that_begins_again_where_it_began_keeps_the_order_that_fell_into_it() -> None:
    """The device's event at its start goes to ann, and another of bob's own comes to the same instant."""
    driver = together(
        [stay(TEN), login(TEN + MINUTE, BOB), bought(TEN + 2 * MINUTE, BOB)],
        [login(TEN - MINUTE, ANN), event("session", "activity", TEN, **BOB)],
    )
    session = driver.rows()["sessions"]["acme", "c:bob", f"g:web:{TEN}"]
    assert (session.orders, session.closes_at) == (1, TEN + 32 * MINUTE)


@pytest.mark.parametrize("is_old", [False, True])
def test_an_order_that_joins_a_session_made_again_and_goes_in_the_same_epoch_leaves_nothing(
    is_old: bool,
) -> None:
    """`is_old`: the session was there before bob's journal, and is put back as it was."""
    own, more = (
        [event("session", "activity", TEN, **BOB)],
        [login(TEN + MINUTE, {**BOB, "channel": "app"}), stay(TEN + 3 * MINUTE)],
    )
    driver = together(
        *([own, more] if is_old else [own + more]),
        [login(TEN + 2 * MINUTE, ANN), bought(TEN + 4 * MINUTE, BOB), bought(TEN, CID)],
    )
    assert driver.rows()["sessions"]["acme", "c:bob", f"g:web:{TEN}"].orders == 0


def test_a_session_id_that_lost_its_events_and_is_used_again_another_day_leaves_no_row_of_the_first() -> None:
    """Not in the compacted topic of rows either: `PipelineDriver.rows` looks at both."""
    again = {"session_id": "s"}
    driver = together(
        [stay(TEN, **again), login(TEN + MINUTE, BOB)],
        [login(TEN - MINUTE, ANN)],
        [event("session", "activity", TEN + DAY_MS, **BOB, **again)],
    )
    assert driver.rows()["sessions"]["acme", "c:bob", "s:s"].started_at == TEN + DAY_MS


def test_a_channel_whose_name_begins_with_the_other_ones_keeps_its_sessions() -> None:
    app, ios = {"channel": "app"}, {"channel": "app:ios"}

    def message(at: int) -> Sent:
        return event("session", "message", at, **BOB, **ios, direction="in")

    driver = together(
        [message(TEN + 2 * MINUTE)],
        [
            stay(TEN, **app),
            login(TEN + MINUTE, {**BOB, **app}),
            stay(TEN + 3 * MINUTE, **app),
            message(TEN + 5 * MINUTE),
        ],
        [login(TEN + 2 * MINUTE, ANN)],
    )
    chat = driver.rows()["sessions"]["acme", "c:bob", f"g:app:ios:{TEN + 2 * MINUTE}"]
    assert chat.ended_at == TEN + 5 * MINUTE
