"""The whole pipeline on real parts: topics, tables, workers and sinks as processes, and the question: is all exact?

async with installation(kafka, clickhouse.url, tmp_path, stores) as shop:
    worker, sink = await shop.worker(), await shop.sink()
    await shop.load(records).run(rate=2_000)
    worker.kill()                # comes back at once
    await shop.exact()           # waits until all is visible, then compares every cell with the oracle
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import clickhouse_connect
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from deploy.simulator.wire import SimDefinition, SimRecord
from schemas.stores import Store
from schemas.topics import FORWARDED
from sinks.migrate import migrate
from streams.caught_up import NotCaughtUp, caught_up
from streams.lag import LagError
from streams.settings import ClickHouseSettings, KafkaSettings, Settings
from streams.sink import address_of
from streams.topics import create_topics
from tests.kafka.campaign.load import Load
from tests.kafka.campaign.members import Member
from tests.kafka.campaign.verdict import differences
from tests.kafka.campaign.visible import Visible, read_sources, read_tables
from tests.oracle.records import RawRecord

PARTITIONS = 4
PATIENCE_SECONDS = 120.0
SHOWN = 30


@dataclass
class Installation:
    """One installation of its own names on a broker and a ClickHouse endpoint."""

    settings: Settings
    stores: Mapping[str, Store]
    directory: Path
    env: Mapping[str, str]
    members: dict[str, Member] = field(default_factory=dict)

    # -- processes -------------------------------------------------------------------------------------------------

    async def worker(self, instance: str = "0", **env: str) -> Member:
        """Start the worker of this slot. `env`: settings on top, such as `SHOPMETER_WORKER__STATE_DIR`."""
        return await self._start("worker", instance, env)

    async def sink(self, instance: str = "0", **env: str) -> Member:
        """Start the sink of this slot."""
        return await self._start("sink", instance, env)

    async def _start(self, role: str, instance: str, env: Mapping[str, str]) -> Member:
        name = f"{role}-{instance}"
        slot = f"SHOPMETER_{role.upper()}__INSTANCE"
        before = self.members.get(name)
        assert before is None or not before.wanted, f"{name} runs already"
        member = Member(name, role, {**self.env, slot: instance, **env}, self.directory)
        if before is not None:
            member.exits, member.starts = before.exits, before.starts
        self.members[name] = member
        await member.start()
        return member

    async def close(self) -> None:
        """End every process."""
        for member in self.members.values():
            await member.close()

    # -- records in ------------------------------------------------------------------------------------------------

    def load(self, records: Iterable[SimRecord | SimDefinition]) -> Load:
        """A producer of these records; run it."""
        return Load(self.settings, records)

    # -- rows out --------------------------------------------------------------------------------------------------

    async def caught_up(self, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Wait until everything sent is visible, what partitions still send each other included.

        AssertionError with the ends of the logs when time is over.
        """
        deadline = time.monotonic() + seconds
        while True:
            # Forwarded records are made by reading others: only a pass in which none came says that none will.
            before = await self._forwarded_ends()
            try:
                await caught_up(self.settings, timeout_s=max(deadline - time.monotonic(), 0.1))
            except NotCaughtUp as error:
                raise AssertionError(f"{error}\n{self.logs()}") from None
            except (KafkaError, LagError) as error:  # the broker is on its way back, and cannot be asked yet
                if time.monotonic() > deadline:
                    raise AssertionError(f"the broker can't be asked: {error!r}\n{self.logs()}") from None
                await asyncio.sleep(0.2)
                continue
            if await self._forwarded_ends() == before:
                return

    async def _forwarded_ends(self) -> dict[TopicPartition, int]:
        consumer = AIOKafkaConsumer(**self.settings.kafka_client_options())
        await consumer.start()
        try:
            topic = self.settings.topics.source(FORWARDED)
            partitions = [TopicPartition(topic, number) for number in range(self.settings.partitions)]
            ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
            return ends
        finally:
            await consumer.stop()

    def visible(self) -> Visible:
        """The tables as ClickHouse answers now. Blocks."""
        client = self.client()
        try:
            return read_tables(client)
        finally:
            client.close()

    def client(self) -> Any:
        """A stock client on our database."""
        address = address_of(self.settings)
        return clickhouse_connect.get_client(**address.client_options(), database=address.database)

    async def sources(self) -> list[RawRecord]:
        """Everything that was ever produced, read back."""
        return await read_sources(self.settings)

    async def exact(self, *, seconds: float = PATIENCE_SECONDS) -> Visible:
        """Wait until all is visible; AssertionError with the differences unless it equals the oracle's."""
        await self.caught_up(seconds=seconds)
        visible = await asyncio.to_thread(self.visible)
        found = await asyncio.to_thread(differences, await self.sources(), self.stores, visible)
        if found:
            more = f"\n... and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            raise AssertionError("\n".join([f"{len(found)} differences", *found[:SHOWN]]) + more)
        return visible

    def logs(self) -> str:
        """The end of every log."""
        return "\n".join(
            f"-- {member.name}, exits {member.exits}\n{member.tail()}" for member in self.members.values()
        )


