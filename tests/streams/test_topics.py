"""Topics on the real broker: made once with their settings, never altered, and every difference named."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.topics import DAY_MS
from streams.settings import KafkaSettings, Settings
from streams.topics import ProblemKind, TopicsError, check_topics, config_of, create_topics

pytestmark = pytest.mark.kafka

# sources, forwarded, definition, rows, interventions, dead letters, changelog, progress
COUNT = 6 + 1 + 1 + 1 + 1 + 1 + 1 + 1


def settings_for(bootstrap: str, name: str, *, partitions: int = 2, replication_factor: int = 1) -> Settings:
    return Settings(
        application=f"{name}-app",
        topic_prefix=f"{name}.",
        partitions=partitions,
        replication_factor=replication_factor,
        kafka=KafkaSettings(bootstrap=bootstrap),
    )


async def make(bootstrap: str, topic: str, partitions: int, config: dict[str, str]) -> None:
    """A topic made by somebody else."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        response = await admin.create_topics([NewTopic(topic, partitions, 1, topic_configs=config)])
        assert [error[1] for error in response.topic_errors] == [0]
    finally:
        await admin.close()


async def test_topics_are_created_once_as_they_must_be(kafka: str) -> None:
    settings = settings_for(kafka, "fresh")
    missing = await check_topics(settings)
    assert len(missing) == COUNT
    assert {problem.kind for problem in missing} == {ProblemKind.MISSING}
    assert "shopmeter topics create" in str(missing[0])

    first = await create_topics(settings)
    assert (len(first.created), first.existing, first.problems) == (COUNT, (), ())
    assert {"fresh.journey-node", "fresh.rows", "fresh-app-changelog"} <= set(first.created)
    assert await check_topics(settings) == []

    second = await create_topics(settings)
    assert (second.created, len(second.existing), second.problems) == ((), COUNT, ())


@pytest.mark.parametrize(("replicas", "needed"), [(1, "1"), (2, "1"), (3, "2")])
def test_of_three_replicas_two_must_have_a_record(replicas: int, needed: str) -> None:
    settings = settings_for("127.0.0.1:1", "many", replication_factor=replicas)
    wanted = {config_of(topic, settings)["min.insync.replicas"] for topic in settings.topics.all()}
    assert wanted == {needed}


async def test_what_differs_is_named_with_its_mend_and_left_alone(kafka: str) -> None:
    settings = settings_for(kafka, "odd")
    await make(
        kafka, "odd.order", 5, {"retention.ms": str(DAY_MS), "message.timestamp.type": "LogAppendTime"}
    )
    report = await create_topics(settings)
    assert report.existing == ("odd.order",)
    problems = await check_topics(settings)
    assert list(report.problems) == problems
    assert {problem.topic for problem in problems} == {"odd.order"}
    by_setting = {problem.setting: problem for problem in problems}
    assert by_setting["partitions"][3:5] == ("5", "2")
    assert by_setting["retention.ms"][3:5] == (str(DAY_MS), str(14 * DAY_MS))
    assert "--add-config message.timestamp.type=CreateTime" in by_setting["message.timestamp.type"].mend
    assert "odd.order: retention.ms is 86400000" in str(by_setting["retention.ms"])


async def test_two_creators_at_once_do_not_disturb_each_other(kafka: str) -> None:
    settings = settings_for(kafka, "race")
    await asyncio.gather(*(create_topics(settings) for _ in range(3)))
    assert await check_topics(settings) == []


async def test_a_refusal_of_the_broker_is_told(kafka: str) -> None:
    settings = settings_for(kafka, "many", replication_factor=3)
    with pytest.raises(TopicsError, match=r"many\.session: InvalidReplicationFactorError"):
        await create_topics(settings)
    assert len(await check_topics(settings)) == COUNT
