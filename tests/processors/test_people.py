"""Who stays in memory when an epoch is over."""

from processors.people import SESSIONS_IN_MEMORY, People
from processors.person import Tenant
from schemas.stores import Store
from schemas.topics import DAY_MS
from streams.engine.state.memory import MemoryStore

EACH = 100
LIMIT = 1_000


def people_after(*epochs: range) -> People:
    """Everybody weighs 100 bytes, of a limit of 1,000."""
    people, tenant = People(MemoryStore(0), LIMIT), Tenant("acme", Store())
    for numbers in epochs:
        for number in numbers:
            person = people.find(tenant, f"c:{number}")
            if not person.weight:
                people._weigh(person, EACH)
        people.trim(0)
    return people


def test_who_was_seen_in_the_last_round_or_the_one_before_stays() -> None:
    people = people_after(range(11), range(20, 25))
    assert people.get("acme|c:0") is not None
    assert people.get("acme|c:24") is not None
    assert people_after(range(11), range(20, 31)).get("acme|c:0") is None


def test_of_an_epoch_with_many_times_the_limit_only_those_stay_who_were_changed_last() -> None:
    people = people_after(range(500))
    assert len(people) == LIMIT // EACH
    assert people.get("acme|c:499") is not None
    assert people.get("acme|c:489") is None


def test_who_was_there_first_and_is_busy_stays_and_who_is_too_large_goes_alone() -> None:
    people, tenant = People(MemoryStore(0), LIMIT), Tenant("acme", Store())
    for number in range(500):
        people._weigh(people.find(tenant, f"c:{number}"), EACH)
    busy, huge = people.find(tenant, "c:3"), people.find(tenant, "c:4")
    people._weigh(huge, 2 * LIMIT)
    for person in (busy, huge):
        people.write(person, {})
    people.trim(0)
    assert people.get("acme|c:3") is busy
    assert people.get("acme|c:4") is None
    assert len(people) == LIMIT // EACH


def test_somebody_who_is_always_in_memory_forgets_too() -> None:
    people, tenant = People(MemoryStore(0), LIMIT), Tenant("acme", Store())
    person = people.find(tenant, "c:till")
    person.orders[:] = [(day * DAY_MS, f"o{day}") for day in range(20_000, 20_100)]
    people.floor = 20_100 * DAY_MS
    people.write(person, {})
    assert len(person.orders) < 12


def test_what_somebody_weighs_goes_down_with_the_sessions_that_are_let_go_of() -> None:
    people, tenant = People(MemoryStore(0), LIMIT), Tenant("acme", Store())
    person = people.find(tenant, "c:bot")
    for _ in range(20):
        for number in range(SESSIONS_IN_MEMORY + 1):
            people.session(person, f"s:{number}")
            people._weigh(person, EACH)
        people.write(person, {})
    assert person.weight < 2 * EACH
