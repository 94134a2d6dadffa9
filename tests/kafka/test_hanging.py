"""A transaction that the broker holds for complete without having ended it: aborted before a restore, or refused."""

from pathlib import Path

from aiokafka import AIOKafkaProducer, TopicPartition

from schemas.topics import row_key
from streams.engine.fatal import EXIT_FATAL
from tests.fixtures.kafka import running_broker
from tests.kafka.toy_kit import ToyShop, toy_shop
from tests.kafka.toy_worker import TABLE

# With it the broker refuses records of a transaction it does not know, which is how we make one that nobody ends.
UNVERIFIED = {"transaction.partition.verification.enable": "false"}


async def hang(shop: ToyShop, *topics: str) -> None:
    """Leave records of partition 0's producer in these topics, of which its coordinator knows nothing."""
    producer = AIOKafkaProducer(
        bootstrap_servers=shop.toy.bootstrap, transactional_id=f"{shop.toy.application}-0"
    )
    await producer.start()
    await producer.begin_transaction()
    for topic in topics:
        producer._txn_manager._txn_partitions.add(TopicPartition(topic, 0))
        await producer.send_and_wait(topic, b"999999", key=row_key(TABLE, b"p0-0"), partition=0)
    await producer.stop()


async def test_what_hangs_is_aborted_before_a_restore_and_half_of_an_epoch_is_refused(tmp_path: Path) -> None:
    with running_broker(tmp_path / "kafka", properties=UNVERIFIED) as broker:
        async with toy_shop(broker.bootstrap, tmp_path, partitions=1) as shop:
            topics = shop.toy.topics()
            worker = await shop.worker()
            await shop.produce(500)
            await shop.exact()
            await worker.kill()
            await hang(shop, topics.changelog, topics.rows, topics.forwarded)
            await shop.produce(500, seed=1)
            worker = await shop.worker()
            # Had it stayed, the next epoch's marker would have made it a row that no state knows.
            await shop.exact()
            assert any("that the broker never ended; aborted" in line for line in worker.lines)
            assert await worker.stop() == 0
            await hang(shop, topics.changelog)
            worker = await shop.worker()
            assert await worker.ended() == EXIT_FATAL
            assert any("the broker lost a marker, and state and rows differ" in line for line in worker.lines)
