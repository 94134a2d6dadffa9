"""Stores that come, go and change under state that exists."""

from typing import Any

import msgspec
import pytest

from processors.resume import CannotResume
from schemas.stores import Rfm, Store
from tests.driver import PipelineDriver
from tests.golden.cases import TEN
from tests.oracle.recompute import recompute
from tests.oracle.wire import Sent, raw_records
from tests.processors.test_convergence import assert_equal
from tests.worlds import World

DAY = 86_400_000
ACME = Store(zone="Europe/Madrid")
BETA = Store(zone="Asia/Tokyo", currency="JPY", allowed_lateness_ms=3 * DAY)


def visit(store_id: str, at: int) -> Sent:
    body: dict[str, Any] = {
        "event_id": f"{store_id}-{at}",
        "type": "activity",
        "store_id": store_id,
        "customer_id": "ann",
        "occurred_at": at,
    }
    return Sent("session", body, at)


def test_a_store_that_is_new_is_counted_from_when_it_is_there() -> None:
    both = {"acme": ACME, "beta": BETA}
    driver = PipelineDriver({"acme": ACME})
    driver.pipe(raw_records([visit("acme", TEN), visit("beta", TEN)]))
    assert [sent.key for sent in driver.dead_letters] == [b"beta|ann"]
    driver.crash(stores=both)
    known = [visit("acme", TEN + DAY), visit("beta", TEN + DAY)]
    driver.pipe(raw_records(known))
    driver.crash()
    assert_equal(
        driver.rows(), recompute(raw_records([visit("acme", TEN), *known]), both).rows, World((), both)
    )


def test_a_store_that_is_gone_is_named() -> None:
    driver = PipelineDriver({"acme": ACME, "beta": BETA})
    driver.pipe(raw_records([visit("acme", TEN)]))
    with pytest.raises(CannotResume, match="stores: beta is not there any more"):
        driver.crash(stores={"acme": ACME})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"zone": "Asia/Tokyo"}, "acme: zone was 'Europe/Madrid' .* is 'Asia/Tokyo' now"),
        ({"channel_session_timeout_ms": {"app": 60_000}}, "channel_session_timeout_ms was {} .* is {'app': 60000} now"),
        ({"allowed_lateness_ms": 0}, "allowed_lateness_ms was 86400000 .* is 0 now"),
    ],
)  # fmt: skip
def test_what_moves_old_numbers_is_named_with_what_it_was(change: dict[str, Any], says: str) -> None:
    driver = PipelineDriver({"acme": ACME})
    driver.pipe(raw_records([visit("acme", TEN)]))
    with pytest.raises(CannotResume, match=says):
        driver.crash(stores={"acme": msgspec.structs.replace(ACME, **change)})
    driver.crash(stores={"acme": msgspec.structs.replace(ACME, name="Acme", rfm=Rfm("fixed"))})


def test_a_store_may_change_as_long_as_no_state_was_built_with_it() -> None:
    driver = PipelineDriver({"acme": ACME})
    driver.crash(stores={"acme": BETA})
