"""A process that writes epochs until it is killed: `python -m tests.streams.state_writer DIRECTORY`.

Epoch n writes key k for k = n mod KEYS, and its own digest; so the epoch number alone says what the store must hold.
One line of output an epoch.
"""

import sys
from pathlib import Path

from schemas.epoch import Stored
from streams.engine.state import RocksStore
from tests.streams.state_kit import epoch, rocks, seen

KEYS = 400
WRITES = 20
VALUE_BYTES = 6_000
RECORDS = WRITES + 2


def value(number: int, key: int) -> bytes:
    """What epoch `number` writes under this key: too irregular to compress to nothing."""
    return (b"%d|%d|" % (number, key)) * (VALUE_BYTES // 12)


def keys_of(number: int) -> range:
    """The keys (as numbers) that an epoch writes, before mod KEYS."""
    return range(number * WRITES, (number + 1) * WRITES)


def write_one(store: RocksStore, number: int) -> None:
    """One epoch, begun and committed; its offset is its number times RECORDS."""
    state = {b"k%d" % (key % KEYS): Stored(100, value(number, key % KEYS)) for key in keys_of(number)}
    made = epoch(state, seen=[seen(100, number)], meta=b"%d" % number)
    pending = store.begin(made, number=number, offsets={"click": number})
    store.commit(pending, number * RECORDS)


def main() -> None:
    """Write on from where the store is, until killed."""
    store = rocks(Path(sys.argv[1]))
    number = store.meta.number if store.meta else 0
    while True:
        number += 1
        write_one(store, number)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
