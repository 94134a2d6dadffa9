"""Why a record is not counted: the closed list of dead-letter reasons, and the exception that carries one.

`docs/dead-letters.md` is made from it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

FILE: Final = "docs/dead-letters.md"


class Reason(StrEnum):
    """Every reason a record can be refused for; the list is closed."""

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


class Meaning(NamedTuple):
    """A reason for whoever sent the record: what it says, and what to do."""

    is_so: str
    mend: str


MEANINGS: Final[Mapping[Reason, Meaning]] = {
    Reason.MALFORMED_JSON: Meaning(
        "nothing, no UTF-8, or no JSON (NaN and half a surrogate pair are none)",
        "look at the first bytes: a binary format, a cut record, a trailing comma",
    ),
    Reason.NOT_AN_OBJECT: Meaning("JSON, but not one object", "one event a record, no array around it"),
    Reason.TOO_LARGE: Meaning(
        "more than 262,144 bytes", "shorten it: an order has at most 1,000 lines, an impression 200 products"
    ),
    Reason.MISSING_FIELD: Meaning("`field` is required and not there, or null", "send it"),
    Reason.WRONG_TYPE: Meaning("`field` has another JSON type", "a number is no string; an id is a string"),
    Reason.INVALID_VALUE: Meaning(
        "`field` breaks a rule: a bound, a pattern, an unknown word",
        "see the schema of the event, and its examples",
    ),
    Reason.INVALID_TIME: Meaning(
        "`field` is no instant, has no zone, or lies outside of 2000 to 2100",
        "RFC 3339 with `Z` or an offset, or whole milliseconds since 1970",
    ),
    Reason.UNKNOWN_TYPE: Meaning(
        "`type` is none of this topic's", "the right topic, or an event type that exists"
    ),
    Reason.UNKNOWN_STORE: Meaning(
        "`store_id` is not in `stores.toml`",
        "mend the id; or add the store, migrate, restart the workers, and replay",
    ),
    Reason.UNKNOWN_VERSION: Meaning(
        "a `schema_version` that is newer than this Shopmeter", "upgrade it, then replay"
    ),
    Reason.UNKNOWN_CURRENCY: Meaning(
        "`currency` is no ISO 4217 code", "three capital letters, such as `EUR`"
    ),
    Reason.AMOUNT_PRECISION: Meaning(
        "an amount has more digits than its currency (JPY 0, EUR 2, KWD 3)",
        "round where the price is made; amounts are strings or numbers in major units",
    ),
    Reason.IN_FUTURE: Meaning(
        "`occurred_at` is over ten minutes ahead of the record's own time in Kafka",
        "set the clock; or send `sent_at`, by which a wrong clock is corrected",
    ),
    Reason.TOO_LATE: Meaning(
        "older than the partition's watermark by more than the store's allowed lateness (a day)",
        "send sooner; `allowed_lateness_ms` is chosen when the store is added",
    ),
    Reason.SKIPPED: Meaning(
        "set aside by hand with `shopmeter skip`, unread", "mend what it met, then replay"
    ),
}

_HEAD: Final = """# Dead letters: why a record is not counted

<!-- Rendered from schemas/reasons.py by `make render`; do not edit. -->

Nothing is refused and nothing is dropped: what can't be counted is kept byte for byte in the topic `shop.dead-letter` and
the table `dead_letters`, with its first coordinates, a reason and the path of the field. The first rule that fails gives
the reason.

Two things are not kept byte for byte. A record over 3 MiB (it came compressed) is cut: the first MiB of its key and of
its value stay, and its headers unless they are over a MiB; the header `dlq_cut` says how many bytes it had. And the table
has no null: a key, a value or a header that was null is empty there, though null in the topic. A replay takes an empty
key for none, and a definition's empty value for the null that deletes it, unless it was refused as `malformed_json`.

```console
$ shopmeter sql "SELECT reason, field, count() FROM dead_letter_records GROUP BY ALL"
$ shopmeter dead-letters list --since 2h      # then show, export, replay: docs/runbook.md
```

| reason | it is so | what now |
|---|---|---|
"""


def rendered_files() -> dict[str, str]:
    """Path in the repository -> text."""
    lines = [f"| `{reason}` | {MEANINGS[reason].is_so} | {MEANINGS[reason].mend} |" for reason in Reason]
    return {FILE: _HEAD + "\n".join(lines) + "\n"}
