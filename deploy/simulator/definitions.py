"""What a shop says of its experiences, tests, journeys, goals and products: records of the definition topic.

They are no part of the shop's story: they have no event time of their own, and may come before it or after it.
"""

from collections.abc import Iterator
from typing import Any, Final

import orjson

from deploy.simulator.catalogue import EXPERIENCES, GOALS, JOURNEYS
from deploy.simulator.scenario import Scenario, StoreSpec
from deploy.simulator.truth import ACCEPTED, Truth
from deploy.simulator.wire import SimDefinition
from schemas.topics import DAY_MS

TOPIC: Final = "definition"

# Share of the story's length -> status; what stands at 2.0 is still to come when the story ends.
_RUNNING: Final = ((0.0, "active"),)
_PAUSED: Final = ((0.0, "active"), (0.5, "paused"))
_BACK: Final = ((0.0, "active"), (0.4, "paused"), (0.6, "active"))
_ENDING: Final = ((0.0, "active"), (2.0, "ended"))
_COURSES: Final = (_ENDING, _BACK, _RUNNING, _PAUSED)
_TEST_COURSES: Final = (((0.0, "running"),), ((0.0, "running"), (0.7, "ended")))
_FEW_PRODUCTS: Final = 50  # named; the others keep their ids


def definitions(scenario: Scenario, truth: Truth, *, stamped_at_ms: int) -> Iterator[SimDefinition]:
    """All of the scenario's definitions in the order of their topic; `truth` accounts for each as it is taken."""
    for spec in scenario.stores:
        for kind, id_, at_ms, status in _statements(scenario, spec):
            key = f"{spec.store_id}|{kind}|{id_}".encode()
            truth.define(spec.store_id, kind, id_, at_ms, status)
            truth.account(TOPIC, ACCEPTED)
            if at_ms is None:
                yield SimDefinition(TOPIC, key, None, stamped_at_ms)
                continue
            body: dict[str, Any] = {"store_id": spec.store_id, "kind": kind, "id": id_, "effective_at": at_ms}
            body["name"] = id_.replace("-", " ").title()
            if status:
                body["status"] = status
            yield SimDefinition(TOPIC, key, orjson.dumps(body), stamped_at_ms)


def _statements(scenario: Scenario, spec: StoreSpec) -> Iterator[tuple[str, str, int | None, str]]:
    """(kind, id, effective at or None for "deleted", status or empty)."""
    # Defined a day before they are first used.
    begin_ms, length_ms = scenario.start_ms - DAY_MS, scenario.end_ms - scenario.start_ms

    def course(kind: str, id_: str, steps: tuple[tuple[float, str], ...]) -> Iterator[Any]:
        for share, status in steps:
            yield kind, id_, begin_ms + int(share * (length_ms + DAY_MS)), status

    for number, experience in enumerate(EXPERIENCES):
        yield from course("experience", experience.experience_id, _COURSES[number % len(_COURSES)])
    tests = [experience.test_id for experience in EXPERIENCES if experience.test_id is not None]
    for number, test_id in enumerate(tests):
        yield from course("ab_test", test_id, _TEST_COURSES[number % len(_TEST_COURSES)])
    for number, journey in enumerate(JOURNEYS):
        yield from course("journey", journey.journey_id, _COURSES[number % len(_COURSES)])
    for goal_id in GOALS:
        yield "goal", goal_id, begin_ms, ""
    for number in range(min(spec.products, _FEW_PRODUCTS)):
        yield "product", f"p{number:04d}", begin_ms, ""
    # Thought of, and dropped.
    yield "experience", "spring-teaser", begin_ms, "active"
    yield "experience", "spring-teaser", None, ""
