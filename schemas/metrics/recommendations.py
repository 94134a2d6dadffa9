"""M14 to M21: what recommendations earned, and what sessions made of them."""

from typing import Final

from schemas.metrics.model import Cut, Grain, Maturity, Metric, Section, Unit

_IN: Final = Section.RECOMMENDATIONS
_CREDIT: Final = ("widget_id", "placement", "strategy", "product_id")
_WIDGET: Final = ("widget_id",)


def _revenue(name: str, sql: str, line: str, says: str, origin: str, *, number: str) -> Metric:
    return Metric(
        number=number,
        name=name,
        section=_IN,
        says=says,
        day="capture of the order",
        unit=Unit.MONEY,
        grain=Grain.ADDITIVE,
        origin=origin,
        fact="order",
        sql=sql,
        cuts=(Cut("line", line, _CREDIT),),
    )


def _taken(name: str, credit: str, number: str) -> Metric:
    return Metric(
        number=number,
        name=name,
        section=_IN,
        says=f"What cancels and refunds took of lines with {credit} credit.",
        day="the cancel or refund",
        unit=Unit.MONEY,
        grain=Grain.ADDITIVE,
        origin="E2, H57",
        fact="adjustment",
        sql=f"sum(toInt128({credit}_taken))",
        cuts=(Cut("adjusted_line", f"sumIf(toInt128(line_taken), earned = '{credit}')", _CREDIT),),
        part=True,
    )


def _net(name: str, captured: str, taken: str, number: str) -> Metric:
    return Metric(
        number=number,
        name=name,
        section=_IN,
        says=f"{captured}, less what cancels and refunds of the period took of those lines; may be negative.",
        day="capture of the order; the cancel or refund",
        unit=Unit.MONEY,
        grain=Grain.ADDITIVE,
        origin="E2, H57, H80",
        plus=(captured,),
        minus=(taken,),
    )


REVENUE: Final = (
    _revenue(
        "recommendation_direct_revenue",
        "sum(toInt128(direct))",
        "sumIf(toInt128(line_paid), earned = 'direct')",
        "Paid for lines whose product was shown to the person, then added to the cart, then bought, in the window.",
        "E19 to E24, H70, H71",
        number="M14",
    ),
    _revenue(
        "recommendation_assisted_revenue",
        "sum(toInt128(assisted))",
        "sumIf(toInt128(line_paid), earned = 'assisted')",
        "Paid for lines that are not direct, of orders in the window after an interaction with a recommended product.",
        "E25, H72, H73",
        number="M15",
    ),
    _revenue(
        "unattributed_revenue",
        "sum(toInt128(lines_paid)) - sum(toInt128(direct)) - sum(toInt128(assisted))",
        "sumIf(toInt128(line_paid), earned != 'direct' AND earned != 'assisted')",
        "Paid for lines without credit: direct + assisted + unattributed is all that was paid for lines.",
        "metrics section 2",
        number="M14",
    ),
    _revenue(
        "recommendation_assisted_revenue_inclusive",
        "sumIf(toInt128(lines_paid), has_interaction)",
        "sumIf(toInt128(line_paid), has_interaction)",
        "Paid for all lines of orders after an interaction, direct ones too: always direct + assisted.",
        "H74",
        number="M15",
    ),
    _revenue(
        "exposure_only_revenue",
        "sum(toInt128(shown_only))",
        "sumIf(toInt128(line_paid), line_shown_only)",
        "Paid for lines whose product was shown within the window and never added to the cart; beside the identity.",
        "E21, H75",
        number="M14",
    ),
    _taken("recommendation_direct_taken_back", "direct", "M14"),
    _taken("recommendation_assisted_taken_back", "assisted", "M15"),
    _net(
        "recommendation_direct_revenue_net",
        "recommendation_direct_revenue",
        "recommendation_direct_taken_back",
        "M14",
    ),
    _net(
        "recommendation_assisted_revenue_net",
        "recommendation_assisted_revenue",
        "recommendation_assisted_taken_back",
        "M15",
    ),
)


def _sessions(
    number: str,
    name: str,
    condition: str,
    says: str,
    origin: str,
    *,
    cuts: tuple[Cut, ...] = (),
    part: bool = True,
    unit: Unit = Unit.COUNT,
    sql: str = "",
) -> Metric:
    return Metric(
        number=number,
        name=name,
        section=_IN,
        says=says,
        day="start of the session",
        unit=unit,
        grain=Grain.ADDITIVE,
        origin=origin,
        fact="session",
        sql=sql or f"sumIf(sessions, {condition})",
        cuts=cuts,
        part=part,
    )


