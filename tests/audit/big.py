"""One big history through the real broker, workers and sink, with crashes on the way; then every question to both.

Shops of several zones and currencies, forty days of them: months, weeks and snapshots change in between,
people log in on devices that others use, refunds come days later, records come twice, in disorder and under wrong keys.
"""

import asyncio
import random
import sys
import time
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import clickhouse_connect
import msgspec

from deploy.audit import audit
from deploy.simulator.definitions import definitions
from deploy.simulator.history import history, new_truth
from deploy.simulator.scenario import Habits, Rates, Scenario, StoreSpec
from deploy.simulator.wire import SimDefinition, SimRecord
from schemas.topics import SOURCES
from streams.sink import address_of
from tests.audit.run import Finding, ask_everything
from tests.kafka.campaign.killing import kill_often
from tests.kafka.campaign.moving import Moving
from tests.kafka.campaign.visible import read_sources
from tests.kafka.pipeline_kit import Installation, installation
from tests.oracle.definitions import TOPIC as DEFINITION
from tests.oracle.definitions import definitions_of
from tests.oracle.metrics.facts import facts_of
from tests.oracle.records import RawRecord
from tests.oracle.verdicts import judge

HOUR_MS = 3_600_000
SHOPS = (
    StoreSpec(store_id="acme", other_currencies=("USD",), tax_percent=21),
    StoreSpec(store_id="sakura", zone="Asia/Tokyo", currency="JPY"),
    StoreSpec(store_id="souk.kw", zone="Asia/Kuwait", currency="KWD", tax_percent=8),
    StoreSpec(store_id="liberty", zone="America/New_York", currency="USD", other_currencies=("EUR", "JPY")),
    StoreSpec(store_id="loja", zone="America/Sao_Paulo", currency="BRL"),
)
RATES = Rates(
    duplicates=0.05, disorder=0.10, late=0.01, late_bound_ms=6 * HOUR_MS, poison=0.005, test_traffic=0.01,
    misrouted=0.01,
)  # fmt: skip
DRAIN_SECONDS = 900.0


def scenario_of(events: int, *, people: int, days: float, seed: int) -> Scenario:
    """About `events` records of `people` people over `days` days, up to now."""
    stores = tuple(msgspec.structs.replace(shop, people=people // len(SHOPS)) for shop in SHOPS)
    now_ms = time.time_ns() // 1_000_000

    def ending(visits: float) -> Scenario:
        habits = Habits(visits_per_week=visits, login_rate=0.2)
        return Scenario.ending(now_ms, days=days, seed=seed, stores=stores, rates=RATES, habits=habits)

    return ending(1.05 * events / ending(1.0).expected_records)


async def run_big(
    bootstrap: str,
    url: str,
    directory: Path,
    *,
    events: int,
    people: int,
    days: float,
    kills: int,
    questions: int,
    seed: int,
) -> Finding:
    """The finding; AssertionError when less than `events` records were sent or the accounts do not balance."""
    scenario = scenario_of(events, people=people, days=days, seed=seed)
    async with installation(bootstrap, url, directory, scenario.settings(), partitions=8) as shop:
        await _play(shop, scenario, kills, seed)
        _say("all is visible; reading the topics back")
        records = await read_sources(shop.settings, (*SOURCES, DEFINITION))
        if len(records) < events:
            raise AssertionError(f"{len(records)} records were sent, {events} are wanted: give another seed")
        conserved = await audit(shop.settings, settle_s=30)
        if conserved.mismatches:
            raise AssertionError(f"the accounts do not balance: {conserved.mismatches}")
        return await _compare(shop, records, questions, seed)


async def _play(shop: Installation, scenario: Scenario, kills: int, seed: int) -> None:
    """The whole history, two workers and a sink; kill -9 of both while it is read."""
    truth = new_truth(scenario)
    stamped_at = time.time_ns() // 1_000_000
    records: Iterable[SimRecord | SimDefinition] = chain(
        definitions(scenario, truth, stamped_at_ms=stamped_at),
        history(scenario, truth, stamped_at_ms=stamped_at),
    )
    load = shop.load(records)
    worker, sink = await shop.worker("0"), await shop.sink()
    await shop.worker("1")
    loading = asyncio.create_task(load.run(rate=5_000))
    await worker.works()
    async with Moving(shop.settings) as moving:
        await asyncio.gather(
            kill_often(worker, kills, random.Random(seed), load=load, moving=moving, longest_wait=5.0),
            kill_often(sink, kills, random.Random(seed + 1), load=load, moving=moving, longest_wait=5.0),
        )
    _say(f"{load.sent} records sent when the last of {2 * kills} kills was over")
    await shop.members["worker-1"].leave()
    await loading
    _say(f"all {load.sent} records sent")
    await shop.caught_up(seconds=DRAIN_SECONDS)


async def _compare(shop: Installation, records: Sequence[RawRecord], questions: int, seed: int) -> Finding:
    client = shop.client()
    late = client.query(
        "SELECT topic, partition, offset FROM dead_letters FINAL WHERE reason = 'too_late'"
    ).result_rows
    rows = sum(
        client.query(f"SELECT count() FROM {table} FINAL").result_rows[0][0]
        for table in ("sessions", "exposures", "orders", "journeys", "notifications", "links", "definitions")
    )
    client.close()
    began = time.monotonic()
    _, accepted = judge(records, shop.stores, too_late={tuple(place) for place in late})
    facts = facts_of(accepted, shop.stores, definitions_of(records, shop.stores))
    _say(
        f"the oracle has its facts after {time.monotonic() - began:.0f} s; {len(late)} records were too late"
    )
    finding = Finding(worlds=1, events=len(records), rows=rows)
    address = address_of(shop.settings)
    reader: Any = await clickhouse_connect.get_async_client(
        **address.client_options(), database=address.database
    )
    try:
        for store_id, found in facts.items():
            await ask_everything(reader, store_id, found, finding, questions, seed)
            _say(f"{store_id}: {finding.cells} cells so far, {len(finding.differences)} differences")
    finally:
        await reader.close()
    return finding


def _say(text: str) -> None:
    sys.stderr.write(f"  {time.strftime('%H:%M:%S', time.gmtime())} {text}\n")
    sys.stderr.flush()
