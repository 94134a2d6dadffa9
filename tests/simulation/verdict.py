"""The verdict of a run: rows equal to the oracle's, every record in one bucket, no claim of a watermark untrue."""

from collections.abc import Sequence
from typing import Any, Final

from schemas.topics import FORWARDED
from streams.engine.state import MemoryStore
from tests.oracle.recompute import recompute, windows
from tests.oracle.records import OracleResult, Origin, RawRecord
from tests.oracle.verdicts import judge as oracle_verdicts
from tests.simulation.house import DECODE, House
from tests.simulation.log import Broker
from tests.simulation.plan import TOPICS, Plan
from tests.simulation.stage import Stage
from tests.worlds import compare

MOST_DIFFERENCES: Final = 12
FORWARDED_MEASURES: Final = ("cancels", "refunds")
BUCKETS: Final = ("accepted", "duplicate", "test_traffic", "dead_letter", "too_late")


def judge(appended: Sequence[RawRecord], plan: Plan, broker: Broker, house: House, stage: Stage) -> None:
    """Everything that can be said when all is calm; what is wrong goes to the stage's findings."""
    letters = {(row.topic, row.partition, row.offset): row for row in house.read("dead_letters")}
    too_late = {origin for origin, row in letters.items() if row.reason == "too_late"}
    oracle = recompute(appended, plan.world.stores, rates=plan.world.oracle_rates, too_late=too_late)
    for difference in compare(house.rows(), oracle.rows)[:MOST_DIFFERENCES]:
        stage.find(f"pipeline on the left, oracle on the right: {difference}")
    if too_late and not plan.late:
        stage.find(f"too late, though nothing came later than allowed: {sorted(too_late)}")
    _judge_letters(letters, oracle, stage)
    _judge_ledger(appended, oracle, broker, house, plan.partitions, stage)
    if not plan.late:
        _judge_claims(appended, plan, house, stage)
    _judge_state(plan, broker, stage)


def _judge_letters(letters: dict[Origin, Any], oracle: OracleResult, stage: Stage) -> None:
    expected = {
        origin: (verdict.reason, verdict.field)
        for origin, verdict in oracle.verdicts.items()
        if verdict.bucket == "dead_letter"
    }
    found = {origin: (row.reason, row.field) for origin, row in letters.items() if row.reason != "too_late"}
    if found != expected:
        stage.find(f"dead letters are {found}, should be {expected}")


def _judge_ledger(
    appended: Sequence[RawRecord],
    oracle: OracleResult,
    broker: Broker,
    house: House,
    partitions: int,
    stage: Stage,
) -> None:
    """Each topic's records are read once, and each is in one bucket: the oracle's."""
    read: dict[tuple[str, int], int] = {}
    counted = dict.fromkeys((*BUCKETS, "forwarded"), 0)
    for row in house.read("ledger"):
        place = (row.topic, row.partition)
        read[place] = read.get(place, 0) + row.read
        if row.read != sum(getattr(row, bucket) for bucket in counted):
            stage.find(f"a ledger row does not add up: {row}")
        for bucket in counted:
            counted[bucket] += getattr(row, bucket)
    wanted: dict[tuple[str, int], int] = {}
    for record in appended:
        wanted[record.topic, record.partition] = wanted.get((record.topic, record.partition), 0) + 1
    for partition in range(partitions):
        events = [
            record
            for record in broker.log((TOPICS.source(FORWARDED), partition)).committed()
            if dict(record.headers).get("fwd_kind") == b"event"
        ]
        if events:
            wanted[FORWARDED, partition] = len(events)
    if read != wanted:
        stage.find(f"the ledger has read {read}, the topics hold {wanted}")
    verdicts = dict.fromkeys(BUCKETS, 0)
    for verdict in oracle.verdicts.values():
        verdicts[verdict.bucket] += 1
    ours = {bucket: counted[bucket] for bucket in BUCKETS}
    if ours != verdicts:
        stage.find(f"the ledger has {ours}, the oracle {verdicts}")
    if counted["forwarded"] != sum(count for (topic, _), count in wanted.items() if topic == FORWARDED):
        stage.find(f"{counted['forwarded']} records were forwarded, {wanted} came")


def _judge_claims(appended: Sequence[RawRecord], plan: Plan, house: House, stage: Stage) -> None:
    """When a watermark was seen, the windows that end before it (and the lateness) had to be as they are in the end.

    Events on their way to their own partition may still be there: cancels and refunds, and worlds with wrong keys.
    """
    if plan.misrouted:
        return
    stores = plan.world.stores
    lateness = max(store.allowed_lateness_ms for store in stores.values())
    truth = {
        partition: windows(
            oracle_verdicts([record for record in appended if record.partition == partition], stores)[1]
        )
        for partition in range(plan.partitions)
    }
    for partition, watermark, counters in house.claims:
        seen = {
            (*key[:4], 0): dict(zip(row.measures, row.values, strict=True))
            for key, wire in counters.items()
            for row in (DECODE["counters"](wire),)
        }
        for key, counted in truth[partition].items():
            _, size, start, *_ = key
            if int(start) + int(size) * 1000 <= watermark - lateness:
                counted = {name: value for name, value in counted.items() if name not in FORWARDED_MEASURES}
                visible = {
                    name: value
                    for name, value in seen.get(key, {}).items()
                    if value and name not in FORWARDED_MEASURES
                }
                if visible != counted:
                    stage.find(
                        f"watermark {watermark} of partition {partition} was seen when {key} was {visible},"
                        f" not {counted}"
                    )
                    return


def _judge_state(plan: Plan, broker: Broker, stage: Stage) -> None:
    """What a cold worker would restore goes on where everything is read."""
    for partition in range(plan.partitions):
        store = MemoryStore(partition)
        log = broker.log((TOPICS.changelog, partition))
        records = log.committed()
        if records:
            store.apply_batch([(record.key or b"", record.value) for record in records], log.end)
            assert store.meta is not None
            for topic, offset in store.meta.offsets.items():
                if broker.log((TOPICS.source(topic), partition)).committed(offset):
                    stage.find(f"{topic}/{partition}: the state goes on from {offset}, and records follow")
