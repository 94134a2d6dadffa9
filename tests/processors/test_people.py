"""Who stays in memory when an epoch is over."""

from processors.people import People
from processors.person import Tenant
from schemas.stores import Store
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


def test_of_an_epoch_with_many_times_the_limit_only_those_stay_who_were_seen_last() -> None:
    people = people_after(range(500))
    assert len(people) == LIMIT // EACH
    assert people.get("acme|c:499") is not None
    assert people.get("acme|c:489") is None
