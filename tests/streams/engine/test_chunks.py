"""Positions, ends and alignment as pure values."""

import pytest

from schemas.epoch import Record
from streams.engine.chunks import Chunk, Positions
from streams.engine.ends import End, TopicEnds, held_back
from streams.engine.options import BrokenAssumption


def chunk(begin: int, end: int, *offsets: int, topic: str = "cart") -> Chunk:
    return Chunk(topic, 0, begin, end, [Record(offset, 0, b"k", b"v") for offset in offsets], 1)


def test_chunks_that_join_move_the_committable_offset_past_markers_and_compaction() -> None:
    positions = Positions({"cart": 10, "order": 0})
    for taken in (chunk(10, 13, 10, 12), chunk(13, 14), chunk(14, 20, 17, 19)):
        positions.check(taken)
        positions.finish(taken)
    assert positions.committable() == {"cart": 20, "order": 0}


@pytest.mark.parametrize(
    "wrong",
    [
        chunk(11, 12, 11),  # offset 10 was never processed
        chunk(9, 12, 10),  # offset 9 came twice
        chunk(10, 12, 12),  # a record beyond the chunk
        chunk(10, 9),
        chunk(0, 1, 0, topic="unknown"),
    ],
)
def test_a_chunk_that_does_not_join_is_refused_and_moves_nothing(wrong: Chunk) -> None:
    positions = Positions({"cart": 10})
    with pytest.raises(BrokenAssumption):
        positions.check(wrong)
    assert positions.committable() == {"cart": 10}


def test_an_offset_is_committable_only_when_its_chunk_is_finished() -> None:
    positions = Positions({"cart": 10})
    positions.check(chunk(10, 12, 10, 11))
    cut = positions.committable()
    positions.finish(chunk(10, 12, 10, 11))
    assert cut == {"cart": 10}
    assert positions.committable() == {"cart": 12}


def test_a_topic_is_idle_only_when_a_later_answer_of_the_broker_still_says_the_end() -> None:
    ends = TopicEnds(["cart"], idle_after=5.0)
    assert ends.idle() == set()
    ends.observe("cart", 7, End(7, 100.0), 100.0)
    assert ends.idle() == set()
    # Nine seconds without any answer prove nothing.
    ends.observe("cart", 7, None, 109.0)
    ends.observe("cart", 7, End(7, 100.0), 109.0)
    assert ends.idle() == set()
    ends.observe("cart", 7, End(7, 109.5), 109.5)
    assert ends.idle() == {"cart"}
    ends.observe("cart", 7, End(8, 110.0), 110.0)
    assert ends.idle() == set()
    assert ends.lag("cart", 7) == 1


def test_an_answer_from_before_the_last_chunk_was_taken_does_not_make_a_topic_idle() -> None:
    ends = TopicEnds(["cart"], idle_after=5.0)
    ends.observe("cart", 7, End(7, 100.0, 1_000), 100.0)
    ends.observe("cart", 7, End(7, 106.0, 7_000), 106.0)
    assert ends.idle(7_000) == {"cart"}
    # Records may have come to it between that answer and a chunk of another topic that was taken at 7,001.
    assert ends.idle(7_001) == set()


def test_a_topic_that_touches_its_end_now_and_then_is_not_behind() -> None:
    ends = TopicEnds(["cart", "order"], idle_after=5.0)
    assert ends.behind(0.0) == {"cart", "order"}
    ends.observe("cart", 7, End(7, 10.0), 10.0)
    ends.observe("order", 7, End(9, 10.0), 10.0)
    assert ends.behind(10.0) == {"order"}
    ends.observe("cart", 7, End(8, 12.0), 12.0)
    assert ends.behind(15.0) == {"order"}
    assert ends.behind(15.1) == {"cart", "order"}


def test_only_topics_too_far_ahead_of_the_slowest_backlog_are_held() -> None:
    times = {"cart": 1_000, "order": 5_000, "click": 2_000}
    assert held_back(["cart"], times, 1_000) == {"order"}
    assert held_back(["order"], times, 1_000) == set()
    assert held_back([], times, 0) == set()
    assert held_back(["session", "cart"], times, 1_000) == {"cart", "order", "click"}


def test_the_slowest_backlog_is_never_held_so_alignment_cannot_block_itself() -> None:
    for slowest in ("cart", "order", "click"):
        times = {"cart": 1, "order": 1, "click": 1, slowest: 0}
        for behind in ({slowest}, {"cart", "order", "click"}, {slowest, "session"}):
            held = held_back(behind, times, 0)
            assert behind - held, (behind, held)
