"""RocksDB's settings: many partitions in one process, within one memory budget."""

from dataclasses import dataclass, field
from typing import Any, Final

from rocksdict import BlockBasedOptions, Cache, DBCompressionType, Options, WriteBufferManager

MIB: Final = 1 << 20
# Blocks of all partitions together; the operating system's page cache holds the rest.
BLOCK_CACHE_BYTES: Final = 32 * MIB
# Memtables of all partitions together. RocksDB's defaults would take 192 MiB for each.
MEMTABLES_BYTES: Final = 64 * MIB
# What a kill -9 can lose of one partition, and the restore must read again, is about twice this.
MEMTABLE_BYTES: Final = 8 * MIB
# With RocksDB's 256 MiB nothing lies between the newest files and the last level of a partition of some hundred MB: each
# compaction wrote all of it again, and took 44 us an event, a third of what the event itself takes. So: 13.
LEVEL_BASE_BYTES: Final = 32 * MIB
FILE_BYTES: Final = 16 * MIB
BLOOM_BITS: Final = 10  # 1 % false hits


@dataclass
class Budget:
    """Memory that all partitions of a process share. One a process."""

    cache: Any = field(default_factory=lambda: Cache(BLOCK_CACHE_BYTES))
    memtables: Any = field(default_factory=lambda: WriteBufferManager(MEMTABLES_BYTES, False))


def options(budget: Budget) -> Any:
    """Options of one partition's database. Raw mode: keys and values are bytes, as they are."""
    blocks = BlockBasedOptions()
    blocks.set_block_cache(budget.cache)
    blocks.set_bloom_filter(BLOOM_BITS, False)
    blocks.set_format_version(5)
    made = Options(raw_mode=True)
    made.set_block_based_table_factory(blocks)
    made.set_write_buffer_manager(budget.memtables)
    made.set_write_buffer_size(MEMTABLE_BYTES)
    made.set_max_write_buffer_number(2)
    made.set_max_bytes_for_level_base(LEVEL_BASE_BYTES)
    made.set_target_file_size_base(FILE_BYTES)
    # Most questions are about event ids never seen: without it each one searches the memtable too (1.8 against 1.0 us).
    made.set_memtable_whole_key_filtering(True)
    made.set_memtable_prefix_bloom_ratio(0.05)
    # One writer: the locks of concurrent memtable writes cost without giving.
    made.set_allow_concurrent_memtable_write(False)
    made.set_compression_type(DBCompressionType.lz4())
    made.set_max_open_files(128)
    made.set_max_background_jobs(2)
    made.set_paranoid_checks(True)
    # Without these a partition's LOG files grow for ever, and a statistics dump is written every ten minutes.
    made.set_keep_log_file_num(2)
    made.set_max_log_file_size(MIB)
    made.set_stats_dump_period_sec(0)
    return made
