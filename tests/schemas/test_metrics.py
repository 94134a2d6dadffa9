"""The catalogue: what is refused when it is imported, and that every number of the contract is there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.metrics import FACTS, METRICS, QUERIES, READINGS, SHOWN
from schemas.metrics.checks import checked_facts, checked_metrics
from schemas.metrics.expressions import fields_of
from schemas.metrics.grains import dimensions
from schemas.metrics.model import CatalogueError, Cut, Grain, Metric, Unit
from schemas.metrics.rendering import rendered_files

ROOT = Path(__file__).resolve().parents[2]
ORDERS = METRICS["total_orders"]
TICKET = METRICS["average_ticket"]


def check(*metrics: Metric) -> None:
    checked_metrics(metrics, FACTS, QUERIES)


def test_all_fifty_are_there() -> None:
    numbers = {METRICS[name].number for name in SHOWN} | {each.number for each in READINGS}
    assert numbers == {f"M{number}" for number in range(1, 51)}


def test_what_is_rendered_is_fresh() -> None:
    for path, text in rendered_files().items():
        assert (ROOT / path).read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sql": "sum(grand_total)"}, "grand_total is no field of fact order, which has assisted, channel"),
        ({"sql": "sum(paid_total) / count()"}, "a ratio is never stored"),
        ({"sql": "avg(paid_total)"}, "a ratio is never stored"),
        ({"grain": Grain.RATIO}, "give grain R a numerator and a denominator"),
        ({"dimensions": ("colour",)}, "dimension colour is no field of fact order"),
        ({"cuts": (Cut("line", "count()", ("colour",)),)}, "dimension colour is no field of fact line"),
        ({"cuts": (Cut("lines", "count()", ()),)}, "fact 'lines' is not known; known are session"),
        ({"fact": "orders"}, "fact 'orders' is not known"),
        ({"fact": "session", "unit": Unit.MONEY, "sql": "count()"}, "fact session does not have"),
        ({"number": "M51"}, "is none of M1 to M50"),
        ({"name": "Total"}, "lower case"),
        ({"name": "units"}, "a field of a fact has the same name"),
        ({"says": "Orders"}, "ends with a full stop"),
        ({"plus": ("total_orders",)}, "exactly one of"),
        ({"fact": "", "sql": "", "plus": ("nothing",)}, "nothing, which the catalogue does not know"),
        ({"fact": "", "sql": "", "query": "nothing"}, "query 'nothing' is not known"),
    ],
)
def test_an_entry_that_can_not_be_is_refused_by_name(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(CatalogueError, match=r"^metric \w+: ") as error:
        check(replace(ORDERS, **changes))
    assert said in str(error.value)


def test_a_name_is_used_once() -> None:
    with pytest.raises(CatalogueError, match="total_orders: declared twice"):
        check(ORDERS, ORDERS)
    session = FACTS["session"]
    with pytest.raises(CatalogueError, match="fact session: declared twice"):
        checked_facts((session, session))
    with pytest.raises(CatalogueError, match="fact session: field matured declared twice"):
        checked_facts((replace(session, fields=(*session.fields, session.fields[-1])),))


def test_a_ratio_needs_both_sides() -> None:
    with pytest.raises(CatalogueError, match="total_revenue, total_orders, which the catalogue does not"):
        check(TICKET)
    with pytest.raises(CatalogueError, match="both a numerator and a denominator"):
        check(METRICS["total_revenue"], replace(TICKET, denominator=""))


def test_the_names_that_an_expression_uses() -> None:
    assert fields_of("sumIf(toInt128(paid), earned = 'direct' AND NOT is_cancel)") == {
        "paid",
        "earned",
        "is_cancel",
    }
    assert fields_of("arraySum((a, b) -> a * b, paid, units)") == {"paid", "units"}
    assert fields_of("arrayExists(x -> x > first, times)") == {"first", "times"}


def test_a_ratio_is_told_apart_as_both_its_sides_are() -> None:
    assert dimensions("recommendation_ctr") == ("widget_id",)
    assert dimensions("personalization_conversion_rate") == ("goal_id",)  # of all personalised sessions
    assert dimensions("recommendation_direct_revenue_net") == (
        "placement",
        "product_id",
        "strategy",
        "widget_id",
    )
    assert dimensions("conversion_rate") == ()
