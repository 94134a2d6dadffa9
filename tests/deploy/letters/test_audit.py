"""The audit on real parts: every account balances whatever was sent, and what is taken away is found by name."""

import time
from pathlib import Path

import pytest

from deploy.audit import audit
from deploy.dead_letters import Wanted
from deploy.query import server_of
from deploy.replay import Outcome, replay
from processors.forwarding import KIND
from processors.progress import FROM
from schemas.stores import Store
from streams.conservation import Account, Check, Mismatch
from streams.interventions import Coordinates, Placed, open_desk
from streams.interventions import Kind as Done
from tests.fixtures.clickhouse import ClickHouseEndpoint
from tests.kafka.campaign.shops import small_history
from tests.kafka.pipeline_kit import installation

pytestmark = [pytest.mark.kafka, pytest.mark.clickhouse]


async def test_every_account_balances_and_each_injected_loss_is_named(
    kafka: str, clickhouse: ClickHouseEndpoint, tmp_path: Path
) -> None:
    scenario, story, _ = small_history(visits=3)
    records = list(story)
    stores = scenario.settings()
    async with installation(kafka, clickhouse.url, tmp_path, stores, partitions=2) as shop:
        # News and junk among what partitions send each other, set aside by hand: no sender has counted them.
        news = ((FROM, b"1:0:0:0"), (KIND, b"link"))
        between, long_ago = shop.settings.topics.source("forwarded"), 1_767_225_600_000
        odd = [Placed(between, 0, b"k", b"?", long_ago, headers) for headers in (news, ())]
        async with open_desk(shop.settings) as desk:
            await desk.do(Done.SKIP, [Coordinates("forwarded", 0, offset) for offset in (0, 1)], odd)
        await shop.worker()
        await shop.sink()
        await shop.load(records).run()
        await shop.caught_up()
        # Transactions leave markers among the records of a source topic: offsets do not count them then.
        now = time.time_ns() // 1_000_000
        junk = Placed(shop.settings.topics.source("click"), 1, b"k", b"{", now, ())
        async with open_desk(shop.settings) as desk:
            await desk.do(Done.REPLAY, [Coordinates("click", 1, 10**9)], [junk, junk])
        await shop.caught_up()
        report = await replay(shop.settings, server_of(shop.settings), {"other": Store()}, Wanted())
        assert Outcome.REPLAYED not in report.outcomes
        found = await audit(shop.settings, settle_s=30)
        assert found.mismatches == []
        assert found.records > len(records)
        assert 0 < found.scanned < found.records

        client = shop.client()
        assert client.command("SELECT count() FROM dead_letters FINAL WHERE reason = 'skipped'") == 2

        async def spoiled(table: str, where: str, change: str, mend: str) -> list[Mismatch]:
            """What the audit finds with the row changed; the row is mended then."""

            def replace(columns: str) -> None:
                row = f"(SELECT * FROM {table} {where} ORDER BY version DESC LIMIT 1)"
                client.command(
                    f"INSERT INTO {table} SELECT * REPLACE({columns}, version + 1 AS version) FROM {row}"
                )

            replace(change)
            wrong = (await audit(shop.settings, settle_s=30)).mismatches
            replace(mend)
            return wrong

        def row_of(topic: str) -> tuple[int, str]:
            """Partition and condition of one row of the ledger that has accepted records."""
            partition, hour = client.query(
                "SELECT partition, toUnixTimestamp64Milli(hour) FROM ledger FINAL "
                f"WHERE topic = '{topic}' AND accepted > 0 ORDER BY hour DESC, partition LIMIT 1"
            ).result_rows[0]
            where = f"topic = '{topic}' AND partition = {partition} AND toUnixTimestamp64Milli(hour) = {hour}"
            return partition, f"WHERE {where}"

        began = time.monotonic()
        topic, partition, offset = client.query(
            "SELECT topic, partition, offset FROM dead_letters FINAL LIMIT 1"
        ).result_rows[0]
        where = f"WHERE topic = '{topic}' AND partition = {partition} AND offset = {offset}"
        wrong = await spoiled("dead_letters", where, "1 AS is_deleted", "0 AS is_deleted")
        assert [(one.account, one.records) for one in wrong] == [
            (Account(Check.LETTERS, topic, partition), 1)
        ]

        partition, where = row_of("cart")
        wrong = await spoiled("ledger", where, "read + 3 AS read", "read - 3 AS read")
        assert {(*one.account[:3], one.records) for one in wrong} == {
            (Check.BUCKETS, "cart", partition, 3),
            (Check.OFFSETS, "cart", partition, 3),
        }
        _, where = row_of("forwarded")
        less, more = (f"read {sign} 1 AS read, accepted {sign} 1 AS accepted" for sign in "-+")
        wrong = await spoiled("ledger", where, less, more)
        assert {(one.account.check, one.records) for one in wrong} == {
            (Check.FORWARDED, 1),
            (Check.OFFSETS, 1),
        }
        assert (await audit(shop.settings, settle_s=30)).mismatches == []
        client.close()
        # Nothing is on its way, and it knows that: it does not wait until the time is over.
        assert time.monotonic() - began < 3 * 30