SESSIONS: Final = (
    _sessions(
        "M16",
        "recommendation_sessions",
        "exposed",
        "Sessions with at least one recommendation impression; by widget, each that saw it.",
        "H38",
        cuts=(
            Cut("exposure", "count()", _WIDGET),
            Cut("exposure_strategy", "count()", ("strategy", "widget_id")),
        ),
        part=False,
    ),
    _sessions(
        "M17",
        "recommendation_viewed_sessions",
        "exposed AND viewed",
        "Sessions with an impression and, not before it, the details of the same product.",
        "H76",
        cuts=(Cut("exposure", "countIf(viewed)", _WIDGET),),
    ),
    _sessions(
        "M18",
        "recommendation_converted_sessions",
        "converted",
        "Sessions in which a product was seen that became a direct line within the window.",
        "H77",
        cuts=(Cut("exposure", "countIf(converted)", _WIDGET),),
    ),
    _sessions(
        "M18",
        "recommendation_pending_sessions",
        "exposed AND NOT matured",
        "Sessions with an impression that may still convert: their window is open at data_as_of.",
        "H78",
        cuts=(Cut("exposure_maturity", "countIf(NOT matured)", _WIDGET),),
    ),
    _sessions(
        "M18",
        "recommendation_mature_at",
        "",
        "When the last session with an impression can no longer convert.",
        "H78",
        unit=Unit.INSTANT,
        sql="maxIf(mature_at, exposed)",
        cuts=(Cut("exposure_maturity", "max(mature_at)", _WIDGET),),
    ),
    _sessions(
        "M18",
        "recommendation_matured_sessions",
        "exposed AND matured",
        "Sessions with an impression whose window is over.",
        "H78",
        cuts=(Cut("exposure_maturity", "countIf(matured)", _WIDGET),),
    ),
    _sessions(
        "M18",
        "recommendation_matured_converted_sessions",
        "converted AND matured",
        "Of these, the converted ones.",
        "H78",
        cuts=(Cut("exposure_maturity", "countIf(converted AND matured)", _WIDGET),),
    ),
    _sessions(
        "M21",
        "purchase_sessions",
        "ordered",
        "Sessions with at least one captured order.",
        "H79",
    ),
    _sessions(
        "M21",
        "purchase_sessions_with_recommended",
        "bought_recommended",
        "Sessions with an order that has a direct line.",
        "H79",
    ),
)


def _rate(
    number: str,
    name: str,
    says: str,
    origin: str,
    numerator: str,
    denominator: str,
    maturity: Maturity | None = None,
) -> Metric:
    return Metric(
        number=number,
        name=name,
        section=_IN,
        says=says,
        day="start of the session, both sides",
        unit=Unit.PERCENT,
        grain=Grain.RATIO,
        origin=origin,
        numerator=numerator,
        denominator=denominator,
        maturity=maturity,
    )


RATES: Final = (
    _rate(
        "M17",
        "recommendation_ctr",
        "Of the sessions with an impression, those that then opened the details of a shown product; a rate of sessions.",
        "H76",
        "recommendation_viewed_sessions",
        "recommendation_sessions",
    ),
    _rate(
        "M18",
        "recommendation_conversion_rate",
        "Of the sessions with an impression, those in which a product was seen that was bought within the window.",
        "H77, H78, E32",
        "recommendation_converted_sessions",
        "recommendation_sessions",
        Maturity(
            "recommendation_pending_sessions",
            "recommendation_mature_at",
            "recommendation_matured_converted_sessions",
            "recommendation_matured_sessions",
        ),
    ),
    _rate(
        "M21",
        "purchase_sessions_with_recommended_pct",
        "Of the sessions with a captured order, those with an order that has a direct line.",
        "H79, H80",
        "purchase_sessions_with_recommended",
        "purchase_sessions",
    ),
)

REACHED: Final = (
    Metric(
        number="M19",
        name="recommendation_unique_customers",
        section=_IN,
        says="Distinct persons with at least one recommendation impression; does not add up over days.",
        day="the impression",
        unit=Unit.COUNT,
        grain=Grain.DISTINCT,
        origin="H39",
        fact="reach",
        sql="sum(persons)",
        dimensions=_WIDGET,
    ),
    Metric(
        number="M20",
        name="recommended_product_purchases",
        section=_IN,
        says="Captured orders with at least one direct line.",
        day="capture of the order",
        unit=Unit.COUNT,
        grain=Grain.ADDITIVE,
        origin="H79, H80",
        fact="order",
        sql="countIf(has_direct)",
        cuts=(Cut("line", "uniqExactIf(order_id, earned = 'direct')", _CREDIT),),
    ),
    Metric(
        number="M20",
        name="recommended_units",
        section=_IN,
        says="Units of direct lines.",
        day="capture of the order",
        unit=Unit.COUNT,
        grain=Grain.ADDITIVE,
        origin="H79, H80",
        fact="order",
        sql="sum(direct_units)",
        cuts=(Cut("line", "sumIf(line_units, earned = 'direct')", _CREDIT),),
    ),
)

METRICS: Final = (*REVENUE, *SESSIONS, *RATES, *REACHED)
