"""A sealed segment says what the open one said, and its mask never leaves out what is in it."""

from hypothesis import given
from hypothesis import strategies as st

from processors.sealed import ANYTHING, EMPTIED, Sealed, bit_of
from processors.segments import CLICKED, Act, Impression, Segment

PRODUCTS = st.text(max_size=6)
SHOWN = st.tuples(st.integers(0, 9), st.lists(PRODUCTS, max_size=8))
ACTED = st.tuples(st.integers(0, 9), PRODUCTS)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    """With impressions, interactions, and perhaps an emptied cart."""
    impressions = [
        Impression(at, f"e{number}", "w", "", "", "s", "web", tuple(products), tuple(range(len(products))))
        for number, (at, products) in enumerate(sorted(draw(st.lists(SHOWN, max_size=6))))
    ]
    acts: dict[str, list[Act]] = {}
    for at, product in draw(st.lists(ACTED, max_size=6)):
        acts.setdefault(product, []).append(Act(at, CLICKED, "c", 0, "s", "web", "", None))
    return Segment(impressions, acts, draw(st.lists(st.integers(0, 9), max_size=2)), 0, 9, 9, 12)


@given(segment=segments(), other=PRODUCTS)
def test_what_is_read_back_is_what_was_sealed(segment: Segment, other: str) -> None:
    stored = Sealed.of(segment).rewrite()
    read = Sealed.read(stored)
    shown = {product for one in segment.impressions for product in one.products}
    for product in {*shown, *segment.acts, other}:
        if not read.mask & bit_of(product):
            assert product not in shown
            assert product not in segment.acts
        assert list(read.decoded().shown(product, 2, 7)) == list(segment.shown(product, 2, 7))
    assert bool(read.mask & EMPTIED) == bool(segment.empties)
    assert bool(read.mask & ANYTHING) == bool(shown or segment.acts or segment.empties)
    assert read.decoded() == segment


@given(segment=segments())
def test_a_change_is_kept_once_it_is_written(segment: Segment) -> None:
    sealed = Sealed.of(segment)
    sealed.rest()
    assert sealed.decoded() is segment  # it is nowhere else yet
    sealed = Sealed.read(sealed.rewrite())
    sealed.decoded().take_out({"e0"}, [])
    stored = sealed.rewrite()
    sealed.rest()
    assert sealed.decoded() == Sealed.read(stored).decoded()
    assert all(one.event_id != "e0" for one in sealed.decoded().impressions)