@asynccontextmanager
async def installation(
    bootstrap: str,
    url: str,
    directory: Path,
    stores: Mapping[str, Store],
    *,
    partitions: int = PARTITIONS,
    security: Mapping[str, str] | None = None,
    replicas: int = 1,
    keep: bool = False,
    **env: str,
) -> AsyncIterator[Installation]:
    """Topics and tables made; at the end every process has ended and the database is gone. `env`: settings for all.

    `keep`: the database stays. `security`: fields of the section `kafka` beside the address; `ca_file` is for both
    servers.
    """
    secure = dict(security or {})
    ca_file = secure.get("ssl_cafile")
    name = f"t{uuid4().hex[:8]}"
    stores_file = write_stores(directory, stores)
    settings = Settings(
        application=name,
        topic_prefix=f"{name}.",
        partitions=partitions,
        replication_factor=replicas,
        data_dir=directory,
        stores_file=stores_file,
        kafka=KafkaSettings.model_validate({"bootstrap": bootstrap, **secure}),
        clickhouse=ClickHouseSettings(url=url, database=name, ca_file=Path(ca_file) if ca_file else None),
    )
    await create_topics(settings)
    await asyncio.to_thread(migrate, address_of(settings), stores)
    secured = {f"SHOPMETER_KAFKA__{field.upper()}": value for field, value in secure.items()}
    if ca_file:
        secured["SHOPMETER_CLICKHOUSE__CA_FILE"] = ca_file
    shop = Installation(settings, stores, directory, {**environment(settings), **secured, **env})
    try:
        yield shop
    finally:
        await shop.close()
        if not keep:
            await asyncio.to_thread(_drop, shop)


def _drop(shop: Installation) -> None:
    client = shop.client()
    client.command(f"DROP DATABASE IF EXISTS {shop.settings.clickhouse.database} SYNC")
    client.close()


def environment(settings: Settings) -> dict[str, str]:
    """The settings as a process of this installation gets them."""
    return {
        "SHOPMETER_APPLICATION": settings.application,
        "SHOPMETER_TOPIC_PREFIX": settings.topic_prefix,
        "SHOPMETER_PARTITIONS": str(settings.partitions),
        "SHOPMETER_REPLICATION_FACTOR": str(settings.replication_factor),
        "SHOPMETER_DATA_DIR": str(settings.data_dir),
        "SHOPMETER_STORES_FILE": str(settings.stores_file),
        "SHOPMETER_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        "SHOPMETER_CLICKHOUSE__URL": settings.clickhouse.url,
        "SHOPMETER_CLICKHOUSE__DATABASE": settings.clickhouse.database,
        "PYTHONUNBUFFERED": "1",
    }


def write_stores(directory: Path, stores: Mapping[str, Store]) -> Path:
    """A `stores.toml` with exactly these stores, below the directory, which is made."""
    lines = ["version = 1"]
    for store_id, store in stores.items():
        lines.append(f'[stores."{store_id}"]')
        for name, value in msgspec.to_builtins(store).items():
            if isinstance(value, dict):
                value = "{" + ", ".join(f'"{key}" = {json.dumps(item)}' for key, item in value.items()) + "}"
                lines.append(f"{name} = {value}")
            else:
                lines.append(f"{name} = {json.dumps(value)}")
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "stores.toml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
