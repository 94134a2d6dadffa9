"""People who do more than a record can hold: what is stored of them is cut."""

from typing import Any

from processors.journal import PART_BYTES, Journal
from processors.people import People
from processors.person import Person, Tenant
from processors.segments import Impression
from processors.spans import place
from schemas.epoch import Epoch, Stored
from schemas.stores import Store
from schemas.topics import MAX_RECORD_BYTES
from streams.engine.state.memory import MemoryStore
from tests.golden.cases import TEN

LONG = "€" * 128  # three bytes each
PERSON = b"\x00\x08acme|a:x"


def committed(state: dict[bytes, Stored | None]) -> MemoryStore:
    """A store that holds this."""
    store = MemoryStore(0)
    pending = store.begin(Epoch(b"", state, [], {}, [], 0), number=1, offsets={}, expired=[])
    store.commit(pending, len(pending.records))
    return store


def test_a_journal_of_a_busy_epoch_is_cut_and_read_in_its_order() -> None:
    journal = Journal(MemoryStore(0))
    entries: list[Any] = [(0, TEN, f"e{n}", LONG * 20, "web", None, None) for n in range(1_000)]
    journal.add(PERSON, [*entries, "e7", "e999"], 30_000)
    into: dict[bytes, Stored | None] = {}
    journal.write(into, 5)
    assert len(into) > 1
    assert max(len(stored.value) for stored in into.values() if stored) <= PART_BYTES
    found = Journal(committed(into)).events(PERSON, since=5)
    assert found.keys() == {f"e{n}" for n in range(1_000)} - {"e7", "e999"}
    assert Journal(committed(into)).events(PERSON, since=6) == {}


def test_large_impressions_fill_a_segment_sooner() -> None:
    people, tenant = People(MemoryStore(0), 1 << 30), Tenant("acme", Store())
    person = people.find(tenant, "a:x")
    products = tuple(f"{number}{LONG}" for number in range(200))
    largest = 0
    for number in range(100):
        shown = Impression(TEN + number, f"e{number}", LONG, "", "", "", "web", products, tuple(range(200)))
        person.history.add_impression(shown)
        person.changed = True
        into: dict[bytes, Stored | None] = {}
        people.write(person, into)
        largest = max(largest, *[len(stored.value) for stored in into.values() if stored])
    assert len(person.history.sealed) > 5
    assert largest < MAX_RECORD_BYTES // 2


def test_a_touch_whose_made_session_has_forgotten_it_is_of_no_session() -> None:
    person: Person = People(MemoryStore(0), 1 << 30).find(Tenant("acme", Store()), "c:ann")
    assert person.session_key_of("", "web", TEN) is None
    place(person.spans.setdefault("web", []), TEN, 60_000)
    assert person.session_key_of("", "web", TEN) == f"g:web:{TEN}"
    assert person.session_key_of("", "web", TEN - 1) is None
    assert person.session_key_of("mine", "web", TEN - 1) == "s:mine"
