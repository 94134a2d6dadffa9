"""Money at its edges: exact, bounded, and never through a binary float."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import money
from schemas.currencies import EXPONENTS
from schemas.money import (
    E4_LIMIT,
    MINOR_LIMIT,
    BadAmount,
    e4_of_token,
    units_of_number,
    units_of_string,
    units_of_token,
)


@pytest.mark.parametrize(
    ("token", "decimals", "units"),
    [
        (b"50", 2, 5000), (b"50.00", 2, 5000), (b"50.000", 2, 5000), (b'"50.000"', 2, 5000), (b'"30.00"', 2, 3000),
        (b"0.1", 2, 10), (b"1.15", 2, 115), (b"4.35", 2, 435), (b"1e2", 2, 10000), (b"1.5E+1", 0, 15),
        (b"1234e-2", 2, 1234), (b"1e-2", 2, 1), (b"120e-1", 0, 12), (b"100", 0, 100), (b"100.0", 0, 100),
        (b"1.234", 3, 1234), (b"0.0001", 4, 1), (b"0", 2, 0), (b"-0", 2, 0), (b'"-0.00"', 2, 0),
        (b"0e999999999999", 2, 0),
        (b'"0012.50"', 2, 1250), (b'"\\u0035"', 2, 500), (b"9999999999999.99", 2, 10**15 - 1),
        (b"999999999999999", 0, 10**15 - 1), (b"1e14", 0, 10**14), (b"0." + b"0" * 5000, 2, 0),
        (b"1." + b"0" * 5000, 2, 100), (b"1" + b"0" * 5000 + b"e-5000", 2, 100),
    ],
)  # fmt: skip
def test_amounts_are_read_exactly(token: bytes, decimals: int, units: int) -> None:
    assert units_of_token(token, decimals) == units
    assert units_of_token(token, decimals) == units  # remembered


@pytest.mark.parametrize(
    ("token", "decimals", "reason"),
    [
        (b"50.001", 2, "amount_precision"), (b'"50.001"', 2, "amount_precision"), (b"0.5", 0, "amount_precision"),
        (b"1e-3", 2, "amount_precision"), (b"1e-999999999999999", 2, "amount_precision"),
        (b"1.23456", 4, "amount_precision"),
        (b"-1", 2, "invalid_value"), (b'"-0.01"', 2, "invalid_value"), (b'"1e2"', 2, "invalid_value"),
        (b'"NaN"', 2, "invalid_value"), (b'"Infinity"', 2, "invalid_value"), (b'""', 2, "invalid_value"),
        (b'"1."', 2, "invalid_value"), (b'".5"', 2, "invalid_value"), (b'"+1"', 2, "invalid_value"),
        (b'" 1"', 2, "invalid_value"), (b'"1\\n"', 2, "invalid_value"), (b'"1,5"', 2, "invalid_value"),
        ('"١"'.encode(), 2, "invalid_value"), (b"10000000000000", 2, "invalid_value"), (b"1e15", 0, "invalid_value"),
        (b"1e400000000", 2, "invalid_value"), (b"1e99999999999999999999", 2, "invalid_value"),
        (b"1" * 200_000, 2, "invalid_value"),
        (b"1e" + b"9" * 200_000, 2, "invalid_value"), (b"true", 2, "wrong_type"), (b"[1]", 2, "wrong_type"),
        (b"{}", 2, "wrong_type"),
    ],
)  # fmt: skip
def test_what_is_no_amount_says_why(token: bytes, decimals: int, reason: str) -> None:
    with pytest.raises(BadAmount) as caught:
        units_of_token(token, decimals)
    assert caught.value.reason.value == reason


def test_an_amount_without_its_currency_is_read_to_four_decimals() -> None:
    assert e4_of_token(b"52.5") == 525000
    assert e4_of_token(b'"0.0001"') == 1
    assert e4_of_token(b"999999999999999.9999") == E4_LIMIT - 1
    with pytest.raises(BadAmount, match="invalid_value"):
        e4_of_token(b"1000000000000000")
    with pytest.raises(BadAmount, match="amount_precision"):
        e4_of_token(b"0.00001")


@given(st.integers(0, MINOR_LIMIT - 1), st.sampled_from(sorted(set(EXPONENTS.values()))), st.integers(0, 5))
def test_any_amount_comes_back_in_every_form(units: int, decimals: int, more_zeros: int) -> None:
    amount = Decimal(units).scaleb(-decimals)
    plain = f"{amount:.{decimals + more_zeros}f}"
    assert units_of_string(plain, decimals) == units
    assert units_of_number(plain, decimals) == units
    assert units_of_number(f"{units}e-{decimals}", decimals) == units


@given(
    st.from_regex(r"-?[0-9]{1,18}(\.[0-9]{1,6})?([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    st.sampled_from([0, 2, 3, 4]),
)
def test_any_number_is_what_decimal_arithmetic_says(text: str, decimals: int) -> None:
    exact = Decimal(text).scaleb(decimals)
    if exact < 0:
        expected: int | str = "invalid_value"
    elif exact != exact.to_integral_value():
        expected = "amount_precision"
    else:
        expected = int(exact) if exact < MINOR_LIMIT else "invalid_value"
    try:
        actual: int | str = units_of_number(text, decimals)
    except BadAmount as error:
        actual = error.reason.value
    assert actual == expected


def test_remembered_amounts_are_bounded_and_apart_by_decimals(monkeypatch: pytest.MonkeyPatch) -> None:
    money._tables[2].clear()
    monkeypatch.setattr(money, "_REMEMBERED", 10)
    for amount in range(100):
        assert units_of_token(b"%d" % amount, 2) == amount * 100
        assert len(money._tables[2]) <= 10
    assert [units_of_token(b"7", decimals) for decimals in (0, 2, 3, 4)] == [7, 700, 7000, 70000]


def test_currencies_are_those_of_the_published_table() -> None:
    assert [EXPONENTS[code] for code in ("JPY", "EUR", "KWD", "CLF", "XCG")] == [0, 2, 3, 4, 2]
    assert not {"XAU", "XXX", "XTS", "HRK", "eur", "EURO", ""} & set(EXPONENTS)
    assert len(EXPONENTS) == 165
    assert set(EXPONENTS.values()) == {0, 2, 3, 4}
