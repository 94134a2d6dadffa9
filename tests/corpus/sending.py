"""Records of the corpus as a storefront would send them: of a person each, under the key that the contract asks for."""

from typing import Final, NamedTuple

from schemas.epoch import Headers
from tests.corpus.kind import Kind

CANARY: Final = "canary-of-a-person"
# Bounds that the recomputation does not know (depth, a corrected time before 2000, an empty or huge number's reason), and
# what it can't compare (headers, a record that was cut).
APART: Final = {
    "bytes: 401 levels where nobody reads",
    "bytes: 900 levels where nobody reads",
    "envelope: version 30 digits",
    "corrected into 1999",
    "session goal_reached: currency empty",
    "journey-node goal_reached: currency empty",
    "12 MB of spaces",
}
Verdict = tuple[str, str, str]


class Sent(NamedTuple):
    """A record of the corpus, where it went and what has to become of it."""

    name: str
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    verdict: Verdict
    timestamp_ms: int
    partition: int | None = None
    compressed: bool = False


def of_kind(kind: Kind, number: int, now_ms: int, **changes: object) -> Sent:
    """A record of this kind, of a person of its own, under the key its storefront would give it."""
    who = f"{CANARY}-{number}"
    value = kind.bytes_of(now_ms=now_ms, event_id=f"k{number}", who=who)
    sent = Sent(kind.name, kind.topic, None, value, (), (kind.bucket, kind.reason, kind.field), now_ms)
    return sent._replace(key=_key(value, who), **changes)  # type: ignore[arg-type]


def _key(value: bytes | None, who: str) -> bytes:
    """What the contract asks for, where the value says it."""
    text = value or b""
    if b'"type":"canceled"' in text or b'"type":"refunded"' in text:
        order_id = text.partition(b'"order_id":"')[2].partition(b'"')[0]
        return b"acme|order:" + order_id
    customer = text.partition(b'"customer_id":"')[2].partition(b'"')[0]
    return b"acme|" + (customer or who.encode())
