"""The state of one partition: committed values, the epochs still in flight over them, and how both travel.

`codec` says how an epoch looks in the changelog, `store` what every store can do, `memory` and `rocks` are the twins
(one contract suite), `opening` decides whether what lies on the disk may be trusted.
"""

from streams.engine.state.codec import CodecError, Meta, new_life
from streams.engine.state.memory import MemoryStore
from streams.engine.state.opening import Identity, Wiped, open_rocks
from streams.engine.state.rocks import RocksStore, StateCorrupt, StateLocked
from streams.engine.state.rocks_options import Budget
from streams.engine.state.store import Pending, StateError, StateStore

__all__ = [
    "Budget",
    "CodecError",
    "Identity",
    "MemoryStore",
    "Meta",
    "Pending",
    "RocksStore",
    "StateCorrupt",
    "StateError",
    "StateLocked",
    "StateStore",
    "Wiped",
    "new_life",
    "open_rocks",
]
