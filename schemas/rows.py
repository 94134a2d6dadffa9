"""What the workers write: one struct a table, absolute and versioned, never an increment.

On the wire (the rows topic) a row is its struct as a MessagePack array, fields in order. `born` is the day (UTC) under
which the row stands from its first version on: its dates can still move, its place can't, or ClickHouse would keep both.
`version` is the epoch's Lamport clock: the higher one wins. Neither is part of what a row *says* (see `BOOKKEEPING`).
"""

from typing import Final

from msgspec import Struct

from schemas.columns import (
    Big,
    Bigs,
    Blobs,
    Bytes,
    Count,
    Counts,
    Day,
    Days,
    Flag,
    Flags,
    Instant,
    Instants,
    Money,
    Moneys,
    MoneyTable,
    Small,
    Text,
    Texts,
    Word,
    Words,
)

BOOKKEEPING: Final = ("born", "version", "is_deleted")


class SessionRow(Struct, array_like=True, frozen=True, gc=False):
    """A session of a person: when, where, what was done in it. Counts are of member events (decisions H30 to H42)."""

    store_id: Word
    person: Text  # c:<customer_id> or a:<anonymous_id>
    session_key: Text  # s:<session_id>, or g:<channel>:<start in ms> for one made from an idle gap
    born: Day
    channel: Word  # of the earliest member event
    device: Word  # of the earliest member event that has one
    country: Word
    started_at: Instant
    ended_at: Instant  # the latest member event
    closes_at: Instant  # last interaction, joined orders too, + the channel's time-out; closed after it
    store_date: Day  # of started_at, in the store's zone
    present: Flag  # any sign of the shopper: counts in M1
    active: Flag  # the shopper did something: counts in M32
    activities: Count
    messages_in: Count
    messages_out: Count
    supports: Count
    impressions: Count
    clicks: Count
    detail_views: Count
    adds: Count
    removes: Count
    empties: Count
    orders: Count  # first captures in it, and those that joined it (H36)
    goals: Count
    experience_id: (
        Texts  # what was served: distinct (experience, variant, test), ascending; five parallel arrays
    )
    variant_id: Texts  # empty where none was named
    test_id: Texts  # empty where none was named
    experience_first_at: Instants
    experience_last_at: Instants
    goal_event_id: Texts  # the goal conversions, ascending by time and event; nine parallel arrays
    goal_id: Texts
    goal_experience_id: Texts  # the experience it names, empty for none (H86)
    goal_at: Instants
    goal_date: Days  # of goal_at, in the store's zone
    goal_valued: Flags  # it carries a value
    goal_value: Moneys  # in minor units of goal_currency; 0 without a value
    goal_currency: Words  # as given, else the store's (H88)
    goal_exponent: Flags  # digits of goal_currency's minor unit
    last_shown_at: Instant  # latest impression, 0 if none
    matures_at: Instant  # last_shown_at + attribution window, 0 if none
    viewed: Flag  # an impression, then the details of the same product (M17)
    version: Big = 0
    is_deleted: Flag = 0


class ExposureRow(Struct, array_like=True, frozen=True, gc=False):
    """What a session saw of one widget, and whether it led to a detail view and to an order."""

    store_id: Word
    person: Text
    session_key: Text
    widget_id: Word
    born: Day
    channel: Word  # of the session
    started_at: Instant  # of the session
    store_date: Day  # of the session's start
    strategies: Words  # distinct, ascending
    placements: Words  # distinct, ascending
    impressions: Count
    first_shown_at: Instant
    last_shown_at: Instant
    shown_dates: Days  # with shown_channels: distinct (store date, channel) of its impressions, ascending
    shown_channels: Words
    shown_at: Instants  # the earliest impression of each of these
    viewed: Flag  # details of a product this widget had shown in the session (M17 by widget)
    version: Big = 0
    is_deleted: Flag = 0


class OrderRow(Struct, array_like=True, frozen=True, gc=False):
    """An order with its lines, the credit of each line, its cancel and its refunds: never half an order."""

    store_id: Word
    order_id: Text
    born: Day
    person: Text  # of the earliest capture, like channel, session and captured_at (H50)
    channel: Word
    session_key: Text  # empty: no session
    captured_at: Instant
    store_date: Day
    currency: Word
    exponent: Flag  # digits of the currency's minor unit
    order_version: Count
    total: Money
    shipping: Money
    tax: Money
    line_id: Texts
    product_id: Texts
    sku: Texts
    quantity: Counts
    unit_price: Moneys
    discount: Moneys  # as sent, for the line
    paid: Moneys  # line_paid (E6): adds up to total - shipping - tax exactly
    credit: Words  # direct, assisted or none
    exposure_only: Flags  # E21, H75
    touch_kind: Words  # shown (direct); clicked, detail_viewed or added (assisted); empty
    touch_at: Instants  # the anchor: impression (direct), interaction (assisted); 0 if none
    touch_product: Texts
    widget_id: Words
    strategy: Words
    placement: Words
    has_interaction: Flag  # an interaction in the window: inclusive reading, all lines are assisted (H74)
    exposed_session: (
        Texts  # with exposed_widget: distinct (session_key, widget) whose impressions a direct line
    )
    exposed_widget: Words  # confirms (H77): those sessions and exposures have converted (M18); ascending
    adjustment: Words  # what was taken back, in order of application (H56): refund or cancel
    adjustment_id: Texts  # refund_id, empty for the cancel
    adjusted_at: Instants
    adjustment_date: Days  # in the store's zone
    adjustment_amount: Moneys  # what it took of the total
    adjustment_lines: MoneyTable  # for each adjustment, what it took of each line's paid amount (H57)
    reporting_currency: Word  # what the store reports in (E4); empty: nothing
    reporting_exponent: Flag  # digits of the reporting currency's minor unit
    reporting_rate: (
        Word  # of store_date, an exact decimal: what one of currency is worth; empty: none is known
    )
    reported: (
        Flag  # 1: the four amounts below are known; 0: they are 0, and the order is left out and counted
    )
    reporting_total: (
        Money  # total at this rate, rounded once, half to even; minor units of reporting_currency
    )
    reporting_paid: (
        Moneys  # each line's share of it by largest remainder (H52), beside that of shipping and tax
    )
    reporting_adjustment_amount: Moneys  # all that was taken back so far at this rate, less that before it
    reporting_adjustment_lines: MoneyTable  # the same of each line: in all, its share of reporting_paid
    version: Big = 0
    is_deleted: Flag = 0


