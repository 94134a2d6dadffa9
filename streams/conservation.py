"""Conservation: every record read is in one bucket, what was forwarded landed, and every dead letter is kept.

Accounts are two sums that only grow, told at different moments by different processes: at one moment they may differ by
what is on its way. So a side is compared with what the *other* side was some time ago (`Watch`): what one had counted by
then, the other must have by now. That holds at any load, and a difference of one record does not hide in it.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple, Protocol

import aiohttp
from clickhouse_connect import get_async_client
from clickhouse_connect.driver.exceptions import ClickHouseError

from processors.forwarding import KIND
from schemas.reasons import Reason
from schemas.topics import FORWARDED
from sinks.clickhouse import Address
from streams.settings import Settings
from streams.sink import address_of

INTERVAL_S: Final = 10.0
DELAY_S: Final = 30.0
"""How long something may be on its way from one account to the other: some seconds, and a rebalance."""
MOST_LAG_S: Final = 15.0
"""With more lag than this, more may be on its way than DELAY_S allows for; then nothing is compared."""

log = logging.getLogger("shopmeter.probe")


class Check(StrEnum):
    """What is compared."""

    BUCKETS = "buckets"
    """Records read with the sum of the buckets; dead letters with the sum of their reasons."""
    FORWARDED = "forwarded"
    """Records sent on to their right partition with records read there."""
    LETTERS = "letters"
    """Dead letters and too late ones of the ledger with the rows of `dead_letters`; news that was set aside is no record
    of the ledger, and its letter is not counted either."""
    OFFSETS = "offsets"
    """Records in Kafka up to the committed offset with records read; only `shopmeter audit` counts these."""


class Account(NamedTuple):
    """What a pair of sums is about; `hour` in epoch ms, -1 for all."""

    check: Check
    topic: str
    partition: int
    hour: int = -1


class Sums(NamedTuple):
    """The two sums: what one side says there should be, and what the other has."""

    told: int
    found: int


class Mismatch(NamedTuple):
    """An account that does not balance."""

    account: Account
    told: int
    found: int

    @property
    def records(self) -> int:
        """How many are too many or missing."""
        return abs(self.told - self.found)


Books = Mapping[Account, Sums]

# An hour never changes its month, nor does a record's timestamp: so each month can be merged by itself, and an
# old one, which is one part, not at all. In a subquery, because a user of `readonly = 1` is refused it outside.
_ONE_PART: Final = "SETTINGS do_not_merge_across_partitions_select_final = 1"
LEDGER: Final = f"SELECT * FROM ledger FINAL {_ONE_PART}"
"""The ledger as it stands, to be read from in parentheses."""
_BUCKETS: Final = f"""\
SELECT topic, partition, toUnixTimestamp64Milli(hour),
    read, accepted + duplicate + test_traffic + dead_letter + too_late + forwarded AS buckets,
    dead_letter, arraySum(reason_counts) AS reasons
