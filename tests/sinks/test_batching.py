"""Rows gathered into batches: one a table and month, one version a key, never more than agreed."""

import tracemalloc

import pytest

from sinks.batching import ROW_OVERHEAD_BYTES, BadRow, Origin, RowBuffer
from streams.settings import SinkSettings
from streams.sink import BUFFER_MAX_BYTES
from tests.sinks.making import FEBRUARY, JANUARY, encode, order, session


def buffer(max_rows: int = 100, max_bytes: int = 1_000_000) -> RowBuffer:
    return RowBuffer(max_rows=max_rows, max_bytes=max_bytes)


def at_offset(offset: int) -> Origin:
    return Origin("shop.rows", 3, offset)


def test_rows_are_grouped_by_table_and_month() -> None:
    held = buffer()
    held.add("sessions", encode(session("c:a")), at_offset(1))
    held.add("sessions", encode(session("c:b", born=FEBRUARY)), at_offset(2))
    held.add("orders", encode(order("o1", ("p", 1, 1, "none", ""))), at_offset(3))
    held.add("sessions", encode(session("c:c")), at_offset(4))
    batches = {(batch.table, batch.month): origins for batch, origins in held.take()}
    assert batches == {
        ("sessions", JANUARY): [at_offset(1), at_offset(4)],
        ("sessions", FEBRUARY): [at_offset(2)],
        ("orders", JANUARY): [at_offset(3)],
    }


@pytest.mark.parametrize("versions", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_only_the_highest_version_of_a_key_is_inserted(versions: tuple[int, ...]) -> None:
    held = buffer()
    for offset, version in enumerate(versions):
        held.add("sessions", encode(session(version=version)), at_offset(offset))
    ((batch, origins),) = held.take()
    assert batch.rows == [encode(session(version=3))]
    assert origins == [at_offset(versions.index(3))]


def test_a_row_that_is_withdrawn_under_one_day_and_lives_under_another_is_two() -> None:
    held = buffer()
    here, gone = session(version=2, born=JANUARY + 1), session(version=3, is_deleted=1)
    held.add("sessions", encode(here), at_offset(1))
    held.add("sessions", encode(gone), at_offset(2))
    ((batch, _),) = held.take()
    assert batch.rows == [encode(here), encode(gone)]


def test_of_equal_versions_the_later_one_stays_as_in_the_table() -> None:
    held = buffer()
    held.add("sessions", encode(session(clicks=1)), at_offset(1))
    held.add("sessions", encode(session(clicks=2)), at_offset(2))
    ((batch, _),) = held.take()
    assert batch.rows == [encode(session(clicks=2))]


def test_rows_and_bytes_are_bounded_and_counted_after_replacement() -> None:
    held = buffer(max_rows=2)
    small, large = encode(session()), encode(session(experience_id=["e" * 500]))
    held.add("sessions", small, at_offset(1))
    assert (held.rows, held.bytes, held.full) == (1, len(small) + ROW_OVERHEAD_BYTES, False)
    held.add("sessions", large, at_offset(2))
    assert (held.rows, held.bytes, held.full) == (1, len(large) + ROW_OVERHEAD_BYTES, False)
    held.add("sessions", encode(session("c:b")), at_offset(3))
    assert held.full
    list(held.take())
    assert (held.rows, held.bytes, held.full) == (0, 0, False)
    heavy = buffer(max_bytes=len(small) + ROW_OVERHEAD_BYTES)
    heavy.add("sessions", small, at_offset(1))
    assert heavy.full


def test_a_record_that_is_no_row_is_named_by_its_place() -> None:
    with pytest.raises(BadRow, match=r"shop.rows\[3\]@17: no row of table sessions"):
        buffer().add("sessions", b"{}", at_offset(17))
    with pytest.raises(BadRow, match=r"shop.rows\[3\]@18: a tombstone"):
        buffer().add("sessions", None, at_offset(18))
    with pytest.raises(BadRow, match=r"shop.rows\[3\]@19: its key names no table"):
        buffer().add("", encode(session()), at_offset(19))


@pytest.mark.parametrize(("lines", "most_mb"), [(1, 30), (60, 45)])
def test_a_batch_on_its_way_and_the_next_one_fit_into_what_an_outage_may_cost(
    lines: int, most_mb: int
) -> None:
    part = 10  # of the whole: memory is traced slowly
    held = RowBuffer(max_rows=SinkSettings().batch_max_rows // part, max_bytes=BUFFER_MAX_BYTES // part)
    tracemalloc.start()
    try:
        on_its_way, number = [], 0
        for _ in range(2):
            on_its_way.append(list(held.take()))
            while not held.full:
                row = order(f"o{number:016d}", *[("p", 1, 1, "none", "")] * lines)
                held.add("orders", encode(row), Origin("shop.rows", number % 4, number))
                number += 1
        assert tracemalloc.get_traced_memory()[0] * part < most_mb * 1_000_000
    finally:
        tracemalloc.stop()
