"""Recommendations and personalisation (M2, M6, M7, M10 to M21), against values worked out by hand."""

from fractions import Fraction
from typing import Any

from dashboard.asking import State
from tests.dashboard.asking import Desk
from tests.sinks.making import adjusted, at, confirms, date, exposure, goals, order, served, session

SEEN: dict[str, Any] = {"impressions": 2, "last_shown_at": at(1), "matures_at": at(8)}


async def test_golden_case_1_direct_assisted_and_the_rest_by_widget_and_product(desk: Desk) -> None:
    await desk.fill(
        order("o1", ("p1", 2, 10_000, "direct", "B"), ("p3", 1, 3_000, "assisted", "A"), extra=1_000),
        order("o2", ("p1", 1, 70, "none", ""), ("p2", 1, 30, "none", ""), exposure_only=[1, 0]),
    )
    revenue = (
        "recommendation_direct_revenue",
        "recommendation_assisted_revenue",
        "unattributed_revenue",
        "recommendation_assisted_revenue_inclusive",
        "exposure_only_revenue",
    )
    found = await desk.numbers(*revenue, "recommended_product_purchases", "recommended_units")
    assert found == {
        ("recommendation_direct_revenue", "EUR"): 10_000,
        ("recommendation_assisted_revenue", "EUR"): 3_000,
        ("unattributed_revenue", "EUR"): 100,
        ("recommendation_assisted_revenue_inclusive", "EUR"): 13_000,
        ("exposure_only_revenue", "EUR"): 70,
        "recommended_product_purchases": 1,
        "recommended_units": 2,
    }
    assert await desk.numbers(*revenue[:2], by=("widget_id",)) == {
        ("recommendation_direct_revenue", "B", "EUR"): 10_000,
        ("recommendation_assisted_revenue", "A", "EUR"): 3_000,
    }
    assert await desk.numbers("recommended_product_purchases", "recommended_units", by=("product_id",)) == {
        ("recommended_product_purchases", "p1"): 1,
        ("recommended_units", "p1"): 2,
    }


async def test_golden_case_8_a_refund_lowers_the_net_of_its_own_day(desk: Desk) -> None:
    back = adjusted(("refund", "r1", 11, 6_000, [5_000, 500]))
    await desk.fill(order("o1", ("p1", 2, 10_000, "direct", "B"), ("p3", 1, 3_000, "assisted", "A"), **back))
    names = ("recommendation_direct_revenue", "recommendation_direct_revenue_net")
    assist = "recommendation_assisted_revenue_net"
    for first, last, told in ((1, 1, [10_000, 10_000, 3_000]), (11, 11, [0, -5_000, -500])):
        found = await desk.numbers(*names, assist, first=first, last=last)
        assert [found[name, "EUR"] for name in (*names, assist)] == told
    assert await desk.numbers(names[1], first=11, last=11, by=("widget_id", "product_id")) == {
        (names[1], "B", "p1", "EUR"): -5_000
    }


async def test_rates_of_exposing_sessions_and_what_still_matures(desk: Desk) -> None:
    sold = ("p1", 1, 100, "direct", "top")
    await desk.fill(
        session("c:a", "s:1", **SEEN, viewed=1, orders=1),
        session("c:b", "s:2", **SEEN, viewed=1),
        session("c:c", "s:3", **{**SEEN, "matures_at": at(8, 12)}),
        session("c:d", "s:4", orders=1),
        exposure("c:a", "s:1", "top", viewed=1),
        exposure("c:a", "s:1", "cart", strategies=["popular"]),
        exposure("c:b", "s:2", "top", viewed=1, strategies=["also-bought", "popular"]),
        exposure("c:c", "s:3", "cart"),
        order("o1", sold, person="c:a", session_key="s:1", day=2, **confirms("s:1", "top")),
        order("o2", ("p9", 1, 100, "none", ""), person="c:d", session_key="s:4"),
        order("o3", sold, person="c:x", session_key="s:2", **confirms("s:2", "top")),  # of another person
    )
    asked = ("recommendation_sessions", "recommendation_ctr", "recommendation_conversion_rate")
    found = await desk.ask(*asked, "purchase_sessions_with_recommended_pct", as_of=at(8, 11))
    assert found.one("recommendation_sessions").current == 3
    assert found.one("recommendation_ctr").current == Fraction(200, 3)
    rate = found.one("recommendation_conversion_rate")
    assert (rate.current, rate.is_provisional, rate.matures_at) == (Fraction(100, 3), True, at(8, 12))
    assert found.one("purchase_sessions_with_recommended_pct").current == 50
    ripe = (await desk.ask(asked[2], as_of=at(8, 12))).one(asked[2])
    assert (ripe.is_provisional, ripe.matures_at) == (False, None)

    assert await desk.numbers(*asked, by=("widget_id",)) == {
        ("recommendation_sessions", "top"): 2,
        ("recommendation_sessions", "cart"): 2,
        ("recommendation_ctr", "top"): 100,
        ("recommendation_ctr", "cart"): 0,
        ("recommendation_conversion_rate", "top"): 50,
        ("recommendation_conversion_rate", "cart"): 0,
    }
    assert await desk.numbers("recommendation_sessions", by=("strategy",)) == {
        ("recommendation_sessions", "also-bought"): 3,
        ("recommendation_sessions", "popular"): 2,
    }
    provisional = await desk.ask(asked[2], by=("widget_id",), as_of=at(8, 11))
    assert [(each.by, each.is_provisional) for each in provisional.values] == [
        (("cart",), True),
        (("top",), False),
    ]


