"""All golden cases, for `pytest.mark.parametrize("case", CASES, ids=NAMES)`."""

from typing import Final

from tests.golden import cases, money_cases

CASES: Final = (
    cases.window_edge("1 window edge", 0, in_window=True),
    cases.window_edge("1 window edge, one ms late", 1, in_window=False),
    cases.arrival_order(),
    cases.midnight(),
    cases.users(),
    money_cases.two_currencies(),
    money_cases.refund(),
    money_cases.discount(),
    money_cases.bounce(),
)
NAMES: Final = [case.name for case in CASES]
