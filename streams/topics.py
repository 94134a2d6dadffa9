"""Make and check the Kafka topics: the explicit step that stands for auto-creation, which knows no settings.

Nothing that exists is ever altered: a retention shortened by a tool loses data. What differs is reported with its mend.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any, Final, NamedTuple

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from schemas.topics import Topic
from streams.settings import Settings

_ALREADY_EXISTS: Final = 36
_UNKNOWN_TOPIC: Final = 3
REQUEST_TIMEOUT_MS: Final = 30_000
VISIBLE_SECONDS: Final = 30.0
VISIBLE_POLL_SECONDS: Final = 0.05
REPLICAS_FOR_TWO: Final = 3


class TopicsError(RuntimeError):
    """The broker refused to describe or create a topic. Names the topic and Kafka's error."""


class ProblemKind(StrEnum):
    """What is wrong with a topic."""

    MISSING = "missing"
    PARTITIONS = "partitions"
    CONFIG = "config"


class Problem(NamedTuple):
    """One thing that differs from `schemas.topics`, and how to mend it."""

    topic: str
    kind: ProblemKind
    setting: str
    """The config's name; `partitions` or empty for the other kinds."""
    found: str
    wanted: str
    mend: str

    def __str__(self) -> str:
        what = "is missing" if self.kind is ProblemKind.MISSING else f"{self.setting} is {self.found}"
        return f"{self.topic}: {what}, wanted {self.wanted}; {self.mend}"


class Report(NamedTuple):
    """What `create_topics` did, and what it left as it is although it differs."""

    created: tuple[str, ...]
    existing: tuple[str, ...]
    problems: tuple[Problem, ...]


def config_of(topic: Topic, settings: Settings) -> dict[str, str]:
    """The settings that a topic must have in this installation.

    Of three replicas, two must have a record before it counts as written: what the last of them took alone is lost when
    it does not come back.
    """
    if settings.replication_factor < REPLICAS_FOR_TWO:
        return dict(topic.config)
    return {**topic.config, "min.insync.replicas": "2"}


async def create_topics(settings: Settings) -> Report:
    """Create every topic that is missing; again is harmless. Raises TopicsError, or KafkaError without a broker."""
    wanted = settings.topics.all()
    async with _admin(settings) as admin:
        present = await _partition_counts(admin, wanted)
        missing = [topic for topic in wanted if topic.name not in present]
        created = await _create(admin, missing, settings) if missing else set()
        present = await _until_visible(admin, wanted)
        existing = [topic for topic in wanted if topic.name not in created]
        problems = await _problems(admin, existing, present, settings)
    names = [topic.name for topic in wanted]
    return Report(
        tuple(name for name in names if name in created),
        tuple(name for name in names if name not in created),
        tuple(problems),
    )


async def check_topics(settings: Settings) -> list[Problem]:
    """Everything that differs from `schemas.topics`; empty when a worker may start. Raises as `create_topics`."""
    wanted = settings.topics.all()
    async with _admin(settings) as admin:
        present = await _partition_counts(admin, wanted)
        return await _problems(admin, wanted, present, settings)


@asynccontextmanager
async def _admin(settings: Settings) -> AsyncIterator[Any]:
    options = settings.kafka_client_options()
    admin = AIOKafkaAdminClient(**options, request_timeout_ms=REQUEST_TIMEOUT_MS)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def _create(admin: Any, missing: list[Topic], settings: Settings) -> set[str]:
    """Create them; the names of those that this call made, and nobody else at the same time."""
    response = await admin.create_topics(
        [
            NewTopic(
                name=topic.name,
                num_partitions=topic.partitions or settings.partitions,
                replication_factor=settings.replication_factor,
                topic_configs=config_of(topic, settings),
            )
            for topic in missing
        ]
    )
    refused = []
    for name, code, *rest in response.topic_errors:
        # Another process may create the same topics at the same time: the next check compares what it made.
        if code not in (0, _ALREADY_EXISTS):
            detail = rest[0] if rest and rest[0] else ""
            refused.append(f"{name}: {for_code(code).__name__} {detail}".rstrip())
    if refused:
        raise TopicsError(f"topics not created: {'; '.join(refused)}")
    return {name for name, code, *_ in response.topic_errors if code == 0}