FROM ({LEDGER}) WHERE read != buckets OR dead_letter != reasons
"""
_FORWARDED: Final = f"""\
SELECT sumIf(forwarded, topic != '{FORWARDED}'), sumIf(read, topic = '{FORWARDED}') FROM ({LEDGER})
"""
# See `Pipeline._set_aside`: the letter of what no sender counted.
_NEWS: Final = f"topic = '{FORWARDED}' AND reason = '{Reason.SKIPPED}' AND field = '{KIND}'"
_LETTERS: Final = f"""\
SELECT topic, partition, sum(told), sum(found) FROM (
    SELECT topic, partition, dead_letter + too_late AS told, 0 AS found FROM ({LEDGER})
    UNION ALL
    SELECT topic, partition, 0, 1 FROM dead_letters FINAL WHERE reason != 'foreign' AND NOT ({_NEWS})
    {_ONE_PART}
) GROUP BY topic, partition
"""


class BooksUnread(RuntimeError):
    """ClickHouse did not answer. Says what it said."""


class BooksReader:
    """Reads the accounts from ClickHouse. `async with`; connects at the first read, and again after a failure."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._client: Any = None

    async def read(self) -> dict[Account, Sums]:
        """All accounts but OFFSETS, those of BUCKETS only where they differ. Raises BooksUnread."""
        books: dict[Account, Sums] = {}
        for topic, partition, hour, read, buckets, letters, reasons in await self.rows(_BUCKETS):
            sums = Sums(read, buckets) if read != buckets else Sums(letters, reasons)
            books[Account(Check.BUCKETS, topic, partition, hour)] = sums
        for told, found in await self.rows(_FORWARDED):
            books[Account(Check.FORWARDED, FORWARDED, -1)] = Sums(told, found)
        for topic, partition, told, found in await self.rows(_LETTERS):
            books[Account(Check.LETTERS, topic, partition)] = Sums(told, found)
        return books

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query. Raises BooksUnread."""
        try:
            if self._client is None:
                options = self._address.client_options()
                self._client = await get_async_client(**options, database=self._address.database)
            return list((await self._client.query(sql)).result_rows)
        except (TimeoutError, ClickHouseError, aiohttp.ClientError, OSError) as error:
            await self.close()
            said = " ".join(str(error).split())[:300] or type(error).__name__
            raise BooksUnread(f"{self._address.url}: the ledger can't be read: {said}") from None

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def __aenter__(self) -> "BooksReader":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Watch:
    """Compares books of now with those of `delay_s` ago."""

    def __init__(self, delay_s: float = DELAY_S) -> None:
        self._delay_s = delay_s
        self._past: deque[tuple[float, Books]] = deque()

    def forget(self) -> None:
        """What was told before is not comparable with what comes."""
        self._past.clear()

    def judge(self, books: Books, at_s: float) -> list[Mismatch] | None:
        """What does not balance, told from sums read at `at_s` (monotonic); None: not known yet, but for BUCKETS."""
        self._past.append((at_s, books))
        while len(self._past) > 1 and self._past[1][0] <= at_s - self._delay_s:
            self._past.popleft()
        then_s, then = self._past[0]
        if then_s > at_s - self._delay_s:
            return None
        return within(books) + compared(then, books)


def within(books: Books) -> list[Mismatch]:
    """Accounts of BUCKETS that do not balance: both sums are of one row, nothing is on its way between them."""
    return [
        Mismatch(account, *sums)
        for account, sums in books.items()
        if account.check is Check.BUCKETS and sums.told != sums.found
    ]


def compared(then: Books, now: Books) -> list[Mismatch]:
    """All other accounts in which one side still lacks what the other had then."""
    found = []
    for account in sorted(then.keys() | now.keys()):
        if account.check is Check.BUCKETS:
            continue
        old, new = then.get(account, Sums(0, 0)), now.get(account, Sums(0, 0))
        if new.found < old.told or new.told < old.found:
            found.append(Mismatch(account, *new))
    return found


class Told(Protocol):
    """Who is told; `streams.telemetry.ProbeSignals` is one."""

    def on_conserved(self, records: Mapping[str, int]) -> None: ...

    def on_unaudited(self) -> None: ...


async def watch(
    settings: Settings,
    told: Told,
    lag_s: Callable[[], float],
    *,
    interval_s: float = INTERVAL_S,
    delay_s: float = DELAY_S,
) -> None:
    """Compare for ever, and tell. `lag_s`: how far workers and sinks are behind, infinite while unknown."""
    watching = Watch(delay_s)
    known: list[Mismatch] = []
    said = ""
    loop = asyncio.get_running_loop()
    async with BooksReader(address_of(settings)) as reader:
        while True:
            try:
                books = await reader.read()
                if lag_s() > MOST_LAG_S:
                    watching.forget()
                mismatches = watching.judge(books, loop.time())
                told.on_conserved(_records(within(books), mismatches))
                new = within(books) if mismatches is None else mismatches
                for mismatch in new:
                    if mismatch.account not in {one.account for one in known}:
                        log.error("the account does not balance: %s", describe(mismatch))
                known, said = new, ""
            except BooksUnread as error:
                watching.forget()
                told.on_unaudited()
                if str(error) != said:  # a server that is away for an hour is one line
                    log.warning("conservation is unknown: %s", error)
                    said = str(error)
            await asyncio.sleep(interval_s)


def _records(certain: list[Mismatch], mismatches: list[Mismatch] | None) -> dict[str, int]:
    """Check -> records that are missing or too many; without the checks about which nothing is known yet."""
    records = {Check.BUCKETS.value: 0}
    if mismatches is not None:
        records |= {Check.FORWARDED.value: 0, Check.LETTERS.value: 0}
    for mismatch in certain if mismatches is None else mismatches:
        records[mismatch.account.check.value] += mismatch.records
    return records


def describe(mismatch: Mismatch) -> str:
    """One line: which account, and what is wrong with it."""
    account = mismatch.account
    place = account.topic if account.partition < 0 else f"{account.topic}/{account.partition}"
    said = {
        Check.BUCKETS: "{told} are one side of a row of the ledger, {found} the other",
        Check.FORWARDED: "{told} were sent on to their right partition, {found} were read there",
        Check.LETTERS: "{told} dead letters in the ledger, {found} rows in dead_letters",
        Check.OFFSETS: "{told} records in Kafka up to the committed offset, {found} read in the ledger",
    }[account.check].format(told=mismatch.told, found=mismatch.found)
    return f"{account.check} of {place}: {said}"
