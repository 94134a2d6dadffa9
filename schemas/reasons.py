"""Why a record is not counted: the closed list of dead-letter reasons, and the exception that carries one."""

from enum import StrEnum


class Reason(StrEnum):
    """Every reason a record can be refused for; the list is closed, dashboards and alerts name its members."""

    MALFORMED_JSON = "malformed_json"
    NOT_AN_OBJECT = "not_an_object"
    TOO_LARGE = "too_large"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    INVALID_VALUE = "invalid_value"
    INVALID_TIME = "invalid_time"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_STORE = "unknown_store"
    UNKNOWN_VERSION = "unknown_version"
    UNKNOWN_CURRENCY = "unknown_currency"
    AMOUNT_PRECISION = "amount_precision"
    IN_FUTURE = "in_future"
    TOO_LATE = "too_late"
    SKIPPED = "skipped"
    """Set aside by hand (`shopmeter skip`), unread: no rule of the contract gives it."""


class Rejected(Exception):
    """A record that cannot be counted. `field` is a path such as `lines[0].unit_price`, empty for the whole record."""

    def __init__(self, reason: Reason, field: str = "") -> None:
        super().__init__(reason, field)
        self.reason = reason
        self.field = field

    def __str__(self) -> str:
        return f"{self.reason.value} at {self.field or 'the whole record'}"
