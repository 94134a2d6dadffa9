"""What the disk leaves after a kill, damage, another owner or a long absence: a whole epoch, or nothing."""

import random
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rocksdict import Checkpoint

from schemas.epoch import Stored
from schemas.topics import DAY_MS
from streams.engine.state import Identity, RocksStore, StateCorrupt, StateError, StateLocked, open_rocks
from streams.engine.state.opening import Opened, Reason
from streams.engine.state.rocks import CORRUPT_MARK
from streams.engine.state.rocks_options import BLOOM_BITS, Budget
from tests.streams import state_writer
from tests.streams.state_kit import IDENTITY, NOW_MS, digest, epoch, everything, rocks, seen

RETENTION_MS = 7 * DAY_MS


def reopened(directory: Path, *, identity: Identity = IDENTITY, now_ms: int = NOW_MS) -> Opened:
    return open_rocks(directory, identity=identity, now_ms=lambda: now_ms, delete_retention_ms=RETENTION_MS)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A directory with one closed store of 30,000 keys in several files, at offset 30,002."""
    store = rocks(tmp_path)
    state: dict[bytes, Stored | None] = {key: Stored(9, value) for key, value in content().items()}
    pending = store.begin(epoch(state, seen=[seen(9, 1)]), number=1, offsets={})
    store.commit(pending, len(pending.records))
    store.close()
    return tmp_path


def test_a_store_that_is_opened_again_keeps_its_filters_and_the_shared_memory(written: Path) -> None:
    budget = Budget()
    store = rocks(written, budget=budget)
    try:
        everything(store)
        filters = 30_000 * BLOOM_BITS // 8
        held = store._db.property_int_value("rocksdb.estimate-table-readers-mem")
        assert held > filters, "a question for an id that was never seen must not read a file"
        assert budget.cache.get_usage() > 1_000_000, "what was read is in the cache that all partitions share"
    finally:
        store.close()


def content() -> dict[bytes, bytes]:
    source = random.Random(7)
    return {b"key%05d" % at: source.randbytes(40) for at in range(30_000)}


def write_until_killed(directory: Path, epochs: int) -> int:
    """Run the writer, kill -9 it after this many epochs; the last epoch that it told of."""
    command = [sys.executable, "-m", "tests.streams.state_writer", str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            return [int(process.stdout.readline()) for _ in range(epochs)][-1]
        finally:
            process.kill()


def test_a_kill_leaves_every_epoch_up_to_one_and_that_epochs_offset(tmp_path: Path) -> None:
    source = random.Random(11)
    before = 0
    for _ in range(6):
        told = write_until_killed(tmp_path, source.randrange(100, 900))
        opened = reopened(tmp_path)
        assert opened.wiped is None
        left = whole_epochs(opened.store)
        assert before <= left, "what was on the disk stays there"
        # The restore: the changelog still has what only memory held.
        for number in range(left + 1, told + 1):
            state_writer.write_one(opened.store, number)
        before = whole_epochs(opened.store)
        assert before == max(told, left)
        opened.store.close()
    assert before > 400


class FlushingDatabase:
    """The database, which after every write puts all on the disk and keeps an image of it: a crash at each write."""

    def __init__(self, database: Any, images: Path) -> None:
        self._database = database
        self._images = images
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    def write(self, *arguments: Any) -> None:
        self._database.write(*arguments)
        self._database.flush(True)
        Checkpoint(self._database).create_checkpoint(str(self._images / f"image-{self.count}"))
        self.count += 1


def test_no_write_leaves_data_without_its_offset(tmp_path: Path) -> None:
    store = rocks(tmp_path / "live")
    images = tmp_path / "images"
    images.mkdir()
    database = FlushingDatabase(store._db, images)
    store._db = database
    for number in range(1, 6):
        state_writer.write_one(store, number)
    store.close()
    left = []
    for at in range(database.count):
        (images / "0").unlink(missing_ok=True)
        (images / "0").symlink_to(images / f"image-{at}")
        opened = reopened(images)
        assert opened.wiped is None
        left.append(whole_epochs(opened.store))
        opened.store.close()
    assert left == [1, 2, 3, 4, 5]


def whole_epochs(store: RocksStore) -> int:
    """The epoch that the store is at, having proved that it holds exactly the epochs up to it."""
    number = store.meta.number if store.meta else 0
    assert store.changelog_offset == number * state_writer.RECORDS
    expected = {
        b"k%d" % (key % state_writer.KEYS): state_writer.value(epoch_number, key % state_writer.KEYS)
        for epoch_number in range(max(1, number - state_writer.KEYS), number + 1)
        for key in state_writer.keys_of(epoch_number)
    }
    assert everything(store) == expected
    assert [at for at in range(1, number + 50) if store.seen_among([digest(at)])] == list(
        range(1, number + 1)
    )
    due = store.expired(101, 1_000_000)
    assert {key for key in due if key >= b"\x01"} == set(expected)
    assert len(due) == len(expected) + number
    return number


def test_a_damaged_byte_anywhere_is_noticed_or_changes_nothing(written: Path) -> None:
    source = random.Random(3)
    files = [path for path in (written / "0").iterdir() if path.stat().st_size and "LOG" not in path.name]
    originals = {path.name: path.read_bytes() for path in files}
    outcomes = {"noticed": 0, "harmless": 0}
    for _ in range(60):
        name = source.choice(sorted(originals))
        damaged = bytearray(originals[name])
        at = source.randrange(len(damaged))
        damaged[at] ^= source.randrange(1, 256)
        restore_files(written / "0", originals)
        (written / "0" / name).write_bytes(bytes(damaged))
        outcomes[read_all(written)] += 1
    assert outcomes["noticed"] > 10


def restore_files(directory: Path, originals: dict[str, bytes]) -> None:
    for path in directory.iterdir():
        path.unlink()
    for name, raw in originals.items():
        (directory / name).write_bytes(raw)


def read_all(directory: Path) -> str:
    """Start, read all, and start again if that failed: never other data, never a second failure."""
    for attempt in ("first", "second"):
        opened = reopened(directory)
        try:
            if opened.wiped is not None:
                assert opened.wiped.reason in (Reason.CORRUPT, Reason.IDENTITY)
                assert everything(opened.store) == {}
                assert opened.store.changelog_offset == 0
                return "noticed"
            found = everything(opened.store)
            assert opened.store.seen_among([digest(1)])
            assert opened.store.changelog_offset == 30_002
            assert found == content()
            return "harmless"
        except StateCorrupt:
            assert attempt == "first", "the second start must wipe what the first could not read"
        finally:
            opened.store.close()
    raise AssertionError("unreachable")


@pytest.mark.parametrize("name", ["CURRENT", "MANIFEST", "sst"])
def test_a_missing_file_is_a_wipe(written: Path, name: str) -> None:
    for path in (written / "0").iterdir():
        if name in path.name:
            path.unlink()
    opened = reopened(written)
    assert opened.store.changelog_offset == 0
    assert everything(opened.store) == {}
    opened.store.close()


def test_damage_met_by_a_read_is_told_and_marked(written: Path) -> None:
    largest = max((written / "0").glob("*.sst"), key=lambda path: path.stat().st_size)
    raw = bytearray(largest.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    largest.write_bytes(bytes(raw))
    store = rocks(written)
    with pytest.raises(StateCorrupt, match="next start wipes"):
        list(store.scan(b""))
    assert (written / "0" / CORRUPT_MARK).exists()
    store.close()
    opened = reopened(written)
    assert opened.wiped is not None
    assert opened.wiped.reason is Reason.CORRUPT
    opened.store.close()


def test_a_clean_stop_loses_nothing(written: Path) -> None:
    opened = reopened(written)
    assert opened.wiped is None
    assert everything(opened.store) == content()
    assert opened.store.changelog_offset == 30_002
    assert opened.store.size_bytes > 1_000_000
    opened.store.close()


def test_a_second_owner_is_told_who_holds_it_and_touches_nothing(written: Path) -> None:
    store = rocks(written)
    with pytest.raises(StateLocked, match="held by process"):
        reopened(written, identity=IDENTITY._replace(topic_id="another"))
    assert everything(store) == content()
    store.close()
    reopened(written).store.close()


def test_a_scan_left_half_read_does_not_keep_the_lock(written: Path) -> None:
    store = rocks(written)
    half = store.scan(b"key")
    next(half)
    store.close()
    rocks(written).close()
    with pytest.raises(StateError):
        list(half)


@pytest.mark.parametrize(
    ("identity", "now_ms", "reason"),
    [
        (IDENTITY._replace(topic_id="made anew"), NOW_MS, Reason.IDENTITY),
        (IDENTITY._replace(generation=1), NOW_MS, Reason.IDENTITY),
        (IDENTITY, NOW_MS + RETENTION_MS // 2 + 1, Reason.TOO_OLD),
        (IDENTITY, NOW_MS - DAY_MS, Reason.TOO_OLD),
        (IDENTITY, NOW_MS + RETENTION_MS // 2, None),
    ],
)
def test_a_store_that_is_anothers_or_too_old_is_wiped(
    written: Path, identity: Identity, now_ms: int, reason: Reason | None
) -> None:
    opened = reopened(written, identity=identity, now_ms=now_ms)
    assert (opened.wiped and opened.wiped.reason) == reason
    assert opened.store.changelog_offset == (0 if reason else 30_002)
    opened.store.close()


def test_a_restore_that_is_not_finished_stays_as_old_as_it_began(written: Path) -> None:
    later = NOW_MS + RETENTION_MS // 2
    store = reopened(written, now_ms=later).store
    store.apply_batch([(b"k", b"\x01\x00\x00")], 40_000)
    store.close()
    opened = reopened(written, now_ms=later + 1)
    assert opened.wiped is not None
    assert opened.wiped.reason is Reason.TOO_OLD
    opened.store.close()


def test_the_directory_is_only_ours_and_a_closed_store_refuses(tmp_path: Path) -> None:
    store = rocks(tmp_path / "state")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "state" / "0").stat().st_mode & 0o777 == 0o700
    store.close()
    store.close()
    with pytest.raises(StateError):
        store.get(b"k")


def test_a_store_whose_last_flush_finds_no_room_is_closed_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = rocks(tmp_path)
    first = store.begin(epoch({b"a": Stored(0, b"1")}), number=1, offsets={})
    store.commit(first, 2)
    store.close()
    store = rocks(tmp_path)
    large = store.begin(
        epoch({key: Stored(0, value) for key, value in content().items()}), number=2, offsets={}
    )
    store.commit(large, 30_004)
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, most[1]))
    try:
        store.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert "closed without its last epochs" in caplog.text
    opened = reopened(tmp_path)
    assert opened.wiped is None
    # The epoch before, whole; the restore brings the other one.
    assert (opened.store.changelog_offset, everything(opened.store)) == (2, {b"a": b"1"})
    opened.store.close()
