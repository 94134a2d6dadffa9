"""The CSV files byte for byte, worked out by hand on rows in the real engine."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from dashboard import export_rows
from dashboard.asking import Ask, AskError
from dashboard.export import HEADERS, Kind, Language, cell, header, line, text
from dashboard.export_rows import csv_lines, file_name
from dashboard.numbers import major, plain, rounded, shown
from dashboard.periods import Period
from dashboard.series import series
from tests.dashboard.asking import Desk
from tests.sinks.making import at, order, session, watermark

WHATSAPP: dict[str, Any] = {"channel": "whatsapp", "messages_in": 2}
THREE_DAYS = Ask(
    store="acme",
    period=Period.CUSTOM,
    first=date(2026, 1, 1),
    last=date(2026, 1, 3),
    channel="whatsapp",
    as_of=at(20),
)
EN_HEADER = (
    "Date,Total sessions,Average conversion per user,Bounce rate,Total users,Total new users,Total recurring users,"
    "Conversion rate,Percentage of recurring users,Percentage of new users,Percentage of human support,"
    "Percentage of self-service\r\n"
)


@pytest.fixture
async def filled(desk: Desk) -> Desk:
    """A day of two users and one order, a day of none, a day of three users and two orders; and others elsewhere."""
    await desk.fill(
        session("c:ann", "s:1", channel="whatsapp", messages_in=1),
        session("c:bob", "s:2", **WHATSAPP, supports=1, orders=1),
        session("c:web", "s:9", messages_in=1),
        order("o1", ("p1", 1, 1005, "none", ""), person="c:bob", session_key="s:2", channel="whatsapp"),
        order("o9", ("p1", 1, 1005, "none", ""), person="c:web"),
        session("c:ann", "s:3", **WHATSAPP, day=3),
        session("c:cid", "s:4", **WHATSAPP, day=3, orders=2),
        session("c:dan", "s:5", **WHATSAPP, day=3),
        order("o2", ("p1", 1, 1000, "none", ""), day=3, channel="whatsapp"),
        order("o3", ("p1", 3, 200, "none", ""), day=3, channel="whatsapp", currency="JPY", exponent=0),
        order("o4", ("p1", 1, 1005, "none", ""), day=3, channel="whatsapp"),
        watermark(0, at(20)),
    )
    return desk


async def file(desk: Desk, ask: Ask, kind: Kind = Kind.SESSIONS, language: Language = Language.EN) -> str:
    return "".join([line async for line in csv_lines(desk.client, ask, kind, language)])


async def test_the_sessions_file(filled: Desk) -> None:
    assert await file(filled, THREE_DAYS) == (
        EN_HEADER
        + "2026-01-01,2,0.50,50.00,2,2,0,50.00,0.00,100.00,50.00,50.00\r\n"
        + "2026-01-02,0,,,0,0,0,,,,,\r\n"
        + "2026-01-03,3,1.00,0.00,3,2,1,100.00,33.33,66.67,0.00,100.00\r\n"
    )


def test_the_headers_of_three_languages() -> None:
    assert header(Kind.SESSIONS, Language.EN) == EN_HEADER
    assert header(Kind.SESSIONS, Language.ES) == (
        "Fecha,Total de sesiones,Conversión promedio por usuario,Porcentaje de rebote,Total de usuarios,"
        "Total de nuevos usuarios,Total de usuarios recurrentes,Tasa de conversión,Porcentaje de usuarios recurrentes,"
        "Porcentaje de nuevos usuarios,Porcentaje de soporte humano,Porcentaje de autoservicio\r\n"
    )
    assert header(Kind.SESSIONS, Language.PT) == (
        "Data,Total de sessões,Conversão média por usuário,Taxa de rejeição,Total de usuários,Total de novos usuários,"
        "Total de usuários recorrentes,Taxa de conversão,Percentual de usuários recorrentes,"
        "Percentual de novos usuários,Percentual de suporte humano,Percentual de autoatendimento\r\n"
    )
    assert {len(names) for names in HEADERS.values()} == {12}


async def test_the_sales_file_has_a_row_for_each_day_and_currency(filled: Desk) -> None:
    # 20.05 / 2 is 10.025: half away from zero. 200 yen for 3 pieces: a yen has no decimals.
    assert await file(filled, THREE_DAYS, Kind.SALES) == (
        "date,currency,total_revenue,total_orders,average_ticket,items_per_order,average_price_per_item\r\n"
        "2026-01-01,EUR,10.05,1,10.05,1.00,10.05\r\n"
        "2026-01-01,JPY,0,0,,,\r\n"
        "2026-01-02,EUR,0.00,0,,,\r\n"
        "2026-01-02,JPY,0,0,,,\r\n"
        "2026-01-03,EUR,20.05,2,10.03,1.00,10.03\r\n"
        "2026-01-03,JPY,200,1,200,3.00,67\r\n"
    )


async def test_where_nothing_was_sold_the_currency_is_that_of_the_store(desk: Desk) -> None:
    ask = Ask(
        store="tokio", period=Period.CUSTOM, first=date(2026, 1, 1), last=date(2026, 1, 1), as_of=at(20)
    )
    assert (await file(desk, ask, Kind.SALES)).splitlines()[1:] == ["2026-01-01,JPY,0,0,,,"]


async def test_an_empty_period_is_the_header_alone(desk: Desk) -> None:
    ask = Ask(store="acme", period=Period.MONTH_TO_DATE, as_of=at(1))
    assert await file(desk, ask) == EN_HEADER
    assert (await file(desk, ask, Kind.SALES)).count("\r\n") == 1


async def test_today_is_one_row_cut_at_data_as_of(filled: Desk) -> None:
    today = Ask(store="acme", period=Period.TODAY, channel="whatsapp", as_of=at(3, 11))
    # The orders of 3 January come at noon, and one more session.
    await filled.fill(session("c:eve", "s:6", **WHATSAPP, day=3, started_at=at(3, 15), ended_at=at(3, 15)))
    assert (await file(filled, today)).splitlines()[1:] == [
        "2026-01-03,3,0.00,0.00,3,2,1,0.00,33.33,66.67,0.00,100.00"
    ]
    range_of_days = Ask(**{**_fields(THREE_DAYS), "as_of": at(3, 11)})
    assert (await file(filled, range_of_days)).splitlines()[1:] == [
        "2026-01-01,2,0.50,50.00,2,2,0,50.00,0.00,100.00,50.00,50.00",
        "2026-01-02,0,,,0,0,0,,,,,",
        "2026-01-03,3,0.00,0.00,3,2,1,0.00,33.33,66.67,0.00,100.00",
    ]


async def test_a_long_file_is_read_in_pieces_and_no_row_is_lost(
    filled: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = await file(filled, THREE_DAYS), await file(filled, THREE_DAYS, Kind.SALES)
    monkeypatch.setattr(export_rows, "CHUNK_DAYS", 2)
    assert (await file(filled, THREE_DAYS), await file(filled, THREE_DAYS, Kind.SALES)) == whole
    years = Ask(
        store="acme", period=Period.CUSTOM, first=date(2025, 12, 1), last=date(2026, 1, 19), as_of=at(20)
    )
    days = [row.split(",")[0] for row in (await file(filled, years)).splitlines()[1:]]
    assert days == sorted(set(days))
    assert (days[0], days[-1], len(days)) == ("2025-12-01", "2026-01-19", 50)


async def test_what_is_wrong_is_raised_before_the_first_line(desk: Desk) -> None:
    with pytest.raises(AskError, match="'none' is not configured"):
        await anext(csv_lines(desk.client, Ask(store="none"), Kind.SESSIONS, Language.EN))


async def test_series_tell_the_numbers_of_the_file_with_the_days_before(filled: Desk) -> None:
    found = await series(
        filled.client, Ask(**{**_fields(THREE_DAYS), "metrics": ("total_users", "bounce_rate")})
    )
    users, bounces = found.lines
    assert [point.current for point in users.points] == [2, 0, 3]
    assert [point.current for point in bounces.points] == [50, None, 0]
    assert [point.previous_day for point in users.points] == [date(2025, 12, day) for day in (29, 30, 31)]
    assert [point.previous for point in users.points] == [0, 0, 0]
    with pytest.raises(AskError, match="repeat_customers: as of an instant"):
        await series(filled.client, Ask(**{**_fields(THREE_DAYS), "metrics": ("repeat_customers",)}))


async def test_series_of_too_many_points_are_refused_with_what_to_ask(
    filled: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {**_fields(THREE_DAYS), "channel": None, "metrics": ("channel_sessions",)}
    for most, by in ((2, ()), (5, ("channel",))):  # one line of three days, two lines
        monkeypatch.setattr("dashboard.series.MOST_POINTS", most)
        with pytest.raises(
            AskError, match=f"are {most + 1} points, and at most {most} are told at once; ask"
        ):
            await series(filled.client, Ask(**{**asked, "by": by}))
        monkeypatch.setattr("dashboard.series.MOST_POINTS", most + 1)
        assert (await series(filled.client, Ask(**{**asked, "by": by}))).lines


async def test_series_by_a_dimension_have_a_line_for_each_value(filled: Desk) -> None:
    ask = Ask(
        **{**_fields(THREE_DAYS), "channel": None, "by": ("channel",), "metrics": ("channel_sessions",)}
    )
    lines = (await series(filled.client, ask)).lines
    assert {each.by: [point.current for point in each.points] for each in lines} == {
        ("web",): [1, 0, 0],
        ("whatsapp",): [2, 0, 3],
    }


def _fields(ask: Ask) -> dict[str, Any]:
    return {name: getattr(ask, name) for name in Ask.__dataclass_fields__}


def test_cells() -> None:
    assert [cell(number) for number in (None, 7, Fraction(7), Fraction(1, 8), Fraction(-1, 8))] == [
        "", "7", "7.00", "0.13", "-0.13",
    ]  # fmt: skip
    assert [text(word) for word in ("=1+1", "+1", "-1", "@x", "x=1", "")] == [
        "'=1+1", "'+1", "'-1", "'@x", "x=1", "",
    ]  # fmt: skip
    assert line(('say "hi"', "a,b", "two\r\nlines", "")) == '"say ""hi""","a,b","two\r\nlines",\r\n'


def test_numbers_round_half_away_from_zero_and_never_by_way_of_a_float() -> None:
    assert [plain(rounded(Fraction(number, 200), 2)) for number in (1, 3, -1, -3, 0)] == [
        "0.01", "0.02", "-0.01", "-0.02", "0.00",
    ]  # fmt: skip
    assert plain(rounded(Fraction(-1, 1000), 2)) == "0.00"
    assert plain(major(123456789012345678901, 2)) == "1234567890123456789.01"
    assert [plain(major(4000, digits)) for digits in (0, 2, 3)] == ["4000", "40.00", "4.000"]
    assert [shown(number) for number in (Fraction(1, 3), Fraction(25, 2), Fraction(100))] == [
        Decimal("0.333333333333"),
        Decimal("12.5"),
        Decimal(100),
    ]


def test_the_file_is_named_after_what_is_in_it() -> None:
    assert file_name(THREE_DAYS, Kind.SALES) == "acme_sales_2026-01-01_2026-01-03.csv"
    assert file_name(Ask(store="acme"), Kind.SESSIONS) == "acme_sessions_last_30_days.csv"