async def test_the_change_compares_matured_sessions_of_both_periods(desk: Desk) -> None:
    def saw(person: str, day: int, matures: int) -> Any:
        fields = {"impressions": 1, "last_shown_at": at(day), "matures_at": at(matures)}
        return session(person, "s:1", day=day, **fields)

    await desk.fill(
        saw("c:a", 1, 8),
        saw("c:b", 1, 8),
        saw("c:c", 2, 9),
        saw("c:d", 2, 20),  # still open
        *(
            order(f"o-{person}", ("p", 1, 1, "direct", "W"), person=person, **confirms("s:1", "W"))
            for person in ("c:a", "c:c")
        ),
    )
    value = (await desk.ask("recommendation_conversion_rate", first=2, last=2, as_of=at(10))).one(
        "recommendation_conversion_rate"
    )
    assert (value.current, value.previous) == (50, 50)
    assert value.change_pp == 50  # 1 of 1 against 1 of 2
    assert value.change_pct == 100
    assert value.state is State.UP
    early = (await desk.ask("recommendation_conversion_rate", first=2, last=2, as_of=at(8, 11))).values[0]
    assert (early.change_pp, early.change_pct, early.state) == (None, None, None)


async def test_unique_customers_are_counted_by_day_and_channel_of_the_impression(desk: Desk) -> None:
    night = {
        "shown_dates": [date(1), date(2)],
        "shown_channels": ["web", "app"],
        "shown_at": [at(1, 23), at(2, 1)],
    }
    await desk.fill(
        exposure("c:a", "s:1", "top"),
        exposure("c:a", "s:1", "cart"),
        exposure("c:b", "s:2", "top", **night),
    )
    name = "recommendation_unique_customers"
    assert await desk.numbers(name) == {name: 2}
    assert await desk.numbers(name, by=("widget_id",)) == {(name, "top"): 2, (name, "cart"): 1}
    assert await desk.numbers(name, first=2, last=2) == {name: 1}
    assert await desk.numbers(name, first=1, last=2, channel="app") == {name: 1}
    # Until one o'clock nobody had been shown anything in the night of the 2nd.
    assert await desk.numbers(name, first=2, last=2, as_of=at(2, 1)) == {name: 0}


async def test_personalised_sessions_and_their_orders(desk: Desk) -> None:
    both = served(("e1", "v1", "t1", 1), ("e1", "v2", "t1", 1), ("e2", "", "", 1))
    await desk.fill(
        session("c:a", "s:1", **both, orders=2),
        session("c:b", "s:2", **served(("e2", "", "", 1))),
        session("c:c", "s:3", orders=1),
        order("o1", ("p", 1, 1_000, "none", ""), person="c:a", session_key="s:1"),
        order("o2", ("p", 1, 500, "none", ""), person="c:a", session_key="s:1", currency="JPY", exponent=0),
        order("o3", ("p", 1, 9_000, "none", ""), person="c:c", session_key="s:3"),
        order("o4", ("p", 1, 9_000, "none", ""), person="c:c", session_key="s:1"),  # not that session
        order("o5", ("p", 1, 9_000, "none", ""), person="c:a", session_key=""),
    )
    names = ("personalized_sessions", "personalization_purchase_rate", "personalization_revenue")
    assert await desk.numbers(*names, "personalization_aov") == {
        "personalized_sessions": 2,
        "personalization_purchase_rate": 50,
        ("personalization_revenue", "EUR"): 1_000,
        ("personalization_revenue", "JPY"): 500,
        ("personalization_aov", "EUR"): 1_000,
        ("personalization_aov", "JPY"): 500,
    }
    assert await desk.numbers(*names, by=("experience_id",)) == {
        ("personalized_sessions", "e1"): 1,
        ("personalized_sessions", "e2"): 2,
        ("personalization_purchase_rate", "e1"): 100,
        ("personalization_purchase_rate", "e2"): 50,
        ("personalization_revenue", "e1", "EUR"): 1_000,  # once, though two variants were served
        ("personalization_revenue", "e1", "JPY"): 500,
        ("personalization_revenue", "e2", "EUR"): 1_000,
        ("personalization_revenue", "e2", "JPY"): 500,
    }
    assert await desk.numbers(
        "personalization_revenue", by=("experience_id", "variant_id"), channel="web"
    ) == {
        ("personalization_revenue", experience, variant, currency): total
        for experience, variant in (("e1", "v1"), ("e1", "v2"), ("e2", ""))
        for currency, total in (("EUR", 1_000), ("JPY", 500))
    }


