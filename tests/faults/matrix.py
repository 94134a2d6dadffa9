"""The matrix: cases by name, each with how often it is played, shortly and at length."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from tests.faults.stage import Outcome, Stage

PlayCase = Callable[[Stage, int], Awaitable[Outcome]]


class Case(NamedTuple):
    """A fault under load. `promise`: what must hold besides zero differences, in words."""

    name: str
    promise: str
    short: int
    long: int
    play: PlayCase


CASES: dict[str, Case] = {}


def case(name: str, promise: str, *, short: int, long: int) -> Callable[[PlayCase], PlayCase]:
    """Enter a function into the matrix. `name` begins with the fault's number."""

    def enter(play: PlayCase) -> PlayCase:
        assert name not in CASES, f"{name} stands there twice"
        CASES[name] = Case(name, promise, short, long, play)
        return play

    return enter
