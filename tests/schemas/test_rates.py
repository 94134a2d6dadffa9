"""`rates.csv`: decimals as written, one line a day and pair, and mistakes named with their line."""

from datetime import date

import pytest

from schemas.rates import Rate, RateKey, RatesError, parse_rates, rate_of

HEAD = "day,currency,reporting_currency,rate\n"
DAY = date(2026, 1, 31).toordinal() - date(1970, 1, 1).toordinal()


def test_a_line_is_the_rate_of_a_day() -> None:
    text = HEAD + "# the central bank's\n\n2026-01-31,USD,EUR,0.9232\r\n 2026-01-31 , JPY , EUR , 0.00610 \n"
    assert parse_rates("\ufeff" + text) == {
        RateKey(DAY, "USD", "EUR"): Rate("0.9232", 9232, 4),
        RateKey(DAY, "JPY", "EUR"): Rate("0.0061", 61, 4),
    }


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("1", Rate("1", 1, 0)),
        ("001.500", Rate("1.5", 15, 1)),
        ("100", Rate("100", 100, 0)),
        ("0.000000000000000001", Rate("0.000000000000000001", 1, 18)),
        ("0.0", None),
        ("-1", None),
        ("1e3", None),
        ("1.", None),
        (".5", None),
        ("1,5", None),
        ("NaN", None),
        ("٣", None),
        ("0.0000000000000000001", None),
    ],
)
def test_a_rate_is_an_exact_decimal_above_nothing(text: str, rate: Rate | None) -> None:
    assert rate_of(text) == rate


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the first line must be day,currency"),
        ("day,from,to,rate\n", "the first line must be day,currency"),
        (HEAD + "2026-01-31,USD,EUR\n", "line 2: .* has 3 cells"),
        (HEAD + "2026-01-31,USD,EUR,0,92\n", "line 2: .* has 5 cells"),
        (HEAD + "2026-01-31,USD,EUR,0\n", "line 2: rate '0' is not above 0"),
        (HEAD + "2026-02-30,USD,EUR,1\n", "line 2: '2026-02-30' is no day"),
        (HEAD + "2026-W05-6,USD,EUR,1\n", "line 2: '2026-W05-6' is no day"),
        (HEAD + "2026-01-31,usd,EUR,1\n", "line 2: 'usd' is no ISO 4217 code"),
        (HEAD + "2026-01-31,USD,XXX,1\n", "line 2: 'XXX' is no ISO 4217 code"),
        (HEAD + "2026-01-31,EUR,EUR,1\n", "line 2: EUR is always worth 1 in itself"),
        (HEAD + 2 * "2026-01-31,USD,EUR,1\n", "line 3: USD in EUR of 2026-01-31 stands there twice"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, says: str) -> None:
    with pytest.raises(RatesError, match=f"^shop/rates.csv.*{says}"):
        parse_rates(text, origin="shop/rates.csv")
