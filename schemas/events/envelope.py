"""What every event carries, whatever its topic and type."""

from msgspec import Struct

from schemas.events.fields import Channel, EventId, Id, Instant, SchemaVersion, StoreId


class Context(Struct, kw_only=True, gc=False):
    """Where the event happened. Members beyond these four may be anything; they stay in the record's own bytes."""

    device: str | None = None
    country: str | None = None
    locale: str | None = None
    page: str | None = None


class Envelope(Struct, kw_only=True, gc=False, tag_field="type"):
    """Fields of every event; `occurred_at` and `sent_at` are epoch milliseconds as sent, not corrected for skew."""

    event_id: EventId
    store_id: StoreId
    occurred_at: Instant
    sent_at: Instant | None = None
    customer_id: Id | None = None
    anonymous_id: Id | None = None
    session_id: Id | None = None
    channel: Channel = "web"
    is_test: bool = False
    schema_version: SchemaVersion = 1
    context: Context | None = None
