"""How far all partitions are together, and what they still owe each other: the floor below which state may go.

A record that came to the wrong partition was judged in time by that one's watermark. Its own partition may be weeks
ahead, and must still know the orders, sessions and touches that the record belongs to. So state expires by the least
watermark of all partitions, and what one has sent another holds the floor at the watermark it was judged by until the
receiver has said that it took it; what follows from it holds it on, since the receiver says both in one breath.

Each partition reports through one log with one order. Whoever reads a prefix of it sees no receipt without what the
receipt's writer sent on, and so never a floor above a message that is still on its way.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from schemas.epoch import Outgoing

FROM: Final = "fwd_from"
# A partition that says nothing more may have stopped with a backlog growing: how long its last "idle" is believed.
IDLE_HOLDS_MS: Final = 60_000
IDLE_AGAIN_MS: Final = 20_000
# A watermark that has moved less is not worth a report: state expires by days.
STEP_MS: Final = 60_000


class RepeatedMessage(RuntimeError):
    """A partition has got another one's message twice. Applied again, what it moves would count twice."""


class Debt(Struct, array_like=True, gc=False):
    """Messages up to number `last` to the partition `to`, not yet known to be taken; judged by `bound` (ms) or later."""

    to: int
    last: int
    bound: int


class Saved(Struct, array_like=True):
    """What a partition keeps of it over a restart. `sent`, `received`: partition -> number of the last message."""

    floor: int
    sent: dict[int, int]
    owed: list[Debt]
    received: dict[int, int]


class Report(Struct, array_like=True, gc=False):
    """What a partition tells all. `idle_at`: the wall clock when all its topics were at their end, 0: they are not."""

    watermark: int
    idle_at: int
    owed: int | None
    received: dict[int, int]


def fresh() -> Saved:
    """Of a partition that has never worked."""
    return Saved(0, {}, [], {})


class Stamp(NamedTuple):
    """What a message says of itself: who sent it as which number, judged by which bound (ms), at which clock."""

    sender: int
    number: int
    bound: int
    clock: int


def read_stamp(header: bytes) -> Stamp:
    """The stamp in the header `FROM`. ValueError for one that we did not write."""
    sender, number, bound, clock = map(int, header.split(b":"))
    return Stamp(sender, number, bound, clock)


class Progress:
    """One partition's part in it: numbers what it sends, receipts what it takes, and knows the floor."""

    def __init__(self, partition: int, partitions: int, saved: Saved) -> None:
        self.saved = saved
        self.clock = 0
        """The highest that a message came with: what is written because of it must have a higher version."""
        self._partition = partition
        self._partitions = partitions
        self._reports: dict[int, Report] = {}
        self._letters: list[tuple[Outgoing, int]] = []
        self._told: Report | None = None

    # -- messages --------------------------------------------------------------------------------------------------

    def send(self, letters: Sequence[Outgoing], bound: int) -> None:
        """Send these with the epoch. `bound`: the watermark that the record they come of was judged by."""
        self._letters += [(letter, bound) for letter in letters]

    def taken(self, header: bytes) -> int:
        """A message was taken. Returns its bound. Raises RepeatedMessage."""
        stamp = read_stamp(header)
        last = self.saved.received.get(stamp.sender, 0)
        if stamp.number <= last:
            # Not one to drop: behind the same number may be another message.
            raise RepeatedMessage(
                f"partition {stamp.sender} has sent {self._partition} its message {stamp.number} again, after number"
                f" {last}:"
                " an epoch was seen and taken back; start a new application, which computes both again"
            )
        self._receipt(stamp)
        return stamp.bound

    def passed(self, header: bytes) -> None:
        """A message was set aside by hand: receipted, or its sender's debt would hold the floor of all state."""
        self._receipt(read_stamp(header))

    def _receipt(self, stamp: Stamp) -> None:
        self.saved.received[stamp.sender] = max(stamp.number, self.saved.received.get(stamp.sender, 0))
        self.clock = max(self.clock, stamp.clock)

    @property
    def pending(self) -> int:
        """Messages that the next epoch sends."""
        return len(self._letters)

    def seal(self, clock: int) -> list[Outgoing]:
        """The epoch's messages, numbered, with the clock that is the version of its rows."""
        sent = self.saved.sent
        oldest: dict[int, int] = {}
        sealed = []
        for letter, bound in self._letters:
            to = letter.partition
            assert to is not None
            number = sent[to] = sent.get(to, 0) + 1
            oldest[to] = min(bound, oldest.get(to, bound))
            stamp = (FROM, b"%d:%d:%d:%d" % (self._partition, number, bound, clock))
            sealed.append(letter._replace(headers=(stamp, *letter.headers)))
        self.saved.owed += [Debt(to, sent[to], bound) for to, bound in oldest.items()]
        self._letters = []
        return sealed

    # -- reports ---------------------------------------------------------------------------------------------------

    def hear(self, partition: int, report: bytes) -> None:
        """A report, in the order of the log."""
        heard = self._reports[partition] = _decode(report)
        taken = heard.received.get(self._partition, 0)
        self.saved.owed = [debt for debt in self.saved.owed if debt.to != partition or debt.last > taken]

    def has_news(self, watermark: int, *, idle: bool, now_ms: int) -> bool:
        """Must the others be told something?"""
        told = self._told
        return (
            told is None
            or idle != bool(told.idle_at)
            or (idle and now_ms - told.idle_at >= IDLE_AGAIN_MS)
            or watermark >= told.watermark + STEP_MS
            or self._owed() != told.owed
            or self.saved.received != told.received
        )

    def report(self, watermark: int, *, idle: bool, now_ms: int) -> bytes | None:
        """What the epoch tells the others, if there is news. After `seal`."""
        if not self.has_news(watermark, idle=idle, now_ms=now_ms):
            return None
        # At least 1: a wall clock that stands at 0 must not look like "not idle".
        idle_at = max(now_ms, 1) if idle else 0
        self._told = Report(watermark, idle_at, self._owed(), dict(self.saved.received))
        return _encode(self._told)

    def _owed(self) -> int | None:
        return min((debt.bound for debt in self.saved.owed), default=None)

    def settle_floor(self, watermark: int, *, has_times: bool, now_ms: int) -> int:
        """The floor from now on: no event that is still to come was judged in time by an older watermark.

        It stays where it is until every partition has been heard. A partition whose topics are all at their end does
        not hold it back; its own state waits for it nevertheless. `has_times`: it has had events of its own.
        """
        if len(self._reports) >= self._partitions:
            lows = []
            for report in self._reports.values():
                if report.owed is not None:
                    lows.append(report.owed)
                if not report.idle_at or now_ms - report.idle_at >= IDLE_HOLDS_MS:
                    lows.append(report.watermark)
            if lows:
                self.saved.floor = max(self.saved.floor, min(lows))
        return min(self.saved.floor, watermark) if has_times else self.saved.floor


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Report).decode