async def _until_visible(admin: Any, wanted: Iterable[Topic]) -> dict[str, int]:
    """Wait until the broker shows every topic with its leaders; topic -> partitions.

    A broker answers "created" before its own metadata knows the topic: a worker started at once would miss it.
    """
    names = {topic.name for topic in wanted}
    present: dict[str, int] = {}
    try:
        async with asyncio.timeout(VISIBLE_SECONDS):
            while True:
                present = await _partition_counts(admin, wanted, with_leaders=True)
                if names == present.keys():
                    return present
                await asyncio.sleep(VISIBLE_POLL_SECONDS)
    except TimeoutError:
        hidden = ", ".join(sorted(names - present.keys()))
        raise TopicsError(
            f"not visible after {VISIBLE_SECONDS:.0f} s: {hidden}; look at the broker's log, then run it again"
        ) from None


async def _partition_counts(
    admin: Any, wanted: Iterable[Topic], *, with_leaders: bool = False
) -> dict[str, int]:
    """Topic -> partitions, of those that exist. Lists all: asking for a missing one by name may create it."""
    names = {topic.name for topic in wanted}
    present: dict[str, int] = {}
    for described in await admin.describe_topics():
        name, code = described["topic"], described["error_code"]
        if name not in names or code == _UNKNOWN_TOPIC:
            continue
        if code:
            raise TopicsError(f"{name}: can't be described: {for_code(code).__name__}")
        if with_leaders and any(partition["error_code"] for partition in described["partitions"]):
            continue
        present[name] = len(described["partitions"])
    return present


async def _configs(admin: Any, names: Iterable[str]) -> dict[str, dict[str, str | None]]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    found: dict[str, dict[str, str | None]] = {}
    if not resources:
        return found
    for response in await admin.describe_configs(resources):
        for code, message, _type, name, entries in response.resources:
            if code:
                raise TopicsError(
                    f"{name}: its configs can't be read: {for_code(code).__name__} {message or ''}"
                )
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


async def _problems(
    admin: Any, wanted: Iterable[Topic], present: dict[str, int], settings: Settings
) -> list[Problem]:
    configs = await _configs(admin, [topic.name for topic in wanted if topic.name in present])
    problems: list[Problem] = []
    for topic in wanted:
        if topic.name not in present:
            problems.append(
                Problem(topic.name, ProblemKind.MISSING, "", "", "a topic", "run `shopmeter topics create`")
            )
            continue
        count = present[topic.name]
        if topic.partitions is not None and count != topic.partitions:
            problems.append(_lonely_problem(topic.name, count, topic.partitions))
        elif topic.partitions is None and count != settings.partitions:
            problems.append(_partition_problem(topic.name, count, settings.partitions))
        for setting, value in config_of(topic, settings).items():
            found = configs[topic.name].get(setting)
            if found != value:
                problems.append(_config_problem(topic.name, setting, found, value))
    return problems


def _partition_problem(topic: str, count: int, wanted: int) -> Problem:
    # More partitions on a topic with data would send a person's next events past their state.
    return Problem(
        topic,
        ProblemKind.PARTITIONS,
        "partitions",
        str(count),
        str(wanted),
        f"set SHOPMETER_PARTITIONS={count} if all topics have it, else make the topic anew while nothing runs",
    )


def _lonely_problem(topic: str, count: int, wanted: int) -> Problem:
    mend = "delete it while nothing runs, then run `shopmeter topics create`: workers fill it again"
    return Problem(topic, ProblemKind.PARTITIONS, "partitions", str(count), str(wanted), mend)


def _config_problem(topic: str, setting: str, found: str | None, wanted: str) -> Problem:
    return Problem(
        topic,
        ProblemKind.CONFIG,
        setting,
        "unknown to this broker" if found is None else found,
        wanted,
        f"kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {setting}={wanted}",
    )
