"""What both stores promise: epochs in flight are seen at once, committed in order, expired when their day is over."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from schemas.epoch import Stored
from streams.engine.state import CodecError, MemoryStore, StateError, StateStore
from streams.engine.state.codec import META_KEY, ChangelogRecord, encode_epoch
from tests.streams.state_kit import digest, epoch, everything, rocks, seen

Make = Callable[[], StateStore]


@pytest.fixture(params=["memory", "rocks"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    made: list[StateStore] = []

    def factory() -> StateStore:
        store: StateStore = (
            MemoryStore() if request.param == "memory" else rocks(tmp_path / f"state-{len(made)}")
        )
        made.append(store)
        return store

    yield factory
    for store in made:
        store.close()


@pytest.fixture
def store(make: Make) -> StateStore:
    return make()


def run(
    store: StateStore,
    state: Mapping[bytes, Stored | None] | None = None,
    *,
    packs: tuple[tuple[int, ...], ...] = (),
    expired: list[bytes] | None = None,
) -> list[ChangelogRecord]:
    """One epoch, begun and committed; its changelog records. A pack is (day, digest numbers...)."""
    number = (store.meta.number if store.meta else 0) + 1
    made = epoch(state, seen=[seen(*pack) for pack in packs])
    pending = store.begin(made, number=number, offsets={"click": number}, expired=expired or [])
    store.commit(pending, store.changelog_offset + len(pending.records) + 1)
    return pending.records


def test_an_epoch_in_flight_is_seen_and_committed_only_with_its_transaction(store: StateStore) -> None:
    run(store, {b"a": Stored(0, b"1"), b"b": Stored(5, b"2")})
    pending = store.begin(
        epoch({b"a": None, b"b": Stored(5, b"3"), b"c": Stored(0, b"")}, seen=[seen(5, 1)]),
        number=2,
        offsets={"order": 9},
    )
    assert everything(store) == {b"b": b"3", b"c": b""}
    assert store.get(b"a") is None
    assert store.seen_among([digest(1)])
    assert not store.seen_among([digest(2)])
    assert store.meta is not None
    assert store.meta.number == 1, "the meta record is the committed one"
    before = store.changelog_offset
    store.commit(pending, before + len(pending.records))
    assert everything(store) == {b"b": b"3", b"c": b""}
    assert store.changelog_offset == before + len(pending.records)
    assert (store.meta.number, store.meta.offsets, store.meta.processor) == (2, {"order": 9}, b"meta")
    assert store.in_flight == 0


def test_the_newest_of_several_epochs_in_flight_wins(store: StateStore) -> None:
    first = store.begin(epoch({b"a": Stored(0, b"1")}), number=1, offsets={})
    second = store.begin(epoch({b"a": Stored(0, b"2"), b"b": Stored(0, b"2")}), number=2, offsets={})
    third = store.begin(epoch({b"b": None}), number=3, offsets={})
    assert everything(store) == {b"a": b"2"}
    for pending in (first, second, third):
        store.commit(pending, store.changelog_offset + len(pending.records))
        assert everything(store) == {b"a": b"2"}


def test_a_scan_gives_one_prefix_ascending_and_never_the_engines_own_keys(store: StateStore) -> None:
    keys = [b"p", b"p\x00", b"p|1", b"p|2", b"p\xff", b"p\xff\xff", b"q", b"\xff", b"\xff\xff", b"o\xff"]
    run(store, {key: Stored(9, key) for key in keys}, packs=((9, 1, 2),))
    pending = store.begin(epoch({b"p|1": None, b"p|15": Stored(0, b"n")}), number=2, offsets={})
    assert [key for key, _ in store.scan(b"p|")] == [b"p|15", b"p|2"]
    assert [key for key, _ in store.scan(b"p\xff")] == [b"p\xff", b"p\xff\xff"]
    assert [key for key, _ in store.scan(b"\xff")] == [b"\xff", b"\xff\xff"]
    assert len(everything(store)) == len(keys)
    assert list(store.scan(b"\x00")) == []
    assert store.get(META_KEY) is None
    store.commit(pending, store.changelog_offset + len(pending.records))


def test_a_long_scan_is_whole(store: StateStore) -> None:
    keys = {b"k%05d" % at: Stored(0, b"%d" % at) for at in range(2_500)}
    run(store, keys)
    assert everything(store) == {key: stored.value for key, stored in keys.items()}


def test_expired_values_and_packs_are_named_once_their_day_is_over(store: StateStore) -> None:
    run(
        store,
        {b"never": Stored(0, b""), b"ten": Stored(10, b""), b"eleven": Stored(11, b"")},
        packs=((10, 1),),
    )
    assert store.expired(10, 100) == []
    due = store.expired(11, 100)
    assert b"ten" in due
    assert len(due) == 2, "the value and the pack"
    run(store, expired=due)
    assert everything(store) == {b"never": b"", b"eleven": b""}
    assert not store.seen_among([digest(1)])
    assert store.expired(11, 100) == []


def test_a_value_written_again_with_a_later_day_stays(store: StateStore) -> None:
    run(store, {b"k": Stored(10, b"1")})
    run(store, {b"k": Stored(20, b"2")})
    assert store.expired(15, 100) == []
    assert store.expired(21, 100) == [b"k"]
    run(store, {b"k": Stored(10, b"3")})
    assert store.expired(11, 100) == [b"k"], "and comes due again when its day goes back"


def test_a_deleted_key_comes_due_again_when_it_is_written_again(store: StateStore) -> None:
    run(store, {b"k": Stored(10, b"1")})
    run(store, {b"k": None})
    assert store.expired(11, 100) == []
    run(store, {b"k": Stored(10, b"2")})
    assert store.expired(11, 100) == [b"k"]


def test_keys_in_flight_are_not_named(store: StateStore) -> None:
    run(store, {b"a": Stored(10, b""), b"b": Stored(10, b"")}, packs=((10, 1),))
    due = store.expired(11, 100)
    assert len(due) == 3
    pending = store.begin(epoch({b"a": Stored(30, b"")}), number=2, offsets={}, expired=due)
    assert store.expired(11, 100) == []
    assert everything(store) == {b"a": b""}, "a key written again in the epoch that expires it stays"
    store.commit(pending, store.changelog_offset + len(pending.records))
    assert store.expired(31, 100) == [b"a"]


def test_expiry_in_small_steps_gets_through(store: StateStore) -> None:
    keys = {b"k%04d" % at: Stored(1 + at % 7, b"") for at in range(1_500)}
    run(store, keys)
    run(
        store,
        {key: Stored(50, b"") for key in list(keys)[:700]},
        packs=((3, *range(50)), (4, *range(50, 99))),
    )
    steps = 0
    while due := store.expired(40, 100):
        assert len(due) <= 102, "values up to the limit, and packs up to as many digests"
        run(store, expired=due)
        steps += 1
    assert len(everything(store)) == 700
    assert not any(store.seen_among([digest(at)]) for at in range(99))
    assert steps < 30


def test_a_digest_that_expires_and_is_seen_again_in_one_epoch_is_seen(store: StateStore) -> None:
    run(store, packs=((10, 1),))
    run(store, packs=((12, 1),), expired=store.expired(11, 10))
    assert store.seen_among([digest(1)])


def test_a_large_pack_travels_in_several_records(store: StateStore) -> None:
    records = run(store, packs=((10, *range(10_000)),))
    assert len(records) == 4, "three packs and the meta record"
    assert max(len(value or b"") for _, value in records) < 70_000
    assert all(store.seen_among([digest(at)]) for at in range(10_000))


def test_a_restore_from_the_records_gives_the_same_store(make: Make) -> None:
    live, restored = make(), make()
    log: list[ChangelogRecord] = []
    log += run(live, {b"a": Stored(10, b"1"), b"b": Stored(10, b"2")}, packs=((10, 1, 2), (12, 3)))
    log += run(live, {b"a": None, b"c": Stored(11, b"3")}, packs=((12, 4),))
    log += run(live, expired=live.expired(11, 10))
    for at in range(0, len(log), 3):
        restored.apply_batch(log[at : at + 3], min(at + 3, len(log)))
    assert everything(restored) == everything(live) == {b"c": b"3"}
    assert restored.meta == live.meta
    assert [restored.seen_among([digest(at)]) for at in range(6)] == [
        live.seen_among([digest(at)]) for at in range(6)
    ]
    assert sorted(restored.expired(99, 99)) == sorted(live.expired(99, 99))
    restored.apply_batch(log[-3:], len(log))
    assert everything(restored) == {b"c": b"3"}, "the same records again are harmless"


def test_a_pack_and_its_tombstone_in_one_restore_batch_leave_nothing(store: StateStore) -> None:
    records = encode_epoch(epoch(seen=[seen(10, 1)]), number=1, offsets={})
    store.apply_batch([*records, (records[0][0], None)], 3)
    assert not store.seen_among([digest(1)])
    assert store.expired(99, 9) == []


def test_one_bad_record_leaves_the_whole_batch_out(store: StateStore) -> None:
    with pytest.raises(CodecError, match="version 7"):
        store.apply_batch([(b"a", b"\x01\x00\x00x"), (b"b", b"\x07\x00\x00x")], 2)
    assert everything(store) == {}
    assert store.changelog_offset == 0
    store.apply(b"a", b"\x01\x00\x00x", 1)
    assert everything(store) == {b"a": b"x"}


def test_out_of_order_use_is_refused(store: StateStore) -> None:
    first = store.begin(epoch({b"a": Stored(0, b"")}), number=3, offsets={})
    with pytest.raises(StateError, match="numbers must grow"):
        store.begin(epoch(), number=3, offsets={})
    second = store.begin(epoch(), number=4, offsets={})
    with pytest.raises(StateError, match="not the oldest"):
        store.commit(second, 9)
    with pytest.raises(StateError, match="a restore while"):
        store.apply_batch([], 9)
    with pytest.raises(StateError, match="can't end at offset 1"):
        store.commit(first, 1)
    store.commit(first, 2)
    with pytest.raises(StateError, match="not the oldest"):
        store.commit(first, 4)
    for number in (5, 6, 7):
        store.begin(epoch(), number=number, offsets={})
    with pytest.raises(StateError, match="in flight"):
        store.begin(epoch(), number=8, offsets={})


def test_a_restore_does_not_go_back(store: StateStore) -> None:
    run(store, {b"a": Stored(0, b"")})
    with pytest.raises(StateError, match="wipe first"):
        store.apply_batch([], 1)


def test_a_wiped_store_is_new(store: StateStore) -> None:
    run(store, {b"a": Stored(3, b"")}, packs=((3, 1),))
    store.begin(epoch({b"b": Stored(3, b"")}), number=2, offsets={})
    store.wipe()
    assert everything(store) == {}
    assert (store.changelog_offset, store.meta, store.in_flight) == (0, None, 0)
    assert not store.seen_among([digest(1)])
    assert store.expired(99, 99) == []
    run(store, {b"a": Stored(3, b"")})
    assert store.expired(99, 99) == [b"a"]