async def test_goals_go_to_what_was_served_before_them_or_to_the_experience_they_name(desk: Desk) -> None:
    reached = goals(("signup", "", 2, 700), ("signup", "e9", 1, None), ("quiz", "", 1, 50))
    late = {**served(("e1", "", "", 2), ("e2", "", "", 3)), "experience_last_at": [at(2), at(3)]}
    await desk.fill(
        session("c:a", "s:1", **{**reached, "goal_event_id": ["g1", "g2", "g3"]}, **late),
        session("c:b", "s:2", **{**goals(("signup", "", 1, 999)), "goal_event_id": ["g4"]}),  # nothing served
        session("c:c", "s:3", **served(("e1", "", "", 1))),
    )
    # g1 on the 2nd: e1 at the same ms, e2 came later. g2 names e9, which was never seen. g3 came before both.
    names = ("personalization_conversions", "personalization_goal_revenue")
    assert await desk.numbers(*names, first=1, last=2) == {
        "personalization_conversions": 2,
        ("personalization_goal_revenue", "EUR"): 700,
    }
    assert await desk.numbers(*names, first=1, last=2, by=("goal_id", "experience_id")) == {
        ("personalization_conversions", "signup", "e1"): 1,
        ("personalization_conversions", "signup", "e9"): 1,
        ("personalization_goal_revenue", "signup", "e1", "EUR"): 700,
    }
    assert await desk.numbers("personalization_conversion_rate", by=("goal_id",)) == {
        ("personalization_conversion_rate", "signup"): 50,  # of both personalised sessions
    }
    assert await desk.numbers("personalization_conversion_rate") == {"personalization_conversion_rate": 50}


async def test_what_comes_late_in_a_session_of_a_month_counts_on_its_day(desk: Desk) -> None:
    """A made session goes on as long as its gaps are small, and stands under the day it began."""
    month = {"ended_at": at(30), "closes_at": at(31), "orders": 1, **SEEN, **served(("e1", "", "", 30))}
    await desk.fill(
        session("c:a", "g:whatsapp:1", channel="whatsapp", **month, **goals(("signup", "", 30, 700))),
        session("c:b", "s:2", day=30, born=date(30), **served(("e1", "", "", 30))),
        order(
            "o1", ("p1", 1, 100, "direct", "B"), day=30, born=date(30), person="c:a", channel="whatsapp",
            **confirms("g:whatsapp:1", "B"),
        ),
    )  # fmt: skip
    names = ("personalization_conversions", "personalization_goal_revenue")
    assert await desk.numbers(*names, first=30, last=30) == {
        "personalization_conversions": 1,
        ("personalization_goal_revenue", "EUR"): 700,
    }
    # The order of the 30th confirms the session of the 1st.
    rate = (await desk.ask("recommendation_conversion_rate")).one("recommendation_conversion_rate")
    assert rate.current == 100


async def test_a_purchase_goal_is_worth_the_closest_order_of_its_session(desk: Desk) -> None:
    bought = goals(("purchase", "", 1, None), ("purchase", "", 1, 5))
    await desk.fill(
        session(
            "c:a",
            "s:1",
            **{**bought, "goal_event_id": ["g1", "g2"], "goal_at": [at(1, 12), at(1, 13)]},
            **served(("e1", "", "", 1)),
            orders=3,
        ),
        session(
            "c:b",
            "s:2",
            **{**goals(("purchase", "", 1, None)), "goal_event_id": ["g3"]},
            **served(("e1", "", "", 1)),
        ),
        # Two as close as each other: the earlier, and of those the smaller id.
        order("o2", ("p", 1, 222, "none", ""), person="c:a", captured_at=at(1, 11)),
        order(
            "o1", ("p", 1, 111, "none", ""), person="c:a", captured_at=at(1, 11), currency="JPY", exponent=0
        ),
        order("o3", ("p", 1, 333, "none", ""), person="c:a", captured_at=at(1, 13)),
    )
    assert await desk.numbers("personalization_conversions", "personalization_goal_revenue") == {
        "personalization_conversions": 3,
        ("personalization_goal_revenue", "EUR"): 5,
        ("personalization_goal_revenue", "JPY"): 111,
    }
