"""What the simulated shop says of its experiences, tests and journeys, and how it stands at any time."""

from deploy.simulator import definitions, new_truth
from deploy.simulator.truth import ACCEPTED
from schemas.topics import DAY_MS
from tests.deploy.simulator.stories import END_MS, STAMP_MS, WORLD
from tests.driver import PipelineDriver
from tests.oracle.records import RawRecord
from tests.processors.kit import table


def test_the_pipeline_takes_every_definition_and_stands_where_the_truth_stands() -> None:
    truth = new_truth(WORLD)
    driver = PipelineDriver(WORLD.settings(), partitions=3)
    made = list(definitions(WORLD, truth, stamped_at_ms=STAMP_MS))
    driver.pipe(RawRecord(one.topic, 0, 0, one.timestamp_ms, one.key, one.value) for one in made)
    assert not driver.dead_letters
    books = driver.ledger()
    assert books["accepted"] == books["read"] == len(made) == truth.bucket(ACCEPTED) == truth.records
    rows = table(driver, "definitions")
    for at_ms in (WORLD.start_ms - 2 * DAY_MS, WORLD.start_ms, END_MS - DAY_MS, END_MS, END_MS + 99 * DAY_MS):
        for store_id in WORLD.settings():
            latest: dict[tuple[str, str], tuple[int, str]] = {}
            for (store, kind, id_, since), row in rows.items():
                if store == store_id and since <= at_ms:
                    latest[kind, id_] = max(latest.get((kind, id_), (0, "")), (since, row["status"]))
            counts: dict[str, int] = {}
            for (kind, _), (_, status) in latest.items():
                if status:
                    counts[f"{kind} {status}"] = counts.get(f"{kind} {status}", 0) + 1
            assert counts == truth.standing(store_id, at_ms)


def test_at_the_end_some_of_each_are_under_way_and_some_are_not() -> None:
    truth = new_truth(WORLD)
    list(definitions(WORLD, truth, stamped_at_ms=STAMP_MS))
    assert truth.standing("acme", END_MS) == {
        "ab_test ended": 1,
        "ab_test running": 1,
        "experience active": 3,
        "experience paused": 1,
        "journey active": 3,
        "journey paused": 1,
    }