class JourneyRow(Struct, array_like=True, frozen=True, gc=False):
    """An execution of a journey as one Kafka partition saw it: its events may come under different keys."""

    store_id: Word
    execution_id: Text
    partition: Small
    born: Day
    started_at: Instant  # the earliest `started`, like the five after it; 0 if none came here
    start_event_id: Text
    start_date: Day  # of started_at, in the store's zone
    journey_id: Text
    journey_version: Text
    channel: Word
    first_at: Instant  # the earliest event of any kind, like the three after it
    first_event_id: Text
    first_journey_id: Text
    first_channel: Word
    terminal_at: Instant  # the earliest terminal node, at the same ms `end` (H91); 0 if none came here
    terminal_kind: Word  # end, cancel or empty
    terminal_date: Day  # of terminal_at, in the store's zone
    goal_at: Instant  # the earliest goal, 0 if none came here
    last_at: Instant  # the latest event
    version: Big = 0
    is_deleted: Flag = 0


class NotificationRow(Struct, array_like=True, frozen=True, gc=False):
    """One sending of a communication to a person; which of several is the communication's is decided at reading (H90)."""

    store_id: Word
    communication_id: Text
    person: Text  # c:<customer_id> or a:<anonymous_id>
    event_id: Text
    born: Day
    sent_at: Instant
    store_date: Day  # of sent_at, in the store's zone
    channel: Word
    notification_channel: Word
    journey_id: Text
    execution_id: Text
    version: Big = 0
    is_deleted: Flag = 0


class LinkRow(Struct, array_like=True, frozen=True, gc=False):
    """From when on a device is a customer's: the first of its links to them after none, or after somebody else's."""

    store_id: Word
    anonymous_id: Text
    linked_at: Instant
    born: Day
    customer_id: Text
    version: Big = 0
    is_deleted: Flag = 0


class DefinitionRow(Struct, array_like=True, frozen=True, gc=False):
    """Name and status of one thing from `effective_at` on, until the next row of the same thing (H93)."""

    store_id: Word
    kind: Word  # experience, ab_test, journey, goal or product
    id: Text
    effective_at: Instant
    born: Day  # always the same: they are few, and may take effect in any year
    status: Word  # active, running, paused or ended; empty where none was given
    name: Text  # empty where none was given
    version: Big = 0
    is_deleted: Flag = 0


class CounterRow(Struct, array_like=True, frozen=True, gc=False):
    """Accepted events of a tumbling window by measure; partial for one Kafka partition, so views sum partitions."""

    store_id: Word
    window_seconds: Small  # 900, correctable for the whole retention; 60 for events that came live
    window_start: Instant
    channel: Word
    partition: Small
    born: Day
    measures: Words  # ascending; see schemas.measures
    values: Bigs
    version: Big = 0
    is_deleted: Flag = 0


class LedgerRow(Struct, array_like=True, frozen=True, gc=False):
    """What became of the records of a topic, partition and hour (of the record's timestamp). read = sum of the rest."""

    topic: Word  # short name
    partition: Small
    hour: Instant
    born: Day
    read: Big
    accepted: Big
    duplicate: Big
    test_traffic: Big
    dead_letter: Big
    too_late: Big
    forwarded: Big
    reasons: Words  # of the dead letters, ascending
    reason_counts: Bigs
    version: Big = 0
    is_deleted: Flag = 0


class WatermarkRow(Struct, array_like=True, frozen=True, gc=False):
    """How far a partition is. Written last in each epoch, so that it never promises what is not yet visible."""

    partition: Small
    born: Day  # always the same: one row a partition
    watermark: Instant
    idle: Flag  # all its topics are at their end: it holds nobody back
    record_time: Instant  # the largest record timestamp taken
    version: Big = 0
    is_deleted: Flag = 0


class DeadLetterRow(Struct, array_like=True, frozen=True, gc=False):
    """A record that could not be processed, byte for byte, with its origin and the reason."""

    topic: Word  # short name of where it was read
    partition: Small
    offset: Big
    born: Day
    record_time: Instant
    first_seen_at: Instant  # wall clock of the worker
    reason: Word
    field: Text
    store_id: Word  # as far as it could be told, else empty
    key: Bytes
    value: Bytes
    header_names: Texts
    header_values: Blobs
    version: Big = 0
    is_deleted: Flag = 0


class InterventionRow(Struct, array_like=True, frozen=True, gc=False):
    """What a person did by hand to one record: set it aside before it was processed, or replayed its dead letter."""

    kind: Word  # skip or replay
    topic: Word  # short name; with partition and offset: where the record was read, or was to be
    partition: Small
    offset: Big
    born: Day
    done_at: Instant
    version: Big = 0
    is_deleted: Flag = 0
