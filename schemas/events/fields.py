"""The types of single fields on the wire, with their bounds.

Instants and money have two types: what the decoder meets in the JSON, and the integer that stands in the field of
every event that `decode` returns. Type checkers see only the second.
"""

from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, Raw

MAX_QUANTITY: Final = 1_000_000
MAX_POSITION: Final = 1_000_000
MAX_ORDER_VERSION: Final = 2**31 - 1
MAX_PRODUCTS: Final = 200
MAX_LINES: Final = 1_000
SCHEMA_VERSION: Final = 1
STORE_ID_PATTERN: Final = "^[A-Za-z0-9_.-]{1,64}$"
NODE_TYPES: Final = ("end", "cancel", "action", "condition", "wait", "notification")
DEFINITION_KINDS: Final = ("experience", "ab_test", "journey", "goal", "product")
DEFINITION_STATUSES: Final = ("active", "running", "paused", "ended")

EventId = Annotated[str, Meta(min_length=1, max_length=64)]
# The decoder leaves the pattern to the look-up among the configured stores, which is cheaper and stricter.
StoreId = Annotated[str, Meta(extra_json_schema={"pattern": STORE_ID_PATTERN})]
Id = Annotated[str, Meta(min_length=1, max_length=128)]
Channel = Annotated[str, Meta(max_length=32)]
SchemaVersion = Annotated[int, Meta(ge=SCHEMA_VERSION, le=SCHEMA_VERSION)]
Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
Position = Annotated[int, Meta(ge=0, le=MAX_POSITION)]
OrderVersion = Annotated[int, Meta(ge=1, le=MAX_ORDER_VERSION)]

if TYPE_CHECKING:
    Instant = int
    Money = int
    OptionalMoney = int | None
    VersionText = str
else:
    Instant = Annotated[
        int | Annotated[str, Meta(extra_json_schema={"format": "date-time"})],
        Meta(
            description="RFC 3339 with an offset, or integer epoch milliseconds; in [2000-01-01, 2100-01-01) UTC"
        ),
    ]
    # Raw keeps the digits as they were sent; a float would not.
    Money = Annotated[
        Raw,
        Meta(
            description="major units, exact: a JSON number or a plain decimal string; not negative",
            extra_json_schema={
                "anyOf": [
                    {"type": "number", "minimum": 0},
                    {"type": "string", "pattern": r"^(-0+(\.0+)?|[0-9]+(\.[0-9]+)?)$"},
                ]
            },
        ),
    ]
    # Not `Raw | None`: in a union the decoder matches only the null.
    OptionalMoney = Money
    VersionText = int | Id

# The default of money that may be absent: None until `decode` puts the amount there.
UNREAD: Final[Any] = None
