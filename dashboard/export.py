"""The two CSV files of the page, byte for byte (metrics section 8, H105 to H109): sessions by day, and sales by day.

RFC 4180: UTF-8, CRLF, a dot for decimals, an empty cell for null. Numbers are rounded here and nowhere else.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import Final

from dashboard.numbers import major, plain, rounded

Number = int | Fraction | None

CSV_DIGITS: Final = 2
CRLF: Final = "\r\n"
MEDIA_TYPE: Final = "text/csv; charset=utf-8; header=present"


class Language(StrEnum):
    """Of the header."""

    EN = "en"
    ES = "es"
    PT = "pt"


class Kind(StrEnum):
    """Which file."""

    SESSIONS = "sessions"
    SALES = "sales"


COLUMNS: Final = (
    "channel_sessions",
    "average_conversion_per_user",
    "bounce_rate",
    "total_users",
    "total_new_users",
    "total_returning_users",
    "conversion_rate",
    "returning_users_pct",
    "new_users_pct",
    "human_support_pct",
    "self_service_pct",
)
"""Metrics behind the date, in the order of the file."""

HEADERS: Final[Mapping[Language, tuple[str, ...]]] = {
    Language.EN: (
        "Date",
        "Total sessions",
        "Average conversion per user",
        "Bounce rate",
        "Total users",
        "Total new users",
        "Total recurring users",
        "Conversion rate",
        "Percentage of recurring users",
        "Percentage of new users",
        "Percentage of human support",
        "Percentage of self-service",
    ),
    Language.ES: (
        "Fecha",
        "Total de sesiones",
        "Conversión promedio por usuario",
        "Porcentaje de rebote",
        "Total de usuarios",
        "Total de nuevos usuarios",
        "Total de usuarios recurrentes",
        "Tasa de conversión",
        "Porcentaje de usuarios recurrentes",
        "Porcentaje de nuevos usuarios",
        "Porcentaje de soporte humano",
        "Porcentaje de autoservicio",
    ),
    Language.PT: (
        "Data",
        "Total de sessões",
        "Conversão média por usuário",
        "Taxa de rejeição",
        "Total de usuários",
        "Total de novos usuários",
        "Total de usuários recorrentes",
        "Taxa de conversão",
        "Percentual de usuários recorrentes",
        "Percentual de novos usuários",
        "Percentual de suporte humano",
        "Percentual de autoatendimento",
    ),
}

SALES_COLUMNS: Final = (
    "total_revenue",
    "total_orders",
    "average_ticket",
    "items_per_order",
    "average_price_per_item",
)
SALES_HEADER: Final = ("date", "currency", *SALES_COLUMNS)
_SALES_MONEY: Final = frozenset({"total_revenue", "average_ticket", "average_price_per_item"})


def header(kind: Kind, language: Language) -> str:
    """The first line; that of `sales` has one language."""
    return line(SALES_HEADER if kind is Kind.SALES else HEADERS[language])


def sessions_line(day: date, numbers: Mapping[str, Number]) -> str:
    """A day of the sessions file; `numbers` by the names of COLUMNS. Rates in percent."""
    return line((day.isoformat(), *(cell(numbers[name]) for name in COLUMNS)))


def sales_line(day: date, currency: str, exponent: int, numbers: Mapping[str, Number]) -> str:
    """A day and currency of the sales file; money in minor units, by the names of SALES_COLUMNS."""
    cells = []
    for name in SALES_COLUMNS:
        number = numbers[name]
        if number is not None and name in _SALES_MONEY:
            cells.append(plain(major(number, exponent)))
        else:
            cells.append(cell(number))
    return line((day.isoformat(), text(currency), *cells))


def cell(number: Number) -> str:
    """A count as it is, a quotient with two decimals, null as nothing."""
    if number is None:
        return ""
    return str(number) if isinstance(number, int) else plain(rounded(number, CSV_DIGITS))


def text(value: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@")) else value


def line(cells: Iterable[str]) -> str:
    """One record."""
    return ",".join(_quoted(each) for each in cells) + CRLF


def lines(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Records of any table."""
    return (line(row) for row in rows)


def _quoted(value: str) -> str:
    if any(character in value for character in ',"\r\n'):
        return '"' + value.replace('"', '""') + '"'
    return value
