"""Where a world's choices come from: a seeded generator (fast), or hypothesis (shrinks to the smallest failure)."""

import random
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Chooser(Protocol):
    """Makes the choices of a world. The first of several, and the smaller number, is the simpler one."""

    def integer(self, least: int, most: int) -> int:
        """A number in [least, most]."""
        ...

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        ...

    def chance(self, one_in: int) -> bool:
        """True once in `one_in` times, about."""
        ...

    def repeat(self, make: "Callable[[Chooser], T]", least: int, most: int) -> list[T]:
        """Between `least` and `most` things made one after the other."""
        ...


class RandomChooser:
    """Choices of a seeded generator."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def integer(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def pick(self, options: Sequence[T]) -> T:
        return options[self._random.randrange(len(options))]

    def chance(self, one_in: int) -> bool:
        return self._random.randrange(one_in) == 0

    def repeat(self, make: Callable[[Chooser], T], least: int, most: int) -> list[T]:
        return [make(self) for _ in range(self._random.randint(least, most))]


class DrawChooser:
    """Choices of hypothesis."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def integer(self, least: int, most: int) -> int:
        return self._draw(st.integers(least, most))

    def pick(self, options: Sequence[T]) -> T:
        return self._draw(st.sampled_from(options))

    def chance(self, one_in: int) -> bool:
        # Counted from the far end: hypothesis shrinks to 0, and the simpler world is the one without the oddity.
        return self._draw(st.integers(0, one_in - 1)) == one_in - 1

    def repeat(self, make: Callable[[Chooser], T], least: int, most: int) -> list[T]:
        return self._draw(st.lists(_made(make), min_size=least, max_size=most))


@st.composite
def _made(draw: st.DrawFn, make: Callable[[Chooser], Any]) -> Any:
    return make(DrawChooser(draw))
